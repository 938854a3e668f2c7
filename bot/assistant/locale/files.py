"""What a file is that is no picture, or none that can be opened here, in German."""

from __future__ import annotations

import re

# How `data.images.sniff` says what a file is.
_SAID = re.compile(r"This is (?P<what>.+?), (?P<kind>not a picture|which cannot be opened here)\.")
_WORDS = {
    "not a picture": "Das ist {what}, kein Bild. Bitte schick ein Foto, etwa als JPEG oder PNG.",
    "which cannot be opened here": (
        "Das ist {what}, und so etwas kann ich nicht öffnen. "
        "Bitte speichere es als JPEG oder PNG und schick mir das."
    ),
}
GERMAN_FILES = {
    "a CAD drawing": "eine CAD-Zeichnung",
    "a GIMP file": "eine GIMP-Datei",
    "a JPEG 2000 picture": "ein Bild im Format JPEG 2000",
    "a JPEG XL picture": "ein Bild im Format JPEG XL",
    "a PDF": "ein PDF",
    "a Photoshop file": "eine Photoshop-Datei",
    "a PostScript file": "eine PostScript-Datei",
    "a QOI picture": "ein Bild im Format QOI",
    "a Radiance HDR file": "eine Radiance-Datei",
    "a Windows metafile": "eine Windows-Metadatei",
    "a ZIP archive or an office document": "ein ZIP-Archiv oder ein Office-Dokument",
    "a compressed file": "eine gepackte Datei",
    "a database": "eine Datenbank",
    "a game texture": "eine Textur aus einem Spiel",
    "a program": "ein Programm",
    "a raw camera file": "eine Rohdatei einer Kamera",
    "a saved web page or an e-mail": "eine gespeicherte Webseite oder eine E-Mail",
    "a scanned document (DjVu)": "ein eingescanntes Dokument (DjVu)",
    "a sound file": "eine Tondatei",
    "a sound or video file": "eine Ton- oder Videodatei",
    "a text document": "ein Textdokument",
    "a text file": "eine Textdatei",
    "a video": "ein Video",
    "a web page": "eine Webseite",
    "an OpenEXR file": "eine OpenEXR-Datei",
    "an SVG drawing": "eine SVG-Zeichnung",
    "an XML file": "eine XML-Datei",
    "an archive": "ein Archiv",
    "an e-book": "ein E-Book",
    "an empty ZIP archive": "ein leeres ZIP-Archiv",
    "an icon file": "eine Icon-Datei",
    "an old office document": "ein altes Office-Dokument",
}


def what_it_is(sentence: str) -> str:
    """The German for a sentence that says what a file is; "" if it does not say that."""
    said = _SAID.match(sentence)
    what = GERMAN_FILES.get(said["what"], "") if said else ""
    return _WORDS[said["kind"]].format(what=what) if said and what else ""
