"""What comes as a picture: the good ones upright and in plain RGB, the others refused with their reason."""

from __future__ import annotations

import base64
import io
import struct
import zipfile
import zlib

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from vitrina.errors import InputError
from vitrina.lens.photo import read_photo, small_copy, upright_size

RED, WHITE = (200, 20, 20), (255, 255, 255)


def encoded(image: Image.Image, kind: str, **options: object) -> bytes:
    file = io.BytesIO()
    image.save(file, kind, **options)
    return file.getvalue()


def two_halves(size: tuple[int, int] = (64, 32)) -> Image.Image:
    """Red on the left, white on the right."""
    image = Image.new("RGB", size, WHITE)
    image.paste(RED, (0, 0, size[0] // 2, size[1]))
    return image


def near(pixel: np.ndarray, colour: tuple[int, int, int], tolerance: int = 12) -> bool:
    return bool(np.abs(pixel.astype(int) - colour).max() <= tolerance)


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP", "AVIF", "GIF"])
def test_a_picture_of_every_format_is_read(kind: str) -> None:
    picture = read_photo(encoded(two_halves(), kind))

    assert picture.shape == (32, 64, 3)
    assert picture.dtype == np.uint8
    assert near(picture[16, 8], RED)
    assert near(picture[16, 56], WHITE)


HEIC = base64.b64decode(
    b"AAAAHGZ0eXBoZWljAAAAAG1pZjFoZWljbWlhZgAAAX1tZXRhAAAAAAAAACFoZGxyAAAAAAAAAABwaWN0AAAAAAAAAAAAAAAAAAAA"
    b"ACJpbG9jAAAAAERAAAEAAQAAAAABoQABAAAAAAAAALcAAAAjaWluZgAAAAAAAQAAABVpbmZlAgAAAAABAABodmMxAAAAAA5waXRt"
    b"AAAAAAABAAAA/WlwcnAAAADdaXBjbwAAAHZodmNDAQNwAAAAkAAAAAAAHvAA/P34+AAADwNgAAEAGEABDAH//wNwAAADAJAAAAMA"
    b"AAMAHroCQGEAAQAqQgEBA3AAAAMAkAAAAwAAAwAeoCCBBZbq5Ka5uAhoMCAAAAMDIAAAAwAhYgABAAZEAcFzwIkAAAATY29scm5j"
    b"bHgAAQANAAaAAAAAFGlzcGUAAAAAAAAAQAAAAEAAAAAoY2xhcAAAAEAAAAABAAAAIAAAAAEAAAAAAAAAAv///+AAAAACAAAAEHBp"
    b"eGkAAAAAAwgICAAAABhpcG1hAAAAAAAAAAEAAQWBAgMFhAAAAL9tZGF0AAAAsygBrwngOSMkv//7JD///hv3kP3ZvXBOP+o5vffi"
    b"NL//psHUV2Vd/N4XSLuhA6l996qAZd0cc36IT1d9+ptphwQIsimZd1YANDDNh2GFhjE0hv8cP2opAkAXBSHEQExXHToibeR4Rk/1"
    b"37SmjR33giJrCTTJbQPebjOdpj21aDXsOsTLdLuUwSlqVmvQbYD3h0X3Hp8Grzu5GSuIvEAbllNxhnB+rRUqKVpKytDLXu+LIDD4"
)
"""The two halves, written once by an encoder that Vitrina does not have: pi-heif only reads."""

HEIC_ON_ITS_SIDE = base64.b64decode(
    b"AAAAHGZ0eXBoZWljAAAAAG1pZjFoZWljbWlhZgAAAchtZXRhAAAAAAAAACFoZGxyAAAAAAAAAABwaWN0AAAAAAAAAAAAAAAAAAAA"
    b"ADRpbG9jAAAAAERAAAIAAQAAAAAB7AABAAAAAAAAALcAAgAAAAACowABAAAAAAAAACQAAAA4aWluZgAAAAAAAgAAABVpbmZlAgAA"
    b"AAABAABodmMxAAAAABVpbmZlAgAAAQACAABFeGlmAAAAAA5waXRtAAAAAAABAAABB2lwcnAAAADmaXBjbwAAAHZodmNDAQNwAAAA"
    b"kAAAAAAAHvAA/P34+AAADwNgAAEAGEABDAH//wNwAAADAJAAAAMAAAMAHroCQGEAAQAqQgEBA3AAAAMAkAAAAwAAAwAeoCCBBZbq"
    b"5Ka5uAhoMCAAAAMDIAAAAwAhYgABAAZEAcFzwIkAAAATY29scm5jbHgAAQANAAaAAAAAFGlzcGUAAAAAAAAAQAAAAEAAAAAoY2xh"
    b"cAAAAEAAAAABAAAAIAAAAAEAAAAAAAAAAv///+AAAAACAAAAEHBpeGkAAAAAAwgICAAAAAlpcm90AwAAABlpcG1hAAAAAAAAAAEA"
    b"AQaBAgMFhIYAAAAaaXJlZgAAAAAAAAAOY2RzYwACAAEAAQAAAONtZGF0AAAAsygBrwngOSMkv//7JD///hv3kP3ZvXBOP+o5vffi"
    b"NL//psHUV2Vd/N4XSLuhA6l996qAZd0cc36IT1d9+ptphwQIsimZd1YANDDNh2GFhjE0hv8cP2opAkAXBSHEQExXHToibeR4Rk/1"
    b"37SmjR33giJrCTTJbQPebjOdpj21aDXsOsTLdLuUwSlqVmvQbYD3h0X3Hp8Grzu5GSuIvEAbllNxhnB+rRUqKVpKytDLXu+LIDD4"
    b"AAAABkV4aWYAAE1NACoAAAAIAAEBEgADAAAAAQAGAAAAAAAA"
)
"""The same with orientation 6: to be turned clockwise."""


def test_a_heic_photo_is_read_and_turned_upright() -> None:
    straight, turned = read_photo(HEIC), read_photo(HEIC_ON_ITS_SIDE)

    assert (straight.shape, turned.shape) == ((32, 64, 3), (64, 32, 3))
    assert [near(straight[16, x], colour) for x, colour in ((8, RED), (56, WHITE))] == [True, True]
    assert [near(turned[y, 16], colour) for y, colour in ((8, RED), (56, WHITE))] == [True, True]


def test_the_bound_of_pixels_holds_for_heic_too() -> None:
    with pytest.raises(InputError, match="has 64x32"):
        read_photo(HEIC, largest_mp=0.001)


def test_half_a_heic_photo_is_refused() -> None:
    with pytest.raises(InputError, match=r"begins like HEIC but cannot be read|is damaged"):
        read_photo(HEIC[:400])


@pytest.mark.parametrize(
    ("orientation", "red_at"),
    [(1, (8, 4)), (2, (56, 4)), (3, (56, 28)), (4, (8, 28)), (5, (4, 8)), (6, (28, 8)), (7, (28, 56)), (8, (4, 56))],
)
def test_a_photo_is_turned_upright_as_its_camera_says(orientation: int, red_at: tuple[int, int]) -> None:
    image = Image.new("RGB", (64, 32), WHITE)
    image.paste(RED, (0, 0, 16, 8))  # the corner that is top left before turning
    exif = Image.Exif()
    exif[0x0112] = orientation

    picture = read_photo(encoded(image, "JPEG", exif=exif, quality=95))

    x, y = red_at
    assert picture.shape[:2] == ((32, 64) if orientation < 5 else (64, 32))
    assert near(picture[y, x], RED, 40)


def test_transparent_parts_are_white() -> None:
    image = Image.new("RGBA", (40, 40), (0, 0, 0, 0))
    image.paste((*RED, 255), (0, 0, 20, 40))

    picture = read_photo(encoded(image, "PNG"))

    assert near(picture[20, 5], RED)
    assert near(picture[20, 35], WHITE)


def test_a_palette_with_a_transparent_colour_is_white_there() -> None:
    image = two_halves((40, 40)).quantize(2)
    transparent = image.getpixel((35, 5))

    picture = read_photo(encoded(image, "PNG", transparency=transparent))

    assert near(picture[5, 5], RED)
    assert near(picture[5, 35], WHITE)


def test_sixteen_bits_of_grey_keep_their_shades() -> None:
    grey = np.full((20, 30), 32768, np.uint16)

    picture = read_photo(encoded(Image.fromarray(grey), "PNG"))

    assert picture[10, 10].tolist() == [128, 128, 128]


@pytest.mark.parametrize("mode", ["L", "1", "LA", "CMYK", "P"])
def test_other_modes_become_rgb(mode: str) -> None:
    kind = "JPEG" if mode == "CMYK" else "PNG"

    picture = read_photo(encoded(two_halves().convert(mode), kind))

    assert picture.shape == (32, 64, 3)
    assert near(picture[16, 56], WHITE)
    assert picture[:, :32].mean() < 150


def test_a_cmyk_jpeg_keeps_its_colour() -> None:
    assert near(read_photo(encoded(two_halves().convert("CMYK"), "JPEG"))[16, 8], RED, 25)


def test_a_large_photo_is_made_smaller() -> None:
    picture = read_photo(encoded(two_halves((4000, 3000)), "JPEG"))

    assert picture.shape == (1200, 1600, 3)


def test_only_the_first_picture_of_an_animation_counts() -> None:
    second = Image.new("RGB", (64, 32), (0, 0, 255))

    picture = read_photo(encoded(two_halves(), "GIF", save_all=True, append_images=[second]))

    assert near(picture[16, 8], RED)


def png_header(width: int, height: int) -> bytes:
    """A PNG that says how large it is and holds next to nothing."""

    def chunk(kind: bytes, content: bytes) -> bytes:
        return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))

    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(b"\0")) + chunk(b"IEND", b"")


