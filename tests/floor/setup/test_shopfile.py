from __future__ import annotations

import json
import random
from datetime import time
from importlib import resources

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vitrina.errors import InputError
from vitrina.floor.layout import Hours
from vitrina.floor.setup.shopfile import parse, read_document
from vitrina.floor.setup.shoptext import document, export

SHOP = """\
[shop]
slug = "riga-1"
name = "Rīga, Čaka iela"
timezone = "Europe/Riga"
currency = "EUR"
day_starts = "04:00"

[hours]
mon = "09:00-21:00"
sat = "20:00-02:00"

[plan]
width_m = 12
height_m = 8.5

[[camera]]
slug = "door"
source = "rtsp://root:pa55@10.0.0.7/live"
size = [1280, 720]
input = "256x352"
points = [
  [220, 660, 3, 7],
  [1060, 660, 7, 7],
  [400, 300, 3, 3],
  [880, 300, 7, 3],
]

[[zone]]
slug = "shoes"
kind = "section"
polygon = [[3, 2], [7, 2], [7, 4], [3, 4]]
products = ["4006381333931"]
leave_s = 3.5

[[zone]]
slug = "till"
kind = "queue"
polygon = [[8, 4], [9, 4], [9, 7], [8, 7]]
till = [8.5, 4]

[[line]]
slug = "entrance"
kind = "entrance"
space = "door"
a = [1000, 600]
b = [280, 600]
"""


def without(line: str) -> str:
    assert line in SHOP
    return SHOP.replace(line, "")


def test_a_shop_file_becomes_a_shop() -> None:
    shop = parse(SHOP).shop

    assert (shop.slug, shop.name, shop.timezone, shop.currency) == ("riga-1", "Rīga, Čaka iela", "Europe/Riga", "EUR")
    assert shop.opens[0] == (Hours(time(9), time(21)),)
    assert shop.opens[1] == ()
    assert shop.opens[5] == (Hours(time(20), time(2)),)
    (camera,) = shop.layout.cameras
    assert camera.ground is not None
    assert camera.ground.to_plan([(220, 660)])[0] == pytest.approx((3, 7))
    assert (camera.name, camera.size_wh, camera.input_hw) == ("door", (1280, 720), (256, 352))
    shoes, till = shop.layout.zones
    assert (shoes.kind, shoes.space, shoes.leave_s, shoes.products) == ("section", "plan", 3.5, ("4006381333931",))
    assert (till.till, till.till_reach, till.serve_s) == ((8.5, 4.0), 1.2, 8.0)
    assert [line.slug for line in shop.layout.lines_in("door")] == ["entrance"]


def test_a_password_in_an_address_is_nowhere_in_the_shop_nor_in_what_is_printed() -> None:
    file = parse(SHOP)

    assert file.secrets == {"door": ("pa55",)}
    assert file.shop.layout.cameras[0].source == "rtsp://root:***@10.0.0.7/live"
    assert "pa55" not in repr(file)
    assert "pa55" not in export(file.shop)
    assert "pa55" not in json.dumps(document(file.shop))


def test_the_exported_file_reads_as_the_same_shop_and_is_canonical() -> None:
    shop = parse(SHOP).shop

    text = export(shop)

    assert parse(text).shop == shop
    assert export(parse(text).shop) == text


def test_the_document_reads_as_the_same_shop_through_json() -> None:
    shop = parse(SHOP).shop

    assert read_document(json.loads(json.dumps(document(shop))), name="shop riga-1").shop == shop


@pytest.mark.parametrize("name", ["street.toml", "starter.toml"])
def test_the_files_that_ship_are_right(name: str) -> None:
    text = resources.files("vitrina.floor").joinpath("demo", name).read_bytes()

    shop = parse(text, name=name).shop

    assert export(parse(export(shop)).shop) == export(shop)


def test_the_street_is_calibrated_to_a_few_centimetres() -> None:
    shop = parse(resources.files("vitrina.floor").joinpath("demo", "street.toml").read_bytes()).shop

    ground = shop.layout.cameras[0].ground
    assert ground is not None
    assert max(ground.residual_cm) < 5
    assert shop.timezone == "Europe/London"
    assert "not a shop" in shop.name


def test_windows_line_ends_and_a_byte_order_mark_are_fine() -> None:
    assert parse(b"\xef\xbb\xbf" + SHOP.replace("\n", "\r\n").encode()).shop == parse(SHOP).shop


