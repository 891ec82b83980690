"""`vitrina chat`: channels to people, whose chat is whose, and what is on its way."""

from __future__ import annotations

import sys
from collections import Counter
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.table import Table

from vitrina.chat import channel, linking, outbox
from vitrina.chat.channel import APPRISE, TELEGRAM, TELEGRAM_URL, ChatChannel, ChatLink, ChatMessage
from vitrina.chat.letter import Away, Letter, Refused, Wire
from vitrina.chat.linking import Owner
from vitrina.chat.memory import MemoryWire
from vitrina.chat.outbox import Recipient, State
from vitrina.cli.connect import moment, print_json, whoami
from vitrina.cli.session import database_session
from vitrina.errors import InputError, NotFoundError
from vitrina.floor.setup import shops
from vitrina.settings import Settings
from vitrina.storage import accounts
from vitrina.storage.secrets import SecretBox

app = typer.Typer(
    help="Messages to people: Telegram with buttons, every other channel through Apprise.",
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode="rich",
)
telegram = typer.Typer(help="A bot of Telegram's, with buttons and photos.", no_args_is_help=True)
apprise = typer.Typer(help="Mail, Slack, Mattermost, webhooks and all else that Apprise reaches.", no_args_is_help=True)
app.add_typer(telegram, name="telegram")
app.add_typer(apprise, name="apprise")

AsJson = Annotated[bool, typer.Option("--json", help="Print the answer as JSON.")]
_Name = Annotated[str, typer.Argument(help="The channel's name, as in `list`.")]
TEST = "This is a test from Vitrina."


@telegram.callback()
def _telegram() -> None:
    """Typer makes a group only of what has a callback."""


@apprise.callback()
def _apprise() -> None:
    """Typer makes a group only of what has a callback."""


# Channels ----------------------------------------------------------------------------------------------------------


@telegram.command("set")
def telegram_set(
    context: typer.Context,
    token_file: Annotated[Path | None, typer.Option(help="File with the token on its first line.")] = None,
    ask_token: Annotated[bool, typer.Option("--ask-token", help="Ask for the token.")] = False,
    name: Annotated[str, typer.Option(help="What the channel is called here.")] = TELEGRAM,
    url: Annotated[str, typer.Option(help="Where the Bot API answers, for a server of your own.")] = TELEGRAM_URL,
    as_json: AsJson = False,
) -> None:
    """Add a bot, or give it a new token. @BotFather makes bots; Telegram is asked whether it knows this one.

    The token is stored encrypted. A bot has one reader: no other program may read it at the same time.

    \b
    Examples:
      vitrina chat telegram set --ask-token
      vitrina chat telegram set --token-file token.txt --json
    """
    from vitrina.chat.telegram import check_token

    settings: Settings = context.obj
    token, warning, username = _secret(token_file, ask_token, "token"), "", ""
    try:
        username = check_token(token, url=url) if channel.TOKEN.fullmatch(token) else ""
    except Away as away:
        warning = f"Telegram cannot be asked now ({away}); the token is stored as it is"
    with database_session(settings) as session:
        row = channel.set_telegram(session, token, box=SecretBox(settings.home), by=whoami(), url=url, name=name)
        channel.note_username(session, row.name, username)
    if as_json:
        print_json(_channel(row, {}) | {"warning": warning})
        return
    said = f"the bot is @{row.username}" if row.username else warning
    Console().print(f"{row.name}: {said}", highlight=False, markup=False)


@apprise.command("add")
def apprise_add(
    context: typer.Context,
    name: Annotated[str, typer.Argument(help="What the channel is called here, such as ops-mail.")],
    url_file: Annotated[Path, typer.Argument(help="File with the Apprise address on its first line; - reads it here.")],
    as_json: AsJson = False,
) -> None:
    """Add a channel by its Apprise address, such as mailto://… or slack://…; the address is stored encrypted.

    It comes from a file, because addresses hold passwords and a command line is seen by everybody on the machine.

    \b
    Examples:
      vitrina chat apprise add ops-mail mail-address.txt
      vitrina chat apprise add ops-hook - --json
    """
    from vitrina.chat.apprise import AppriseWire

    settings: Settings = context.obj
    address = _first_line(url_file)
    AppriseWire(address).close()
    with database_session(settings) as session:
        row = channel.add_apprise(session, name, address, box=SecretBox(settings.home), by=whoami())
    if as_json:
        print_json(_channel(row, {}))
        return
    Console().print(f"added {row.name}; `vitrina chat test {row.name}` sends a message there", highlight=False)


