"""What a file is, judged by its first bytes and never by its name."""

from __future__ import annotations

import codecs
import re
import zlib
from dataclasses import dataclass

_HEAD = 1024  # bytes looked at when no signature matches
_PROLOG = 65_536  # bytes in which the root of markup is looked for, behind comments and the like

_HEIF_BRANDS = {b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"hevm", b"hevs"}
_AVIF_BRANDS = {b"avif", b"avis"}
_AUDIO_BRANDS = {b"M4A ", b"M4B ", b"F4A ", b"F4B "}
_BMP_HEADERS = {12, 16, 40, 52, 56, 64, 108, 124}  # sizes of the header that follows "BM"

_IMAGES = (
    (b"\xff\xd8\xff", "JPEG"),
    (b"\x89PNG\r\n\x1a\n", "PNG"),
    (b"GIF87a", "GIF"),
    (b"GIF89a", "GIF"),
    (b"II*\0", "TIFF"),
    (b"MM\0*", "TIFF"),
    (b"II+\0", "TIFF"),  # BigTIFF
    (b"MM\0+", "TIFF"),
)
_UNSUPPORTED = (
    (b"8BPS", "a Photoshop file"),
    (b"%!PS", "a PostScript file"),
    (b"\xc5\xd0\xd3\xc6", "a PostScript file"),
    (b"\xff\x0a", "a JPEG XL picture"),
    (b"\0\0\0\x0cJXL ", "a JPEG XL picture"),
    (b"\0\0\0\x0cjP  ", "a JPEG 2000 picture"),
    (b"\xff\x4f\xff\x51", "a JPEG 2000 picture"),
    (b"\0\0\1\0", "an icon file"),
    (b"icns", "an icon file"),
    (b"FUJIFILMCCD-RAW", "a raw camera file"),
    (b"IIRO", "a raw camera file"),
    (b"gimp xcf", "a GIMP file"),
    (b"v/1\1", "an OpenEXR file"),
    (b"#?RADIANCE", "a Radiance HDR file"),
    (b"qoif", "a QOI picture"),
    (b"DDS ", "a game texture"),
    (b"\xd7\xcd\xc6\x9a", "a Windows metafile"),
    (b"AC10", "a CAD drawing"),
)
_NOT_IMAGES = (
    (b"PK\3\4", "a ZIP archive or an office document"),
    (b"PK\5\6", "an empty ZIP archive"),
    (b"\xd0\xcf\x11\xe0", "an old office document"),
    (b"{\\rtf", "a text document"),
    (b"AT&TFORM", "a scanned document (DjVu)"),
    (b"MIME-Version:", "a saved web page or an e-mail"),
    (b"\x1f\x8b", "a compressed file"),
    (b"BZh", "a compressed file"),
    (b"\xfd7zXZ", "a compressed file"),
    (b"\x28\xb5\x2f\xfd", "a compressed file"),
    (b"7z\xbc\xaf", "an archive"),
    (b"Rar!", "an archive"),
    (b"\x1aE\xdf\xa3", "a video"),
    (b"FLV\1", "a video"),
    (b"\0\0\1\xba", "a video"),
    (b"\0\0\1\xb3", "a video"),
    (b"\x30\x26\xb2\x75", "a video"),
    (b"OggS", "a sound or video file"),
    (b"ID3", "a sound file"),
    (b"fLaC", "a sound file"),
    (b"#!AMR", "a sound file"),
    (b"\xff\xfb", "a sound file"),
    (b"\xff\xf3", "a sound file"),
    (b"MZ", "a program"),
    (b"\x7fELF", "a program"),
    (b"\xcf\xfa\xed\xfe", "a program"),
    (b"SQLite format 3", "a database"),
)
# What may come before the root of markup: a declaration, comments, a doctype with its subset.
_BEFORE_ROOT = re.compile(
    rb"(?:\s|<\?.*?\?>|<!--.*?-->|<!doctype[^\[<>]*(?:\[.*?\]\s*)?>)*", re.IGNORECASE | re.DOTALL
)
_ROOT = re.compile(rb"<(?:[\w.-]+:)?([a-z][\w.-]*)", re.IGNORECASE)
_WEB_PAGE = re.compile(rb"<!doctype\s+html|<(html|head|body|script|title)[\s>]", re.IGNORECASE)
_OF_WEB_PAGES = frozenset({b"meta", b"div", b"p", b"h1", b"table", b"center", b"style", b"link"})
_XML = re.compile(rb"\s*<\?xml\b")