def zipped() -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("0.jpg", b"\0" * 1_000_000)
    return file.getvalue()


VIDEO = struct.pack(">I", 24) + b"ftypisom" + b"\0\0\2\0isommp42"


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", "is empty"),
        (b"<!DOCTYPE html><html><body>Not found</body></html>", "a web page"),
        (b"\n  <html lang=en>", "a web page"),
        (b'<?xml version="1.0"?><svg xmlns="x"/>', "an SVG drawing"),
        (b'<?xml version="1.0"?><Error/>', "XML or HTML"),
        (b'{"error": "no such picture"}', "JSON"),
        (b"Too many requests", "text, not a picture"),
        (b"%PDF-1.7", "a PDF document"),
        (b"\x7fELF\x02\x01", "a program"),
        (b"\x1f\x8b\x08\0", "gzip-compressed"),
        (zipped(), "a ZIP archive"),
        (VIDEO, "is a video"),
        (bytes(range(256)), "no picture that we know"),
        (b"\xff\xd8\xff\xe0 and then nothing", "begins like JPEG but cannot be read"),
        (b"RIFF\x10\0\0\0WEBPVP8 ", "begins like WEBP but cannot be read"),
        (struct.pack(">I", 24) + b"ftypheic\0\0\0\0mif1heic", "begins like HEIC but cannot be read"),
        (png_header(8, 3000), "has 8x3000 pixels; expected at least 16 on each side"),
        (png_header(60, 60), "is damaged"),
    ],
)
def test_what_is_no_picture_is_named(content: bytes, reason: str) -> None:
    with pytest.raises(InputError, match=reason):
        read_photo(content)


