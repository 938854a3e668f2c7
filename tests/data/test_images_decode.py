"""Pictures of every kind come out right: colours, turn, size, and nothing else."""

from __future__ import annotations

import io
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest
from image_files import (
    CORNERS,
    GREYS,
    HEIGHT,
    OVER_WHITE,
    WHITE,
    WIDTH,
    Colour,
    check,
    check_colours,
    chunk,
    corners,
    encode,
    four_corners,
    half_transparent,
    magick,
    png,
    srgb_profile,
    swapped_profile,
    turned,
)
from PIL import Image

from data.images import decode
from data.images.open import open_picture
from data.images.sniff import moving, sniff

ENCODINGS: list[tuple[str, dict[str, Any]]] = [
    ("JPEG", {}),
    ("JPEG", {"progressive": True, "quality": 90, "subsampling": 0, "comment": b"private"}),
    ("PNG", {}),
    ("GIF", {"comment": b"private"}),
    ("BMP", {}),
    ("TIFF", {}),
    ("TIFF", {"compression": "tiff_lzw", "description": "private"}),
    ("TIFF", {"compression": "tiff_adobe_deflate"}),
    ("TIFF", {"compression": "jpeg", "quality": 95}),
    ("TIFF", {"compression": "packbits"}),
    ("TIFF", {"big_tiff": True}),
    ("WEBP", {}),
    ("WEBP", {"lossless": True, "xmp": b"<private/>"}),
    ("AVIF", {"quality": 90}),
    ("HEIF", {"quality": 90}),
]


@pytest.mark.parametrize(("name", "options"), ENCODINGS)
def test_every_format_keeps_its_colours(name: str, options: dict[str, Any]) -> None:
    assert check(encode(four_corners(), name, **options)).format == name


@pytest.mark.parametrize("name", ["JPEG", "PNG", "TIFF", "WEBP", "AVIF", "HEIF"])
@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parity("images as files, HEIC too", "command line")
def test_every_orientation_comes_out_upright(name: str, orientation: int) -> None:
    check(turned(name, orientation), tolerance=6)


BROKEN_EXIF = (b"Exif\0\0rubbish", b"Exif\0\0II*\0\xff\xff\xff\xff", b"\0")


@pytest.mark.parametrize("name", ["JPEG", "PNG", "WEBP"])
@pytest.mark.parametrize("exif", BROKEN_EXIF)
def test_broken_exif_does_not_cost_the_picture(name: str, exif: bytes) -> None:
    check(encode(four_corners(), name, exif=exif))


def test_orientation_that_makes_no_sense_is_passed_over() -> None:
    check(turned("JPEG", 77))


def _sixteen(mode: str) -> Image.Image:
    """Greys over the whole range of 16 bits."""
    wide = four_corners().convert("L").convert("I").point(lambda value: value * 257)
    return wide.convert(mode)


def _float(scale: float, offset: float = 0.0) -> Image.Image:
    return four_corners().convert("L").convert("F").point(lambda value: value * scale + offset)


def _stretched() -> tuple[Colour, ...]:
    levels = [colour[0] for colour in GREYS]
    low, high = min(levels), max(levels)
    return tuple((round((level - low) * 255 / (high - low)),) * 3 for level in levels)