@dataclass(frozen=True)
class FileType:
    """What some bytes seem to be.

    Attributes:
        format: Name of the picture format that may open them, "" if none may.
        reason: Why they are refused ("not-a-picture", "unsupported"), "" if they are not.
        sentence: The same for the person who sent them, with what to do.
    """

    format: str = ""
    reason: str = ""
    sentence: str = ""


def _not_an_image(what: str) -> FileType:
    advice = "Please send a photo such as a JPEG or PNG."
    return FileType(reason="not-a-picture", sentence=f"This is {what}, not a picture. {advice}")


def _unsupported(what: str) -> FileType:
    advice = "Please save it as a JPEG or PNG and send that."
    return FileType(
        reason="unsupported", sentence=f"This is {what}, which cannot be opened here. {advice}"
    )


def _iso_container(data: bytes) -> FileType | None:
    """Files made of ISO boxes: HEIC, AVIF, and most videos of phones."""
    if data[4:8] != b"ftyp":
        # QuickTime's older files begin with any of these.
        return (
            _not_an_image("a video") if data[4:8] in (b"moov", b"mdat", b"wide", b"pnot") else None
        )
    major = data[8:12]
    brands = {major}
    if major in (b"mif1", b"msf1"):  # only says that it holds pictures: others tell the coding
        end = min(int.from_bytes(data[:4], "big"), 256)
        brands = {data[at : at + 4] for at in range(16, end, 4)} & (_HEIF_BRANDS | _AVIF_BRANDS)
    if brands & _AVIF_BRANDS and not brands & _HEIF_BRANDS:
        return FileType("AVIF")
    if brands <= _HEIF_BRANDS:  # also when none is told
        return FileType("HEIF")
    if major == b"crx ":
        return _unsupported("a raw camera file")
    return _not_an_image("a sound file" if major in _AUDIO_BRANDS else "a video")


def _riff(data: bytes) -> FileType | None:
    """Files in Microsoft's RIFF container: WebP, AVI, WAV."""
    if data[:4] != b"RIFF":
        return None
    names = {b"AVI ": "a video", b"WAVE": "a sound file"}
    if data[8:12] == b"WEBP":
        return FileType("WEBP")
    return _not_an_image(names[data[8:12]]) if data[8:12] in names else None


def _bitmap(data: bytes) -> FileType | None:
    """BMP; its two letters alone also begin ordinary words."""
    if data[:2] == b"BM" and int.from_bytes(data[14:18], "little") in _BMP_HEADERS:
        return FileType("BMP")
    return None


