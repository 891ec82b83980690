"""The one table of settings, and how a `Settings` is read from it.

Order of precedence: environment (`VITRINA_*`) over `vitrina.toml` (in the working directory, else in
`VITRINA_HOME`) over the defaults below. Only entry points call `load_settings`; everything else is handed the result.
"""

from __future__ import annotations

import difflib
import ipaddress
import re
import socket
import tomllib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from zoneinfo import available_timezones

from vitrina.errors import InputError

PARTS = ("floor", "lens")
LANGUAGES = ("en", "ru")
ENGINES = ("duckdb", "spark")


@dataclass(frozen=True, slots=True)
class Setting:
    """One row of the table.

    unit: empty where the value has none. parse: turns text into the value or raises ValueError.
    """

    name: str
    default: str
    unit: str
    parse: Callable[[str], Any]
    help: str

    @property
    def variable(self) -> str:
        return f"VITRINA_{self.name.upper()}"


def _path(text: str) -> Path:
    return Path(text).expanduser()


def _one_of(*allowed: str) -> Callable[[str], str]:
    def parse(text: str) -> str:
        if text not in allowed:
            raise ValueError(f"expected one of {', '.join(allowed)}")
        return text

    return parse


def _between(low: float, high: float, kind: type[int] | type[float] = int) -> Callable[[str], Any]:
    def parse(text: str) -> int | float:
        value = kind(text)
        if not low <= value <= high:
            raise ValueError(f"expected {low} to {high}")
        return value

    return parse


def _parts(text: str) -> tuple[str, ...]:
    parts = tuple(part.strip() for part in text.split(",") if part.strip())
    unknown = [part for part in parts if part not in PARTS]
    if unknown or not parts:
        raise ValueError(f"expected a comma-separated list out of {', '.join(PARTS)}")
    return parts


def _spark_master(text: str) -> str:
    if not re.fullmatch(r"local(\[(\*|\d+)\])?|spark://[^\s/,]+:\d+(,[^\s/,]+:\d+)*", text):
        raise ValueError("expected local[*], local[2] or spark://host:port")
    return text


def _timezone(text: str) -> str:
    if text not in available_timezones():
        raise ValueError("expected an IANA time zone such as Europe/Berlin")
    return text


