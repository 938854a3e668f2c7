"""German set phrases, as `patterns` has the English ones, and what is read off them.

Small talk matches a whole message, folded (`translation.lexicon.fold`) and without punctuation.
"""

from __future__ import annotations

import re

from bot.assistant.patterns import ALL, LAST, any_of
from bot.assistant.translation.answers import in_english

# --- small talk -----------------------------------------------------------------------------------

_WHO = r"(?: (?:bot|glimpse|du|ihr|euch|dir|alle|zusammen|leute|nochmal|wieder))*"
_DAY = (
    r"(?:guten? (?:morgen|tag|abend)|moin(?: moin)?|servus|gruess (?:gott|dich)|hallo+"
    r"|halloechen|na)"
)
_HOW_ARE_YOU = any_of(
    r"wie geht s(?: dir)?", r"wie geht es dir(?: heute)?", r"alles (?:gut|klar)(?: bei dir)?"
)
HELLO = re.compile(
    rf"(?:hi |hey )?{_DAY}{_WHO}(?: {_HOW_ARE_YOU})?|{_HOW_ARE_YOU}|(?:hi|hey) {_HOW_ARE_YOU}"
)
THANKS = re.compile(
    r"(?:(?:ok|okay|super|toll|prima|ja|nein|gut|cool|alles klar|ah) )?"
    r"(?:danke+(?: schoen| sehr| dir)?|dankeschoen|vielen dank|besten dank|herzlichen dank"
    r"|tausend dank|merci|ich danke dir)"
    rf"(?: (?:fuer (?:die|deine) (?:antwort|hilfe)|dafuer|trotzdem|nochmals|nochmal))*{_WHO}"
)
GOODBYE = re.compile(
    r"(?:(?:ok|okay|danke) )?(?:tschuess(?:i)?|tschau|ade|auf wiedersehen|auf wiederschauen"
    rf"|bis (?:bald|spaeter|dann|morgen)|gute nacht|mach s gut|machs gut){_WHO}"
)
NOD = re.compile(
    r"(?:ja |oh |das ist )?(?:super|toll|prima|klasse|sehr (?:gut|schoen)|gut gemacht|genau"
    r"|richtig|stimmt|das stimmt|gut|schoen|spitze|wunderbar|grossartig|ja|jawohl|genau richtig"
    r"|krass|ich (?:mag|liebe) dich|du bist (?:super|toll|der beste|die beste|gut|klug|lustig"
    r"|lieb))"
)
REACTION = re.compile(
    r"(?:oh |ach )?(?:lo+l+|(?:ha){2,}h?|(?:he){2,}|(?:hi){2,}|hm+|omg|wtf|haeh?|was"
    r"|echt(?: jetzt)?"
    r"|wirklich|im ernst|ups|o je|oje|ach so|aha|witzig|lustig)"
)
RUDE = re.compile(
    r"(?:ach |du |so ein |bist |du bist |einfach )*(?:halt (?:die|deine|dein) \w+|halt den mund"
    r"|sei (?:still|ruhig|leise)|ruhe|schnauze|klappe|fick dich|leck mich(?: am arsch)?|scheisse?"
    r"|(?:so |total |echt )?(?:dumm|doof|bloed|nutzlos|schlecht|langweilig|haesslich)"
    r"|(?:ein )?(?:idiot|trottel|depp|arschloch|vollidiot|dummkopf|mist)|ich hasse dich|hau ab"
    r"|geh weg|verpiss dich|hoer auf|(?:dummer|bloeder|doofer|schlechter) (?:bot|computer))"
)
FORGET = re.compile(
    r"(?:bitte |kannst du |koenntest du )*"
    r"(?:vergiss (?:mich|alles|meine? \w+|das bild|die bilder)"
    r"|(?:meine? |alle? |die )?(?:daten|bilder|fotos|bild|foto|verlauf|nachrichten)"
    r"(?: bitte)? (?:loeschen|entfernen|vergessen)"
    r"|loesche? (?:bitte )?(?:(?:mich|alles|das)|(?:meine?|alle?|die|das|den)(?: \w+)? \w+))"
    r"(?: bitte)?"
)
MORE = re.compile(
    r"(?:(?:bitte|erzaehl(?:e)? mir|sag mir|zeig mir|kannst du|und) )*(?:(?:etwas |noch )?mehr"
    r"(?: (?:details|darueber|dazu|erzaehlen|sagen))?|(?:und )?was (?:siehst du |gibt es "
    r"|ist )?noch"
    r"(?: (?:zu sehen|da|darauf|drauf))?|noch (?:etwas|was)|was sonst(?: noch)?|weiter|genauer)"
    r"(?: bitte)?"
)
WRONG = re.compile(
    r"(?:nein |ne |nee )?(?:nein|nee|falsch|das ist falsch|das stimmt nicht|stimmt nicht"
    r"|das ist nicht richtig|bist du (?:dir )?sicher|quatsch|unsinn|nicht ganz)"
)
HELP = re.compile(
    r"hilfe|hilf mir|ich brauche hilfe|befehle|was kannst du(?: alles)?(?: so)?(?: machen| tun)?"
    r"|wie funktioniert (?:das|der bot)|wie funktionierst du|wie geht das|was machst du"
    r"|was kann ich (?:dich )?fragen"
)
ABOUT = re.compile(
    r"wer bist du|was bist du|wie heisst du|bist du (?:ein )?(?:bot|roboter|mensch|echt"
    r"|computer|chatgpt|maschine)|wer hat dich (?:gemacht|gebaut|programmiert)|stell dich vor"
    r"|wie alt bist du|sprichst du deutsch|kannst du deutsch|verstehst du deutsch"
)

