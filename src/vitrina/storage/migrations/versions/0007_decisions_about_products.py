"""Add decisions about products"""

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "lens_product_decisions",
        sa.Column("decision_id", sa.String(length=36), nullable=False),
        sa.Column("kind", sa.String(length=16), nullable=False),
        sa.Column("shop", sa.String(length=64), nullable=False),
        sa.Column("offer_id", sa.Text(), nullable=False),
        sa.Column("other_shop", sa.String(length=64), nullable=False),
        sa.Column("other_offer_id", sa.Text(), nullable=False),
        sa.Column("decided_by", sa.String(length=200), nullable=False),
        sa.Column("decided_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("decision_id", name=op.f("pk_lens_product_decisions")),
    )
    with op.batch_alter_table("lens_product_decisions", schema=None) as batch_op:
        batch_op.create_index(
            batch_op.f("ix_lens_product_decisions_shop_offer_id"), ["shop", "offer_id"], unique=False
        )
