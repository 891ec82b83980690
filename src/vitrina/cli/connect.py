"""`vitrina connect`: who is told what happens, by MQTT and by webhook."""

from __future__ import annotations

import getpass
import json
from datetime import datetime
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.table import Table

from vitrina.cli.session import database_session
from vitrina.errors import InputError, NotFoundError
from vitrina.floor.bulletin import EVENTS
from vitrina.floor.setup import shops
from vitrina.outlet import broker, delivery, webhook
from vitrina.outlet.address import without_query
from vitrina.outlet.broker import Broker, BrokerSettings
from vitrina.outlet.delivery import Delivery
from vitrina.outlet.webhook import Webhook
from vitrina.settings import Settings
from vitrina.storage.secrets import SecretBox

app = typer.Typer(
    help="Tell other systems what happens.", no_args_is_help=True, add_completion=False, rich_markup_mode="rich"
)
mqtt = typer.Typer(help="An MQTT broker, as Home Assistant and Frigate users know it.", no_args_is_help=True)
hooks = typer.Typer(help="Webhooks: signed messages to an address.", no_args_is_help=True)
app.add_typer(mqtt, name="mqtt")
app.add_typer(hooks, name="webhook")

AsJson = Annotated[bool, typer.Option("--json", help="Print the answer as JSON.")]
_Id = Annotated[str, typer.Argument(help="Id of the webhook, or its last eight letters, as in `list`.")]


def whoami() -> str:
    """For the audit log."""
    return f"cli:{getpass.getuser()}"


# MQTT --------------------------------------------------------------------------------------------------------------


@mqtt.command("set")
def mqtt_set(
    context: typer.Context,
    host: Annotated[str, typer.Option(help="Name or address of the broker.")],
    port: Annotated[int, typer.Option(help="Its port; 1883, or 8883 with TLS, unless said otherwise.")] = 0,
    tls: Annotated[bool, typer.Option("--tls/--no-tls", help="Encrypt, and check the broker's certificate.")] = False,
    ca: Annotated[Path | None, typer.Option(help="Certificates (PEM) that signed the broker's, if not public.")] = None,
    username: Annotated[str, typer.Option(help="User that the broker knows.")] = "",
    password_file: Annotated[Path | None, typer.Option(help="File with the password on its first line.")] = None,
    ask_password: Annotated[bool, typer.Option("--ask-password", help="Ask for the password.")] = False,
    prefix: Annotated[str, typer.Option(help="First level of every topic.")] = "vitrina",
    discovery: Annotated[str, typer.Option(help="Home Assistant's discovery prefix; empty: none.")] = "homeassistant",
    as_json: AsJson = False,
) -> None:
    """Set the broker that is told. `vitrina up` connects within seconds, and again whenever the connection is lost.

    A password that was entered before is kept as long as the host stays the same.

    \b
    Examples:
      vitrina connect mqtt set --host mqtt.example.org
      vitrina connect mqtt set --host mqtt.example.org --tls --username vitrina --ask-password
    """
    given = BrokerSettings(
        host=host,
        port=port,
        tls=tls,
        ca=_read(ca) if ca else None,
        username=username,
        password=_password(password_file, ask_password),
        prefix=prefix,
        discovery_prefix=discovery,
    )
    settings: Settings = context.obj
    with database_session(settings) as session:
        row = broker.set_broker(session, given, box=SecretBox(settings.home), by=whoami())
    _show_broker(row, as_json=as_json)


@mqtt.command("test")
def mqtt_test(context: typer.Context, as_json: AsJson = False) -> None:
    """Connect to the broker from here, have one message acknowledged, and say how it went.

    \b
    Example:
      vitrina connect mqtt test
    """
    from vitrina.outlet.mqtt import try_out

    settings: Settings = context.obj
    with database_session(settings) as session:
        row = _broker(broker.find_broker(session))
    password = SecretBox(settings.home).open(row.password) if row.password else None
    said = try_out(row, password)
    if as_json:
        print_json({"ok": said == "connected", "said": said})
    else:
        Console().print(f"{row.host}:{row.port}: {said}", highlight=False)
    if said != "connected":
        raise typer.Exit(1)


