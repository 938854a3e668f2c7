"""What does a message want? A caption, an answer, help, or a kind word.

Set phrases decide; whatever matches none of them counts as a question, because a question
turned away is a worse mistake than an odd remark answered.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from itertools import takewhile

from bot.assistant import german_patterns, patterns
from bot.assistant.album_patterns import german_which_question, same_question, which_question
from bot.assistant.fragments import (
    emoji_talk,
    foreign_small_talk,
    says_nothing,
    whole_german_question,
    whole_question,
)
from bot.assistant.patterns import correction, named_pictures
from bot.assistant.text import (
    clean,
    has_words,
    is_foreign,
    is_german,
    plain,
    sentences,
    without_links,
    without_politeness,
)
from bot.assistant.translation.lexicon import fold
from bot.assistant.translation.translator import Translation, translate
from bot.assistant.types import (
    Action,
    Ask,
    Caption,
    ChooseSettings,
    Forget,
    Help,
    Intent,
    Kind,
    Privacy,
    Rate,
    Retry,
    button_action,
)
from bot.assistant.unanswerable import why_not

MAX_CHARACTERS = 300
GERMAN = "de"

_SMALL_TALK_CHARACTERS = 60
_COMMAND = re.compile(r"^/([A-Za-z]\w{0,31})(?:@\w+)?(?:\s+|$)")


_COMMANDS = {
    "start": Kind.START,
    "help": Kind.HELP,
    "forget": Kind.FORGET,
    "privacy": Kind.PRIVACY,
    "settings": Kind.SETTINGS,
}
_PLAIN_ACTIONS = {Forget: Kind.FORGET, Privacy: Kind.PRIVACY, Help: Kind.HELP}

# What everybody may ask, whether or not they may use the bot.
_DATA_RIGHTS = frozenset({Kind.FORGET, Kind.PRIVACY, Kind.SETTINGS})

# Kinds of questions that the model has an answer to, which nobody should rely on.
FOR_PEOPLE = frozenset({Kind.HEALTH, Kind.EXPERT, Kind.READING, Kind.UNSEEN})
# Kinds that ask something of the bot which it could not do.
UNANSWERABLE = frozenset(
    {
        Kind.EMPTY,
        Kind.TOO_LONG,
        Kind.FOREIGN,
        Kind.INSTRUCTION,
        Kind.OUTSIDE,
        Kind.PRIVATE,
        Kind.HEALTH,
        Kind.EXPERT,
        Kind.READING,
        Kind.UNSEEN,
        Kind.REMARK,
        Kind.UNCLEAR,
        Kind.LINK,
        Kind.UNKNOWN_COMMAND,
    }
)


@dataclass(frozen=True)
class _AtHand:
    """What is around a message.

    Attributes:
        attached: It has pictures of its own.
        shown: It has, or it replies to some.
        several: There is more than one picture.
        previous: What was asked about them before, if that was in German.
    """

    attached: bool
    shown: bool
    several: bool
    previous: Translation | None = None


_SMALL_TALK = {
    Kind.HELLO: patterns.HELLO,
    Kind.THANKS: patterns.THANKS,
    Kind.GOODBYE: patterns.GOODBYE,
    Kind.SORRY: patterns.WRONG,
    Kind.REACTION: patterns.REACTION,
    Kind.RUDE: patterns.RUDE,
    Kind.NOD: patterns.NOD,
    Kind.FORGET_HINT: patterns.FORGET,
    Kind.HELP: patterns.HELP,
    Kind.ABOUT: patterns.ABOUT,
}
_GERMAN_SMALL_TALK = {
    Kind.HELLO: german_patterns.HELLO,
    Kind.THANKS: german_patterns.THANKS,
    Kind.GOODBYE: german_patterns.GOODBYE,
    Kind.NOD: german_patterns.NOD,
    Kind.SORRY: german_patterns.WRONG,
    Kind.REACTION: german_patterns.REACTION,
    Kind.RUDE: german_patterns.RUDE,
    Kind.FORGET_HINT: german_patterns.FORGET,
    Kind.HELP: german_patterns.HELP,
    Kind.ABOUT: german_patterns.ABOUT,
}


def read_intent(
    text: str,
    *,
    attached: bool = False,
    replied: bool = False,
    several: bool = False,
    previous: Translation | None = None,
) -> Intent:
    """Tell what a message wants.

    Args:
        text: What the person wrote, as it came.
        attached: The message brings pictures of its own.
        replied: The message replies to one with pictures.
        several: More than one picture is at hand, so that numbers may name them.
        previous: What was asked about the pictures at hand before, if that was in German.
    """
    words = clean(text)
    shown = attached or replied
    at_hand = _AtHand(attached=attached, shown=shown, several=several, previous=previous)
    command = _COMMAND.match(words)
    if command is None:
        said = _read_correction(words, at_hand) or _read_free_text(words, at_hand)
        only_emoji = said.kind is Kind.EMPTY and not has_words(words)
        return Intent(emoji_talk(text) or Kind.EMPTY) if only_emoji else said
    name, rest = command.group(1).lower(), words[command.end() :]
    if name in _COMMANDS:
        return Intent(_COMMANDS[name], rest=rest)
    return _read_command(name, rest, at_hand)


def read_action(
    action: Action,
    *,
    attached: bool = False,
    replied: bool = False,
    several: bool = False,
    previous: Translation | None = None,
) -> Intent:
    """Tell what a command or a button wants, in the same way as `read_intent`."""
    shown = attached or replied
    at_hand = _AtHand(attached=attached, shown=shown, several=several, previous=previous)
    match action:
        case Ask(question):
            words = clean(question)
            return _read_question(words, at_hand) if words else Intent(Kind.EMPTY)
        case Caption(answer):
            return Intent(Kind.CAPTION, answer=answer)
        case Retry(answer, text):
            return replace(_read_retry(clean(text), at_hand), answer=answer)
        case Rate(answer, good):
            return Intent(Kind.RATED, rest=answer, good=good)
        case ChooseSettings(choice):
            return Intent(Kind.SETTINGS, rest=choice)
    return Intent(_PLAIN_ACTIONS[type(action)])


def is_data_right(text: str, action: Action | None = None) -> bool:
    """Whether a message is /forget, /privacy or /settings, written, chosen or pressed."""
    intent = read_action(action) if action else read_intent(text)
    return intent.kind in _DATA_RIGHTS


def _read_command(name: str, rest: str, at_hand: _AtHand) -> Intent:
    """What a command wants that is not always the same."""
    several = at_hand.several
    if name == "caption":
        return Intent(Kind.CAPTION, pictures=named_pictures(rest)[0] if several else ())
    if name == "ask":
        return _read_question(rest, at_hand) if rest else Intent(Kind.EMPTY)
    if name == "retry":
        return _read_retry(rest, at_hand)
    if isinstance(rating := button_action(f"/{name} {rest}"), Rate):
        return Intent(Kind.RATED, rest=rating.answer, good=rating.good)
    return Intent(Kind.UNKNOWN_COMMAND, command=f"/{name}")


def _read_retry(rest: str, at_hand: _AtHand) -> Intent:
    """Once more: what was asked last, or what the rest says."""
    if not rest:
        return Intent(Kind.RETRY)
    asked = read_intent(
        rest,
        attached=at_hand.attached,
        replied=at_hand.shown,
        several=at_hand.several,
        previous=at_hand.previous,
    )
    looks = asked.kind in {Kind.CAPTION, Kind.QUESTION}
    return replace(asked, again=True, invite=False) if looks else Intent(Kind.RETRY)


def _read_correction(words: str, at_hand: _AtHand) -> Intent | None:
    """What the last answer should have been, if the words say that."""
    if len(words) > MAX_CHARACTERS or at_hand.attached:
        return None
    said = correction(words)
    if said:
        return Intent(Kind.CORRECTED, rest=said)
    said = german_patterns.correction(words)
    return Intent(Kind.CORRECTED, rest=said, language=GERMAN) if said else None


def _read_free_text(words: str, at_hand: _AtHand) -> Intent:
    """Everything but commands: a picture without a request, small talk, or a question."""
    spoken = without_links(words)
    if not has_words(spoken):
        if at_hand.shown:
            return Intent(Kind.CAPTION, invite=True)
        return Intent(_nothing_said(words))
    chat = _small_talk(spoken)
    if chat is not None:
        kind = Kind.CAPTION if at_hand.attached else chat.kind
        return replace(chat, kind=kind, invite=at_hand.attached)
    intent = _read_question(words, at_hand)
    asks = intent.kind is not Kind.EMPTY and (intent.translation or _asks(spoken))
    asks = asks and not _is_german_remark(spoken)
    if patterns.INCOMPLETE.fullmatch(plain(spoken)):
        intent, asks = Intent(Kind.EMPTY), False
    if intent.kind not in {Kind.QUESTION, Kind.EMPTY, Kind.FOREIGN} or asks:
        return intent
    return _read_statement(spoken, intent, at_hand)


def _read_statement(spoken: str, intent: Intent, at_hand: _AtHand) -> Intent:
    """What asks nothing: beside a picture it is no more than that, else maybe a word for one."""
    german = is_german(spoken) or _is_german_remark(spoken)
    if at_hand.attached or (at_hand.shown and intent.kind is not Kind.FOREIGN):
        return Intent(Kind.CAPTION, invite=True, language=GERMAN if german else "")
    if _is_german_remark(spoken):
        return Intent(Kind.REMARK, language=GERMAN)
    if intent.pictures or intent.kind is Kind.FOREIGN:
        return intent
    if patterns.REMARK.match(without_politeness(spoken)):
        return Intent(Kind.REMARK)
    noise = intent.kind is Kind.QUESTION and says_nothing(spoken)
    return Intent(Kind.UNCLEAR) if noise else intent


def _is_german_remark(spoken: str) -> bool:
    return "?" not in spoken and german_patterns.REMARK.fullmatch(_folded(spoken)) is not None


def _nothing_said(words: str) -> Kind:
    return Kind.EMPTY if without_links(words) == words else Kind.LINK


def _small_talk(words: str) -> Intent | None:
    """A greeting, thanks or the like, in English, in German, or in a word of another language."""
    if len(words) > _SMALL_TALK_CHARACTERS:
        return None
    english = " ".join(re.sub(r"[^\w' ]+", " ", words.lower()).split())
    german = _folded(words)
    for kind, pattern in _SMALL_TALK.items():
        if pattern.fullmatch(english):
            return Intent(kind)
    if foreign := foreign_small_talk(words):
        return Intent(foreign)
    for kind, pattern in _GERMAN_SMALL_TALK.items():
        if pattern.fullmatch(german):
            return Intent(kind, language=GERMAN)
    return None


def _folded(words: str) -> str:
    """German words in lower case, without umlauts and punctuation."""
    return " ".join(re.sub(r"[^\w ]+", " ", fold(words)).split())


def _read_question(words: str, at_hand: _AtHand) -> Intent:
    """A question, or the reason why it is none."""
    spoken = without_links(words)
    if at_hand.several and (numbers := same_question(spoken)):
        return Intent(Kind.SAME, pictures=numbers)
    obstacle = _obstacle(words, spoken, at_hand)
    german = _read_german(spoken, at_hand) if obstacle in {None, Kind.FOREIGN} else None
    if german is not None:
        return german
    if obstacle is not None:
        if obstacle is Kind.FOREIGN and is_german(spoken):
            return Intent(obstacle, spoken, language=GERMAN)  # which a chat model may understand
        return Intent(obstacle, language=GERMAN if is_german(spoken) else "")
    return _read_english(spoken, at_hand)


def _read_english(spoken: str, at_hand: _AtHand) -> Intent:
    """An English question, or the reason why it is none for the model."""
    if at_hand.several and (each := which_question(plain(_main_sentence(spoken)))):
        return Intent(Kind.QUESTION, each, which=True)
    numbers, spoken = named_pictures(spoken) if at_hand.several else ((), spoken)
    asked = _main_sentence(spoken)
    said = plain(asked)
    outside = patterns.OUTSIDE.search(said) is not None
    names_asked = not outside and patterns.WHO_IS.fullmatch(said) is not None
    more = patterns.MORE.fullmatch(said) is not None
    if names_asked or more or patterns.CAPTION.fullmatch(said):
        return Intent(Kind.CAPTION, pictures=numbers, names_asked=names_asked, more=more)
    refusal = _refusal(asked, said)
    if refusal in FOR_PEOPLE:  # a program may still want what the model says
        return Intent(refusal, _as_question(asked), numbers)
    if refusal is not None:
        return Intent(refusal)
    if patterns.TYPED_AT_RANDOM.fullmatch(said):
        return Intent(Kind.EMPTY)
    return Intent(Kind.QUESTION, _as_question(asked), numbers)


def _read_german(spoken: str, at_hand: _AtHand) -> Intent | None:
    """A German question, read by what it is in English; None if it is not understood."""
    numbers: tuple[int, ...] = ()
    if at_hand.several and (each := german_which_question(spoken)) and (found := translate(each)):
        return Intent(Kind.QUESTION, found.english, which=True, language=GERMAN, translation=found)
    if at_hand.several:
        # Buttons of earlier versions name them in English: "Pictures 1, 2: Welche Farbe hat er?".
        numbers, spoken = named_pictures(spoken)
        named, spoken = german_patterns.named_pictures(spoken)
        numbers = numbers or named
    if german_patterns.MORE.fullmatch(_folded(spoken)):
        return Intent(Kind.CAPTION, pictures=numbers, more=True, language=GERMAN)
    if german_patterns.READING.fullmatch(_folded(spoken)):
        asked = Translation("What does it say?", german=spoken)
        return Intent(Kind.READING, asked.english, numbers, language=GERMAN, translation=asked)
    if "?" in spoken or not at_hand.shown:
        spoken = whole_german_question(spoken) or spoken
    for sentence in (spoken, *reversed(sentences(spoken))):
        found = translate(sentence, at_hand.previous)
        if found is not None:
            english = _read_english(found.english, replace(at_hand, several=False))
            return replace(english, pictures=numbers, language=GERMAN, translation=found)
    return None


def _refusal(asked: str, said: str) -> Kind | None:
    """Why something that was asked is not for the model."""
    if patterns.OUTSIDE.search(said):
        return Kind.OUTSIDE
    if patterns.PRIVATE.fullmatch(said):
        return Kind.PRIVATE
    if reason := why_not(said):
        return reason
    return Kind.INSTRUCTION if _is_instruction(asked, said) else None


def _obstacle(words: str, spoken: str, at_hand: _AtHand) -> Kind | None:
    """Why a text cannot be read at all."""
    if not has_words(spoken):
        return _nothing_said(words)
    if len(spoken) > MAX_CHARACTERS:
        return Kind.TOO_LONG
    if spoken != words and not at_hand.shown:
        return Kind.LINK
    return Kind.FOREIGN if is_foreign(spoken) else None


def _main_sentence(words: str) -> str:
    """The last question of several sentences, else the last request for a caption, else all."""
    parts = sentences(words)
    for test in (_starts_question, _has_mark, _asks, _wants_caption):
        for place in reversed(range(len(parts))):
            if test(parts[place]):
                # "Which hand is up? Left or right?" belongs together.
                tail = takewhile(_has_mark, parts[place + 1 :])
                return " ".join([parts[place], *tail])
    return words


def _has_mark(part: str) -> bool:
    return part.rstrip("\"')").endswith("?") and " " in part


def _starts_question(part: str) -> bool:
    return _has_mark(part) and patterns.QUESTION_START.match(plain(part)) is not None


def _wants_caption(part: str) -> bool:
    return patterns.CAPTION.fullmatch(plain(part)) is not None


def _asks(words: str) -> bool:
    """Whether any sentence looks like a question or a request about the picture."""
    known = "?" in words and (" " not in words.strip() or not says_nothing(words))
    return known or any(
        patterns.QUESTION_START.match(said) or patterns.CHOICE.fullmatch(said)
        for said in map(plain, sentences(words))
    )


def _is_instruction(asked: str, said: str) -> bool:
    """A command that is no request about the picture; "Print on the shirt?" is none."""
    request = patterns.CAN_YOU.sub("", said)
    if asked.endswith("?") and request == said:
        return False
    return patterns.INSTRUCTION.match(request) is not None


def _as_question(asked: str) -> str:
    question = without_politeness(asked)
    count = patterns.COUNT.fullmatch(question)
    if count:
        return f"How many {count.group(1)} are there?"
    return whole_question(plain(question)) or question
