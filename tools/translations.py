"""Brings the catalogues in `web/locale` up to date with the sentences in templates and code.

    python tools/translations.py          # add what is new, drop what is gone, print what still needs a translation

New sentences are added without a translation and never guessed from similar ones.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

from babel.messages.catalog import Catalog
from babel.messages.extract import extract_from_dir
from babel.messages.pofile import write_po

from vitrina.cli.clip import CAPTION
from vitrina.floor.measures.cards import MEASURES
from vitrina.floor.measures.chainmeasures import CHAIN_MEASURES
from vitrina.floor.measures.quality import sentences
from vitrina.floor.measures.views import VIEWS
from vitrina.floor.measures.watching import ADVICE
from vitrina.floor.store import FLOOR_TABLES
from vitrina.lens.product import CODE, EDITOR, GROUP, GTIN, PICTURE
from vitrina.settings import LANGUAGES
from vitrina.web.refusals import SENTENCES
from vitrina.web.wording import NOTES, REASONS
from vitrina.web.words import read_catalogue

WEB = Path(__file__).resolve().parent.parent / "src" / "vitrina" / "web"
METHODS = [("**.py", "python"), ("templates/**.html", "jinja2.ext:babel_extract")]
TEMPLATE_OPTIONS = {"trimmed": "true", "silent": "false"}

HEADER = """msgid ""
msgstr ""
"Project-Id-Version: Vitrina\\n"
"Language: {language}\\n"
"MIME-Version: 1.0\\n"
"Content-Type: text/plain; charset=utf-8\\n"
"Content-Transfer-Encoding: 8bit\\n"
"Plural-Forms: {plurals}\\n"

"""


def wanted() -> Catalog:
    """Every sentence that a page may show."""
    catalog = Catalog(project="Vitrina", domain="vitrina", charset="utf-8")
    for place, message in _sentences():
        catalog.add(message, locations=[(place, 0)])
    return catalog


def untranslated(catalog: Catalog) -> list[str]:
    """What has no translation, or a doubtful one."""
    return [
        str(message.id)
        for message in catalog
        if message.id and (message.fuzzy or not message.string or not all(message.string))
    ]


def _sentences() -> Iterator[tuple[str, str | tuple[str, ...]]]:
    options = {"templates/**.html": TEMPLATE_OPTIONS}
    for file, _line, message, _comments, _context in extract_from_dir(WEB, METHODS, options_map=options):
        yield f"web/{file}", message
    yield "cli/clip.py", CAPTION
    for note in NOTES:
        yield "floor/measures/figures.py", note
    for reason in REASONS:
        yield "floor/counting/presence.py", reason
    for table in FLOOR_TABLES.values():
        yield "floor/store.py", table.comment
    for view in VIEWS.values():
        for sentence in (view.comment, *(comment for _name, _kind, comment in view.columns)):
            yield "floor/measures/views.py", sentence
    for card in MEASURES.values():
        for sentence in (card.title, card.definition, card.interval, card.hides):
            yield "floor/measures/cards.py", sentence
    for measure in CHAIN_MEASURES.values():
        yield "floor/measures/chainmeasures.py", measure.title
    for sentence in sorted(sentences()):
        yield "floor/measures/quality.py", sentence
    for reason in (GROUP, GTIN, CODE, PICTURE, EDITOR):
        yield "lens/product.py", reason
    for sentence in SENTENCES:
        yield "web/refusals.py", sentence
    for sentence in ADVICE.values():
        yield "floor/measures/watching.py", sentence


def main() -> None:
    for language in (language for language in LANGUAGES if language != "en"):
        catalog = read_catalogue(language)
        catalog.update(wanted(), no_fuzzy_matching=True)
        catalog.obsolete.clear()
        file = WEB / "locale" / language / "LC_MESSAGES" / "vitrina.po"
        with file.open("wb") as stream:
            stream.write(HEADER.format(language=language, plurals=catalog.plural_forms).encode())
            write_po(stream, catalog, sort_output=True, include_lineno=False, omit_header=True, width=120)
        missing = untranslated(catalog)
        sys.stdout.write(f"{language}: {len(catalog)} sentences, {len(missing)} without a translation\n")
        sys.stdout.writelines(f"  {message}\n" for message in missing)


if __name__ == "__main__":
    main()
