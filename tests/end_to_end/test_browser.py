"""People with a browser: from the one-time link to the figures, by mouse, by keyboard, on a phone, in the dark."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from vitrina.storage import accounts

pytestmark = pytest.mark.slow

PASSWORD = "correct horse battery"
SHOPS = ("/", "/shops/demo-berlin", "/shops/demo-london")
PAGES = (*SHOPS, "/measures", "/measures/conversion", "/people", "/account", "/audit")
CONTRAST = (Path(__file__).parent / "contrast.js").read_text().partition("\n")[2]


def sign_in(page: Any, path: str = "/") -> None:
    page.goto(path)
    page.fill("[name=email]", "anna@example.org")
    page.fill("[name=password]", PASSWORD)
    page.press("[name=password]", "Enter")
    page.wait_for_url(f"**{path}")


def background(page: Any) -> list[int]:
    colour = page.evaluate("getComputedStyle(document.documentElement).backgroundColor")
    return [int(part) for part in colour.removeprefix("rgb(").removesuffix(")").split(",")]


def test_the_first_link_makes_an_administrator_who_sees_today(chain_home: Any, serve: Any, browse: Any) -> None:
    database = chain_home.database()
    with database.session() as session:
        token = accounts.invite(session, role="admin", shop=None, hours=1, by="first start")
    database.dispose()
    page = browse(serve(chain_home))

    page.goto(f"/invitations/{token}")
    page.get_by_label("Your name").fill("Anna")
    page.get_by_label("E-mail address").fill("anna@example.org")
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_role("button", name="Make my account").click()
    page.get_by_role("link", name="Berlin (simulated)").click()

    page.wait_for_url("**/shops/demo-berlin")
    assert page.get_by_role("heading", level=1).inner_text() == "Berlin (simulated)"
    assert page.locator(".tile").count() >= 10


def test_a_wrong_password_says_so_and_the_right_one_leads_on(address: str, browse: Any) -> None:
    page = browse(address)

    page.goto("/shops/demo-berlin")
    page.fill("[name=email]", "anna@example.org")
    page.fill("[name=password]", "not at all right")
    page.press("[name=password]", "Enter")
    assert "is wrong" in page.get_by_role("alert").inner_text()
    assert page.input_value("[name=email]") == "anna@example.org"
    page.fill("[name=password]", PASSWORD)
    page.press("[name=password]", "Enter")

    page.wait_for_url("**/shops/demo-berlin")


def test_after_signing_out_the_back_button_shows_nothing(address: str, browse: Any) -> None:
    page = browse(address)
    sign_in(page, "/shops/demo-berlin")

    page.locator(".top summary").click()
    page.get_by_role("button", name="Sign out").click()
    page.wait_for_url("**/sign-in")
    page.go_back()

    assert page.locator(".tile").count() == 0


def test_everything_on_the_way_to_another_day_works_by_keyboard(address: str, browse: Any) -> None:
    page = browse(address)
    sign_in(page, "/shops/demo-berlin")

    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.className") == "skip"
    page.keyboard.press("Enter")
    assert page.evaluate("location.hash") == "#main"
    page.keyboard.press("ArrowLeft")
    page.wait_for_url("**/shops/demo-berlin?day=2026-03-09")
    page.keyboard.press("ArrowRight")
    page.wait_for_url("**/shops/demo-berlin?day=2026-03-10")
    page.locator(".top summary").focus()
    page.keyboard.press("Enter")
    assert page.get_by_role("button", name="Sign out").is_visible()
    page.keyboard.press("Escape")
    assert not page.get_by_role("button", name="Sign out").is_visible()
    assert page.evaluate("document.activeElement.tagName") == "SUMMARY"


def test_the_arrow_keys_stay_inside_a_field(address: str, browse: Any) -> None:
    page = browse(address)
    sign_in(page, "/shops/demo-berlin")

    page.locator("#day").focus()
    page.keyboard.press("ArrowLeft")

    assert page.url.endswith("/shops/demo-berlin")


def test_whatever_has_the_focus_shows_it(address: str, browse: Any) -> None:
    page = browse(address)
    sign_in(page, "/shops/demo-berlin")

    for _ in range(12):
        page.keyboard.press("Tab")
        width = page.evaluate("parseFloat(getComputedStyle(document.activeElement).outlineWidth)")
        assert width >= 2, page.evaluate("document.activeElement.outerHTML")


@pytest.mark.parametrize("path", PAGES)
def test_on_a_phone_nothing_has_to_be_pushed_sideways(address: str, browse: Any, path: str) -> None:
    page = browse(address, viewport={"width": 360, "height": 740}, is_mobile=True, has_touch=True)
    sign_in(page, path)

    assert page.evaluate("document.documentElement.scrollWidth") == 360


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("path", PAGES)
def test_letters_stand_out_from_what_is_behind_them(address: str, browse: Any, path: str, scheme: str) -> None:
    """WCAG 2.2 AA: 4.5 to 1, and 3 to 1 for large letters."""
    page = browse(address, color_scheme=scheme)
    sign_in(page, path)

    assert page.evaluate(CONTRAST) == []


def test_faint_letters_are_found(address: str, browse: Any) -> None:
    page = browse(address)
    page.goto("/sign-in")

    page.evaluate("document.querySelector('h1').style.color = '#ccc'")

    assert [found.split()[1] for found in page.evaluate(CONTRAST)] == ["H1"]


def test_dark_follows_the_system_until_the_switch_says_otherwise(address: str, browse: Any) -> None:
    page = browse(address, color_scheme="dark")
    sign_in(page)
    by_system = background(page)

    page.locator(".top summary").click()
    with page.expect_navigation():
        page.get_by_role("button", name="Light").click()

    assert max(by_system) < 40
    assert min(background(page)) > 200


def test_the_page_speaks_russian_when_asked(address: str, browse: Any) -> None:
    page = browse(address, locale="ru-RU")

    page.goto("/sign-in")
    assert page.get_by_role("heading", level=1).inner_text() == "Войти"
    sign_in(page, "/shops/demo-berlin")

    assert page.get_by_role("heading", name="Где люди проводили время").is_visible()
    assert page.evaluate("document.documentElement.lang") == "ru"


def test_a_table_is_taken_away_as_csv(address: str, browse: Any, downloads: Path) -> None:
    page = browse(address)
    sign_in(page, "/shops/demo-berlin")

    with page.expect_download() as waiting:
        page.get_by_role("link", name="CSV").first.click()
    file = downloads / waiting.value.suggested_filename
    waiting.value.save_as(file)

    assert file.name == "vitrina-demo-berlin-2026-03-10-figures.csv"
    assert file.read_text().splitlines()[0].startswith('"shop","day","simulated","name","value"')


def test_a_chart_tells_its_numbers_under_the_pointer_and_as_a_table(address: str, browse: Any) -> None:
    page = browse(address)
    sign_in(page, "/shops/demo-berlin?day=2026-03-09")

    page.locator(".chart .hit").nth(2).hover()
    tip = page.locator(".tip")
    assert tip.is_visible()
    assert "in: " in tip.inner_text()
    page.get_by_text("As a table").first.click()
    assert page.get_by_role("columnheader", name="Hour").is_visible()


def test_choosing_a_day_goes_there_at_once(address: str, browse: Any) -> None:
    page = browse(address)
    sign_in(page, "/shops/demo-berlin")

    page.fill("#day", "2026-03-07")

    page.wait_for_url("**/shops/demo-berlin?day=2026-03-07")


def test_live_figures_change_without_a_reload(chain_home: Any, serve: Any, browse: Any) -> None:
    """The shop's clock moves on by an hour; the tile follows within a round."""
    moment = [datetime(2026, 3, 10, 10, 30, tzinfo=UTC)]
    chain_home.person("anna@example.org", ("admin", None))
    page = browse(serve(chain_home, now=lambda: moment[0]))
    page.clock.install()
    sign_in(page, "/shops/demo-berlin")
    before = page.locator('[data-text="footfall"]').inner_text()

    moment[0] = datetime(2026, 3, 10, 14, 30, tzinfo=UTC)
    page.clock.run_for(10_500)
    page.wait_for_function(
        "before => document.querySelector('[data-text=footfall]').textContent !== before", arg=before
    )

    after = page.locator('[data-text="footfall"]').inner_text()
    assert int(after.replace(",", "")) > int(before.replace(",", ""))