MODES: dict[str, tuple[Callable[[], bytes], Sequence[Colour]]] = {
    "palette": (lambda: encode(four_corners().quantize(8), "PNG"), CORNERS),
    "palette, 2 bits": (lambda: encode(four_corners().quantize(4), "PNG", bits=2), CORNERS),
    "palette BMP": (lambda: encode(four_corners().quantize(8), "BMP"), CORNERS),
    "palette TIFF": (lambda: encode(four_corners().quantize(8), "TIFF"), CORNERS),
    "grey JPEG": (lambda: encode(four_corners().convert("L"), "JPEG"), GREYS),
    "grey GIF": (lambda: encode(four_corners().convert("L"), "GIF"), GREYS),
    "16-bit PNG": (lambda: encode(_sixteen("I;16"), "PNG"), GREYS),
    "16-bit TIFF": (lambda: encode(_sixteen("I;16"), "TIFF"), GREYS),
    "16-bit TIFF, big-endian": (lambda: encode(_sixteen("I;16B"), "TIFF"), GREYS),
    "16 bits in 32": (lambda: encode(_sixteen("I"), "TIFF"), GREYS),
    "float, 0 to 1": (lambda: encode(_float(1 / 255), "TIFF"), GREYS),
    "float, 0 to 255": (lambda: encode(_float(1), "TIFF"), GREYS),
    "float, 0 to 65535": (lambda: encode(_float(257), "TIFF"), GREYS),
    "float, any": (lambda: encode(_float(1000, -40000), "TIFF"), _stretched()),
    "float, flat": (lambda: encode(_float(0, -7), "TIFF"), [(0, 0, 0)] * 4),
    "CMYK JPEG, Adobe-inverted": (lambda: encode(four_corners().convert("CMYK"), "JPEG"), CORNERS),
    "CMYK TIFF": (lambda: encode(four_corners().convert("CMYK"), "TIFF"), CORNERS),
    "YCbCr TIFF": (lambda: encode(four_corners().convert("YCbCr"), "TIFF"), CORNERS),
    "LAB TIFF": (lambda: encode(four_corners().convert("LAB"), "TIFF"), CORNERS),
    "RGBA PNG": (lambda: encode(half_transparent(), "PNG"), OVER_WHITE),
    "RGBA WebP": (lambda: encode(half_transparent(), "WEBP", lossless=True), OVER_WHITE),
    "RGBA TIFF": (lambda: encode(half_transparent(), "TIFF"), OVER_WHITE),
    "RGBA AVIF": (lambda: encode(half_transparent(), "AVIF", quality=90), OVER_WHITE),
    "RGBA HEIF": (lambda: encode(half_transparent(), "HEIF", quality=90), OVER_WHITE),
    "LA PNG": (lambda: encode(half_transparent("LA"), "PNG"), (*GREYS[:2], WHITE, WHITE)),
    "transparent GIF": (lambda: encode(half_transparent(), "GIF"), OVER_WHITE),
    "transparent palette": (lambda: encode(half_transparent().quantize(8), "PNG"), OVER_WHITE),
}


@pytest.mark.parametrize("name", MODES)
def test_every_mode_becomes_plain_rgb(name: str) -> None:
    make, wanted = MODES[name]
    check(make(), wanted, tolerance=10 if name == "LAB TIFF" else 4)


def test_black_and_white_of_one_bit() -> None:
    bits = four_corners().convert("L").point(lambda value: 255 * (value > 100), "1")
    for name in ("PNG", "BMP", "TIFF"):
        check(encode(bits, name), [(0, 0, 0), WHITE, (0, 0, 0), WHITE], tolerance=0)
    check(encode(bits, "TIFF", compression="group4"), [(0, 0, 0), WHITE, (0, 0, 0), WHITE])


def test_half_transparent_pixels_are_blended_with_white() -> None:
    veil = Image.new("RGBA", (WIDTH, HEIGHT), (0, 100, 200, 128))
    check(encode(veil, "PNG"), [(127, 177, 227)] * 4, tolerance=1)


# Left half 'key', right half another value; the file names `key` as its transparent colour.
KEYED = {
    "1 bit": (1, 0, b"\0\x0f" * 8, b"\0\0", WHITE),
    "2 bits": (2, 0, b"\0\xaa\x55" * 8, b"\0\2", (85,) * 3),
    "4 bits": (4, 0, b"\0\x55\x55\x99\x99" * 8, b"\0\5", (153,) * 3),
    "8 bits": (8, 0, (b"\0" + b"\5" * 4 + b"\x99" * 4) * 8, b"\0\5", (153,) * 3),
    "16 bits": (16, 0, (b"\0" + b"\x10\x07" * 4 + b"\x99\x01" * 4) * 8, b"\x10\x07", (153,) * 3),
    "16-bit RGB": (
        16,
        2,
        (b"\0" + b"\x10\x07\x20\x08\x30\x09" * 4 + b"\x99\x01\x10\0\0\0" * 4) * 8,
        b"\x10\x07\x20\x08\x30\x09",
        (153, 16, 0),
    ),
}


