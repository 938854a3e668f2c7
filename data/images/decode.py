"""Pixels out of untrusted bytes; runs only in the decoder process (`data.images.worker`)."""

from __future__ import annotations

import math
import warnings
from dataclasses import dataclass
from io import BytesIO

from PIL import (
    AvifImagePlugin,
    Image,
    ImageFile,
    PngImagePlugin,
    TiffImagePlugin,
    UnidentifiedImageError,
    WebPImagePlugin,
    features,
)

from data.images.protocol import MAX_SIDE

FORMATS = ("JPEG", "PNG", "GIF", "BMP", "TIFF", "WEBP", "AVIF", "HEIF")

_ORIENTATION = 0x0112  # EXIF tag
_PHOTOMETRIC = 0x0106  # TIFF tag; 0 means that white is zero
_BITS = 0x0102  # TIFF tag
_SAMPLE_FORMAT = 0x0153  # TIFF tag; 1 means unsigned integers
_TRANSPOSE_FOR = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
_PROFILE_MODES = {"RGB": "RGB", "L": "GRAY", "CMYK": "CMYK"}
_MAX_PROFILE = 8 << 20  # bytes; profiles of printing presses reach a few megabytes


class DecodeError(Exception):
    """An image is not opened: `reason` is a machine name, `detail` is for the operator."""

    def __init__(self, reason: str, detail: str = "", size: tuple[int, int] = (0, 0)) -> None:
        super().__init__(detail)
        self.reason = reason
        self.detail = detail
        self.size = size


@dataclass(frozen=True)
class Decoded:
    """An opened picture.

    Attributes:
        image: RGB, upright, longest side at most 1024.
        size: Width and height when upright, before shrinking.
    """

    image: Image.Image
    size: tuple[int, int]


def configure_decoders() -> None:
    """Load the decoders of the formats that are let in and set Pillow's guards."""
    Image.preinit()
    warnings.simplefilter("ignore")
    warnings.simplefilter("error", Image.DecompressionBombWarning)
    ImageFile.LOAD_TRUNCATED_IMAGES = False
    PngImagePlugin.MAX_TEXT_CHUNK = _MAX_PROFILE
    # One thread a core and picture would take hundreds of megabytes of stacks on a large machine.
    AvifImagePlugin.DEFAULT_MAX_THREADS = 2


def _register_heif() -> None:
    import pillow_heif  # late: it loads megabytes that most pictures do not need

    pillow_heif.register_heif_opener(thumbnails=False, decode_threads=2)


def _check_size(size: tuple[int, int], pixels: int, ratio: float) -> None:
    width, height = size
    if min(size) < 1:
        raise DecodeError("damaged", f"size {width}x{height}")
    if width * height > pixels:
        raise DecodeError("too-many-pixels", f"{width}x{height}", size)
    if max(size) > ratio * min(size):
        raise DecodeError("too-narrow", f"{width}x{height}", size)


def _shrunk_size(size: tuple[int, int]) -> tuple[int, int]:
    """The size after shrinking: same shape, longest side at most `MAX_SIDE`."""
    scale = min(1.0, MAX_SIDE / max(size))
    return max(1, round(size[0] * scale)), max(1, round(size[1] * scale))


def _orientation(image: Image.Image) -> int:
    """EXIF orientation, 1 to 8; 1 if there is none or it makes no sense."""
    try:
        value = image.getexif().get(_ORIENTATION, 1)
    except Exception:  # a broken EXIF block must not cost the picture
        return 1
    return value if value in _TRANSPOSE_FOR else 1


def _scale_transparent_colour(image: Image.Image, depth: int) -> None:
    """Bring a PNG's transparent colour, given in the file's own bit depth, to 8 bits."""
    key = image.info.get("transparency")

    def to_8_bits(value: int) -> int:
        return value >> 8 if depth == 16 else value * 255 // ((1 << depth) - 1)

    if isinstance(key, int) and image.mode != "P":
        image.info["transparency"] = to_8_bits(key)
    elif isinstance(key, tuple):
        image.info["transparency"] = tuple(to_8_bits(value) for value in key)


def _tag(opened: ImageFile.ImageFile, number: int) -> object:
    return opened.tag_v2.get(number) if isinstance(opened, TiffImagePlugin.TiffImageFile) else None


def _black_and_white(image: Image.Image, opened: ImageFile.ImageFile) -> tuple[float, float]:
    """The values that stand for black and white in a picture of more than 8 bits.

    Integers of 12 and 16 bits span their whole range. Others carry no convention in the file, so
    a range that fits one of the usual ones (0 to 1 for floats, 0 to 255, 0 to 65535) is taken as
    that, and any other is stretched.
    """
    if opened.mode.startswith("I;16"):
        return 0.0, 4095.0 if _tag(opened, _BITS) == (12,) else 65535.0
    low, high = (float(value) for value in image.getextrema())  # type: ignore[arg-type]
    if not (math.isfinite(low) and math.isfinite(high)):
        raise DecodeError("damaged", "values that are not finite")
    if low < 0 and _tag(opened, _SAMPLE_FORMAT) in (None, (1,)):
        raise DecodeError("damaged", "unsigned 32-bit values beyond what Pillow can hold")
    for top in (1.0, 255.0, 65535.0)[image.mode == "I" :]:
        if low >= 0 and high <= top:
            return 0.0, top
    return low, high


def _to_grey(image: Image.Image, span: tuple[float, float], white_is_zero: bool) -> Image.Image:
    """Scale a picture of more than 8 bits down to mode L."""
    low, high = span
    scale = 255.0 / (high - low) if high > low else 0.0
    offset = 0.5 - low * scale  # the conversion to L cuts off what is after the point
    if white_is_zero:
        scale, offset = -scale, 256.0 - offset
    return image.convert("F").point(lambda value: value * scale + offset).convert("L")