def _text(data: bytes) -> FileType | None:
    """Markup and plain text, in UTF-8 or with a byte order mark."""
    head = data[:_HEAD]
    if head.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        head = head[: len(head) // 2 * 2].decode("utf-16", "replace").encode()
    if re.search(rb"[\x00-\x08\x0e-\x1a\x1c-\x1f\x7f]", head):
        return None
    try:
        # Not final: the last character may be cut in two.
        codecs.getincrementaldecoder("utf-8")().decode(head)
    except UnicodeDecodeError:
        return None
    return _markup(data, head) or _not_an_image("a text file")


def _markup(data: bytes, head: bytes) -> FileType | None:
    """SVG, HTML and other XML, told by the root element: an SVG may hold a title and scripts."""
    text = data[:_PROLOG]
    if text.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        text = text[: len(text) // 2 * 2].decode("utf-16", "replace").encode()
    text = text.removeprefix(codecs.BOM_UTF8)
    before = _BEFORE_ROOT.match(text)
    root = _ROOT.match(text, before.end() if before else 0)
    name = root[1].lower() if root else b""
    if name == b"svg":
        return _unsupported("an SVG drawing")
    page = name in _OF_WEB_PAGES or _WEB_PAGE.search(head)
    if page and (name == b"html" or not _XML.match(text)):
        return _not_an_image("a web page")
    return _not_an_image("an XML file") if _XML.match(text) else None


def _is_svg(data: bytes) -> bool:
    found = _markup(data, data[:_HEAD])
    return found is not None and found.reason == "unsupported"


def _unpacked(data: bytes) -> bytes:
    """The beginning of what is packed by gzip, as SVG drawings may be."""
    try:
        return zlib.decompressobj(wbits=31).decompress(data[:_PROLOG], _PROLOG)
    except zlib.error:
        return b""


def sniff(data: bytes) -> FileType:
    """Tell what bytes are.

    Args:
        data: A whole file, or at least its first kilobyte.

    Returns:
        The format to open it as, or the sentence to refuse it with. A format is no promise that
        the rest is sound.
    """
    for magic, name in _IMAGES:
        if data.startswith(magic):
            return FileType(name)
    special = _iso_container(data) or _riff(data) or _bitmap(data) or _other(data)
    if special:
        return special
    unknown = "This is no picture of a known kind. Please send a photo such as a JPEG or PNG."
    return _text(data) or FileType(reason="not-a-picture", sentence=unknown)


def _other(data: bytes) -> FileType | None:
    """What cannot be opened here, by its first bytes or by some of those that follow."""
    for magic, what in _UNSUPPORTED:
        if data.startswith(magic):
            return _unsupported(what)
    if data.startswith(b"\x1f\x8b") and _is_svg(_unpacked(data)):
        return _unsupported("an SVG drawing")
    if data[40:44] == b" EMF":
        return _unsupported("a Windows metafile")
    if b"%PDF-" in data[:_HEAD]:  # readers put up with what is before it
        return _not_an_image("a PDF")
    if data[60:68] == b"BOOKMOBI":
        return _not_an_image("an e-book")
    kinds = (what for magic, what in _NOT_IMAGES if data.startswith(magic))
    return next(map(_not_an_image, kinds), None)


_MOST_BLOCKS = 100_000  # and pieces of them, over which a GIF's second frame is looked for
_SEQUENCES = {b"avis": "AVIF", b"msf1": "HEIC", b"hevc": "HEIC", b"hevx": "HEIC"}


def moving(data: bytes) -> str:
    """What a file that moves is called ("GIF", say), or "" if it holds one picture only.

    Args:
        data: A whole file.
    """
    if data.startswith(b"GIF8"):
        return "GIF" if _frames(data) > 1 else ""
    if data.startswith(b"\x89PNG\r\n\x1a\n"):  # the animation is announced before the first frame
        return "PNG" if b"acTL" in data[: max(data.find(b"IDAT"), 0)] else ""
    if data[:4] == b"RIFF" and data[8:16] == b"WEBPVP8X":
        return "WebP" if data[20:21] and data[20] & 2 else ""
    return _SEQUENCES.get(data[8:12], "") if data[4:8] == b"ftyp" else ""


def _frames(gif: bytes) -> int:
    """How many frames a GIF holds, of which two are as good as more."""
    at, frames, inside = 13 + _palette(gif[10:11]), 0, False
    for _ in range(_MOST_BLOCKS):
        kind = gif[at : at + 1]
        if inside:  # the data of a block comes in pieces, the last of which is empty
            at, inside = at + 1 + sum(kind), kind > b"\0"
        elif kind == b"\x2c":
            frames += 1
            at, inside = at + 11 + _palette(gif[at + 9 : at + 10]), True
        elif kind == b"\x21":
            at, inside = at + 2, True
        else:
            break
        if frames > 1:
            break
    return frames


def _palette(flags: bytes) -> int:
    """Bytes of the palette that a GIF's flags announce."""
    return 3 << (flags[0] % 8 + 1) if flags and flags[0] & 0x80 else 0
