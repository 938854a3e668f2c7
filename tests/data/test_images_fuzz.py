"""Damaged files of every kind: refused in a sentence or opened, and never anything else."""

from __future__ import annotations

import functools

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from image_files import encode, four_corners, half_transparent, plain, swapped_profile, turned
from PIL import Image

from data.errors import ImageRefused
from data.images.open import ImageLimits, open_picture


@functools.cache
def seeds() -> tuple[bytes, ...]:
    """Small sound files that between them use most of what the formats have."""
    photo, veil = four_corners(), half_transparent()
    frames = {"save_all": True, "append_images": [Image.new("RGB", photo.size)], "duration": 50}
    return (
        turned("JPEG", 6, progressive=True, icc_profile=swapped_profile()),
        encode(photo.convert("CMYK"), "JPEG"),
        encode(veil.quantize(8), "PNG", icc_profile=swapped_profile()),
        encode(photo, "PNG", **frames),
        encode(photo.convert("I;16"), "PNG"),
        encode(veil, "GIF"),
        encode(photo, "GIF", **frames),
        encode(photo.quantize(8), "BMP"),
        turned("TIFF", 8, compression="tiff_lzw"),
        encode(photo, "TIFF", compression="jpeg"),
        encode(photo.convert("F"), "TIFF"),
        encode(veil, "WEBP", lossless=True, icc_profile=swapped_profile()),
        encode(photo, "WEBP", **frames),
        encode(veil, "HEIF"),
        *([encode(veil, "AVIF")] if "AVIF" in Image.SAVE else []),
    )


@st.composite
def damaged(draw: st.DrawFn) -> bytes:
    data = bytearray(draw(st.sampled_from(range(len(seeds()))).map(lambda at: seeds()[at])))
    for _ in range(draw(st.integers(1, 5))):
        at = draw(st.integers(0, max(0, len(data) - 1)))
        how = draw(st.sampled_from(("set", "number", "drop", "repeat", "cut")))
        if how == "set":
            data[at : at + 1] = draw(st.binary(min_size=1, max_size=1))
        elif how == "number":
            numbers = (b"\xff" * 4, bytes(4), b"\x7f\xff\xff\xff", b"\0\0\x7f\xff", b"\1\0\0\0")
            data[at : at + 4] = draw(st.sampled_from(numbers))
        elif how == "drop":
            del data[at : at + draw(st.integers(1, 20))]
        elif how == "repeat":
            data[at:at] = data[at : at + draw(st.integers(1, 200))]
        else:
            del data[at:]
    return bytes(data)


@settings(
    max_examples=400,
    deadline=None,
    derandomize=True,
    database=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)
@given(damaged())
def test_damage_is_refused_in_a_sentence_or_does_no_harm(data: bytes) -> None:
    try:
        picture = open_picture(data, ImageLimits(seconds=5))
    except ImageRefused as error:
        plain(str(error))
        if error.reason in ("crashed", "too-slow", "unavailable"):
            raise AssertionError("the decoder did not stand it") from error
    else:
        assert (picture.image.mode, picture.image.info) == ("RGB", {})
        assert max(picture.image.size) <= 1024


@settings(max_examples=200, deadline=None, derandomize=True, database=None)
@given(st.binary(max_size=80), st.sampled_from(range(len(seeds()))), st.integers(1, 30))
def test_rubbish_with_or_without_the_beginning_of_a_picture(
    rubbish: bytes, seed: int, kept: int
) -> None:
    for data in (rubbish, seeds()[seed][:kept] + rubbish):
        try:
            open_picture(data)
        except ImageRefused as error:
            plain(str(error))
