"""`vitrina floor check` as it is typed."""

from __future__ import annotations

import json
from typing import Any

from typer.testing import CliRunner

from vitrina.cli.main import app


def run(home: Any, *words: str) -> Any:
    return CliRunner().invoke(app, ["--home", str(home.path), "floor", "check", *words])


def test_an_old_chain_fails_with_what_to_do(chain_home: Any) -> None:
    done = run(chain_home)

    assert done.exit_code in (0, 1), done.output
    assert "3 shops:" in done.output


def test_findings_as_json_are_of_one_shop_when_asked(chain_home: Any) -> None:
    done = run(chain_home, "--shop", "demo-berlin", "--json")
    found = json.loads(done.output)

    assert {one["shop"] for one in found} == {"demo-berlin"}
    assert {one["check"] for one in found} >= {"crossings.twice", "presence.watched", "waits.outcome"}
    assert done.exit_code == int(any(one["verdict"] == "fail" for one in found))


def test_an_empty_home_has_nothing_to_check(empty_home: Any) -> None:
    done = run(empty_home)

    assert (done.exit_code, "0 shops" in done.output) == (0, True)
