"""A photo somebody sent, or a picture a shop's server gave: looked at before it is decoded, then upright RGB."""

from __future__ import annotations

import struct
from io import BytesIO
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from vitrina.errors import InputError, MissingError

if TYPE_CHECKING:
    from PIL import Image

LARGEST_BYTES = 30_000_000
SMALLEST_SIDE_PX = 16
LONGEST_SIDE_PX = 1600
"""More than this no crop and no comparison of ours looks at; a phone's 12 MP would only cost memory and time."""

READ = "JPEG, PNG, WebP, AVIF, HEIC or GIF"

HEIC_BRANDS = (b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"mif1", b"msf1")
OTHER_THINGS = (
    (b"PK\x03\x04", "a ZIP archive (or an office document)"),
    (b"PK\x05\x06", "a ZIP archive"),
    (b"\x1f\x8b", "gzip-compressed data"),
    (b"BZh", "bzip2-compressed data"),
    (b"\xfd7zXZ", "xz-compressed data"),
    (b"7z\xbc\xaf", "a 7-Zip archive"),
    (b"Rar!", "a RAR archive"),
    (b"%PDF", "a PDF document"),
    (b"\x7fELF", "a program"),
    (b"MZ", "a program"),
    (b"\x1aE\xdf\xa3", "a video (Matroska or WebM)"),
    (b"II*\x00", "a TIFF picture"),
    (b"MM\x00*", "a TIFF picture"),
    (b"BM", "a BMP picture"),
    (b"8BPS", "a Photoshop file"),
)
"""How files begin that come in a picture's place, and what they are."""

ORIENTATION = 0x0112
"""EXIF's tag; 5 to 8 swap width and height."""

UNREADABLE = (
    OSError,
    ValueError,
    SyntaxError,
    EOFError,
    IndexError,
    KeyError,
    TypeError,
    OverflowError,
    RuntimeError,
    struct.error,
    Warning,
)
"""What decoders raise over damaged bytes; they agree on no exception."""


def read_photo(
    content: bytes, *, largest_mp: float = 50, longest_px: int = LONGEST_SIDE_PX, name: str = "the photo"
) -> NDArray[np.uint8]:
    """(H, W, 3) uint8 RGB, turned upright, transparent parts white, the longer side at most `longest_px`.

    InputError says what the content is when it is no picture that we read, is damaged, or has more than `largest_mp`
    million pixels; the header tells that, before anything is decoded.
    """
    kind = _kind(content, name)
    image = _open_heic(content, name) if kind == "heic" else _open(content, kind, name)
    _require_size(image.size, largest_mp, name)
    try:
        return _pixels(image, longest_px, upright=kind == "heic")
    except UNREADABLE as error:
        raise InputError(f"{name} is damaged: {_said(error)}. Send it again, or send another one") from error


def upright_size(content: bytes, *, name: str = "the photo") -> tuple[int, int]:
    """(width, height) as the photo is looked at, from its header alone. Raises InputError as `read_photo` does."""
    kind = _kind(content, name)
    if kind == "heic":
        return _open_heic(content, name).size
    image = _open(content, kind, name)
    try:
        turned = image.getexif().get(ORIENTATION, 1) in (5, 6, 7, 8)
    except UNREADABLE:
        turned = False
    return image.size[::-1] if turned else image.size


def to_webp(picture_rgb: NDArray[np.uint8], *, longest_px: int, quality: int = 80) -> bytes:
    """The picture as WebP, shrunk until its longer side is at most `longest_px`."""
    from PIL import Image

    image = Image.fromarray(picture_rgb)
    image.thumbnail((longest_px, longest_px), Image.Resampling.LANCZOS, reducing_gap=3.0)
    content = BytesIO()
    image.save(content, "WEBP", quality=quality, method=2)
    return content.getvalue()


def small_copy(content: bytes, *, most_bytes: int, longest_px: int) -> bytes:
    """The file as it is where it has at most so many bytes; else a WebP that has, its longer side at most `longest_px`.

    Raises InputError for what is no picture, where it has to be read.
    """
    if len(content) <= most_bytes:
        return content
    picture = read_photo(content)
    copy = to_webp(picture, longest_px=longest_px, quality=85)
    while len(copy) > most_bytes and longest_px > SMALLEST_SIDE_PX:
        longest_px = longest_px * 4 // 5
        copy = to_webp(picture, longest_px=longest_px, quality=85)
    return copy


def _kind(content: bytes, name: str) -> str:
    """'JPEG', 'PNG', 'WEBP', 'AVIF', 'GIF' as Pillow names them, or 'heic'; InputError says what else it is."""
    if len(content) > LARGEST_BYTES:
        largest = LARGEST_BYTES // 1_000_000
        raise InputError(f"{name} has {len(content) / 1e6:.0f} MB, expected at most {largest} MB: send a smaller one")
    if content.startswith(b"\xff\xd8\xff"):
        return "JPEG"
    if content.startswith(b"\x89PNG\r\n\x1a\n"):
        return "PNG"
    if content.startswith((b"GIF87a", b"GIF89a")):
        return "GIF"
    if content[:4] == b"RIFF" and content[8:12] == b"WEBP":
        return "WEBP"
    if content[4:8] == b"ftyp":
        return _kind_of_container(content, name)
    raise InputError(f"{name} is {_described(content)}; expected {READ}")