def test_the_page_prints_without_its_controls(address: str, browse: Any) -> None:
    page = browse(address)
    sign_in(page, "/shops/demo-berlin")

    page.emulate_media(media="print")

    assert not page.locator(".top").is_visible()
    assert page.locator(".tile").first.is_visible()
    assert len(page.pdf()) > 10_000


def test_without_scripts_the_page_still_works(address: str, browse: Any) -> None:
    page = browse(address, java_script_enabled=False)

    sign_in(page, "/shops/demo-berlin")
    page.get_by_role("link", name="Day before").click()

    page.wait_for_url("**/shops/demo-berlin?day=2026-03-09")
    assert page.locator(".bar").count() > 5


def test_the_demo_opens_on_today_already_signed_in(chain_home: Any, serve: Any, browse: Any) -> None:
    page = browse(serve(chain_home, demo=True))

    page.goto("/demo")

    assert page.get_by_text("Demo: simulated shops").is_visible()
    page.get_by_role("link", name="Tokyo (simulated)").click()
    page.get_by_text("Simulated data").wait_for()


def test_an_invitation_can_be_handed_over_as_a_picture(address: str, browse: Any) -> None:
    page = browse(address)
    sign_in(page, "/people")

    page.get_by_role("button", name="Make a link").click()

    page.get_by_role("img", name="The link as a QR code").wait_for()
    assert "/invitations/" in page.locator("#link").inner_text()