@mqtt.command("show")
def mqtt_show(context: typer.Context, as_json: AsJson = False) -> None:
    """Show the broker and how the connection is.

    \b
    Example:
      vitrina connect mqtt show --json
    """
    with database_session(context.obj) as session:
        row = _broker(broker.find_broker(session))
    _show_broker(row, as_json=as_json)


@mqtt.command("remove")
def mqtt_remove(context: typer.Context) -> None:
    """Tell the broker nothing more. `vitrina up` says good-bye to it within seconds.

    \b
    Example:
      vitrina connect mqtt remove
    """
    with database_session(context.obj) as session:
        broker.remove_broker(session, by=whoami())
    Console().print("removed")


# Webhooks ----------------------------------------------------------------------------------------------------------


@hooks.command("add")
def webhook_add(
    context: typer.Context,
    url: Annotated[str, typer.Argument(help="Where messages go: https://HOST/PATH.")],
    events: Annotated[str, typer.Option(help=f"Comma-separated, out of: {', '.join(EVENTS)}.")],
    shop: Annotated[str, typer.Option(help="Slug of the only shop that it is told about.")] = "",
    allow_private: Annotated[
        bool, typer.Option("--allow-private", help="It is in a network of yours; plain http is allowed then.")
    ] = False,
    secret_file: Annotated[Path | None, typer.Option(help="File with a secret of your own (`whsec_…`).")] = None,
    as_json: AsJson = False,
) -> None:
    """Add a receiver. Its secret is shown this once: the receiver checks signatures with it.

    \b
    Examples:
      vitrina connect webhook add https://example.org/vitrina --events day.closed,camera.lost
      vitrina connect webhook add http://10.0.0.5:8080/hook --events hourly.figures --allow-private
    """
    settings: Settings = context.obj
    with database_session(settings) as session:
        if shop:
            shops.load_shop(session, shop)
        row, secret = webhook.add_webhook(
            session,
            url=url,
            events=split(events),
            known_events=EVENTS,
            shop=shop or None,
            allow_private=allow_private,
            box=SecretBox(settings.home),
            by=whoami(),
            secret=_read(secret_file).strip() if secret_file else "",
        )
    if as_json:
        print_json(_webhook(row) | {"secret": secret})
        return
    Console().print(f"added {row.webhook_id}\nsecret, shown only now: {secret}", highlight=False, soft_wrap=True)


@hooks.command("list")
def webhook_list(context: typer.Context, as_json: AsJson = False) -> None:
    """List the receivers.

    \b
    Example:
      vitrina connect webhook list
    """
    with database_session(context.obj) as session:
        rows = webhook.list_webhooks(session)
    if as_json:
        print_json([_webhook(row) for row in rows])
        return
    shown = Table("id", "address", "events", "shop", "state")
    for row in rows:
        state = "on" if row.active else f"off: {row.reason}" if row.reason else "off"
        shown.add_row(row.webhook_id[-8:], without_query(row.url), ", ".join(row.events), row.shop or "all", state)
    Console().print(shown)


@hooks.command("test")
def webhook_test(context: typer.Context, webhook_id: _Id) -> None:
    """Send a receiver a test message. `vitrina up` must be running; `log` says how it went.

    \b
    Example:
      vitrina connect webhook test 5d0c3f1a
    """
    with database_session(context.obj) as session:
        sent = delivery.tell_test(session, webhook_id, by=whoami())
    Console().print(f"on its way as msg_{sent}; `vitrina connect webhook log` says how it went", highlight=False)


