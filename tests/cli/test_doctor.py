"""What `vitrina doctor` finds in a home."""

from __future__ import annotations

from pathlib import Path

from vitrina.cli.doctor import Finding, examine
from vitrina.settings import load_settings


def aside(home: Path) -> Finding:
    settings = load_settings({"VITRINA_HOME": str(home)}, folder=home)
    return next(finding for finding in examine(settings) if finding.what == "rows set aside")


def test_rows_that_were_set_aside_are_named_with_what_to_do(tmp_path: Path) -> None:
    assert aside(tmp_path) == Finding("rows set aside", "ok", "none")
    kept = [tmp_path / "spool/visits/w/000000000001.refused", tmp_path / "journal/riga/door/000000000002.damaged"]
    for file in kept:
        file.parent.mkdir(parents=True)
        file.write_bytes(b"rows")

    found = aside(tmp_path)

    assert (found.state, found.found) == ("warning", f"2 files that no figure counts, such as {kept[0]}")
    assert "the log of that time says why" in found.mend
