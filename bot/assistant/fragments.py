"""Messages of a word or two: greetings in any language, a noun for a question, and mere noise."""

from __future__ import annotations

import re
from functools import cache

from bot.assistant.patterns import CODE
from bot.assistant.text import clean, word_set
from bot.assistant.translation.english import article
from bot.assistant.translation.lexicon import (
    colours,
    english_nouns,
    find_noun,
    fold,
    german_adjectives,
    german_infinitives,
)
from bot.assistant.types import Kind

# English and German have patterns of their own, which know more than single words.
# ruff: noqa: RUF001  (letters of other alphabets that look like Latin ones are meant)
_FOREIGN = {
    Kind.HELLO: """bonjour|bonsoir|salut|coucou|hola|buenas|buenos días|buenos dias|buenas tardes
        buenas noches|qué tal|que tal|buongiorno|buonasera|salve|olá|ola|oi|bom dia|boa tarde
        boa noite|hej|hej hej|hei|hallå|god dag|god morgen|hoi|dag|goedemorgen|goedendag
        goedemiddag|cześć|czesc|dzień dobry|ahoj|dobrý den|merhaba|selam|szia|sziasztok|helló
        jó napot|salam|xin chào|aloha|sveiki|tere|labas|zdravo|dobar dan|halo|selamat pagi
        selamat siang|kumusta|kamusta|shalom|namaste|namaskar|konnichiwa|ni hao|annyeong|sawadee
        salaam|as-salamu alaykum|привет|здравствуйте|здравствуй|добрый день|добрый вечер|привіт
        вітаю|здравей|здраво|こんにちは|こんばんは|おはよう|おはようございます|你好|您好|大家好
        안녕|안녕하세요|مرحبا|السلام عليكم|سلام|नमस्ते|नमस्कार|שלום|היי|γεια|γεια σου|γεια σας
        สวัสดี|สวัสดีครับ|สวัสดีค่ะ""",
    Kind.THANKS: """merci|merci beaucoup|gracias|muchas gracias|grazie|grazie mille|obrigado
        obrigada|muito obrigado|muito obrigada|tack|tack så mycket|takk|tak|dank je|dank je wel
        dankjewel|bedankt|dzięki|dzieki|dziękuję|dziekuje|děkuji|díky|teşekkürler|tesekkurler
        teşekkür ederim|kiitos|köszönöm|mulțumesc|terima kasih|cảm ơn|arigato|xie xie|mahalo
        спасибо|большое спасибо|дякую|благодаря|хвала|ありがとう|ありがとうございます|谢谢|謝謝
        감사합니다|고마워|شكرا|धन्यवाद|תודה|ευχαριστώ""",
    Kind.GOODBYE: """ciao|ciao ciao|au revoir|à bientôt|adiós|adios|hasta luego|arrivederci|tchau
        tot ziens|hej då|ha det|do widzenia|na shledanou|görüşürüz|пока|до свидания|さようなら
        再见|再見|안녕히 가세요|مع السلامة|להתראות""",
}
_FOLLOWED = re.compile(r"(?: (?:glimpse|bot|amigos?|amigas?|à tous|a todos|a tutti|mon ami))+$")
# What people send to say no more than that they were pleased, or not.
_EMOJI = (
    (Kind.HELLO, "👋🙋"),
    (Kind.SORRY, "👎😡😠🤬🙄"),
    (Kind.THANKS, "🙏"),
    (Kind.NOD, "👍👌👏🙌💪❤♥💕💖💗💛💚💙💜🧡😍🥰😘🤩🔥💯🎉😊🙂😀😃😄😁☺😎✅"),
    (Kind.REACTION, "😂🤣😅😆🤔😕😮😲😱🤨❓❔"),
)
# Besides nouns, colours and the like, of what a few words may ask.
_TOPICS = word_set(
    """left right middle center centre front back background foreground top bottom corner side
    number count amount colour color colours colors weather season time day night date place
    location scene mood style breed brand species size age shape kind type name names object objects
    thing things stuff anything something everything someone somebody anyone anybody inside outside
    indoors outdoors main biggest smallest largest closest nearest far near behind beside under
    above describe description caption detail details explain summary alt identify list tell show
    look see find spot guess estimate compare say more else other others another each both all
    rgb"""
)
_SAY_LITTLE = word_set(
    """a an the is are was were be am do does did of in on at to it its he him his she her they them
    their i me my you your we us our this that these those and or but so as by for from with if
    then than not please just really very too also hey ok okay oh ah well um yes no maybe"""
)
_WHICH = {  # of these one does not ask whether they are there
    "colour": "What colour is it?", "color": "What color is it?",
    "colours": "What colours are there?", "colors": "What colors are there?",
    "animal": "What animal is it?", "animals": "What animals are there?",
    "food": "What food is it?", "sport": "What sport is it?",
    "number": "How many are there?", "location": "Where is it?", "place": "What place is it?",
    "weather": "How is the weather?", "time": "What time of day is it?",
    "background": "What is in the background?", "foreground": "What is in the foreground?",
    "room": "What room is it?", "season": "What season is it?",
}  # fmt: skip
_THE = r"(?:the |a |an )?"
_PHRASES = (
    (re.compile(rf"{_THE}(?!what|which)([a-z]+(?:'s)? [a-z]+|[a-z]+) colou?r"),
     "What color is the {}?"),
    (re.compile(r"(?:objects?|things?|stuff) (in|on|at) (?:the )?([a-z ]+)"), "What is {} the {}?"),
    (re.compile(rf"{_THE}(time of day|kind of [a-z]+|type of [a-z]+|breed)"), "What {} is it?"),
)  # fmt: skip
_NOUN_THERE = re.compile(r"([a-z]+) ((?:in|on|at|under|behind|near|beside|next to) [a-z ]+)")
_GERMAN_WHICH = {
    "farbe": "Welche Farbe hat es?", "farben": "Welche Farbe hat es?",
    "tier": "Welches Tier ist das?", "tiere": "Welche Tiere sind das?",
    "wetter": "Wie ist das Wetter?", "hintergrund": "Was ist im Hintergrund?",
    "wie viele": "Wie viele sind es?", "wie viel": "Wie viele sind es?",
    "anzahl": "Wie viele sind es?", "wo": "Wo ist das?",
}  # fmt: skip