@hooks.command("log")
def webhook_log(
    context: typer.Context,
    webhook_id: Annotated[str, typer.Option("--webhook", help="Only this receiver's.")] = "",
    limit: Annotated[int, typer.Option(min=1, max=1000, help="So many at most.")] = 30,
    as_json: AsJson = False,
) -> None:
    """The last messages: taken, on their way or given up, with the answer of the last try.

    \b
    Example:
      vitrina connect webhook log --limit 10
    """
    with database_session(context.obj) as session:
        chosen = webhook.get_webhook(session, webhook_id).webhook_id if webhook_id else None
        rows = delivery.deliveries(session, webhook_id=chosen, limit=limit)
    if as_json:
        print_json([_delivery(row) for row in rows])
        return
    shown = Table("message", "event", "state", "answer", box=None)
    shown.columns[0].no_wrap = True
    for row in rows:
        answer = row.reason or (f"HTTP {row.status}, {row.ms} ms" if row.status else "")
        tried = f"{row.fate} ({row.tries})" if row.tries else row.fate
        shown.add_row(row.delivery_id, row.event, tried, f"{moment(row.created_at)}: {answer}")
    Console().print(shown)


@hooks.command("again")
def webhook_again(
    context: typer.Context, message: Annotated[str, typer.Argument(help="Id of the message, as in `log`.")]
) -> None:
    """Send a message again, under its own id, so that a receiver that has it already can tell.

    \b
    Example:
      vitrina connect webhook again 0199f3a2-7c1e-7aa0-8a70-2f9d0a4c1b11
    """
    with database_session(context.obj) as session:
        delivery.tell_again(session, message.removeprefix("msg_"), by=whoami())
    Console().print("on its way")


@hooks.command("switch")
def webhook_switch(
    context: typer.Context,
    webhook_id: _Id,
    on: Annotated[bool, typer.Option("--on/--off", help="Whether it is told again, or nothing more for now.")] = True,
) -> None:
    """Switch a receiver on again (one that answered 410 Gone is switched off), or off for a while.

    \b
    Example:
      vitrina connect webhook switch 5d0c3f1a --off
    """
    with database_session(context.obj) as session:
        webhook.switch(session, webhook_id, active=on, by=whoami())
    Console().print("on" if on else "off")


@hooks.command("remove")
def webhook_remove(context: typer.Context, webhook_id: _Id) -> None:
    """Remove a receiver with its log; messages on their way are not sent.

    \b
    Example:
      vitrina connect webhook remove 5d0c3f1a
    """
    with database_session(context.obj) as session:
        delivery.remove_webhook(session, webhook_id, by=whoami())
    Console().print("removed")


# What is shown -----------------------------------------------------------------------------------------------------


def split(text: str) -> list[str]:
    return [part.strip() for part in text.split(",") if part.strip()]


def moment(t: datetime) -> str:
    return t.strftime("%Y-%m-%d %H:%M:%S")


def print_json(value: Any) -> None:
    typer.echo(json.dumps(value, ensure_ascii=False, indent=2, default=str))


def _broker(found: Broker | None) -> Broker:
    if found is None:
        raise NotFoundError("no MQTT broker is set; `vitrina connect mqtt set --host HOST` sets one")
    return found


def _show_broker(row: Broker, *, as_json: bool) -> None:
    said = {
        "host": row.host,
        "port": row.port,
        "tls": row.tls,
        "username": row.username,
        "password": "***" if row.password else "",
        "prefix": row.prefix,
        "discovery": row.discovery_prefix,
        "connected": row.connected,
        "status": row.status or "`vitrina up` has not tried yet",
        "since": row.status_at,
    }
    if as_json:
        print_json(said)
        return
    shown = Table(show_header=False)
    for name, value in said.items():
        shown.add_row(name, moment(value) if isinstance(value, datetime) else str(value))
    Console().print(shown)


def _webhook(row: Webhook) -> dict[str, Any]:
    names = ("webhook_id", "url", "events", "shop", "allow_private", "active", "reason", "created_at")
    return {name: getattr(row, name) for name in names}


def _delivery(row: Delivery) -> dict[str, Any]:
    names = ("delivery_id", "webhook_id", "event", "fate", "tries", "status", "ms", "reason", "created_at", "tried_at")
    return {name: getattr(row, name) for name in names}


def _password(file: Path | None, ask: bool) -> str | None:
    if file is not None and ask:
        raise InputError("--password-file and --ask-password: choose one of them")
    if file is not None:
        return _read(file).partition("\n")[0]
    return typer.prompt("Password", hide_input=True, err=True) if ask else None


def _read(file: Path) -> str:
    try:
        return file.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"{file}: cannot be read as text: {error}") from error
