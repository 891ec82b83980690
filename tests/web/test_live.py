"""The live view over HTTP, with a worker's socket that a test answers on: who sees what, and what is written down."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from tests.web.conftest import Visitor

from vitrina.floor.setup.shops import load_shop
from vitrina.floor.worker.address import What
from vitrina.floor.worker.server import Server
from vitrina.storage import audit
from vitrina.storage.accounts import SignedIn
from vitrina.storage.rights import Rights
from vitrina.web import permits

SHOP = "demo-berlin"
JPEG = b"\xff\xd8 a picture of people"


@dataclass
class Post:
    """A camera's worker, made of paper."""

    camera: str
    state: str = "running"
    last_error: str = ""
    seen: bool = True
    asked: list[What] = field(default_factory=list)

    def reply(self, what: What) -> tuple[dict[str, Any], bytes | None]:
        self.asked.append(what)
        said = {"shop": SHOP, "camera": self.camera, "state": self.state, "since": time.time()}
        said |= {"last_error": self.last_error, "problems": []}
        if not self.seen:
            return said | {"t": None, "size_wh": None, "boxes_xyxy": [], "points_m": []}, None
        said |= {"t": time.time(), "size_wh": [640, 480], "boxes_xyxy": [[10, 20, 30, 80]], "points_m": [[2.5, 4.0]]}
        return said, JPEG if what == "newest" else None


@pytest.fixture
def post(chain_home: Any) -> Iterator[Post]:
    database = chain_home.database()
    with database.reading() as session:
        camera = load_shop(session, SHOP).layout.cameras[0].slug
    database.dispose()
    post, server = Post(camera), Server(chain_home.path)
    server.open((SHOP, camera), post.reply)
    yield post
    server.close()


@pytest.fixture
def enter(chain_home: Any, serve: Any, visit: Callable[[str], Visitor]) -> Callable[..., Visitor]:
    address = serve(chain_home)

    def start(role: str, *, shop: str | None = None) -> Visitor:
        chain_home.person(f"{role}@example.org", (role, shop), name=role)
        visitor = visit(address)
        visitor.sign_in(f"{role}@example.org")
        return visitor

    return start


def url(post: Post) -> str:
    return f"/shops/{SHOP}/cameras/{post.camera}/live"


def test_dots_are_places_and_nothing_else(post: Post, enter: Callable[..., Visitor]) -> None:
    visitor = enter("director", shop=SHOP)

    assert visitor.get(url(post)).status_code == 200
    told = visitor.get(f"{url(post)}/people").json()

    assert told == {"count": "1 person", "notice": "", "plan": [[2.5, 4.0]], "picture": [[20.0, 80]]}
    assert post.asked == ["people"]  # no picture was asked for, so none was made


def test_a_seller_and_a_director_of_another_shop_see_no_live_view(post: Post, enter: Callable[..., Visitor]) -> None:
    assert enter("seller").get(url(post)).status_code == 403
    assert enter("director", shop="demo-london").get(url(post)).status_code == 404
    assert post.asked == []


def test_a_lost_camera_says_why_and_since_when(post: Post, enter: Callable[..., Visitor]) -> None:
    post.state, post.last_error, post.seen = "lost", "nobody answers at 10.0.0.7", False

    told = enter("analyst").get(f"{url(post)}/people").json()

    assert told["notice"].startswith("No picture since ")
    assert told["notice"].endswith(": nobody answers at 10.0.0.7")
    assert (told["count"], told["plan"], told["picture"]) == ("", [], [])


def test_a_camera_that_nobody_watches_says_so(chain_home: Any, enter: Callable[..., Visitor], post: Post) -> None:
    told = enter("analyst").get(f"/shops/demo-london/cameras/{post.camera}/live/people").json()

    assert told["notice"]
    assert enter("engineer").get(f"/shops/{SHOP}/cameras/attic/live").status_code == 404


