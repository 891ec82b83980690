"""The chain and the cameras in a real browser: choosing, comparing, on a phone, in the dark, without scripts."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

pytestmark = pytest.mark.slow

PASSWORD = "correct horse battery"
PERIOD = "from=2026-03-03&to=2026-03-09"
PAGES = (
    f"/chain?{PERIOD}",
    f"/chain/compare?shops=demo-berlin,demo-tokyo&{PERIOD}",
    "/cameras",
    "/measures/conversion",
)
CONTRAST = (Path(__file__).parent / "contrast.js").read_text().partition("\n")[2]


def sign_in(page: Any, path: str) -> None:
    page.goto(path)
    page.fill("[name=email]", "anna@example.org")
    page.fill("[name=password]", PASSWORD)
    page.press("[name=password]", "Enter")
    page.wait_for_selector("main h1")


def test_shops_are_chosen_by_keyboard_and_compared_with_the_same_state(address: str, browse: Any, watch: Any) -> None:
    page = browse(address)
    sign_in(page, f"/chain?{PERIOD}&measure=conversion")
    for name in ("Compare Berlin (simulated)", "Compare London (simulated)"):
        page.get_by_label(name).focus()
        page.keyboard.press("Space")
    page.get_by_role("button", name="Compare the chosen shops").press("Enter")
    page.wait_for_url("**/chain/compare**")

    assert "measure=conversion" in page.url
    assert "from=2026-03-03" in page.url
    assert page.locator(".chart .series").count() >= 4
    page.get_by_role("link", name="Chain").last.click()
    page.wait_for_selector("table.chain")
    assert page.get_by_role("columnheader", name="Conversion").count() == 1
    assert watch.violations == []


@pytest.mark.parametrize("path", PAGES)
def test_pages_fit_a_phone_and_are_legible_in_the_dark(address: str, browse: Any, watch: Any, path: str) -> None:
    page = browse(address, viewport={"width": 390, "height": 800}, color_scheme="dark")
    sign_in(page, path)
    page.wait_for_load_state("networkidle")

    assert page.evaluate("document.documentElement.scrollWidth") <= 390
    assert page.evaluate(CONTRAST) == []
    assert (watch.violations, watch.errors, watch.hosts) == ([], [], {"127.0.0.1"})


@pytest.mark.parametrize("language", ["en", "ru"])
@pytest.mark.parametrize("measure", ["footfall", "average_ticket", "dwell_promo", "abandonment"])
def test_no_column_is_out_of_view_on_a_small_laptop(address: str, browse: Any, language: str, measure: str) -> None:
    page = browse(address, viewport={"width": 1280, "height": 800}, locale=language)
    sign_in(page, f"/chain?{PERIOD}&measure={measure}")

    assert page.locator("table.chain .wide-only").first.is_visible()
    for width in (1280, 1024):
        page.set_viewport_size({"width": width, "height": 800})
        shown, whole = page.evaluate("(e => [e.clientWidth, e.scrollWidth])(document.querySelector('.scroll'))")
        assert whole <= shown, width


@pytest.mark.parametrize("language", ["en", "ru"])
def test_a_phone_shows_each_shops_value_without_scrolling_sideways(address: str, browse: Any, language: str) -> None:
    page = browse(address, viewport={"width": 390, "height": 800}, locale=language)
    sign_in(page, f"/chain?{PERIOD}")

    value = page.locator("table.chain tbody td.num").first.bounding_box()
    assert value["x"] + value["width"] <= 390 - 14


def test_sorting_and_choosing_work_without_scripts(address: str, browse: Any) -> None:
    page = browse(address, java_script_enabled=False)
    sign_in(page, f"/chain?{PERIOD}")
    first = page.locator("table.chain tbody th a").first.inner_text()
    page.locator("table.chain thead a", has_text="Footfall a day").click()
    page.wait_for_url("**sort=value**")
    assert page.locator("table.chain tbody th a").first.inner_text() != first
    page.get_by_label("Measure").select_option("abandonment")
    page.get_by_role("button", name="Show").click()
    assert "measure=abandonment" in page.url
