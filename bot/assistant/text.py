"""Plain text: cleaned of what people type besides words, told from other languages."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise

_QUOTES = str.maketrans("‘’‚‛´`“”„‟«»‐‑‒–—", "''''''\"\"\"\"\"\"-----")  # noqa: RUF001
_UNSEEN = {"Cc", "Cf", "Co", "Cs", "Cn", "Mn", "Me", "Zl", "Zp"}
_EMOJI_FROM = 0x2190  # symbols below this are ©, ®, ° and the like
_SKIN_TONES = range(0x1F3FB, 0x1F400)
SOMEBODY = "@somebody"  # what an adapter puts in place of a mention
_CALLS = r"@(?!somebody\b)\w{2,}"  # at the end it calls for attention, unless it was a mention
_MENTION = re.compile(rf"<@[!&]?\d+>|^(?:@\w{{2,}}[\s,:]+)+|(?:\s+{_CALLS})+\s*$|^@\w{{2,}}$")
# An e-mail address, or how people are called on chat platforms; "/ask@glimpse_bot" is a command.
_NAME = re.compile(
    r"(?<![\w.+-])[\w.+-]+@[\w-]+(?:\.[\w-]+)+|<@[!&]?\d+>|(?<![\w/@])@[^\W\d]\w+(?:#\d{4})?"
)
_LINK = re.compile(r"\b(?:https?://|www\.)\S+", re.IGNORECASE)
_QUESTION = re.compile(r"(?:what|where|which|who|why|how|is|are|does|do|did|can)\b")
_SENTENCE_END = re.compile(r"[.!?…]+[\"')”’»]*(?P<space>\s+)(?=\S)")  # noqa: RUF001
_ABBREVIATIONS = {"mr", "mrs", "ms", "dr", "st", "no", "nr", "vs", "jr", "sr", "mt", "ft", "etc"}


def clean(text: str) -> str:
    """Fold compatible characters, drop what cannot be seen and emoji, and collapse white space.

    Stacked accents ("zalgo") go too; letters with an ordinary accent keep it.
    """
    kept: list[str] = []
    for character in unicodedata.normalize("NFKC", text):
        category = unicodedata.category(character)
        if character.isspace() or _is_emoji(character, category):
            kept.append(" ")
        elif category not in _UNSEEN:
            kept.append(character)
    words = " ".join("".join(kept).translate(_QUOTES).split())
    return anonymous(" ".join(_MENTION.sub(" ", words).split()))


def anonymous(text: str) -> str:
    """The text with "somebody" for whoever is mentioned in it, so that nobody is named on disk."""
    others = _NAME.sub(" ", text)
    if others == text:
        return text
    return _NAME.sub("jemand" if is_german(others) else SOMEBODY[1:], text)


def _is_emoji(character: str, category: str) -> bool:
    code = ord(character)
    return (category == "So" and code >= _EMOJI_FROM) or code in _SKIN_TONES


def has_words(text: str) -> bool:
    """Whether anything can be read aloud: one letter or digit is enough."""
    return any(character.isalnum() for character in text)


def without_links(text: str) -> str:
    """The text with web addresses taken out."""
    return " ".join(_LINK.sub(" ", text).split())


def sentences(text: str) -> list[str]:
    """Split cleaned text after "!" and "?", and after "." where that ends a sentence.

    It does not after "St.", an initial, or before a small letter, unless a question starts there.
    """
    ends = [0, *(end.end() for end in sentence_ends(text)), len(text)]
    return [text[start:end].strip() for start, end in pairwise(ends)]


def sentence_ends(text: str) -> Iterator[re.Match[str]]:
    """The marks that end sentences within a text, and the white space behind them ("space")."""
    for end in _SENTENCE_END.finditer(text):
        if end.group()[0] not in ".…" or _ends_sentence(text, end):
            yield end


def _ends_sentence(text: str, stop: re.Match[str]) -> bool:
    before = text[: stop.start()]
    word = re.split(r"\W", before)[-1].lower()
    if word in _ABBREVIATIONS or len(word) == 1 or before.rpartition("\n")[2].strip().isdigit():
        return False
    return not text[stop.end()].islower() or _QUESTION.match(text, stop.end()) is not None


def plain(text: str) -> str:
    """Lower case words only, without politeness, for comparing with set phrases."""
    words = re.sub(r"[^\w'#/+*=-]+", " ", text.lower()).strip()
    words = re.sub(
        r"^(?:(?:hey|hi|hello|yo|ok|okay|so|and|now|well|um|bot|glimpse)\s+)+", "", words
    )
    words = re.sub(r"\b(?:please|pls|plz|kindly|for me)\b", " ", words)
    return " ".join(words.replace("what's", "what is").replace("who's", "who is").split())


_GREETING = re.compile(
    r"^(?:(?:hi|hey|hello)(?: there| glimpse| bot)?\s*[,.!:-]\s*|(?:hi|hey|hello|please|ok|okay|and"
    r"|so|now|um)\s+|(?:please|ok|okay|and|so|now|well|um)\s*,\s*)+(?=\S)",
    re.IGNORECASE,
)
_TELL_ME = re.compile(
    r"^(?:(?:can|could|would|will) you (?:please )?)?(?:please )?tell me "
    r"(?=(?:what|where|which|who|whose|how|why|when)\b)",
    re.IGNORECASE,
)
_THANKS_AFTER = re.compile(r"\s*[,-]\s*(?:please|pls|plz|thanks|thank you)\s*([?]*)[.!]*$", re.I)


def without_politeness(question: str) -> str:
    """Take "Hi, could you tell me" from the front and ", please" from the end."""
    question = _GREETING.sub("", question)
    question = _TELL_ME.sub("", question)
    return _THANKS_AFTER.sub(r"\1", question).strip()


# --- questions that are not in English ------------------------------------------------------------
# Letters of another script decide at once. Among Latin letters, little words vote: each language
# has words that English does not use ("strong", two votes) and words that also turn up in English
# or in names ("weak", one vote: "la", "der"). They are weighed against the little words of English.
# Turning an English question away is the worse mistake, so doubt counts as English.


def word_set(text: str) -> frozenset[str]:
    """The words of a text, as a set."""
    return frozenset(text.split())


@dataclass(frozen=True)
class _Language:
    strong: frozenset[str]
    weak: frozenset[str]


_ENGLISH = word_set(
    """a an the is are was were be been being am do does did done has have had having can could will
    would should shall may might must what where which who whose whom when why how many much this
    that these those there here it its he him his she her they them their we us our you your i me my
    of in on at to from by with without for about under over behind near next between into out up
    down off and or but not no yes if than then as so any some all both each one two three see look
    tell say show doing color colour picture photo image man woman people person dog cat old young
    """
)

_LANGUAGES = (
    _Language(  # German
        word_set(
            """ist sind ich nicht und ein eine einen einem einer auf wer welche welcher welches
            welchen warum wieviel wieviele viele farbe gibt diese dieses dieser bild zeigt siehst
            auch hallo danke hund katze mensch menschen frau bitte für über dein deine mein meine
            kein keine wurde werden wird würde macht steht fährt trägt kann könnte muss sieht als
            wofür worauf womit sie zum zur vom beim leute jemand gehen stehen liegen spielt hier
            bekommt warten"""
        ),
        word_set("das der die den dem im mit zu von es da mann was wo wie hat kind auto haben zum"),
    ),
    _Language(  # Spanish
        word_set(
            """qué cuál cuáles cuántos cuántas cuantos cuantas cuánto quién quien dónde donde cómo
            está están esta este esto hombre mujer perro gato imagen foto hace eres hola gracias
            por para puedes muy"""
        ),
        word_set("el la los las un una es de del en con color que se su mi lo tu como hay son"),
    ),
    _Language(  # French
        word_set(
            """qu'est c'est quoi quelle quel quelles quels combien où qui dans sont une cette ceci
            cela voit vois homme femme chien est-ce qu'il avec pourquoi bonjour couleur"""
        ),
        word_set("le la les des un du de je tu ce en et il elle que est sur chat image couleur"),
    ),
    _Language(  # Italian
        word_set(
            """cosa che è chi dove quanti quante quale quali perché sono questo questa nella sulla
            degli gli uomo donna cane gatto immagine ciao grazie colore"""
        ),
        word_set("il lo la le di un una del con si mi ti ha fa"),
    ),
    _Language(  # Portuguese
        word_set(
            """qual quais quantos quantas quem onde está estão isto isso esta uma são há homem
            mulher cachorro imagem cor você olá obrigado não"""
        ),
        word_set("o os as um de da na em com ele ela que se é como"),
    ),
    _Language(  # Dutch
        word_set(
            """wat waar hoeveel welke kleur dit deze het een zijn heeft niet voor naar mensen vrouw
            hond foto ik"""
        ),
        word_set("de is op van te er zit staat wie"),
    ),
    _Language(  # Polish
        word_set(
            "jest są ile gdzie jaki jaka jakie kto czy dlaczego zdjęciu kolor kobieta pies się"
        ),
        word_set("co to na tym nie"),
    ),
    _Language(  # Czech
        word_set("jsou kolik kde kdo jaká jaký jaké proč tohle obrázku barva"),
        word_set("co to na je"),
    ),
    _Language(  # Turkish
        word_set("bu nedir kaç nerede renk hangi mü neden şu resimde"),
        word_set("ve bir ne var kim mi mu"),
    ),
    _Language(  # Swedish
        word_set("vad är hur många vilken vilket färg finns på bilden hund ett"),
        word_set("det den en i som och man var"),
    ),
    _Language(  # Indonesian
        word_set("apa ini itu berapa dimana warna siapa yang ada gambar orang"),
        word_set("di dan ke"),
    ),
    _Language(  # Romanian
        word_set("ce este câți câte unde culoare cine sunt această acest"),
        word_set("pe cu la o un"),
    ),
    _Language(  # Finnish
        word_set("mikä mitä tämä onko missä kuka kuinka monta väri kuvassa"),
        word_set("on ja se"),
    ),
    _Language(  # Hungarian
        word_set("milyen hány hol színű képen látható"),
        word_set("ez az van mi ki"),
    ),
)