@pytest.mark.parametrize("name", KEYED)
def test_transparent_colour_of_a_png_in_any_depth(name: str) -> None:
    depth, colour, rows, key, other = KEYED[name]
    picture = open_picture(png(8, 8, depth, colour, rows, chunk(b"tRNS", key)))
    check_colours(picture.image, [WHITE, other, WHITE, other], tolerance=1)


MAGICK = [
    (("jpeg:-",), CORNERS),
    (("-interlace", "line", "jpeg:-"), CORNERS),
    (("-sampling-factor", "4:1:1", "jpeg:-"), CORNERS),
    (("-colorspace", "CMYK", "jpeg:-"), CORNERS),
    (("-colorspace", "gray", "jpeg:-"), GREYS),
    (("-depth", "16", "png48:-"), CORNERS),
    (("-depth", "16", "png64:-"), CORNERS),
    (("-interlace", "png", "png:-"), CORNERS),
    (("png8:-",), CORNERS),
    (("-colorspace", "gray", "-depth", "16", "png:-"), GREYS),
    (("-interlace", "gif", "gif:-"), CORNERS),
    (("gif87:-",), CORNERS),
    (("bmp2:-",), CORNERS),
    (("bmp3:-",), CORNERS),
    (("bmp:-",), CORNERS),
    (("-type", "palette", "-compress", "RLE", "bmp3:-"), CORNERS),
    (("-depth", "16", "tiff:-"), CORNERS),
    (("-depth", "16", "-colorspace", "CMYK", "tiff:-"), CORNERS),
    (("-colorspace", "gray", "-depth", "12", "tiff:-"), GREYS),
    (("-colorspace", "gray", "-depth", "16", "-endian", "MSB", "tiff:-"), GREYS),
    (("-colorspace", "gray", "-depth", "32", "-define", "quantum:format=floating-point", "tiff:-"),
     GREYS),
    (("-interlace", "plane", "tiff:-"), CORNERS),
    (("-define", "tiff:tile-geometry=32x32", "tiff:-"), CORNERS),
    (("-compress", "zip", "ptif:-"), CORNERS),
    (("tiff64:-",), CORNERS),
    (("-quality", "95", "webp:-"), CORNERS),
    (("-quality", "95", "heic:-"), CORNERS),
    (("-quality", "95", "avif:-"), CORNERS),
]  # fmt: skip


@pytest.mark.parametrize(("arguments", "wanted"), MAGICK, ids=lambda value: str(value[-3:-1]))
def test_files_of_another_program(arguments: tuple[str, ...], wanted: Sequence[Colour]) -> None:
    # Grey from the start where grey is wanted: programs weigh the colours differently.
    source = four_corners() if wanted is CORNERS else four_corners().convert("L")
    check(magick(source, *arguments), wanted, tolerance=6)


@pytest.mark.parametrize(
    "arguments",
    [
        ("png8:-",),
        ("-depth", "16", "png64:-"),
        ("gif:-",),
        ("tiff:-",),
        ("-define", "tiff:alpha=associated", "tiff:-"),
        ("bmp:-",),
        ("webp:-",),
    ],
    ids=str,
)
def test_transparent_files_of_another_program(arguments: tuple[str, ...]) -> None:
    check(magick(half_transparent(), *arguments), OVER_WHITE, tolerance=6)


@pytest.mark.parametrize("mode", ["I;16", "F"])
def test_tiff_in_which_zero_is_white(mode: str) -> None:
    image = _float(1 / 255) if mode == "F" else _sixteen(mode)
    negative = encode(image, "TIFF", tiffinfo={262: 0})
    if encode(image, "TIFF") == negative:
        pytest.skip("this Pillow does not write the tag")
    check(negative, [(255 - grey, 255 - grey, 255 - grey) for grey, _, _ in GREYS])


@pytest.mark.parametrize("name", ["JPEG", "PNG", "WEBP", "TIFF", "AVIF", "HEIF"])
def test_colours_are_converted_from_an_embedded_profile(name: str) -> None:
    data = encode(four_corners(), name, icc_profile=swapped_profile(), **{"quality": 95})
    # The profile's red primary is sRGB's green, and so on.
    check(data, [(blue, red, green) for red, green, blue in CORNERS], tolerance=8)