SETTINGS: tuple[Setting, ...] = (
    Setting("home", "~/.vitrina", "", _path, "Folder that holds all data: database, lake, keys, models, sockets."),
    Setting(
        "database_url",
        "",
        "",
        str,
        "SQLAlchemy address of the database; empty means SQLite at `<home>/vitrina.db`. "
        "PostgreSQL: `postgresql+psycopg://user@host/vitrina`.",
    ),
    Setting("parts", ",".join(PARTS), "", _parts, "Which parts of the product run here, comma-separated."),
    Setting(
        "host",
        "127.0.0.1",
        "",
        str,
        "Address that `vitrina up` listens on; `0.0.0.0` opens it to the network. Set `public_url` then: "
        "without it, links that are sent show this machine's own name.",
    ),
    Setting("port", "8000", "", _between(1, 65535), "Port that `vitrina up` listens on."),
    Setting(
        "public_url",
        "",
        "",
        str,
        "Address that people type, when it differs from host and port (behind a proxy); used in links that are sent.",
    ),
    Setting("tls_cert", "", "", str, "Certificate file (PEM); with `tls_key` the pages are served over HTTPS."),
    Setting("tls_key", "", "", str, "Private key file (PEM) of `tls_cert`."),
    Setting("language", "en", "", _one_of(*LANGUAGES), "Language of pages for visitors who have not chosen one."),
    Setting("timezone", "UTC", "", _timezone, "Time zone given to a shop that names none."),
    Setting("session_days", "30", "days", _between(1, 365), "How long a sign-in lasts without use."),
    Setting("invitation_hours", "72", "hours", _between(1, 720), "How long an invitation link can be used."),
    Setting("k_anonymity", "5", "people", _between(1, 100), "Groups smaller than this are not shown."),
    Setting("positions_days", "30", "days", _between(1, 400), "How long floor positions are kept."),
    Setting("visits_days", "400", "days", _between(1, 4000), "How long visits, crossings and waits are kept."),
    Setting(
        "lens_events_days",
        "400",
        "days",
        _between(1, 4000),
        "How long searches by photo are kept, and clicks that led to no order.",
    ),
    Setting(
        "lens_keep_gone_days",
        "90",
        "days",
        _between(1, 4000),
        "How long an offer is kept that its shop no longer has; it is forgotten with the pictures that only it shows.",
    ),
    Setting(
        "lens_qdrant_url",
        "",
        "",
        str,
        "Address of a Qdrant server or cluster (`https://host:6333`) that has the index of pictures; "
        "empty: a process of this machine has it.",
    ),
    Setting("lens_qdrant_key", "", "", str, "API key that this Qdrant asks for."),
    Setting("pending_days", "180", "days", _between(1, 1000), "How long a cashback waits for a network's word."),
    Setting(
        "lake_commit_s",
        "10",
        "s",
        _between(0.1, 600, float),
        "Rows wait at most this long on disk before they are committed.",
    ),
    Setting(
        "lake_commit_rows", "5000", "rows", _between(1, 1_000_000), "Rows are committed at once when this many wait."
    ),
    Setting(
        "query_memory_mb",
        "512",
        "MB",
        _between(64, 1_000_000),
        "Memory that one process' questions to the lake may use.",
    ),
    Setting(
        "engine",
        "duckdb",
        "",
        _one_of(*ENGINES),
        "What answers questions to the lake: `duckdb` in this process, or `spark` (Java 17 and `vitrina[spark]`).",
    ),
    Setting(
        "spark_master",
        "local[*]",
        "",
        _spark_master,
        "Where Spark works: `local[2]` or `local[*]` for this machine, `spark://host:7077` for a stand-alone cluster.",
    ),
    Setting(
        "spark_memory_mb",
        "1536",
        "MB",
        _between(512, 1_000_000),
        "Memory of Spark's process here, and of its process on each worker.",
    ),
    Setting("workers", "1", "processes", _between(1, 256), "Processes that one job may be spread over."),
    Setting(
        "cluster",
        "",
        "",
        str,
        "Address of a Dask scheduler (`tcp://host:8786`) to spread work over; empty: processes here.",
    ),
    Setting(
        "analysis_fps",
        "10",
        "frames/s",
        _between(1, 60, float),
        "Frames a second that are looked at, 1 at least; faster sources are thinned out.",
    ),
    Setting(
        "camera_workers",
        "0",
        "processes",
        _between(0, 64),
        "Processes that watch live cameras; 0: one for each processor, and one where there is under 2 GB of memory.",
    ),
    Setting(
        "export_folder",
        "",
        "",
        str,
        "Folder that exports may write below; empty means `exports` in the home.",
    ),
    Setting(
        "metrics_local",
        "no",
        "",
        _one_of("no", "yes"),
        "Whether programs on this very machine may read `/metrics` without a key.",
    ),
    Setting(
        "log_level", "info", "", _one_of("debug", "info", "warning", "error"), "Least severe messages that are logged."
    ),
    Setting("log_format", "text", "", _one_of("text", "json"), "Form of the log: text for people, json for machines."),
)