def _to_simple_mode(image: Image.Image) -> Image.Image:
    """Turn palettes, bits and transparent colours into modes that shrink well."""
    if "transparency" in image.info:
        if image.mode == "I;16":
            key = image.info["transparency"]
            image = _to_grey(image, (0.0, 65535.0), white_is_zero=False)
            image.info["transparency"] = key
        return image.convert("RGBA")
    if image.mode == "P":
        return image.convert("RGBA" if image.has_transparency_data else "RGB")
    simpler = {"1": "L", "PA": "RGBA", "La": "LA", "RGBa": "RGBA", "RGBX": "RGB"}
    # Pillow turns 16-bit integers of one byte order into the other through 8 bits.
    target = "I" if image.mode.startswith("I;16") else simpler.get(image.mode, image.mode)
    return image.convert(target) if target != image.mode else image


def _to_srgb(image: Image.Image, profile: bytes | None) -> Image.Image:
    """RGB in the colours that screens show; a profile that makes no sense is passed over."""
    if profile and len(profile) <= _MAX_PROFILE and image.mode in _PROFILE_MODES:
        from PIL import ImageCms  # late: most pictures carry no profile

        try:
            source = ImageCms.ImageCmsProfile(BytesIO(profile))
            fits = source.profile.xcolor_space.strip() == _PROFILE_MODES[image.mode]
            if fits and "sRGB" not in ImageCms.getProfileDescription(source):
                target = ImageCms.createProfile("sRGB")
                found = ImageCms.profileToProfile(image, source, target, outputMode="RGB")
                return found or image.convert("RGB")
        except Exception:  # the picture without it is still a picture
            return image.convert("RGB")
    return image.convert("RGB")


def _flatten(image: Image.Image, profile: bytes | None) -> Image.Image:
    if image.mode not in ("LA", "RGBA"):
        return _to_srgb(image, profile)
    alpha = image.getchannel("A")
    colours = image.convert("L" if image.mode == "LA" else "RGB")
    background = Image.new("RGB", image.size, "white")
    background.paste(_to_srgb(colours, profile), mask=alpha)
    return background


def _open(data: bytes, name: str) -> ImageFile.ImageFile:
    supported = {"WEBP": WebPImagePlugin.SUPPORTED, "AVIF": features.check("avif")}
    if name not in FORMATS or not supported.get(name, True):
        raise DecodeError("unsupported", f"no decoder for {name}")
    if name == "HEIF":
        _register_heif()
    return Image.open(BytesIO(data), formats=[name])


def _decode_image(data: bytes, name: str, pixels: int, ratio: float) -> Decoded:
    image: Image.Image
    with _open(data, name) as opened:
        size = opened.size
        _check_size(size, pixels, ratio)  # before a single pixel is decoded
        if name == "JPEG":
            opened.draft(None, _shrunk_size(size))  # decodes at 1/2, 1/4 or 1/8: much quicker
        if getattr(opened, "default_image", False):
            opened.seek(1)  # an APNG's stand-in for viewers that do not know animations
        opened.load()
        orientation = _orientation(opened)
        profile = opened.info.get("icc_profile")
        if name == "PNG":
            _scale_transparent_colour(opened, depth=data[24])
        image = _to_simple_mode(opened)
        wide = image.mode in ("F", "I")
        span = _black_and_white(image, opened) if wide else (0.0, 255.0)
        if image.size != _shrunk_size(image.size):
            shrunk = _shrunk_size(image.size)
            image = image.resize(shrunk, Image.Resampling.LANCZOS, reducing_gap=2.0)
        if wide:
            image = _to_grey(image, span, white_is_zero=_tag(opened, _PHOTOMETRIC) == 0)
        if orientation != 1:
            image = image.transpose(_TRANSPOSE_FOR[orientation])
        image = _flatten(image, profile)
    return Decoded(image, size[::-1] if orientation >= 5 else size)


def _is_cut(data: bytes, name: str, complaint: str) -> bool:
    """Whether a file that cannot be read lacks its end."""
    if name == "WEBP":  # its decoder does not say; the header tells the length
        return len(data) < int.from_bytes(data[4:8], "little") + 8
    return "truncated" in complaint or "end of file" in complaint


def decode(data: bytes, name: str, pixels: int, ratio: float) -> Decoded:
    """Open a picture.

    Args:
        data: The whole file.
        name: Its format, one of `FORMATS`.
        pixels: The most pixels it may have.
        ratio: The most that its long side may exceed its short one, as a factor.

    Returns:
        The picture, RGB over white, upright, in sRGB, shrunk.

    Raises:
        DecodeError: It breaks a limit or cannot be read.
    """
    Image.MAX_IMAGE_PIXELS = pixels
    try:
        return _decode_image(data, name, pixels, ratio)
    except DecodeError:
        raise
    except (Image.DecompressionBombWarning, Image.DecompressionBombError) as error:
        raise DecodeError("too-many-pixels", str(error)) from error
    except MemoryError as error:
        raise DecodeError("too-hungry", "out of memory") from error
    except UnidentifiedImageError as error:
        raise DecodeError("damaged", "unreadable header") from error
    except Exception as error:  # Pillow raises a dozen kinds on files that are not what they claim
        detail = f"{type(error).__name__}: {error}"
        reason = "truncated" if _is_cut(data, name, detail.lower()) else "damaged"
        raise DecodeError(reason, detail) from error
