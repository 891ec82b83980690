"""Who may see, invite and change whom; API keys; the audit log."""

from __future__ import annotations

import re
from typing import Any

import httpx
import pytest

PASSWORD = "correct horse battery"


@pytest.fixture
def house(chain_home: Any, serve: Any) -> tuple[str, dict[str, str]]:
    """The address, and the ids of Anna (admin), Dora (director of Berlin), Sven (seller in Berlin), Lea (in London)."""
    people = {
        "anna": chain_home.person("anna@example.org", ("admin", None), name="Anna"),
        "dora": chain_home.person("dora@example.org", ("director", "demo-berlin"), name="Dora"),
        "sven": chain_home.person("sven@example.org", ("seller", "demo-berlin"), name="Sven"),
        "lea": chain_home.person("lea@example.org", ("seller", "demo-london"), name="Lea"),
    }
    return str(serve(chain_home)), people


def signed_in(visit: Any, address: str, name: str) -> Any:
    visitor = visit(address)
    visitor.sign_in(f"{name}@example.org")
    return visitor


def test_a_shop_without_a_role_does_not_exist(house: Any, visit: Any) -> None:
    dora = signed_in(visit, house[0], "dora")

    forbidden, missing = dora.get("/api/v1/shops/demo-london/day"), dora.get("/api/v1/shops/demo-paris/day")

    assert dora.get("/shops/demo-berlin").status_code == 200
    assert (forbidden.status_code, missing.status_code) == (404, 404)
    assert forbidden.json()["detail"].replace("london", "paris") == missing.json()["detail"]


def test_a_seller_sees_figures_but_takes_no_files_away(house: Any, visit: Any) -> None:
    sven = signed_in(visit, house[0], "sven")

    page = sven.get("/shops/demo-berlin")

    assert page.status_code == 200
    assert ".parquet" not in page.text
    assert sven.get("/api/v1/shops/demo-berlin/tables/zones.csv").status_code == 403


def test_an_administrator_invites_by_a_link_with_a_picture_of_it(house: Any, visit: Any) -> None:
    anna = signed_in(visit, house[0], "anna")

    page = anna.post("/people/invitations", "/people", role="analyst", shop="demo-tokyo").text

    link = re.search(r'<code id="link">(\S+)</code>', page)
    assert link is not None
    assert "/invitations/" in link[1]
    assert '<div class="qr" role="img"' in page
    assert visit(house[0]).get("/invitations/" + link[1].rpartition("/")[2]).status_code == 200


def test_a_director_invites_sellers_of_their_own_shop_and_nobody_else(house: Any, visit: Any) -> None:
    dora = signed_in(visit, house[0], "dora")

    answers = [
        dora.post("/people/invitations", "/people", role=role, shop=shop).status_code
        for role, shop in (
            ("seller", "demo-berlin"),
            ("seller", "demo-london"),
            ("director", "demo-berlin"),
            ("seller", "*"),
        )
    ]

    assert answers == [200, 403, 403, 403]


def test_a_director_sees_the_people_of_their_own_shop_only(house: Any, visit: Any) -> None:
    page = signed_in(visit, house[0], "dora").get("/people").text

    assert "Sven" in page
    assert "Lea" not in page


def test_a_seller_has_no_people_page(house: Any, visit: Any) -> None:
    assert signed_in(visit, house[0], "sven").get("/people").status_code == 404


def test_roles_are_given_and_taken_away_at_once(house: Any, visit: Any) -> None:
    address, people = house
    anna, lea = signed_in(visit, address, "anna"), signed_in(visit, address, "lea")

    anna.post(f"/people/{people['lea']}/roles", "/people", role="seller", shop="demo-tokyo")
    gained = lea.get("/shops/demo-tokyo").status_code
    anna.post(f"/people/{people['lea']}/roles/revoke", "/people", role="seller", shop="demo-tokyo")

    assert (gained, lea.get("/shops/demo-tokyo").status_code) == (200, 404)


def test_a_director_cannot_reach_people_of_other_shops(house: Any, visit: Any) -> None:
    address, people = house
    dora = signed_in(visit, address, "dora")

    granted = dora.post(f"/people/{people['lea']}/roles", "/people", role="seller", shop="demo-berlin").status_code
    switched_off = dora.post(f"/people/{people['sven']}/disable", "/people").status_code
    taken_over = dora.post(f"/people/{people['sven']}/link", "/people").status_code

    assert (granted, switched_off, taken_over) == (404, 403, 403)


def test_a_director_of_all_shops_is_in_charge_of_sellers_and_of_nobody_who_may_more(
    chain_home: Any, house: Any, visit: Any
) -> None:
    address, people = house
    people["dirk"] = chain_home.person("dirk@example.org", ("director", None), name="Dirk")
    dirk = signed_in(visit, address, "dirk")

    page = dirk.get("/people").text
    answers = {
        name: [dirk.post(f"/people/{people[name]}/{what}", "/people").status_code for what in ("link", "disable")]
        for name in ("anna", "dora", "sven")
    }

    assert answers == {"anna": [403, 403], "dora": [403, 403], "sven": [200, 303]}
    for what in ("link", "disable"):
        shown = {name for name, person_id in people.items() if f"/people/{person_id}/{what}" in page}
        assert shown == {"sven", "lea"}
    assert visit(address).sign_in("anna@example.org").status_code == 303