@app.command("list")
def list_(context: typer.Context, as_json: AsJson = False) -> None:
    """List the channels with how each is doing, and the chats that are linked.

    \b
    Examples:
      vitrina chat list
      vitrina chat list --json
    """
    with database_session(context.obj) as session:
        rows, links, counts = channel.list_channels(session), linking.list_links(session), outbox.counts(session)
        names = {link.person_id: accounts.get_person(session, link.person_id).email for link in links if link.person_id}
    if as_json:
        channels = [_channel(row, counts.get(row.name, {})) for row in rows]
        print_json({"channels": channels, "links": [_link(link, names) for link in links]})
        return
    console = Console()
    shown = Table("channel", "kind", "state", "waiting", "sent", "dropped", "failed")
    for row in rows:
        there = counts.get(row.name, {})
        shown.add_row(row.name, _kind(row), _state(row), *(str(there.get(state, 0)) for state in State))
    console.print(shown)
    if links:
        table = Table("link", "channel", "chat", "whose", "since")
        for link in links:
            said = _link(link, names)
            table.add_row(
                link.link_id[-8:], link.channel, link.name or link.chat, said["whose"], moment(link.linked_at)
            )
        console.print(table)


@app.command("remove")
def remove(context: typer.Context, name: _Name) -> None:
    """Remove a channel with its links and its messages; those on their way are not sent.

    \b
    Example:
      vitrina chat remove ops-mail
    """
    with database_session(context.obj) as session:
        channel.remove_channel(session, name, by=whoami())
    Console().print("removed")


@app.command("test")
def try_out(
    context: typer.Context,
    name: Annotated[str, typer.Argument(help="Only this channel.")] = "",
    to: Annotated[str, typer.Option(help="Id of a Telegram chat, instead of those that are linked.")] = "",
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Show what would be sent, and send nothing.")] = False,
    as_json: AsJson = False,
) -> None:
    """Send a message to every linked chat of a channel (or of all), from here and now, and say how it went.

    Ends with 1 when one of them could not be sent.

    \b
    Examples:
      vitrina chat test
      vitrina chat test telegram --to 123456789
      vitrina chat test ops-mail --dry-run
    """
    settings: Settings = context.obj
    with database_session(settings) as session:
        rows = [channel.get_channel(session, name)] if name else channel.list_channels(session)
        chats = {row.name: _chats(row, linking.list_links(session, channel=row.name), to) for row in rows}
    if not rows:
        raise NotFoundError("there is no chat channel yet; `vitrina chat telegram set --ask-token` adds one")
    said = [one for row in rows for one in _tried(row, chats[row.name], SecretBox(settings.home), dry_run=dry_run)]
    if as_json:
        print_json(said)
    else:
        for one in said:
            Console().print(f"{one['channel']} {one['chat']}: {one['said']}", highlight=False, markup=False)
    if not all(one["ok"] for one in said):
        raise typer.Exit(1)


def _chats(row: ChatChannel, links: list[ChatLink], to: str) -> list[str]:
    if row.kind == APPRISE:
        return [""]
    return [to] if to else [link.chat for link in links]


def _tried(row: ChatChannel, chats: list[str], box: SecretBox, *, dry_run: bool) -> list[dict[str, Any]]:
    from vitrina.chat.switchboard import open_wire

    if not chats:
        said = "no chat is linked yet; `vitrina chat link` makes a code, or say --to CHAT"
        return [{"channel": row.name, "chat": "", "ok": False, "said": said}]
    wire: Wire = MemoryWire() if dry_run else open_wire(row, box)
    try:
        return [_send_test(row, chat, wire, "would be sent" if dry_run else "sent") for chat in chats]
    finally:
        wire.close()


def _send_test(row: ChatChannel, chat: str, wire: Wire, done: str) -> dict[str, Any]:
    try:
        wire.send(chat, Letter(TEST))
    except (Away, Refused) as error:
        return {"channel": row.name, "chat": chat, "ok": False, "said": str(error)}
    return {"channel": row.name, "chat": chat, "ok": True, "said": f"{done}: {TEST}"}


# Whose chat is whose -----------------------------------------------------------------------------------------------


@app.command("link")
def link(
    context: typer.Context,
    person: Annotated[str, typer.Option(help="E-mail address of the person whose chat it will be.")] = "",
    role: Annotated[str, typer.Option(help="Instead of a person: a role that a group chat stands for.")] = "",
    shop: Annotated[str, typer.Option(help="Slug of the only shop that the role is about.")] = "",
    name: Annotated[str, typer.Option("--channel", help="Which channel, when there are several.")] = "",
    as_json: AsJson = False,
) -> None:
    """Make a code that links a Telegram chat: typed into it, or by the QR code. It works once, for ten minutes.

    A channel of Apprise's is one chat in itself and is linked at once.

    \b
    Examples:
      vitrina chat link --person kim@example.org
      vitrina chat link --role director --shop riga-1 --channel ops-mail
    """
    with database_session(context.obj) as session:
        row = _the_channel(channel.list_channels(session), name)
        if shop:
            shops.load_shop(session, shop)
        owner = Owner(person_id=_person_id(session, person), role=role or None, shop=shop or None)
        if row.kind == APPRISE:
            linked = linking.link(session, Recipient(row.name), owner, name=row.name, by=whoami())
            code, address = "", ""
        else:
            linked, code = None, linking.make_code(session, owner, by=whoami())
            address = linking.code_link(row, code)
    if as_json:
        print_json({"code": code, "url": address, "link": linked.link_id if linked else None})
        return
    _show_code(row, code, address)