@pytest.mark.parametrize("size", [(8000, 8000), (13_000, 13_000), (60_000, 60_000), (2_000_000_000, 2_000_000_000)])
def test_a_pixel_bomb_is_refused_before_it_is_decoded(size: tuple[int, int]) -> None:
    with pytest.raises(InputError, match=r"million pixels|pixel bomb|cannot be read"):
        read_photo(png_header(*size))


def test_the_bound_of_pixels_is_the_callers() -> None:
    content = encoded(two_halves((1200, 1000)), "JPEG")

    with pytest.raises(InputError, match=r"shop\.jpg has 1200x1000 = 1 million pixels, expected at most 0\.5 million"):
        read_photo(content, largest_mp=0.5, name="shop.jpg")


def test_a_text_chunk_that_inflates_to_gigabytes_is_refused() -> None:
    whole = encoded(two_halves(), "PNG")
    text = b"Comment\0\0" + zlib.compress(b"a" * 50_000_000)
    bomb = struct.pack(">I", len(text)) + b"zTXt" + text + struct.pack(">I", zlib.crc32(b"zTXt" + text))

    with pytest.raises(InputError, match=r"cannot be read|is damaged"):
        read_photo(whole[:33] + bomb + whole[33:])


def test_more_bytes_than_any_photo_has_are_not_looked_at() -> None:
    with pytest.raises(InputError, match="has 31 MB, expected at most 30 MB"):
        read_photo(b"\xff\xd8\xff" + b"\0" * 31_000_000)


def test_half_a_photo_is_damaged() -> None:
    content = encoded(two_halves((600, 600)), "JPEG", quality=95)

    with pytest.raises(InputError, match=r"is damaged: .* Send it again"):
        read_photo(content[: len(content) // 2])


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP", "AVIF", "GIF"])
@settings(max_examples=40, deadline=None)
@given(data=st.data())
def test_a_picture_with_any_bytes_changed_is_read_or_refused(kind: str, data: st.DataObject) -> None:
    content = bytearray(encoded(two_halves(), kind))
    for at in data.draw(st.lists(st.integers(0, len(content) - 1), min_size=1, max_size=20)):
        content[at] = data.draw(st.integers(0, 255))

    try:
        picture = read_photo(bytes(content))
    except InputError:
        return
    assert picture.ndim == 3
    assert max(picture.shape[:2]) <= 1600


@pytest.mark.parametrize(("orientation", "size"), [(1, (64, 32)), (6, (32, 64))])
def test_the_size_of_the_upright_photo_is_known_from_its_header(orientation: int, size: tuple[int, int]) -> None:
    exif = Image.Exif()
    exif[0x0112] = orientation

    assert upright_size(encoded(two_halves(), "JPEG", exif=exif)) == size


def test_the_size_of_an_upright_heic_photo_is_known() -> None:
    assert (upright_size(HEIC), upright_size(HEIC_ON_ITS_SIDE)) == ((64, 32), (32, 64))


def test_a_small_copy_is_upright_and_says_nothing_but_the_picture_and_what_is_small_stays_as_it_is() -> None:
    noise = np.random.default_rng(1).integers(0, 255, (1200, 1500, 3)).astype(np.uint8)
    exif = Image.Exif()
    exif[0x0112], exif[0x010F] = 6, "a maker"
    photo = encoded(Image.fromarray(noise), "JPEG", exif=exif)

    copy = small_copy(photo, most_bytes=100_000, longest_px=300)
    smaller = small_copy(photo, most_bytes=10_000, longest_px=300)

    assert upright_size(copy) == (240, 300)
    assert len(smaller) <= 10_000 < len(copy) <= 100_000
    assert b"a maker" not in copy
    assert small_copy(photo, most_bytes=len(photo), longest_px=300) == photo
    with pytest.raises(InputError):
        small_copy(b"no picture", most_bytes=1, longest_px=300)
