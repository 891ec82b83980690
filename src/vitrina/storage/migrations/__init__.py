"""Alembic's scripts, one file a version, plain DDL. Shipped versions are never edited; a change is a new file."""