def _show_code(row: ChatChannel, code: str, address: str) -> None:
    console = Console()
    if not code:
        console.print(f"{row.name} is linked", highlight=False)
        return
    bot = f"@{row.username}" if row.username else "the bot"
    console.print(f"Within ten minutes, write to {bot}:  /link {code}", highlight=False)
    if address:
        import segno

        console.print(f"or open {address}", highlight=False, soft_wrap=True)
        segno.make(address, error="m").terminal(compact=True)


@app.command("unlink")
def unlink(
    context: typer.Context,
    link_id: Annotated[str, typer.Argument(help="Id of the link, or its last eight letters, as in `list`.")],
) -> None:
    """Let a chat be nobody's again. The person can do so as well, by writing /unlink to the bot.

    \b
    Example:
      vitrina chat unlink 5d0c3f1a
    """
    with database_session(context.obj) as session:
        found = [one.link_id for one in linking.list_links(session) if one.link_id.endswith(link_id)]
        linking.unlink(session, found[0] if len(found) == 1 else link_id, by=whoami())
    Console().print("unlinked")


# The outbox --------------------------------------------------------------------------------------------------------


@app.command("outbox")
def outbox_(
    context: typer.Context,
    state: Annotated[str, typer.Option(help=f"Only those that are: {', '.join(State)}.")] = "",
    name: Annotated[str, typer.Option("--channel", help="Only this channel's.")] = "",
    limit: Annotated[int, typer.Option(min=1, max=10_000, help="So many at most.")] = 30,
    as_json: AsJson = False,
) -> None:
    """The last messages: waiting, sent, dropped (they waited longer than they were of use) or failed, with the reason.

    \b
    Examples:
      vitrina chat outbox --state waiting
      vitrina chat outbox --state dropped --json
    """
    if state and state not in list(State):
        raise InputError(f"--state: expected one of {', '.join(State)}, got {state!r}")
    with database_session(context.obj) as session:
        rows = outbox.messages(session, state=state or None, channel=name or None, limit=limit)
    if as_json:
        print_json([_message(row) for row in rows])
        return
    shown = Table("written (UTC)", "to", "state", "text", "reason", box=None)
    for row in rows:
        to = f"{row.channel} {row.recipient}".strip()
        tried = f"{row.state} ({row.tries})" if row.tries else row.state
        shown.add_row(moment(row.created_at), to, tried, row.text.partition("\n")[0][:60], row.reason)
    Console().print(shown)
    if not state:
        total = Counter(row.state for row in rows)
        Console(stderr=True).print(", ".join(f"{count} {name}" for name, count in total.items()), highlight=False)


# What is shown -----------------------------------------------------------------------------------------------------


def _kind(row: ChatChannel) -> str:
    return f"{row.kind} @{row.username}" if row.username else row.kind


def _state(row: ChatChannel) -> str:
    wrong = "; ".join(part for part in ("" if row.connected else row.status, row.reading) if part)
    return wrong or ("works" if row.connected else "nothing sent yet")


def _channel(row: ChatChannel, counts: dict[str, int]) -> dict[str, Any]:
    names = ("name", "kind", "username", "connected", "status", "status_at", "reading", "created_at")
    return {name: getattr(row, name) for name in names} | {"outbox": counts}


def _link(link: ChatLink, emails: dict[str, str]) -> dict[str, Any]:
    role = f"{link.role} in {link.shop or 'every shop'}" if link.role else ""
    whose = role or emails.get(link.person_id or "") or "a shopper"
    names = ("link_id", "channel", "chat", "name", "person_id", "role", "shop", "linked_at")
    return {name: getattr(link, name) for name in names} | {"whose": whose}


def _message(row: ChatMessage) -> dict[str, Any]:
    names = ("message_id", "topic", "channel", "recipient", "text", "state", "tries", "reason", "created_at")
    times = ("next_try_at", "expires_at", "sent_at")
    return {name: getattr(row, name) for name in (*names, *times)}


def _the_channel(rows: list[ChatChannel], name: str) -> ChatChannel:
    """By name; without one, the only Telegram bot."""
    fits = [row for row in rows if row.name == name or (not name and row.kind == TELEGRAM)]
    if len(fits) != 1:
        there = ", ".join(row.name for row in rows) or "none yet"
        raise NotFoundError(f"--channel: expected the name of one channel, got {name!r}; there are: {there}")
    return fits[0]


def _person_id(session: Any, email: str) -> str | None:
    found = accounts.find_person(session, email) if email else None
    if email and found is None:
        raise NotFoundError(f"there is no person with the address {email}")
    return found.person_id if found is not None else None


def _secret(file: Path | None, ask: bool, what: str) -> str:
    if (file is not None) == ask:
        raise InputError(f"say either --{what}-file FILE or --ask-{what}")
    return _first_line(file) if file is not None else typer.prompt(what.title(), hide_input=True, err=True).strip()


def _first_line(file: Path) -> str:
    if str(file) == "-":
        return sys.stdin.readline().strip()
    try:
        return file.read_text(encoding="utf-8").partition("\n")[0].strip()
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"{file}: cannot be read as text: {error}") from error
