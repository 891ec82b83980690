"""Add cashback"""

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "lens_terms",
        sa.Column("term_id", sa.String(length=36), nullable=False),
        sa.Column("shop", sa.String(length=64), nullable=False),
        sa.Column("category", sa.Text(), nullable=False),
        sa.Column("kind", sa.String(length=16), nullable=False),
        sa.Column("percent", sa.String(length=16), nullable=False),
        sa.Column("amount_minor", sa.BigInteger(), nullable=False),
        sa.Column("cap_minor", sa.BigInteger(), nullable=True),
        sa.Column("currency", sa.String(length=3), nullable=False),
        sa.Column("hold_days", sa.Integer(), nullable=False),
        sa.Column("valid_from", sa.Date(), nullable=False),
        sa.Column("valid_to", sa.Date(), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(["shop"], ["lens_shops.slug"], name=op.f("fk_lens_terms_shop_lens_shops")),
        sa.PrimaryKeyConstraint("term_id", name=op.f("pk_lens_terms")),
    )
    with op.batch_alter_table("lens_terms", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_lens_terms_shop"), ["shop"], unique=False)

    op.create_table(
        "lens_networks",
        sa.Column("name", sa.String(length=64), nullable=False),
        sa.Column("template", sa.Text(), nullable=False),
        sa.Column("sub_ids", sa.JSON(), nullable=False),
        sa.Column("hosts", sa.JSON(), nullable=False),
        sa.Column("fields", sa.JSON(), nullable=False),
        sa.Column("states", sa.JSON(), nullable=False),
        sa.Column("secret", sa.Text(), nullable=True),
        sa.Column("token", sa.Text(), nullable=True),
        sa.Column("active", sa.Boolean(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_lens_networks")),
    )
    op.create_table(
        "lens_programs",
        sa.Column("shop", sa.String(length=64), nullable=False),
        sa.Column("network", sa.String(length=64), nullable=False),
        sa.Column("base", sa.Text(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(["shop"], ["lens_shops.slug"], name=op.f("fk_lens_programs_shop_lens_shops")),
        sa.PrimaryKeyConstraint("shop", name=op.f("pk_lens_programs")),
    )
    op.create_table(
        "lens_wallets",
        sa.Column("wallet", sa.String(length=64), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("seen_on", sa.Date(), nullable=False),
        sa.PrimaryKeyConstraint("wallet", name=op.f("pk_lens_wallets")),
    )
    op.create_table(
        "lens_clicks",
        sa.Column("click_id", sa.String(length=36), nullable=False),
        sa.Column("shop", sa.String(length=64), nullable=False),
        sa.Column("offer_id", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("category", sa.Text(), nullable=False),
        sa.Column("search_id", sa.String(length=36), nullable=False),
        sa.Column("wallet", sa.String(length=64), nullable=True),
        sa.Column("t", sa.DateTime(timezone=True), nullable=False),
        sa.Column("price_minor", sa.BigInteger(), nullable=False),
        sa.Column("currency", sa.String(length=3), nullable=False),
        sa.Column("cashback_minor", sa.BigInteger(), nullable=True),
        sa.Column("promise", sa.JSON(), nullable=True),
        sa.Column("network", sa.String(length=64), nullable=False),
        sa.Column("host", sa.String(length=253), nullable=False),
        sa.PrimaryKeyConstraint("click_id", name=op.f("pk_lens_clicks")),
    )
    with op.batch_alter_table("lens_clicks", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_lens_clicks_t"), ["t"], unique=False)
        batch_op.create_index(batch_op.f("ix_lens_clicks_wallet_t"), ["wallet", "t"], unique=False)

    op.create_table(
        "lens_cashback",
        sa.Column("cashback_id", sa.String(length=36), nullable=False),
        sa.Column("network", sa.String(length=64), nullable=False),
        sa.Column("order_id", sa.String(length=200), nullable=False),
        sa.Column("action", sa.String(length=100), nullable=False),
        sa.Column("click_id", sa.String(length=36), nullable=True),
        sa.Column("sub_id", sa.String(length=120), nullable=False),
        sa.Column("shop", sa.String(length=64), nullable=False),
        sa.Column("wallet", sa.String(length=64), nullable=True),
        sa.Column("state", sa.String(length=16), nullable=False),
        sa.Column("order_minor", sa.BigInteger(), nullable=True),
        sa.Column("commission_minor", sa.BigInteger(), nullable=True),
        sa.Column("cashback_minor", sa.BigInteger(), nullable=False),
        sa.Column("currency", sa.String(length=3), nullable=False),
        sa.Column("payable_on", sa.Date(), nullable=False),
        sa.Column("ordered_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("changed_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("cashback_id", name=op.f("pk_lens_cashback")),
        sa.UniqueConstraint("network", "order_id", "action", name=op.f("uq_lens_cashback_network_order_id_action")),
    )
    with op.batch_alter_table("lens_cashback", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_lens_cashback_click_id"), ["click_id"], unique=False)
        batch_op.create_index(batch_op.f("ix_lens_cashback_ordered_at"), ["ordered_at"], unique=False)
        batch_op.create_index(batch_op.f("ix_lens_cashback_state_ordered_at"), ["state", "ordered_at"], unique=False)
        batch_op.create_index(batch_op.f("ix_lens_cashback_wallet"), ["wallet"], unique=False)

    op.create_table(
        "lens_ledger",
        sa.Column("movement_id", sa.String(length=36), nullable=False),
        sa.Column("cashback_id", sa.String(length=36), nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("who", sa.String(length=100), nullable=False),
        sa.Column("before", sa.String(length=16), nullable=False),
        sa.Column("after", sa.String(length=16), nullable=False),
        sa.Column("cashback_minor", sa.BigInteger(), nullable=False),
        sa.Column("currency", sa.String(length=3), nullable=False),
        sa.Column("why", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(
            ["cashback_id"], ["lens_cashback.cashback_id"], name=op.f("fk_lens_ledger_cashback_id_lens_cashback")
        ),
        sa.PrimaryKeyConstraint("movement_id", name=op.f("pk_lens_ledger")),
        sa.UniqueConstraint("cashback_id", "number", name=op.f("uq_lens_ledger_cashback_id_number")),
    )
    op.create_table(
        "lens_missing",
        sa.Column("click_id", sa.String(length=36), nullable=False),
        sa.Column("wallet", sa.String(length=64), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("order_id", sa.String(length=200), nullable=False),
        sa.Column("note", sa.Text(), nullable=False),
        sa.Column("state", sa.String(length=16), nullable=False),
        sa.Column("answer", sa.Text(), nullable=False),
        sa.Column("answered_by", sa.String(length=100), nullable=False),
        sa.Column("answered_at", sa.DateTime(timezone=True), nullable=True),
        sa.ForeignKeyConstraint(
            ["click_id"], ["lens_clicks.click_id"], name=op.f("fk_lens_missing_click_id_lens_clicks")
        ),
        sa.PrimaryKeyConstraint("click_id", name=op.f("pk_lens_missing")),
    )
    with op.batch_alter_table("lens_missing", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_lens_missing_state"), ["state"], unique=False)