def foreign_small_talk(words: str) -> Kind | None:
    """What a greeting or thanks in one of many languages is; None if it is neither."""
    return _foreign().get(_FOLLOWED.sub("", _said(words)))


def emoji_talk(text: str) -> Kind | None:
    """What a message of emoji alone says; None if that is not clear."""
    kinds = (kind for character in text for kind, those in _EMOJI if character in those)
    return next(kinds, None)


def whole_question(said: str) -> str | None:
    """The question that a noun alone stands for: "dog" is "Is there a dog?"; else None.

    Args:
        said: From `text.plain`.
    """
    if said in _WHICH:
        return _WHICH[said]
    for pattern, question in _PHRASES:
        if found := pattern.fullmatch(said):
            return question.format(*found.groups())
    if found := _NOUN_THERE.fullmatch(said):
        whole = whole_question(found[1])
        return f"{whole[:-1]} {found[2]}?" if whole and found[1] in english_nouns() else None
    if said not in english_nouns():
        return None
    noun, many = english_nouns()[said]
    if many or not noun.counted:
        return f"{'Are' if many else 'Is'} there any {said}?"
    return f"Is there {article(said)} {said}?"


def whole_german_question(spoken: str) -> str | None:
    """The same in German: "Hund?" is "Gibt es einen Hund?"."""
    said = " ".join(re.findall(r"\w+", fold(spoken)))
    if said in _GERMAN_WHICH:
        return _GERMAN_WHICH[said]
    words = re.findall(r"\w+", spoken)
    known = find_noun(fold(words[0])) if len(words) == 1 else None
    if known is None or _names_something(words[0].lower()):  # "hand" is English
        return None
    noun, word = known.noun, words[0][:1].upper() + words[0][1:]
    if known.plural and (not known.singular or word == noun.plural):
        return f"Gibt es {word}?"
    kind = {"m": "einen ", "f": "eine ", "n": "ein "}.get(noun.gender, "")
    return f"Gibt es {kind if noun.counted else ''}{word}?"


def says_nothing(words: str) -> bool:
    """Whether cleaned words that ask nothing name nothing either: noise, code, "the", "42"."""
    if CODE.search(words):
        return True
    found = [
        word.split("'")[0] for word in re.findall(r"[^\W\d_]+(?:['-][^\W\d_]+)*", _said(words))
    ]
    if any(_names_something(word) for word in found):
        return False
    return len(found) <= 2 or not any(word in _SAY_LITTLE for word in found)


def _said(words: str) -> str:
    return " ".join(re.sub(r"[^\w' -]+", " ", words.lower()).split())


@cache
def _foreign() -> dict[str, Kind]:
    """As they are once they are cleaned, which takes marks off some scripts."""
    return {
        _said(clean(phrase)): kind
        for kind, phrases in _FOREIGN.items()
        for line in phrases.splitlines()
        for phrase in line.split("|")
    }


@cache
def _names() -> frozenset[str]:
    """English words for what is to be seen, one by one."""
    phrases = (*english_nouns(), *colours().values(), *german_adjectives(), *german_infinitives())
    return frozenset(word for phrase in phrases for word in phrase.lower().split()) | _TOPICS


def _names_something(word: str) -> bool:
    if word in _SAY_LITTLE or len(word) < 2:
        return False
    stems = (word, *(word.removesuffix(end) for end in ("s", "es", "ing", "ed", "er", "y")))
    known = _names()
    return any(len(stem) > 1 and (stem in known or f"{stem}e" in known) for stem in stems)
