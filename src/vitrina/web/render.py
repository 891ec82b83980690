"""Pages out of templates: what every page knows (language, theme, who is there, a form token) is put in here."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import Any

import jinja2
from markupsafe import Markup, escape
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response

from vitrina import __version__
from vitrina.settings import LANGUAGES, Settings
from vitrina.web import csrf
from vitrina.web.auth import Door, Visitor, visitor_of
from vitrina.web.words import LANGUAGE_NAMES, Words, choose_language

THEMES = ("auto", "light", "dark")


@dataclass(frozen=True)
class Stage:
    """What pages are made with. One for the process."""

    settings: Settings
    door: Door
    demo: bool


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
    templates.policies["ext.i18n.trimmed"] = True
    install: Callable[..., None] = templates.install_gettext_callables  # type: ignore[attr-defined]
    install(words.gettext, words.ngettext, newstyle=True)
    templates.filters["code"] = code_marked
    templates.globals.update(w=words, static=static_url, version=__version__, languages=LANGUAGE_NAMES, themes=THEMES)
    return templates


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
    stage: Stage = request.app.state.stage
    visitor, response = visitor_of(request), HTMLResponse(status_code=status_code)
    secret = visitor.form_secret or stage.door.set_guest(response)
    page = environment(words_of(request).language).get_template(template)
    context |= {
        "request": request,
        "person": visitor.person,
        "theme": theme_of(request),
        "demo": stage.demo,
        "form_token": lambda: _form_token(secret),
        "here": request.url.path + (f"?{request.url.query}" if request.url.query else ""),
        "sees_people": visitor.person is not None and visitor.person.rights.shops("people.view") != frozenset(),
        "may": lambda action, shop=None: _may(visitor, action, shop),
    }
    response.body = page.render(context).encode()
    response.headers["Content-Length"] = str(len(response.body))
    return response


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


__all__ = ["LANGUAGES", "THEMES", "Stage", "environment", "render", "static_url", "theme_of", "words_of"]
