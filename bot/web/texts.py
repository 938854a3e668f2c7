"""What the chat page itself says in each language: its labels, its small print, its refusals.

What scripts say is in `static/texts.js`, and what the assistant says in `bot.assistant.locale`.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from types import MappingProxyType

from bot.assistant.locale import speaks
from bot.assistant.privacy import PictureKeeping
from bot.web import budget, security, upload

_TAG = re.compile(r"[A-Za-z]{2,8}(?:-[A-Za-z0-9]{1,8}){0,3}")
_TAGS = 20  # of an Accept-Language header that are looked at

NOTHING_TO_SAY = "I have nothing to say to that. Send me a photo, or ask about the last one."
CRASHED = "Something went wrong on my side. Please try again."
TITLES = {404: "There is no such page", 405: "That does not work here", 421: "Wrong address"}
TITLE = "Something went wrong"
SENTENCES = {
    404: "There is nothing at this address.",
    405: "This address exists, but not for that kind of request.",
}

_ENGLISH = {
    "lang": "en",
    "description": "Show Glimpse a photo and ask about it.",
    "skip": "Skip to the question",
    "new_chat": "New chat",
    "menu": "Menu",
    "settings": "Settings",
    "privacy": "Privacy",
    "help": "Help",
    "export": "Save conversation",
    "forget": "Forget me…",
    "chat": "Chat",
    "welcome": "Show me a photo",
    "welcome_more": (
        "Glimpse tells you what it sees in one sentence. Then ask: how many, what colour, where, "
        "is there a dog?"
    ),
    "choose": "Choose photos",
    "drop_hint": "You can also drop them anywhere here, or paste.",
    "conversation": "Conversation",
    "message": "Your message",
    "tray": "Photos to send",
    "question": "Your question",
    "placeholder": "Add a photo to begin",
    "try_one": "No photo at hand? Try one of these:",
    "photo": "Photo",
    "camera": "Camera",
    "caption": "Caption",
    "send": "Send",
    "stop": "Stop",
    "drop": "Drop your photos",
    "noscript": "Glimpse needs JavaScript to send your photos.",
    "forget_title": "Forget everything?",
    "forget_more": (
        "Glimpse forgets your photos and erases all that it keeps of you, and this browser removes "
        "your conversations with it, in every tab. This cannot be undone."
    ),
    "forget_yes": "Forget me",
    "cancel": "Cancel",
    "back": "Back to the chat",
}
_GERMAN = {
    "lang": "de",
    "description": "Zeig Glimpse ein Foto und frag danach.",
    "skip": "Zum Eingabefeld springen",
    "new_chat": "Neuer Chat",
    "menu": "Menü",
    "settings": "Einstellungen",
    "privacy": "Datenschutz",
    "help": "Hilfe",
    "export": "Gespräch speichern",
    "forget": "Vergiss mich…",
    "chat": "Chat",
    "welcome": "Zeig mir ein Foto",
    "welcome_more": (
        "Glimpse sagt dir in einem Satz, was es sieht. Dann frag weiter: wie viele, welche Farbe, "
        "wo, ist da ein Hund?"
    ),
    "choose": "Fotos auswählen",
    "drop_hint": "Du kannst sie auch hierher ziehen oder einfügen.",
    "conversation": "Gespräch",
    "message": "Deine Nachricht",
    "tray": "Fotos zum Senden",
    "question": "Deine Frage",
    "placeholder": "Wähle zuerst ein Foto",
    "try_one": "Kein Foto zur Hand? Nimm eins von diesen:",
    "photo": "Foto",
    "camera": "Kamera",
    "caption": "Beschreiben",
    "send": "Senden",
    "stop": "Anhalten",
    "drop": "Fotos hier ablegen",
    "noscript": "Glimpse braucht JavaScript, um deine Fotos zu senden.",
    "forget_title": "Alles vergessen?",
    "forget_more": (
        "Glimpse vergisst deine Fotos und löscht alles, was es von dir behält, und dieser Browser "
        "entfernt deine Gespräche mit ihm, in jedem Tab. Das lässt sich nicht rückgängig machen."
    ),
    "forget_yes": "Vergiss mich",
    "cancel": "Abbrechen",
    "back": "Zurück zum Chat",
}
PAGE: Mapping[str, Mapping[str, str]] = MappingProxyType({"en": _ENGLISH, "de": _GERMAN})

# The same in a few words that /privacy tells at length.
_SMALL_PRINT: Mapping[str, Mapping[PictureKeeping, str]] = {
    "en": {
        PictureKeeping.NEVER: "Glimpse never saves photos.",
        PictureKeeping.ALLOWED: "Glimpse does not save your photos unless you allow it.",
        PictureKeeping.KEPT: "Glimpse saves your photos, as you allowed it.",
    },
    "de": {
        PictureKeeping.NEVER: "Glimpse speichert keine Fotos.",
        PictureKeeping.ALLOWED: "Glimpse speichert deine Fotos nur, wenn du es erlaubst.",
        PictureKeeping.KEPT: "Glimpse speichert deine Fotos, weil du es erlaubt hast.",
    },
}
_SENT_PRINT = {
    "en": "To answer, it sends them to another computer; see Privacy.",
    "de": "Zum Antworten schickt es sie an einen anderen Computer; siehe Datenschutz.",
}
_BROWSER_PRINT = {
    "en": "This browser keeps the conversation for an hour. Glimpse can be wrong.",
    "de": "Dieser Browser behält das Gespräch eine Stunde. Glimpse kann sich irren.",
}

# Refusals are raised in English, far from anybody who knows whom they are for.
_REFUSALS = {
    security.WRONG_HOST: (
        "Unter dieser Adresse antwortet Glimpse nicht. Öffne die, die es beim Start genannt hat."
    ),
    security.CROSS_SITE: (
        "Diese Anfrage kam von einer anderen Website, deshalb hat Glimpse sie nicht beantwortet."
    ),
    budget.TOO_BUSY: "Glimpse hat gerade viel zu tun. Bitte versuch es gleich noch einmal.",
    upload.BROKEN: "Die Nachricht kam unvollständig an. Bitte sende sie noch einmal.",
    upload.TOO_LONG: "Dieser Text ist viel zu lang. Bitte stell eine kurze Frage.",
    upload.NOT_A_FORM: "Sende Nachrichten als multipart/form-data mit den Feldern text, pictures.",
    upload.TOO_MANY_FIELDS: "Eine Nachricht hat einen Text und Bilder, sonst nichts.",
    budget.STALLED: (
        "Die Übertragung war zu langsam oder blieb stecken. Bitte versuch es noch einmal."
    ),
    NOTHING_TO_SAY: (
        "Dazu kann ich nichts sagen. Schick mir ein Foto, oder frag nach dem letzten."
    ),
    CRASHED: "Bei mir ging etwas schief. Bitte versuch es noch einmal.",
    TITLE: "Etwas ging schief",
    TITLES[404]: "Diese Seite gibt es nicht",
    TITLES[405]: "Das geht hier nicht",
    TITLES[421]: "Falsche Adresse",
    SENTENCES[404]: "Unter dieser Adresse gibt es nichts.",
    SENTENCES[405]: "Diese Adresse gibt es, aber nicht für diese Art von Anfrage.",
}
_TOO_MUCH = re.compile(
    r"That is too much at once\. Send up to (\d+) photos of at most ([\d.]+) MB each\."
)


def preferred_language(header: str) -> str:
    """The language that a browser asks for first among those that Glimpse speaks.

    Args:
        header: Accept-Language, "de-AT,de;q=0.9,en;q=0.8" say (RFC 9110, 12.5.4).

    Returns:
        Its tag; if none is spoken, the first one asked for; "" if none is asked for.
    """
    wished: list[tuple[float, str]] = []
    for part in header.split(",")[:_TAGS]:
        tag, _, quality = part.strip().partition(";")
        if _TAG.fullmatch(tag.strip()) and (weight := _weight(quality)) > 0:
            wished.append((weight, tag.strip()))
    tags = [tag for _, tag in sorted(wished, key=lambda each: -each[0])]
    return next((tag for tag in tags if speaks(tag)), tags[0] if tags else "")


def _weight(quality: str) -> float:
    name, _, value = quality.replace(" ", "").partition("=")
    if not name:
        return 1.0
    found = re.fullmatch(r"[01](?:\.\d{0,3})?", value) if name.lower() == "q" else None
    return float(value) if found else 0.0


def small_print(language: str, keeping: PictureKeeping, *, sent: bool = False) -> str:
    """What is said below the question of where photos stay: what /privacy says, in short.

    Args:
        language: "en" or "de".
        keeping: Whether they are kept.
        sent: Whether they are sent to another computer.
    """
    parts = [_SMALL_PRINT[language][keeping], _BROWSER_PRINT[language]]
    if sent:
        parts.insert(1, _SENT_PRINT[language])
    return " ".join(parts)


def in_language(language: str, sentence: str) -> str:
    """One of the sentences by which the page's server refuses something, in a person's language."""
    if language == "en":
        return sentence
    if found := _TOO_MUCH.fullmatch(sentence):
        return f"Das ist zu viel auf einmal. Sende bis zu {found[1]} Fotos mit je {found[2]} MB."
    return _REFUSALS.get(sentence, sentence)