POLYGON = "polygon = [[3, 2], [7, 2], [7, 4], [3, 4]]"
POINTS = SHOP[SHOP.index("points") : SHOP.index("[[zone]]")]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (SHOP.replace("leave_s", "leave_ss"), "s.toml:33: zone[1].leave_ss: unknown; did you mean leave_s?"),
        (SHOP.replace("[plan]", "[plna]"), "s.toml:12: plna: unknown; did you mean plan?"),
        (
            SHOP.replace("width_m = 12", 'width_m = "12"'),
            "s.toml:13: plan.width_m: expected a number from 1 to 1000 metres, got the text '12'",
        ),
        (
            SHOP.replace("width_m = 12", "width_m = nan"),
            "s.toml:13: plan.width_m: expected a number from 1 to 1000 metres, got nan",
        ),
        (SHOP.replace("width_m = 12", "width_m = true"), "got true (true or false)"),
        (SHOP.replace('"Europe/Riga"', "1"), "s.toml:4: shop.timezone: expected a text in quotes, got 1"),
        (
            SHOP.replace("Europe/Riga", "Europe/Rega"),
            "s.toml:4: shop.timezone: expected an IANA time zone such as Europe/Berlin, got 'Europe/Rega'",
        ),
        (
            SHOP.replace('"EUR"', '"EURO"'),
            "s.toml:5: shop.currency: expected an ISO 4217 currency code such as EUR, got 'EURO'",
        ),
        (
            SHOP.replace('"04:00"', "04:00:00"),
            "s.toml:6: shop.day_starts: expected a text in quotes, got 04:00:00 (a date or time; put",
        ),
        (SHOP.replace("09:00-21:00", "21:00-09:00"), "s.toml:9: hours.mon: 21:00-09:00 closes before it opens"),
        (SHOP.replace("sat =", "samstag ="), "s.toml:10: hours.samstag: unknown; "),
        (without('slug = "riga-1"\n'), "s.toml:1: shop.slug: missing; expected a text in quotes"),
        (
            SHOP.replace('"riga-1"', '"Riga 1"'),
            "s.toml:2: shop.slug: expected small letters a-z, digits and single dashes, 64 at most, got 'Riga 1'",
        ),
        (
            SHOP.replace('"section"', '"sektion"'),
            "s.toml:30: zone[1].kind: expected one of section, promo, queue, staff, outside, got 'sektion'; did",
        ),
        (
            SHOP.replace(POLYGON, "polygon = [[3, 2], [7, 4], [7, 2], [3, 4]]"),
            "s.toml:31: zone[1].polygon: its outline crosses itself near (5, 3)",
        ),
        (
            SHOP.replace(POLYGON, "polygon = [[3, 2], [7, 2]]"),
            "s.toml:31: zone[1].polygon: expected at least 3 corners, got 2",
        ),
        (SHOP.replace(POLYGON, "polygon = [[3, 2], [7, 2], [5, 2]]"), "zone[1].polygon: its corners lie on one line"),
        (
            SHOP.replace(POLYGON, "polygon = [[3, 2], [7], [7, 4]]"),
            "s.toml:31: zone[1].polygon[2]: expected [x, y] in metres, got [7]",
        ),
        (
            SHOP.replace(POLYGON, "polygon = [[3, 2], [13, 2], [7, 4]]"),
            "zone[1].polygon[2]: expected a point in the plan of 12×8.5 m, got (13, 2)",
        ),
        (SHOP.replace(POLYGON, "polygon = 7"), "zone[1].polygon: expected a list of [x, y] in metres, got 7"),
        (without(POLYGON + "\n"), "s.toml:28: zone[1].polygon: missing; expected a list of [x, y] in metres"),
        (SHOP.replace("4006381333931", "4006381333932"), "s.toml:32: zone[1].products[1]: expected a GTIN"),
        (
            SHOP.replace('slug = "till"', 'slug = "shoes"'),
            "s.toml:36: zone[2].slug: 'shoes' is there already on line 29",
        ),
        (without("till = [8.5, 4]\n"), "s.toml:35: zone[2].till: missing; expected [x, y] in metres"),
        (
            SHOP.replace("leave_s = 3.5", "till = [5, 3]"),
            's.toml:33: zone[1].till: belongs to a zone of kind "queue" only',
        ),
        (
            SHOP.replace("leave_s = 3.5", "leave_s = -1"),
            "zone[1].leave_s: expected a number from 0 to 3600 seconds, got -1",
        ),
        (
            SHOP.replace('space = "door"', 'space = "dor"'),
            "s.toml:44: line[1].space: expected 'plan' or a camera's slug, got 'dor'; did you mean door?",
        ),
        (
            SHOP.replace("a = [1000, 600]\nb = [280, 600]", "a = [1000, 712]\nb = [280, 712]"),
            "s.toml:45: line[1].a: the line 1000,712 → 280,712 is too near the picture's lower edge",
        ),
        (SHOP.replace("b = [280, 600]", "b = [1000, 600]"), "line[1].a: the line 1000,600 → 1000,600 is 0 px long"),
        (SHOP.replace('slug = "door"', 'slug = "plan"', 1), "camera[1].slug: 'plan' means the plan"),
        (
            without('source = "rtsp://root:pa55@10.0.0.7/live"\n'),
            "s.toml:16: camera[1].source: missing; expected a text in quotes",
        ),
        (
            SHOP.replace("[1280, 720]", "[1280]"),
            "s.toml:19: camera[1].size: expected [width, height] of its picture in pixels, each from 16 to",
        ),
        (SHOP.replace("[1280, 720]", "[1280.5, 720]"), "camera[1].size: expected [width, height]"),
        (
            SHOP.replace('"256x352"', '"256x350"'),
            's.toml:20: camera[1].input: expected "HEIGHTxWIDTH" such as "320x416", multiples of 32',
        ),
        (
            SHOP.replace("[400, 300, 3, 3]", "[400, 300, 3]"),
            "s.toml:24: camera[1].points[3]: expected [x_px, y_px, x_m, y_m], got [400, 300, 3]",
        ),
        (
            SHOP.replace("[400, 300, 3, 3]", "[1400, 300, 3, 3]"),
            "s.toml:24: camera[1].points[3]: point 3: (1400, 300) is outside the picture of 1280×720",
        ),
        (
            SHOP.replace(
                POINTS, "points = [[220, 660, 3, 0], [1060, 660, 7, 0], [400, 300, 3, 4], [880, 300, 7, 4]]\n\n"
            ),
            "s.toml:21: camera[1].points: the floor comes out mirrored",
        ),
        (SHOP.replace(POINTS, "k1 = 0.1\n\n"), "s.toml:21: camera[1].k1: k1 belongs to a calibration"),
        (
            SHOP.replace("[[camera]]", "[camera]"),
            "s.toml:16: camera: expected tables that start with [[camera]], got a table",
        ),
        ("shop = 3", "s.toml:1: shop: expected a table [shop], got 3"),
        ("", "s.toml: shop.slug: missing"),
    ],
)
def test_every_mistake_names_line_and_field_and_what_was_expected(text: str, said: str) -> None:
    with pytest.raises(InputError) as refused:
        parse(text, name="s.toml")

    assert said in str(refused.value)


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (
            SHOP.replace("ī", "\0").encode().replace(b"\0", b"\xff"),
            "s.toml:3: expected text in UTF-8, got the byte 0xff",
        ),
        (SHOP.encode("utf-16"), "s.toml:1: expected text in UTF-8"),
        (b"\x89PNG\r\n\x1a\n", "s.toml:1: expected text in UTF-8"),
        (b"<shop/>", "s.toml:1: not TOML: Invalid statement"),
        (b"[shop]\nslug = riga\n", "s.toml:2: not TOML: Invalid value"),
        (b"[shop]\nslug = 'a'\nslug = 'b'\n", "not TOML: Cannot overwrite a value"),
        (b"a" * 100_000, "not TOML"),
    ],
)
def test_what_is_no_toml_is_named_by_line(data: bytes, said: str) -> None:
    with pytest.raises(InputError) as refused:
        parse(data, name="s.toml")

    assert said in str(refused.value)


