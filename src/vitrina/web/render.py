"""Pages out of templates: what every page knows (language, theme, who is there, a form token) is put in here."""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import cache, partial
from importlib.resources import files
from pathlib import Path
from typing import Any

import jinja2
from jinja2.utils import missing
from markupsafe import Markup, escape
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response, StreamingResponse

from vitrina import __version__
from vitrina.errors import VitrinaError
from vitrina.settings import LANGUAGES, Settings
from vitrina.web import csrf
from vitrina.web.auth import Door, Visitor, visitor_of
from vitrina.web.refusals import tell_refusal
from vitrina.web.words import LANGUAGE_NAMES, Words, choose_language

logger = logging.getLogger(__name__)

THEMES = ("auto", "light", "dark")

Late = Callable[[], Mapping[str, Any]]
"""What takes long, asked for when the page comes to its first use."""

_LATE = "values that come late"


@dataclass(frozen=True)
class Stage:
    """What pages are made with. One for the process."""

    settings: Settings
    door: Door
    demo: bool


class _Context(jinja2.runtime.Context):
    """Template variables, some of which are computed only when a template names one of them."""

    def resolve_or_missing(self, key: str) -> Any:
        found = super().resolve_or_missing(key)
        if found is not missing or _LATE not in self.parent:
            return found
        self.parent = {**self.parent, **self.parent.pop(_LATE)()}
        return super().resolve_or_missing(key)


@cache
def environment(language: str) -> jinja2.Environment:
    """Templates in one language, compiled once."""
    words = Words(language)
    templates = jinja2.Environment(
        loader=jinja2.PackageLoader("vitrina.web"),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        extensions=["jinja2.ext.i18n"],
    )
    templates.context_class = _Context
    templates.policies["ext.i18n.trimmed"] = True
    install: Callable[..., None] = templates.install_gettext_callables  # type: ignore[attr-defined]
    install(words.gettext, words.ngettext, newstyle=True)
    templates.filters["code"] = code_marked
    templates.filters["why"] = partial(tell_refusal, words)
    templates.globals.update(w=words, static=static_url, version=__version__, languages=LANGUAGE_NAMES, themes=THEMES)
    return templates


def compile_templates() -> None:
    """All of them in every language, before anybody waits for one: a page takes a tenth of a second to compile."""
    for language in LANGUAGES:
        templates = environment(language)
        for name in templates.list_templates(extensions=["html"]):
            templates.get_template(name)


def code_marked(text: str) -> Markup:
    """`x` between backticks, as texts for the command line and the documentation have it, becomes <code>."""
    parts = [
        Markup("<code>{}</code>").format(part) if odd % 2 else escape(part) for odd, part in enumerate(text.split("`"))
    ]
    return Markup("").join(parts)


def words_of(request: Request) -> Words:
    stage: Stage = request.app.state.stage
    accepted = request.headers.get("Accept-Language", "")
    return Words(choose_language(request.cookies.get("language"), accepted, stage.settings.language))


def theme_of(request: Request) -> str:
    theme = request.cookies.get("theme", "")
    return theme if theme in THEMES else "auto"


def render(request: Request, template: str, *, status_code: int = 200, **context: Any) -> Response:
    """The page, with the cookie that its forms need when a stranger has none yet."""
    response = HTMLResponse(status_code=status_code)
    page, values = _page(request, template, response, context)
    response.body = page.render(values).encode()
    response.headers["Content-Length"] = str(len(response.body))
    return response


def render_late(request: Request, template: str, late: Late, **context: Any) -> Response:
    """The page in two parts: head and menu at once, the rest when the late values are there.

    Check rights and arguments before: once a page has begun, it can only say in its middle what went wrong.
    """
    cookies = HTMLResponse()
    page, values = _page(request, template, cookies, context)
    parts = _parts(page.generate({**values, _LATE: cache(late)}), words_of(request))
    response = StreamingResponse(parts, media_type="text/html")
    response.raw_headers += [(name, value) for name, value in cookies.raw_headers if name == b"set-cookie"]
    return response


def _page(
    request: Request, template: str, response: Response, context: dict[str, Any]
) -> tuple[jinja2.Template, dict[str, Any]]:
    """The template, and the values that every page knows beside its own."""
    stage: Stage = request.app.state.stage
    visitor = visitor_of(request)
    secret = visitor.form_secret or stage.door.set_guest(response)
    page = environment(words_of(request).language).get_template(template)
    return page, {"embed": False} | context | {
        "request": request,
        "person": visitor.person,
        "theme": theme_of(request),
        "demo": stage.demo,
        "parts": stage.settings.parts,
        "form_token": lambda: _form_token(secret),
        "here": request.url.path + (f"?{request.url.query}" if request.url.query else ""),
        "sees_people": visitor.person is not None and visitor.person.rights.shops("people.view") != frozenset(),
        "may": lambda action, shop=None: _may(visitor, action, shop),
    }


def _parts(pieces: Iterator[str], words: Words) -> Iterator[str]:
    """Everything up to the main part; then the rest, or why it cannot be shown."""
    head: list[str] = []
    for piece in pieces:
        head.append(piece)
        if "<main" in piece:
            break
    yield "".join(head)
    try:
        yield "".join(pieces)
    except VitrinaError as error:
        logger.warning("in the middle of a page: %s", error)
        yield Markup('<section class="card"><h1>{}</h1><p role="alert">{}</p></section>').format(
            words.gettext("This cannot be shown"), tell_refusal(words, str(error))
        ) + Markup("</main></body></html>")


def _form_token(secret: str) -> Markup:
    return Markup('<input type="hidden" name="form_token" value="{}">').format(csrf.make_token(secret))


def _may(visitor: Visitor, action: str, shop: str | None) -> bool:
    return visitor.person is not None and visitor.person.rights.may(action, shop)


def static_file(name: str) -> Path:
    return Path(str(files("vitrina.web"))) / "static" / name


@cache
def static_url(name: str) -> str:
    """The address of a static file, which changes with its content, so browsers may keep it for good."""
    content = static_file(name).read_bytes()
    return f"/static/{name}?v={hashlib.sha256(content).hexdigest()[:12]}"


__all__ = [
    "LANGUAGES",
    "THEMES",
    "Stage",
    "compile_templates",
    "environment",
    "render",
    "render_late",
    "static_url",
    "theme_of",
    "words_of",
]