# A shop over a period ------------------------------------------------------------------------------------------------

PERIOD = "/shops/demo-berlin/period?from=2026-03-04&to=2026-03-09&against=2026-03-03..2026-03-03"


def test_a_period_can_be_chosen_and_printed_on_a4(address: str, browse: Any, downloads: Path) -> None:
    page = browse(address)
    sign_in(page, "/shops/demo-berlin")

    page.get_by_role("link", name="Period").click()
    page.wait_for_url("**/period")
    page.get_by_label("From", exact=True).fill("2026-03-04")
    page.get_by_role("button", name="Show").first.click()
    page.wait_for_url("**from=2026-03-04**")
    page.locator("#zone").select_option("promo")
    page.locator("#funnel").get_by_role("button", name="Show").click()
    page.wait_for_url("**from=2026-03-04**zone=promo**")
    assert page.locator("#funnel tbody th").nth(1).inner_text() == "Promo display"
    paper = downloads / "period.pdf"
    page.pdf(path=str(paper), prefer_css_page_size=True)

    assert paper.read_bytes().count(b"/Type /Page\n") >= 6 or paper.read_bytes().count(b"/Type /Page") >= 6
    assert b"/MediaBox [0 0 594" in paper.read_bytes() or b"/MediaBox [0 0 595" in paper.read_bytes()


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_a_period_fits_a_phone_and_can_be_read(address: str, browse: Any, downloads: Path, scheme: str) -> None:
    page = browse(address, viewport={"width": 390, "height": 844}, is_mobile=True, has_touch=True, color_scheme=scheme)
    sign_in(page, "/shops/demo-berlin")

    page.goto(PERIOD)

    assert page.evaluate("document.documentElement.scrollWidth") == 390
    assert page.evaluate(CONTRAST) == []
    page.screenshot(path=str(downloads / "period.png"), full_page=True)
    assert (downloads / "period.png").stat().st_size > 50_000
