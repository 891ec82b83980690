"""Write the next version of the database's schema from what the code says now.

    .venv/bin/python tools/new_migration.py "Add what to shops"

Read the file that it writes and mend it: Alembic does not see renames, and SQLite cannot alter everything. A version
that was shipped is never edited. tests/storage/test_database.py says whether code and versions agree.
"""

from __future__ import annotations

import argparse
import importlib
import subprocess
import sys
import tempfile
from pathlib import Path

from alembic import command

from vitrina.storage.database import Base, Database, migration_config

SOURCE = Path(__file__).parent.parent / "src"
VERSIONS = SOURCE / "vitrina" / "storage" / "migrations" / "versions"


def modules_with_tables() -> list[str]:
    """Every module that imports `Base`, by name."""
    paths = [path for path in sorted(SOURCE.rglob("*.py")) if "(Base):" in path.read_text(encoding="utf-8")]
    return [".".join(path.relative_to(SOURCE).with_suffix("").parts) for path in paths]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("message", help="what changes, in a few words")
    message = parser.parse_args().message
    for name in modules_with_tables():
        importlib.import_module(name)
    number = f"{len(list(VERSIONS.glob('[0-9]*.py'))) + 1:04d}"
    with tempfile.TemporaryDirectory() as folder:
        database = Database(f"sqlite:///{folder}/schema.db")
        database.migrate()
        with database.connect() as connection:
            config = migration_config(connection)
            config.attributes.update(metadata=Base.metadata, batch=number != "0001")
            command.revision(config, message=message, autogenerate=True, rev_id=number)
        database.dispose()
    written = next(VERSIONS.glob(f"{number}_*.py"))
    lines = written.read_text(encoding="utf-8").splitlines(keepends=True)
    written.write_text("".join(line for line in lines if "### " not in line), encoding="utf-8")
    subprocess.run([sys.executable, "-m", "ruff", "format", "--isolated", "--line-length=120", written], check=True)


if __name__ == "__main__":
    main()