@dataclass(frozen=True, slots=True)
class Settings:
    """The values of `SETTINGS`, one field each."""

    home: Path
    database_url: str
    parts: tuple[str, ...]
    host: str
    port: int
    public_url: str
    tls_cert: str
    tls_key: str
    language: str
    timezone: str
    session_days: int
    invitation_hours: int
    k_anonymity: int
    positions_days: int
    visits_days: int
    lens_events_days: int
    lens_keep_gone_days: int
    lens_qdrant_url: str
    lens_qdrant_key: str
    pending_days: int
    lake_commit_s: float
    lake_commit_rows: int
    query_memory_mb: int
    engine: str
    spark_master: str
    spark_memory_mb: int
    workers: int
    cluster: str
    analysis_fps: float
    camera_workers: int
    export_folder: str
    metrics_local: str
    log_level: str
    log_format: str

    @property
    def lake(self) -> Path:
        return self.home / "lake"

    @property
    def lens(self) -> Path:
        """Where the catalog, its pictures, vectors and index live."""
        return self.home / "lens"

    @property
    def sums(self) -> Path:
        """What each shop's days add up to."""
        return self.home / "sums"

    @property
    def chain_sums(self) -> Path:
        """What the whole chain's days add up to."""
        return self.home / "chain-sums"

    @property
    def exports(self) -> Path:
        """Where exports may write, with the default filled in."""
        return Path(self.export_folder).expanduser() if self.export_folder else self.home / "exports"

    @property
    def database(self) -> str:
        """SQLAlchemy address, with the default filled in."""
        return self.database_url or f"sqlite:///{self.home / 'vitrina.db'}"

    @property
    def base_url(self) -> str:
        """Address that people type. Where every address is listened on, it has this machine's own name."""
        scheme = "https" if self.tls_cert else "http"
        return self.public_url.rstrip("/") or f"{scheme}://{_in_address(self.host)}:{self.port}"


def load_settings(environ: Mapping[str, str], *, folder: Path | None = None) -> Settings:
    """Settings from the environment, then `vitrina.toml` in `folder` or in the home, then the defaults.

    Raises InputError naming the variable or the file and key, for a value that does not fit and for unknown keys.
    """
    by_name = {setting.name: setting for setting in SETTINGS}
    known = {setting.variable for setting in SETTINGS}
    for variable in environ:
        if variable.startswith("VITRINA_") and variable not in known:
            raise InputError(f"environment: there is no setting {variable}.{_suggestion(variable, known)}")
    home = _path(environ.get("VITRINA_HOME", by_name["home"].default))
    from_file, file = _read_file([place / "vitrina.toml" for place in (folder, home) if place])
    values: dict[str, Any] = {}
    for setting in SETTINGS:
        if setting.variable in environ:
            text, where = environ[setting.variable], f"environment: {setting.variable}"
        elif setting.name in from_file:
            text, where = from_file[setting.name], f"{file}: {setting.name}"
        else:
            text, where = setting.default, f"default of {setting.name}"
        try:
            values[setting.name] = setting.parse(text)
        except ValueError as error:
            raise InputError(f"{where}: {text!r} does not fit: {error}.") from error
    return Settings(**values)


def _in_address(host: str) -> str:
    """The host as it stands in an address: a name for one that means all of them, IPv6 in brackets."""
    try:
        address = ipaddress.ip_address(host or "::")
    except ValueError:
        return host
    if address.is_unspecified:
        return socket.gethostname()
    return f"[{host}]" if address.version == 6 else host


def _read_file(candidates: list[Path]) -> tuple[dict[str, str], Path | None]:
    file = next((path for path in candidates if path.is_file()), None)
    if file is None:
        return {}, None
    try:
        content = tomllib.loads(file.read_text(encoding="utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise InputError(f"{file}: not readable as TOML: {error}. Mend the line or remove the file.") from error
    names = {setting.name for setting in SETTINGS}
    for key in content:
        if key not in names:
            raise InputError(f"{file}: there is no setting {key!r}.{_suggestion(key, names)}")
    return {key: _text(value) for key, value in content.items()}, file


def _text(value: Any) -> str:
    if isinstance(value, list):
        return ",".join(map(str, value))
    return str(value).lower() if isinstance(value, bool) else str(value)


def _suggestion(word: str, known: set[str]) -> str:
    close = difflib.get_close_matches(word, known, n=1)
    return f" Did you mean {close[0]}?" if close else " `vitrina doctor --settings` lists them all."
