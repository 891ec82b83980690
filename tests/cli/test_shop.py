from __future__ import annotations

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from vitrina.cli.shop import app
from vitrina.errors import ConflictError, InputError, NotFoundError
from vitrina.settings import Settings, load_settings


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return load_settings({"VITRINA_HOME": str(tmp_path / "home")}, folder=tmp_path)


@pytest.fixture
def starter(tmp_path: Path) -> Path:
    file = tmp_path / "shop.toml"
    assert CliRunner().invoke(app, ["init", str(file)]).exit_code == 0
    return file


def run(settings: Settings, *arguments: object) -> Result:
    return CliRunner().invoke(app, [str(argument) for argument in arguments], obj=settings)


def test_a_starter_is_written_once_and_can_be_applied_as_it_is(settings: Settings, starter: Path) -> None:
    written = starter.read_text()

    again = run(settings, "init", starter)
    applied = run(settings, "apply", starter)

    assert isinstance(again.exception, ConflictError)
    assert starter.read_text() == written
    assert applied.exit_code == 0
    assert "shop my-shop: new, with 1 camera, 2 zones, 1 line" in applied.output
    assert "my-shop: applied." in applied.output


def test_a_dry_run_tells_and_changes_nothing(settings: Settings, starter: Path) -> None:
    told = run(settings, "apply", starter, "--dry-run")

    assert "nothing was changed yet" in told.output
    assert "There is no shop yet" in run(settings, "list").output


def test_applying_tells_the_difference_in_sentences_or_json(settings: Settings, starter: Path) -> None:
    run(settings, "apply", starter)
    assert "my-shop: nothing changes." in run(settings, "apply", starter).output

    starter.write_text(starter.read_text().replace("[7, 4], [3, 4]]", "[7, 5], [3, 5]]"))
    answer = json.loads(run(settings, "apply", starter, "--json").output)

    assert answer["changes"] == ["zone shoes: polygon moved"]
    assert len(answer["layout_id"]) == 36


def test_what_is_exported_can_be_applied_again(settings: Settings, starter: Path, tmp_path: Path) -> None:
    run(settings, "apply", starter)

    printed = run(settings, "export", "my-shop").output
    saved = run(settings, "export", "my-shop", "--out", tmp_path / "saved.toml")

    assert (tmp_path / "saved.toml").read_text() == printed
    assert saved.exit_code == 0
    assert "nothing changes" in run(settings, "apply", tmp_path / "saved.toml").output


def test_the_list_has_every_shop(settings: Settings, starter: Path) -> None:
    run(settings, "apply", starter)

    (shop,) = json.loads(run(settings, "list", "--json").output)

    assert (shop["slug"], shop["timezone"], shop["zones"]) == ("my-shop", "Europe/Berlin", ["shoes", "till"])
    assert "my-shop" in run(settings, "list").output


def test_a_mistake_is_an_error_that_names_the_file_as_it_was_typed(settings: Settings, starter: Path) -> None:
    starter.write_text(starter.read_text().replace("Europe/Berlin", "Europe/Berlim"))

    failed = run(settings, "apply", starter)

    assert isinstance(failed.exception, InputError)
    assert f"{starter}:9: shop.timezone: expected an IANA time zone" in str(failed.exception)


def test_a_file_or_shop_that_is_not_there_is_an_error_that_says_what_to_do(settings: Settings, tmp_path: Path) -> None:
    no_file, folder = run(settings, "apply", tmp_path / "no.toml"), run(settings, "apply", tmp_path)
    no_shop = run(settings, "export", "riga-1")
    no_folder = run(settings, "init", tmp_path / "no" / "shop.toml")

    assert "A starter is written by: vitrina floor shop init" in str(no_file.exception)
    assert isinstance(folder.exception, InputError)
    assert isinstance(no_shop.exception, NotFoundError)
    assert isinstance(no_folder.exception, InputError)


@pytest.mark.parametrize(
    ("source", "said"),
    [
        ("door.mp4", "there is no file door.mp4 now"),
        ("loop:street.avi?fps=7", "there is no file street.avi now"),
    ],
)
def test_a_source_that_cannot_be_opened_is_applied_with_a_note(
    settings: Settings, starter: Path, source: str, said: str
) -> None:
    starter.write_text(starter.read_text().replace("door.mp4", source))

    applied = run(settings, "apply", starter)

    assert applied.exit_code == 0
    assert said in applied.output


def test_a_stream_needs_no_note(settings: Settings, starter: Path) -> None:
    starter.write_text(starter.read_text().replace("door.mp4", "rtsp://10.0.0.9/1"))

    assert "Note" not in run(settings, "apply", starter).output


def test_a_source_that_is_there_needs_no_note(settings: Settings, starter: Path) -> None:
    (starter.parent / "door.mp4").write_bytes(b"")

    assert "Note" not in run(settings, "apply", starter).output
