"""`vitrina up` and `vitrina demo`: the processes of one home, and the only door to the web."""

from __future__ import annotations

import os
import signal
import ssl
import sys
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from vitrina.chat.channel import any_channel
from vitrina.chat.reading import Answering
from vitrina.cli import cameras, clip
from vitrina.errors import InputError
from vitrina.lens.demo.home import JOB
from vitrina.settings import Settings, load_settings
from vitrina.storage import accounts
from vitrina.storage.database import Database
from vitrina.work.jobs import State, enqueue, get_job, retry
from vitrina.work.supervise import Supervisor, leave_with_parent

ROLES = ("all", "web", "jobs", "connect", "chat", "index", "cameras")


def up(
    context: typer.Context,
    host: Annotated[str, typer.Option(help="Address to listen on; 0.0.0.0 opens it to the network.")] = "",
    port: Annotated[int, typer.Option(help="Port to listen on.", min=0, max=65535)] = 0,
    parts: Annotated[str, typer.Option(help="Parts that run here, comma-separated.")] = "",
    tls_cert: Annotated[str, typer.Option(help="Certificate file (PEM), for HTTPS.")] = "",
    tls_key: Annotated[str, typer.Option(help="Private key file (PEM) of the certificate.")] = "",
    only: Annotated[str, typer.Option(hidden=True)] = "all",
    number: Annotated[int, typer.Option(hidden=True)] = 0,
    idle: Annotated[float, typer.Option(hidden=True)] = 0.0,
    is_demo: Annotated[bool, typer.Option("--is-demo", hidden=True)] = False,
    open_page: Annotated[bool, typer.Option("--open", help="Open the page in a browser when it is there.")] = False,
) -> None:
    """Run the product: pages, jobs, and the workers that watch live cameras. Ctrl-C ends all of them.

    The first start prints a link that makes you the administrator; it can be used once.

    \b
    Examples:
      vitrina up
      vitrina up --host 0.0.0.0 --port 8443 --tls-cert shop.pem --tls-key shop.key
    """
    typed = {"host": host, "port": str(port or ""), "parts": parts, "tls_cert": tls_cert, "tls_key": tls_key}
    environ = os.environ | {"VITRINA_HOME": str(context.obj.home)}
    environ |= {f"VITRINA_{name.upper()}": value for name, value in typed.items() if value}
    settings = load_settings(environ, folder=Path.cwd())
    match only:
        case "web":
            serve(settings, is_demo=is_demo)
        case "jobs":
            # Imported here, as each process starts the sooner the less it needs: who watches is away meanwhile.
            from vitrina.cli import jobs

            jobs.work_off(settings, is_demo=is_demo)
        case "connect":
            from vitrina.cli import telling
            from vitrina.cli.lake import open_lake

            telling.tell_on(settings, open_lake)
        case "chat":
            from vitrina.cli import chatting

            chatting.talk(settings, _bot)
        case "index":
            own_index(settings, idle_s=idle)
        case "cameras":
            cameras.watch_share(settings, number)
        case "all":
            prepare(settings)
            threading.Thread(target=_welcome, args=(settings, is_demo, open_page), daemon=True).start()
            supervise(settings, environ, is_demo=is_demo)
        case _:
            raise InputError(f"--only: expected one of {', '.join(ROLES)}, got {only!r}")


def demo(
    context: typer.Context,
    video: Annotated[Path | None, typer.Option(help="A clip of yours to play instead of the sample.")] = None,
    port: Annotated[int, typer.Option(help="Port to listen on.", min=0, max=65535)] = 0,
    browser: Annotated[bool, typer.Option("--browser/--no-browser", help="Open the page in a browser.")] = True,
) -> None:
    """Show the product with something in it: a simulated chain, and a real clip through the real pipeline.

    Everything is kept in a home of its own (`demo` inside the home), so nothing here mixes with your shops.
    The page is open to this machine only.

    \b
    Examples:
      vitrina demo
      vitrina demo --video entrance.mp4
    """
    from vitrina.cli.simulate import fill_chain

    home = context.obj.home / "demo"
    environ = os.environ | {"VITRINA_HOME": str(home), "VITRINA_HOST": "127.0.0.1", "VITRINA_DATABASE_URL": ""}
    environ |= {"VITRINA_PORT": str(port)} if port else {}
    settings = load_settings(environ, folder=Path.cwd())
    prepare(settings)
    console = Console(stderr=True)
    fill_chain(settings, console=console)
    if "lens" in settings.parts:
        _ask_for_catalog(settings)
    street = clip.find(settings, video, console=console)
    if street is not None:
        clip.add_street(settings, street)
    console.print("Starting …")
    # A fresh process keeps none of the memory that the simulation took.
    command = [sys.executable, "-m", "vitrina.cli.main", "up", "--is-demo", *(["--open"] if browser else [])]
    os.execve(command[0], command, environ)  # noqa: S606 - our own command, without a shell


def _ask_for_catalog(settings: Settings) -> None:
    """Drawn and looked at by a job: some minutes of work that the first page does not wait for."""
    from vitrina.lens.demo.fill import point_links

    database = Database(settings.database)
    try:
        with database.session() as session:
            job_id = enqueue(session, JOB, {}, key=JOB)
            if get_job(session, job_id).state in (State.FAILED, State.CANCELLED):
                retry(session, job_id)
        point_links(settings, database)
    finally:
        database.dispose()


def prepare(settings: Settings) -> None:
    """The home, closed to others, with a database at today's version."""
    settings.home.mkdir(parents=True, exist_ok=True, mode=0o700)
    database = Database(settings.database)
    try:
        database.migrate()
    finally:
        database.dispose()