def is_foreign(text: str) -> bool:
    """Whether cleaned `text` is, as far as can be told cheaply, in another language."""
    letters = [character for character in text if character.isalpha()]
    other = sum(not unicodedata.name(letter, "").startswith("LATIN") for letter in letters)
    if other * 2 > len(letters) or "¿" in text:
        return True
    words = re.findall(r"[^\W\d_]+(?:['-][^\W\d_]+)*", text.lower())
    return any(_outvotes_english(words, language) for language in _LANGUAGES)


def is_german(text: str) -> bool:
    """Whether cleaned `text` is, as far as can be told cheaply, in German."""
    words = re.findall(r"[^\W\d_]+", text.lower())
    return _outvotes_english(words, _LANGUAGES[0]) and not any(
        _votes(words, language) > _votes(words, _LANGUAGES[0]) for language in _LANGUAGES[1:]
    )


def _votes(words: list[str], language: _Language) -> int:
    sure = sum(word in language.strong for word in words)
    return 2 * sure + sum(word in language.weak for word in words)


def _outvotes_english(words: list[str], language: _Language) -> bool:
    english = sum(word.partition("'")[0] in _ENGLISH - language.weak for word in words)
    sure = sum(word in language.strong for word in words)
    votes = _votes(words, language)
    if english == 0 and sure and len(words) <= 3:
        return True
    if any(re.fullmatch("welche[mnrs]?", word) for word in words) and not english > 1:
        return language is _LANGUAGES[0] and sure > 0
    return votes >= 3 and votes > 2 * english and (sure > 0 or english == 0)