REMARK = re.compile(
    r"(?:oh |wow |hi |hallo |so |sehr |echt |wirklich |was fuer ein )*(?:(?:ein|das ist ein) )?"
    r"(?:schoen|toll|suess|huebsch|nett|cool|super|klasse|lustig|niedlich|wunderschoen|herrlich)"
    r"(?:e[rs]?|n)? \w+"
)
_THERE = r"(?:da|hier|dort|drauf|darauf|drin|dran|geschrieben)"
READING = re.compile(
    r"(?:(?:bitte|kannst du|koenntest du|mir|mal) )*"
    + any_of(
        r"(?:lies|lese|les|uebersetze?|entziffere|transkribiere)\b.*|was (?:denn )?steht(?: denn)?"
        rf"(?: {_THERE})*",
        rf"was ist {_THERE} geschrieben|wie lautet (?:die|der) \w+",
        r"(?:\w+ )*(?:text|schrift|worte|woerter|buchstaben|schild)"
        r"(?: (?:bitte|mir|vor|mal))* (?:lesen|vorlesen|uebersetzen|entziffern)",
        r"(?:der|den|die) text|(?:die )?(?:schrift|worte|woerter|buchstaben)|vorlesen|lesen",
    )
    + r"(?: bitte)?"
)

# --- corrections: "Die Antwort ist ein Bus", or "Nein, ein Bus" -----------------------------------

_DENIAL = (
    r"(?:(?:nein|nee|ne|falsch|das ist falsch|stimmt nicht|das stimmt nicht|doch"
    r"|eigentlich)[\s,.!:;-]+)"
)
_CORRECTION = re.compile(
    rf"{_DENIAL}*(?:die (?:richtige )?antwort (?:ist|waere|war)|richtig (?:ist"
    rf"|waere)):? (?P<answer>.+)"
    rf"|{_DENIAL}*(?:das|es|er|sie) (?:ist|sind|war|waren) (?P<one>.+)"
    rf"|{_DENIAL}+(?:sondern )?(?P<bare>.+)",
    re.IGNORECASE,
)


def correction(text: str) -> str:
    """What an answer should have been, in English, if a text says that in German; else ""."""
    found = _CORRECTION.fullmatch(text.strip())
    if found is None or "?" in text:
        return ""
    return in_english(found["answer"] or found["one"] or found["bare"])


# --- references: "auf Bild 2", "das zweite Foto" --------------------------------------------------

ORDINALS = (
    *("erste", "zweite", "dritte", "vierte", "fuenfte"),
    *("sechste", "siebte", "achte", "neunte", "zehnte"),
)
_PREPOSITION = r"(?:(?:auf|in|im|von|zu|bei)\s+)?(?:dem\s+|das\s+)?"
_REFERENCE = re.compile(
    rf"\b{_PREPOSITION}(?:bild|foto)(?:\s+(?:nummer|nr\.?))?\s+(?P<number>\d{{1,2}})\b"
    rf"|\b{_PREPOSITION}(?P<place>{'|'.join(ORDINALS)}|fünfte|letzte)[nsr]?\s+(?:bild|foto)\b",
    re.IGNORECASE,
)


_EACH = re.compile(
    r"\b(?:auf|in)\s+(?:jedem|allen|beiden)\s+(?:der\s+)?(?:bild(?:ern)?|fotos?)\b|\bjeweils\b",
    re.I,
)


def named_pictures(text: str) -> tuple[tuple[int, ...], str]:
    """Picture numbers that a German question names, and the question asked of one picture.

    Args:
        text: Cleaned question, asked while several pictures are at hand.
    """
    matches = list(_REFERENCE.finditer(text))
    if not matches and _EACH.search(text):
        return (ALL,), _EACH.sub("auf dem Bild", text)
    if not matches:
        return (), text
    numbers = tuple(dict.fromkeys(_number(match) for match in matches))
    return numbers, _REFERENCE.sub("auf dem Bild", text).strip()


def _number(match: re.Match[str]) -> int:
    if match["number"]:
        return int(match["number"])
    place = match["place"].lower().replace("ü", "ue")
    return LAST if place == "letzte" else ORDINALS.index(place) + 1