def test_the_real_picture_needs_set_up_and_a_reason_and_both_are_on_record(
    chain_home: Any, post: Post, enter: Callable[..., Visitor]
) -> None:
    engineer = enter("engineer")
    picture, page = f"{url(post)}/newest.jpg", f"{url(post)}?on=boxes"

    assert engineer.get(picture).status_code == 403
    assert engineer.post(f"{url(post)}/look", page, reason="aiming the camera").status_code == 403
    assert engineer.post(f"{url(post)}/set-up", page, on="true").status_code == 303
    assert engineer.get(picture).status_code == 403
    assert engineer.post(f"{url(post)}/look", page, reason="why").status_code == 400
    assert engineer.post(f"{url(post)}/look", page, reason="aiming the  camera").status_code == 303

    answer = engineer.get(picture)
    assert answer.content == JPEG
    assert json.loads(answer.headers["Vitrina-Seen"])["boxes"] == [[10, 20, 30, 80]]
    assert answer.headers["Cache-Control"] == "no-store"
    engineer.post(f"{url(post)}/stop", page)
    assert engineer.get(picture).status_code == 403

    database = chain_home.database()
    with database.reading() as session:
        look = [e for e in audit.entries(session) if e.action == permits.LOOK][-1]
        set_up = audit.newest(session, permits.SET_UP, f"shop:{SHOP}")
    database.dispose()
    assert look.after is not None
    assert look.after["reason"] == "aiming the camera"
    assert set_up is not None
    assert set_up.who == look.who


def test_one_persons_reason_opens_nothing_for_another_and_a_director_has_no_picture_at_all(
    post: Post, enter: Callable[..., Visitor]
) -> None:
    engineer, admin, director = enter("engineer"), enter("admin"), enter("director", shop=SHOP)
    page = f"{url(post)}?on=boxes"
    engineer.post(f"{url(post)}/set-up", page, on="true")
    engineer.post(f"{url(post)}/look", page, reason="aiming the camera")

    assert admin.get(f"{url(post)}/newest.jpg").status_code == 403
    assert director.get(page).status_code == 403
    assert director.post(f"{url(post)}/set-up", url(post), on="true").status_code == 403
    assert "newest" not in post.asked


def test_set_up_and_look_end_by_themselves(chain_home: Any) -> None:
    who = SignedIn("p1", "Eva", "eva@example.org", Rights(frozenset({("engineer", "*")})))
    database, now = chain_home.database(), datetime(2026, 3, 10, 12, tzinfo=UTC)
    permits.switch_set_up(database, who, SHOP, on=True, now=now)
    permits.ask_to_look(database, who, SHOP, "door", reason="aiming the camera", now=now)

    def until(minutes: float) -> datetime | None:
        return permits.look_until(database, who, SHOP, "door", now=now + timedelta(minutes=minutes))

    assert until(9) == now + permits.LOOK_FOR
    assert until(10) is None
    assert permits.set_up_until(database, SHOP, now=now + timedelta(hours=23)) is not None
    assert permits.set_up_until(database, SHOP, now=now + timedelta(hours=24)) is None
    permits.ask_to_look(database, who, SHOP, "door", reason="aiming the camera", now=now)
    permits.switch_set_up(database, who, SHOP, on=False, now=now)
    assert until(1) is None  # whoever ends the set-up ends all looking
    database.dispose()


def test_a_lost_camera_sends_no_picture_but_the_reason(post: Post, enter: Callable[..., Visitor]) -> None:
    engineer = enter("engineer")
    engineer.post(f"{url(post)}/set-up", f"{url(post)}?on=boxes", on="true")
    engineer.post(f"{url(post)}/look", f"{url(post)}?on=boxes", reason="aiming the camera")
    post.state, post.last_error, post.seen = "lost", "никто не отвечает", False

    answer = engineer.get(f"{url(post)}/newest.jpg")

    assert (answer.status_code, answer.content) == (204, b"")
    assert "никто не отвечает" in json.loads(answer.headers["Vitrina-Seen"])["notice"]
