from __future__ import annotations

import socket
from dataclasses import fields
from pathlib import Path

import pytest

from vitrina.errors import InputError
from vitrina.settings import SETTINGS, Settings, load_settings


def test_every_setting_of_the_table_is_a_field_and_every_field_is_in_the_table() -> None:
    assert [setting.name for setting in SETTINGS] == [field.name for field in fields(Settings)]


def test_the_environment_wins_over_the_file_and_the_file_over_the_default(tmp_path: Path) -> None:
    (tmp_path / "vitrina.toml").write_text("port = 9000\nk_anonymity = 7\n")

    settings = load_settings({"VITRINA_PORT": "9100"}, folder=tmp_path)

    assert (settings.port, settings.k_anonymity, settings.positions_days) == (9100, 7, 30)


def test_the_file_may_also_lie_in_the_home(tmp_path: Path) -> None:
    (tmp_path / "vitrina.toml").write_text('parts = ["floor"]\n')

    settings = load_settings({"VITRINA_HOME": str(tmp_path)})

    assert settings.parts == ("floor",)
    assert settings.database == f"sqlite:///{tmp_path}/vitrina.db"
    assert settings.lake == tmp_path / "lake"


@pytest.mark.parametrize(
    ("environ", "said"),
    [
        ({"VITRINA_PORT": "http"}, "environment: VITRINA_PORT: 'http' does not fit"),
        ({"VITRINA_PORT": "0"}, "expected 1 to 65535"),
        ({"VITRINA_PROT": "8000"}, "Did you mean VITRINA_PORT?"),
        ({"VITRINA_LANGUAGE": "de"}, "expected one of en, ru"),
        ({"VITRINA_TIMEZONE": "Berlin"}, "IANA time zone"),
        ({"VITRINA_ANALYSIS_FPS": "0.5"}, "expected 1 to 60"),
        ({"VITRINA_PARTS": "floor,garden"}, "comma-separated list out of floor"),
    ],
)
def test_a_value_that_does_not_fit_names_where_it_stands(environ: dict[str, str], said: str) -> None:
    with pytest.raises(InputError) as caught:
        load_settings(environ)

    assert said in str(caught.value)


@pytest.mark.parametrize(
    ("content", "said"),
    [("prot = 1", "Did you mean port?"), ("port = ", "not readable as TOML"), ("port = 99999", "expected 1 to 65535")],
)
def test_a_mistake_in_the_file_names_the_file(tmp_path: Path, content: str, said: str) -> None:
    (tmp_path / "vitrina.toml").write_text(content)

    with pytest.raises(InputError, match=r"vitrina\.toml") as caught:
        load_settings({}, folder=tmp_path)

    assert said in str(caught.value)


def test_the_address_that_people_type_may_differ_from_the_one_listened_on() -> None:
    assert load_settings({}).base_url == "http://127.0.0.1:8000"
    assert load_settings({"VITRINA_PUBLIC_URL": "https://floor.example.org/"}).base_url == "https://floor.example.org"


@pytest.mark.parametrize(
    ("host", "shown"),
    [
        ("0.0.0.0", socket.gethostname()),
        ("::", socket.gethostname()),
        ("192.0.2.7", "192.0.2.7"),
        ("2001:db8::7", "[2001:db8::7]"),
        ("vitrina.example.org", "vitrina.example.org"),
    ],
)
def test_an_address_that_is_shown_can_be_typed_elsewhere(host: str, shown: str) -> None:
    assert load_settings({"VITRINA_HOST": host}).base_url == f"http://{shown}:8000"


def test_an_address_that_is_set_stands_also_where_every_address_is_listened_on() -> None:
    settings = load_settings({"VITRINA_HOST": "0.0.0.0", "VITRINA_PUBLIC_URL": "https://floor.example.org"})

    assert settings.base_url == "https://floor.example.org"