_ALLOCATORS = {
    "MALLOC_ARENA_MAX": "2",
    "ARROW_DEFAULT_MEMORY_POOL": "system",
    "_RJEM_MALLOC_CONF": "narenas:2,lg_tcache_max:10,dirty_decay_ms:1000,muzzy_decay_ms:0,background_thread:true",
}
"""glibc's, which Arrow then uses too, and the one that delta-rs brings (jemalloc). Each keeps several heaps for each
core and what each thread gave back, which the others do not get: over months, a process with many threads would grow by
what lies idle in them."""


def supervise(settings: Settings, environ: Mapping[str, str], *, is_demo: bool) -> None:
    """Run every process until SIGTERM or Ctrl-C."""
    stop = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: stop.set())
    database = Database(settings.database)
    try:
        wanted = partial(commands, settings, database, is_demo=is_demo)
        Supervisor(wanted, environ={**_ALLOCATORS, **environ}).run(stop)
    finally:
        database.dispose()


def commands(settings: Settings, database: Database, *, is_demo: bool) -> dict[str, list[str]]:
    """What should run now: name → command line. The workers themselves notice which cameras they are to watch."""
    ours = [sys.executable, "-m", "vitrina.cli.main"]
    mark = ["--is-demo"] if is_demo else []
    wanted = {
        "web": [*ours, "up", "--only", "web", *mark],
        "jobs": [*ours, "up", "--only", "jobs", *mark],
        "connect": [*ours, "up", "--only", "connect"],
    }
    if "lens" in settings.parts and not settings.lens_qdrant_url and (settings.lens / "catalog.db").exists():
        wanted["index"] = [*ours, "up", "--only", "index"]
    if chatting_wanted(database):
        wanted["chat"] = [*ours, "up", "--only", "chat"]
    if "floor" not in settings.parts:
        return wanted
    for number in sorted(cameras.workers_wanted(settings, database)):
        wanted[f"cameras {number}"] = [*ours, "up", "--only", "cameras", "--number", str(number)]
    return wanted


def own_index(settings: Settings, *, idle_s: float) -> None:
    """The process that has the index of pictures; one that a command started ends when nobody asks it any more."""
    from vitrina.lens.indexing.server import serve as answer

    if not idle_s:
        leave_with_parent()
    stop = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: stop.set())
    if not answer(settings, stop, idle_s=idle_s):
        os._exit(0)  # a thread is in the middle of a whole index, and zvec cannot be told to stop


def chatting_wanted(database: Database) -> bool:
    """Nobody talks before there is a channel to talk through."""
    with database.reading() as session:
        return any_channel(session)


def _bot(settings: Settings, database: Database) -> Answering:
    """What the bot says stands with the pages, as it is the same words."""
    from vitrina.cli.chatting import finder, picture_of, ticket_of
    from vitrina.web.chatbot import ChatBot
    from vitrina.web.lensbot import LensBot

    lens = None
    if "lens" in settings.parts:
        ticket = ticket_of(settings, database)
        lens = LensBot(finder(settings, database), picture_of(settings), settings.base_url, ticket=ticket)
    return ChatBot(database, language=settings.language, lens=lens).answer


def serve(settings: Settings, *, is_demo: bool) -> None:
    """The web process."""
    # Imported here, so that the other processes of `up` do without the web framework's memory.
    import uvicorn

    from vitrina.web.app import create_app

    captions = {clip.STREET: clip.CAPTION} if is_demo else None
    app = create_app(settings, demo=is_demo, captions=captions)
    leave_with_parent()
    uvicorn.run(
        app,
        host=settings.host,
        port=settings.port,
        ssl_certfile=settings.tls_cert or None,
        ssl_keyfile=settings.tls_key or None,
        log_config=None,
        access_log=False,
        server_header=False,
        timeout_graceful_shutdown=5,
    )


def _welcome(settings: Settings, is_demo: bool, open_page: bool) -> None:
    """Once the page answers (a minute at most), say where it is, and show it where that was asked for."""
    path = "/demo" if is_demo else "/"
    scheme = "https" if settings.tls_cert else "http"
    host = "127.0.0.1" if settings.host in ("0.0.0.0", "::") else settings.host  # noqa: S104 - compared, not bound
    for _ in range(120):
        time.sleep(0.5)
        try:
            urllib.request.urlopen(f"{scheme}://{host}:{settings.port}/health", timeout=2).close()  # noqa: S310 - our own
            break
        except urllib.error.HTTPError:
            break
        except OSError as error:
            if isinstance(getattr(error, "reason", None), ssl.SSLError):
                break  # it answers, with a certificate of its own making
    if is_demo:
        url = settings.base_url + path
        Console().print(
            f"\n[bold]Vitrina[/] is at [bold]{url}[/] (this machine only). Ctrl-C ends it.\n", soft_wrap=True
        )
    else:
        _greet(settings)
    if open_page:
        typer.launch(settings.base_url + path)


def _greet(settings: Settings) -> None:
    """Say where it is; while there is nobody yet, with the link that makes the first administrator."""
    console = Console()
    database = Database(settings.database)
    try:
        with database.session() as session:
            first = not accounts.anybody(session)
            token = (
                accounts.invite(session, role="admin", shop=None, hours=settings.invitation_hours, by="first start")
                if first
                else ""
            )
    finally:
        database.dispose()
    if first:
        hours = settings.invitation_hours
        console.print(f"Open this link within {hours} hours to become the administrator; it works once:")
        console.print(f"  {settings.base_url}/invitations/{token}", soft_wrap=True, highlight=False)
    console.print(f"Vitrina is at [bold]{settings.base_url}[/]. Ctrl-C ends it.", soft_wrap=True)