def test_the_mistakes_of_all_tables_are_told_at_once() -> None:
    broken = SHOP.replace('"EUR"', '"EURO"').replace('"section"', '"sektion"').replace("b = [280, 600]", "")

    with pytest.raises(InputError) as refused:
        parse(broken, name="s.toml")

    lines = str(refused.value).splitlines()
    assert [line.split(": ")[1] for line in lines] == ["shop.currency", "zone[1].kind", "line[1].b"]


def test_a_mistake_in_a_camera_is_not_told_again_by_its_lines() -> None:
    with pytest.raises(InputError) as refused:
        parse(SHOP.replace("[1280, 720]", "[1280]"), name="s.toml")

    assert len(str(refused.value).splitlines()) == 1


@given(st.integers(0, 2**32), st.integers(1, 12))
def test_a_damaged_file_is_read_or_refused_but_never_a_traceback(seed: int, changes: int) -> None:
    dice, data = random.Random(seed), bytearray(SHOP.encode())
    for _ in range(changes):
        at = dice.randrange(len(data))
        match dice.randrange(3):
            case 0:
                data[at] = dice.randrange(256)
            case 1:
                del data[at : at + dice.randrange(1, 30)]
            case _:
                data[at:at] = dice.choice(
                    [b"[", b"]", b'"', b"\n", b"=", b"[[zone]]\n", b"-", b"9" * 400, b"1e400", b"nan", b"{}", b"\0"]
                )
    try:
        shop = parse(bytes(data)).shop
    except InputError:
        return
    assert parse(export(shop)).shop == shop