def test_profile_that_does_not_fit_is_passed_over() -> None:
    check(encode(four_corners().convert("CMYK"), "JPEG", icc_profile=swapped_profile()))
    check(encode(four_corners(), "JPEG", icc_profile=b"rubbish" * 40))


def test_profile_that_changes_nothing() -> None:
    check(encode(four_corners(), "PNG", icc_profile=srgb_profile()), tolerance=0)


def test_cmyk_is_converted_by_its_profile() -> None:
    found = sorted(Path("/usr/share/color/icc").rglob("default_cmyk.icc"))
    if not found:
        pytest.skip("no CMYK profile on this machine")
    cyan = Image.new("CMYK", (WIDTH, HEIGHT), (255, 0, 0, 0))
    picture = open_picture(encode(cyan, "JPEG", icc_profile=found[0].read_bytes()))
    red, green, blue = corners(picture.image)[0]
    assert red < 60
    assert 120 < green < 200 < blue, "printed cyan is no neon: without the profile 0, 255, 255"


@pytest.mark.parametrize("name", ["GIF", "PNG", "WEBP", "TIFF", "AVIF", "HEIF", "MPO"])
def test_first_of_several_frames(name: str) -> None:
    black = Image.new("RGB", (WIDTH, HEIGHT))
    frames: dict[str, Any] = {"save_all": True, "append_images": [black, black], "duration": 100}
    data = encode(four_corners(), name, **frames)
    assert check(data).format == ("JPEG" if name == "MPO" else name)


def test_first_frame_of_an_apng_is_not_its_stand_in() -> None:
    black, first = Image.new("RGB", (WIDTH, HEIGHT)), four_corners()
    options: dict[str, Any] = {"save_all": True, "default_image": True, "duration": 100}
    check(encode(black, "PNG", append_images=[first, black], **options))


PROFILES = (swapped_profile(), srgb_profile(), b"?")


def _samples() -> Iterator[bytes]:
    noise = Image.merge("RGB", [Image.effect_noise((301, 203), 90) for _ in range(3)])
    yield from (encode(noise, name) for name in decode.FORMATS)
    yield from (turned(name, 5) for name in decode.FORMATS)
    yield from (make() for make, _ in MODES.values())
    for depth, colour, rows, key, _ in KEYED.values():
        yield png(8, 8, depth, colour, rows, chunk(b"tRNS", key))
    yield from (encode(noise, "WEBP", exif=exif) for exif in BROKEN_EXIF)
    yield from (encode(noise, "PNG", icc_profile=profile) for profile in PROFILES)
    yield encode(noise, "PNG", save_all=True, default_image=True, append_images=[four_corners()])
    yield encode(noise.resize((1800, 1200)).convert("LA"), "PNG")


def test_pixels_are_those_of_the_decoder_itself(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", None)
    for data in _samples():
        decoded = decode.decode(data, sniff(data).format, 64_000_000, 20.0)
        picture = open_picture(data)
        assert picture.image.tobytes() == decoded.image.tobytes(), picture.format
        assert (picture.width, picture.height) == decoded.size


# --- what moves -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("kind", "called"), [("GIF", "GIF"), ("WEBP", "WebP"), ("PNG", "PNG"), ("AVIF", "AVIF")]
)
def test_only_files_with_several_frames_move(kind: str, called: str) -> None:
    frames = [Image.new("RGB", (16, 16), colour) for colour in ("red", "blue", "green")]
    for more in ([], frames[1:]):
        file = io.BytesIO()
        frames[0].save(file, kind, save_all=bool(more), append_images=more)
        content = file.getvalue()
        assert moving(content) == (called if more else "")
        for end in range(0, len(content), 7):
            moving(content[:end])  # cut anywhere, it is no error


def test_looking_for_frames_ends_soon() -> None:
    header = b"GIF89a" + bytes(7)
    assert moving(header + b"\x21\xf9" + b"\1\0" * 5_000_000) == ""
    assert moving(header + b"\x2c" + bytes(20_000_000)) == ""