def test_who_is_switched_off_is_out_at_once(house: Any, visit: Any) -> None:
    address, people = house
    anna, sven = signed_in(visit, address, "anna"), signed_in(visit, address, "sven")

    anna.post(f"/people/{people['sven']}/disable", "/people")

    assert sven.get("/").status_code == 303
    assert visit(address).sign_in("sven@example.org").status_code == 401


def test_nobody_locks_themselves_out(house: Any, visit: Any) -> None:
    address, people = house
    anna = signed_in(visit, address, "anna")

    disabled = anna.post(f"/people/{people['anna']}/disable", "/people").status_code
    demoted = anna.post(f"/people/{people['anna']}/roles/revoke", "/people", role="admin", shop="*").status_code

    assert (disabled, demoted) == (409, 409)


def test_a_lost_password_is_mended_by_a_link(house: Any, visit: Any) -> None:
    address, people = house
    page = signed_in(visit, address, "anna").post(f"/people/{people['sven']}/link", "/people").text
    link = re.search(r'<code id="link">[^<]*(/links/[^<]+)</code>', page)
    assert link is not None
    sven = visit(address)

    entered = sven.post(link[1], link[1])

    assert entered.status_code == 303
    assert "Sven" in sven.get("/account").text


def test_a_new_password_needs_the_old_one_and_ends_other_sessions(house: Any, visit: Any) -> None:
    address, _ = house
    here, elsewhere = signed_in(visit, address, "sven"), signed_in(visit, address, "sven")

    wrong = here.post("/account/password", "/account", old="not the old one", new="three other words")
    right = here.post("/account/password", "/account", old=PASSWORD, new="three other words")

    assert (wrong.status_code, right.status_code) == (401, 303)
    assert here.get("/account").status_code == 200
    assert elsewhere.get("/account").status_code == 303
    assert visit(address).sign_in("sven@example.org", "three other words").status_code == 303


def test_an_api_key_acts_within_its_scopes_and_dies_when_revoked(house: Any, visit: Any) -> None:
    address, _ = house
    anna = signed_in(visit, address, "anna")
    page = anna.post("/account/keys", "/account", name="report", scopes=["shop.view", "figures.view"]).text
    key = re.search(r'<code id="key">(vk_[^<]+)</code>', page)
    assert key is not None

    def ask(path: str) -> int:
        return httpx.get(address + path, headers={"Authorization": f"Bearer {key[1]}"}, timeout=60).status_code

    allowed = [ask(f"/api/v1/{path}") for path in ("me", "shops", "shops/demo-berlin/day", "models")]
    pages = [ask(path) for path in ("/", "/people", "/account")]
    revoke = re.search(r"/account/keys/[^/]+/revoke", anna.get("/account").text)
    assert revoke is not None
    anna.post(revoke[0], "/account")

    assert allowed == [200, 200, 200, 403]
    assert pages == [401, 401, 401]
    assert ask("/api/v1/me") == 401


def test_a_wrong_key_is_not_made_right_by_a_cookie(house: Any, visit: Any) -> None:
    anna = signed_in(visit, house[0], "anna")

    assert anna.get("/api/v1/me", headers={"Authorization": "Bearer vk_nonsense"}).status_code == 401


def test_somebody_elses_key_cannot_be_revoked(house: Any, visit: Any, chain_home: Any) -> None:
    address, people = house
    chain_home.key(people["anna"], "shop.view")
    anna, sven = signed_in(visit, address, "anna"), signed_in(visit, address, "sven")
    revoke = re.search(r"/account/keys/[^/]+/revoke", anna.get("/account").text)
    assert revoke is not None

    assert sven.post(revoke[0], "/account").status_code == 404


def test_every_change_is_in_the_log_with_names_and_only_administrators_read_it(house: Any, visit: Any) -> None:
    address, people = house
    anna = signed_in(visit, address, "anna")
    anna.post(f"/people/{people['lea']}/roles", "/people", role="seller", shop="demo-tokyo")

    log = anna.get(f"/audit?about=person:{people['lea']}").text

    assert "role.grant" in log
    assert "person: Lea" in log
    assert "demo-tokyo" in log
    assert signed_in(visit, address, "dora").get("/audit").status_code == 403


def test_a_name_with_markup_in_it_stays_text(chain_home: Any, serve: Any, visit: Any) -> None:
    chain_home.person("anna@example.org", ("admin", None), name="<script>alert(1)</script>")
    anna = visit(serve(chain_home))
    anna.sign_in("anna@example.org")

    pages = [anna.get(path).text for path in ("/", "/people", "/account", "/audit")]

    assert not any("<script>alert" in page for page in pages)