def _kind_of_container(content: bytes, name: str) -> str:
    """AVIF, HEIC and videos begin alike; their brands tell them apart."""
    size = min(int.from_bytes(content[:4], "big"), 256)
    brands = [content[8:12], *(content[at : at + 4] for at in range(16, size, 4))]
    if b"avif" in brands or b"avis" in brands:
        return "AVIF"
    if any(brand in HEIC_BRANDS for brand in brands):
        return "heic"
    raise InputError(f"{name} is a video or another kind of file ({brands[0]!r}); expected {READ}")


def _described(content: bytes) -> str:
    """What content that is no picture seems to be, in words."""
    if not content:
        return "empty"
    for start, what in OTHER_THINGS:
        if content.startswith(start):
            return what
    head = content[:1024].lstrip(b"\xef\xbb\xbf \t\r\n").lower()
    if head.startswith((b"<!doctype html", b"<html", b"<head", b"<body")):
        return "a web page (HTML), not a picture"
    if b"<svg" in head:
        return "an SVG drawing"
    if head.startswith(b"<"):
        return "XML or HTML, not a picture"
    if head.startswith((b"{", b"[")):
        return "JSON, not a picture"
    printable = sum(32 <= byte < 127 or byte in b"\t\r\n" for byte in head)
    return "text, not a picture" if printable > 0.95 * len(head) else "no picture that we know"


def _open(content: bytes, kind: str, name: str) -> Image.Image:
    try:
        from PIL import Image
    except ImportError as error:
        raise MissingError('pictures need Pillow: pip install "vitrina[lens]"') from error
    try:
        return Image.open(BytesIO(content), formats=[kind])
    except (Image.DecompressionBombError, Image.DecompressionBombWarning) as error:
        raise InputError(f"{name} is a pixel bomb: {_said(error)}") from error
    except UNREADABLE as error:
        raise InputError(f"{name} begins like {kind} but cannot be read: {_said(error)}") from error


def _open_heic(content: bytes, name: str) -> Image.Image:
    try:
        import pi_heif
    except ImportError as error:
        raise MissingError('HEIC photos need pi-heif: pip install "vitrina[lens]"') from error
    try:
        opened = pi_heif.open_heif(BytesIO(content), convert_hdr_to_8bit=True)
        _require_size(opened.size, 200, name)  # the caller's bound comes after; this one guards the decoding
        image: Image.Image = opened.to_pillow()
        return image
    except UNREADABLE as error:
        raise InputError(f"{name} begins like HEIC but cannot be read: {_said(error)}") from error


def _require_size(size_wh: tuple[int, int], largest_mp: float, name: str) -> None:
    width, height = size_wh
    if width * height > largest_mp * 1e6:
        raise InputError(
            f"{name} has {width}x{height} = {width * height / 1e6:.0f} million pixels, expected at most "
            f"{largest_mp:g} million: send a smaller one"
        )
    if min(size_wh) < SMALLEST_SIDE_PX:
        raise InputError(f"{name} has {width}x{height} pixels; expected at least {SMALLEST_SIDE_PX} on each side")


def _pixels(image: Image.Image, longest_px: int, *, upright: bool) -> NDArray[np.uint8]:
    from PIL import Image, ImageOps

    image.draft("RGB", (longest_px, longest_px))  # JPEG: decode at a half, a quarter or an eighth where that is enough
    image.load()
    turned = image if upright else ImageOps.exif_transpose(image)
    plain = _plain_rgb(turned)
    if max(plain.size) > longest_px:
        plain.thumbnail((longest_px, longest_px), Image.Resampling.BILINEAR, reducing_gap=2.0)
    return np.asarray(plain, np.uint8)


def _plain_rgb(image: Image.Image) -> Image.Image:
    """Eight bits of red, green and blue, on white where the picture is transparent."""
    from PIL import Image

    if image.mode.startswith("I"):  # 16 bits of grey; Pillow's own conversion cuts everything above 255 to white
        grey = np.asarray(image, np.int64)
        return Image.fromarray((np.clip(grey, 0, 65535) >> 8).astype(np.uint8), "L").convert("RGB")
    if image.mode in ("RGBA", "LA", "PA", "La", "RGBa") or "transparency" in image.info:
        over = image.convert("RGBA")
        white = Image.new("RGBA", over.size, "white")
        return Image.alpha_composite(white, over).convert("RGB")
    return image.convert("RGB")


def _said(error: Exception) -> str:
    return (str(error).strip().partition("\n")[0] or type(error).__name__).rstrip(".")
