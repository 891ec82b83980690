"""`vitrina lens cashback networks`: which way links go, and who may report orders."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.table import Column, Table
from sqlalchemy.orm import Session

from vitrina.cli.connect import print_json, whoami
from vitrina.cli.session import database_session
from vitrina.errors import InputError
from vitrina.lens import networks
from vitrina.lens.link import FIELDS
from vitrina.settings import Settings
from vitrina.storage.secrets import SecretBox

app = typer.Typer(help="Affiliate networks: links, secrets, the shops' places in them.", no_args_is_help=True)

AsJson = Annotated[bool, typer.Option("--json", help="Print the answer as JSON.")]
_Name = Annotated[str, typer.Argument(help="Name of the network, as in `list`.")]


@app.command("list")
def list_networks(context: typer.Context, as_json: AsJson = False) -> None:
    """Show the networks with their templates, what they must prove themselves by, and their shops.

    \b
    Examples:
      vitrina lens cashback networks list
      vitrina lens cashback networks list --json
    """
    with database_session(context.obj) as session:
        found = _told(session, context.obj)
    _show(found, as_json=as_json)


@app.command("add")
def add_network(
    context: typer.Context,
    name: Annotated[str, typer.Argument(help="Small letters, digits and hyphens.")],
    template: Annotated[
        str | None,
        typer.Option(help="'{base}?u={url}&s={subid}', or '{link}?s={subid}' to add to the shop's own link."),
    ] = None,
    sub_id: Annotated[list[str] | None, typer.Option(help="NAME=LENGTH of each sub-id, the click's first.")] = None,
    field: Annotated[
        list[str] | None, typer.Option(help=f"OURS=THEIRS: a postback's parameter; ours: {', '.join(FIELDS)}.")
    ] = None,
    state: Annotated[list[str] | None, typer.Option(help="THEIRS=OURS: pending, approved or rejected.")] = None,
    as_json: AsJson = False,
) -> None:
    """Add a network, or change what is given of one that is there.

    \b
    Examples:
      vitrina lens cashback networks add own --template "{link}?ref={subid}" --sub-id subid=50
      vitrina lens cashback networks add big --template "{base}?to={url}&s1={s1}" --sub-id s1=64 --field sub_id=s1
    """
    lengths = {key: _length(key, value) for key, value in _pairs("--sub-id", sub_id).items()}
    with database_session(context.obj) as session:
        networks.save_network(
            session,
            name,
            by=whoami(),
            template=template,
            sub_ids=lengths if sub_id else None,
            fields=_pairs("--field", field),
            states=_pairs("--state", state),
        )
        found = [one for one in _told(session, context.obj) if one["name"] == name]
    _show(found, as_json=as_json)


@app.command("set-secret")
def set_secret(
    context: typer.Context,
    name: _Name,
    secret_file: Annotated[Path | None, typer.Option(help="File with the key that it signs with.")] = None,
    ask_secret: Annotated[bool, typer.Option("--ask-secret", help="Ask for that key.")] = False,
    token_file: Annotated[Path | None, typer.Option(help="File with the token that it sends along instead.")] = None,
    ask_token: Annotated[bool, typer.Option("--ask-token", help="Ask for that token.")] = False,
    remove: Annotated[
        bool, typer.Option("--remove", help="Take key and token away: nothing is believed then.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Set what a network proves by that a postback is its own. Sealed in the database, and never shown again.

    \b
    Examples:
      vitrina lens cashback networks set-secret admitad --ask-token
      vitrina lens cashback networks set-secret big --secret-file key.txt
    """
    secret = "" if remove else _secret("secret", secret_file, ask=ask_secret)
    token = "" if remove else _secret("token", token_file, ask=ask_token)
    if secret is None and token is None:
        raise InputError("expected one of --secret-file, --ask-secret, --token-file, --ask-token or --remove")
    settings: Settings = context.obj
    with database_session(settings) as session:
        networks.set_secret(session, name, box=SecretBox(settings.home), by=whoami(), secret=secret, token=token)
        found = [one for one in _told(session, settings) if one["name"] == name]
    _show(found, as_json=as_json)


@app.command("program")
def set_program(
    context: typer.Context,
    shop: Annotated[str, typer.Argument(help="The shop's slug.")],
    network: Annotated[str, typer.Option(help="The network that its links go through; `direct` for none.")],
    base: Annotated[str, typer.Option(help="The address that the network gave for this shop.")] = "",
    as_json: AsJson = False,
) -> None:
    """Say which way a shop's links go.

    \b
    Examples:
      vitrina lens cashback networks program best-shop --network admitad --base https://ad.admitad.com/g/abc123/
      vitrina lens cashback networks program best-shop --network direct
    """
    with database_session(context.obj) as session:
        row = networks.set_program(session, shop, network, base=base, by=whoami())
        found = {"shop": row.shop, "network": row.network, "base": row.base}
    if as_json:
        print_json(found)
    else:
        Console().print(f"{shop}: {network} {base}", highlight=False, soft_wrap=True)


def _told(session: Session, settings: Settings) -> list[dict[str, Any]]:
    doors, programs = networks.doors(session), networks.list_programs(session)
    return [
        {
            "name": one.name,
            "template": one.template,
            "sub_ids": dict(one.sub_ids),
            "proves_by": list(doors.get(one.name, ())),
            "postback": f"{settings.base_url}/postback/{one.name}",
            "shops": [row.shop for row in programs.values() if row.network == one.name],
        }
        for one in networks.list_networks(session)
    ]


def _show(found: list[dict[str, Any]], *, as_json: bool) -> None:
    if as_json:
        print_json(found)
        return
    shown = Table(
        "network", Column("template", overflow="fold"), "proves itself by", Column("postbacks to", overflow="fold")
    )
    for one in found:
        by = " and ".join(one["proves_by"]) or "nothing yet"
        name = f"{one['name']}: {', '.join(one['shops'])}" if one["shops"] else one["name"]
        shown.add_row(name, one["template"] or "the shop's own link", by, one["postback"])
    Console().print(shown)


def _pairs(option: str, typed: list[str] | None) -> dict[str, str]:
    pairs = [one.partition("=") for one in typed or []]
    if not all(name and value for name, _, value in pairs):
        raise InputError(f"{option}: expected NAME=VALUE, got {', '.join(typed or [])}")
    return {name.strip(): value.strip() for name, _, value in pairs}


def _length(name: str, text: str) -> int:
    if not (text.isascii() and text.isdigit()):
        raise InputError(f"--sub-id {name}: expected a length such as 50, got {text!r}")
    return int(text)


def _secret(what: str, file: Path | None, *, ask: bool) -> str | None:
    if ask:
        return str(typer.prompt(what.capitalize(), hide_input=True))
    if file is None:
        return None
    try:
        return file.read_text(encoding="utf-8").splitlines()[0].strip()
    except (OSError, UnicodeDecodeError, IndexError) as error:
        raise InputError(f"{file}: expected a file with the {what} on its first line") from error
