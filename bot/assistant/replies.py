"""Putting a reply together in a person's language: the model's answer, or why there is none."""

from __future__ import annotations

import re
import secrets
from collections.abc import Hashable, Sequence
from dataclasses import dataclass, replace

from bot.assistant.conversations import Album
from bot.assistant.inference import Failure, FailureCause
from bot.assistant.intents import MAX_CHARACTERS, UNANSWERABLE
from bot.assistant.locale import AUTOMATIC, CATALOGUES
from bot.assistant.locale.files import what_it_is
from bot.assistant.locale.german import GERMAN
from bot.assistant.locale.texts import ENGLISH, Texts
from bot.assistant.objects import other_things
from bot.assistant.plain_pictures import plain_in_german
from bot.assistant.text import word_set
from bot.assistant.translation.answers import in_german
from bot.assistant.translation.captions import caption_in_german
from bot.assistant.translation.english import article
from bot.assistant.types import (
    Button,
    Caption,
    ChooseSettings,
    Exchange,
    Intent,
    Kind,
    Rate,
    Reply,
    Retry,
)
from bot.log import Consent, Erased

LOG_ON, LOG_OFF = "log on", "log off"  # after "/settings"
PROFILE = "model"  # followed by its name
SHARE_ON, SHARE_OFF = "pictures on", "pictures off"


@dataclass(frozen=True)
class ConfidenceThresholds:
    """Confidence (0..1) below which an answer or a caption says that it is not sure."""

    answer: float = 0.35
    polar: float = 0.6  # of "yes" and "no", of which a coin gets half right
    caption: float = 0.5


@dataclass(frozen=True)
class ReplyWriter:
    """Writes replies in one language.

    Attributes:
        texts: The language.
        thresholds: Confidence below which it says that it is not sure.
        seconds: How long pictures are kept.
        place: Where the pictures at hand can be fetched again.
        sent_to: Who may get pictures and questions in order to answer, by name; "" for somebody
            without one.
    """

    texts: Texts
    thresholds: ConfidenceThresholds
    seconds: float
    place: Hashable = None
    sent_to: Sequence[str] = ()

    def answers(
        self, album: Album, intent: Intent, found: dict[int, Exchange | Failure], notice: str = ""
    ) -> Reply:
        """Put answers together: one as it is, several in a numbered list.

        Args:
            album: Whose pictures they are about.
            intent: What was wanted.
            found: The answers, by place.
            notice: What is to be said of who answered.
        """
        texts = self.texts
        several = len(found) > 1
        said = {place: self.line(result) for place, result in found.items()}
        if intent.more:
            said = {place: self._more(said[place], result) for place, result in found.items()}
        if several:
            said = {place: f"{album.numbers[place]}. {line}" for place, line in said.items()}
        lines = list(said.values())
        if intent.which and several:
            lines = self._which(album, found, said)
        exchanges = tuple(result for result in found.values() if isinstance(result, Exchange))
        failures = [result for result in found.values() if isinstance(result, Failure)]
        reference = next((failure.reference for failure in failures if failure.reference), "")
        if intent.names_asked and exchanges:
            lines.insert(0, texts.no_names)
        if several and album.left_out:
            lines.append(texts.only_first.format(count=len(album.entries)))
        text = "\n".join(lines)
        if not exchanges:
            alike = len({self.line(failure) for failure in failures}) == 1
            outcome = ":".join(filter(None, (failures[0].cause.value, failures[0].reason)))
            return refusal(self.line(failures[0]) if alike else text, reference, outcome)
        if notice:
            text += f"\n\n{notice}"
        if intent.invite:
            text += f"\n\n{texts.invite_several if several else texts.invite}"
        number = secrets.token_hex(8)
        offer = intent.kind is Kind.QUESTION and not several
        buttons = (*self._caption(offer), *self._verdicts(number), *self._retry())
        return Reply(
            text, buttons, reference=reference, exchanges=exchanges, number=number,
            outcome="answered", place=self.place,
            unanswered=tuple(said[n] for n, each in found.items() if isinstance(each, Failure)),
        )  # fmt: skip

    def draft(self, intent: Intent, text: str) -> str:
        """What `answers` will begin with, of what a chat model has written so far.

        Returns:
            "" while that is not to be told: a few words become another sentence, and what is not
            in the person's language another text.
        """
        if self.texts is not ENGLISH or intent.translation or not _WRITTEN.match(text):
            return ""
        if len(text.split()) < _DRAFT_WORDS:
            return ""
        return f"{self.texts.no_names}\n{text}" if intent.names_asked else text

    def _which(
        self, album: Album, found: dict[int, Exchange | Failure], said: dict[int, str]
    ) -> list[str]:
        """The numbers of the pictures whose answer is yes, and why others have none."""
        numbers = [
            str(album.numbers[place])
            for place, each in found.items()
            if isinstance(each, Exchange) and re.match(r"yes\b", each.answer, re.IGNORECASE)
        ]
        texts = self.texts
        text = texts.which_none
        if numbers:
            several = len(numbers) > 1
            listed = f" {texts.and_} ".join(filter(None, (", ".join(numbers[:-1]), numbers[-1])))
            text = (texts.which_several if several else texts.which_one).format(numbers=listed)
        unanswered = [said[place] for place, each in found.items() if isinstance(each, Failure)]
        return [text, *unanswered]

    def line(self, result: Exchange | Failure) -> str:
        """One picture's answer, or why there is none."""
        if isinstance(result, Failure):
            if result.cause is FailureCause.REFUSED:
                named = what_it_is(result.sentence) if self.texts is GERMAN else ""
                return named or self.texts.refusals.get(result.reason, result.sentence)
            sentence: str = getattr(self.texts, result.cause.value)
            return sentence.format(reference=result.reference)
        if result.question is None:
            sure = _is_sure(result.confidence, self.thresholds.caption)
            return say_caption(result.answer, self.texts, sure=sure)
        polar = result.answer in _POLAR
        least = self.thresholds.polar if polar else self.thresholds.answer
        sure = _is_sure(result.confidence, least)
        if result.original_question:
            return say_translated(result.answer, result.question, self.texts, sure=sure)
        return say_answer(result.answer, result.question, self.texts, sure=sure)

    def _more(self, said: str, result: Exchange | Failure) -> str:
        """A caption, and what else is seen."""
        if isinstance(result, Failure):
            return said
        german = self.texts is GERMAN
        things = other_things(result.objects, result.answer, german=german)
        more = self.texts.also_see.format(things=things) if things else self.texts.nothing_more
        return f"{said} {more}"

    def sentence(self, intent: Intent, *, offer_caption: bool) -> Reply:
        """The reply to what needs no look at a picture."""
        greeted = intent.kind is Kind.HELLO and offer_caption
        template: str = (
            self.texts.hello_again if greeted else getattr(self.texts, intent.kind.value)
        )
        text = template.format(
            limit=MAX_CHARACTERS, command=intent.command, time=self.texts.span(self.seconds)
        )
        unanswerable = intent.kind in UNANSWERABLE
        offer = unanswerable and offer_caption and intent.kind is not Kind.UNKNOWN_COMMAND
        brief = intent.kind is Kind.RATED
        outcome = intent.kind.value
        number = secrets.token_hex(8) if offer else ""
        return Reply(
            text, self._caption(offer), error=unanswerable, number=number, outcome=outcome,
            brief=brief, place=self.place,
        )  # fmt: skip

    def privacy(
        self, days: float | None, consent: Consent | None = None, *, offered: bool = False
    ) -> Reply:
        """What is kept for how long.

        Args:
            days: So long exchanges are; None if they are not.
            consent: What this person chose; None if that is not known.
            offered: People may allow that their pictures are kept.
        """
        said = self._privacy(days, consent, offered=offered)
        if self.sent_to:
            said += "\n" + self._sent()
        return Reply(said, outcome="privacy")

    def _sent(self) -> str:
        """Who gets pictures and questions."""
        texts, (first, *others) = self.texts, self.sent_to
        if not others:
            sent = texts.privacy_sent_to if first else texts.privacy_sent
            return sent.format(provider=first)
        *names, last = [name or texts.another_computer for name in self.sent_to]
        return texts.privacy_sent_to_one_of.format(names=f"{', '.join(names)} {texts.or_} {last}")

    def _privacy(self, days: float | None, consent: Consent | None, *, offered: bool) -> str:
        """What is kept on this computer."""
        texts, span = self.texts, self.texts.span(self.seconds)
        alone = not self.sent_to
        if days is None:
            return (texts.privacy if alone else texts.privacy_far).format(time=span)
        kept = texts.span(86_400 * days)
        if consent and not consent.exchanges:
            return texts.privacy_unlogged.format(time=span, days=kept)
        shares = consent is not None and consent.pictures
        unsaved = texts.privacy_may_save if offered else texts.privacy_unsaved
        said = texts.privacy_logged.format(
            time=span,
            days=kept,
            pictures=texts.privacy_saved.format(days=kept) if shares else unsaved,
        )
        if not alone:
            said = said.replace(f"{texts.privacy_nobody_else} ", "")
        return said + (f" {texts.privacy_learnt}" if shares else "")

    def forgotten(self, erased: Erased | None) -> Reply:
        """Everything of a person was erased, so many rows of the log too."""
        if erased is None:
            return Reply(self.texts.forgotten, outcome="forgotten")
        said = self.texts.forgotten_rows.format(**erased._asdict())
        return Reply(said, outcome="forgotten")

    def forgotten_later(self) -> Reply:
        """Pictures were forgotten, and the rest will be erased."""
        return Reply(self.texts.forgotten_later, outcome="forgotten")

    def settings(
        self, *, alike: bool, automatic: bool, chosen: bool, kept: Consent | None = None,
        offered: bool = False, profiles: Sequence[str] = (), profile: str = "",
    ) -> Reply:  # fmt: skip
        """What is set, and buttons to change it.

        Args:
            alike: The device speaks this language.
            automatic: The language is the device's.
            chosen: The person has just chosen it.
            kept: What is kept of them; None if nothing is of anybody.
            offered: People may allow that their pictures are kept.
            profiles: Names of those of which the person may choose one.
            profile: The one that answers them.
        """
        texts = self.texts
        if chosen and not automatic:
            return Reply(texts.settings_chosen, outcome="settings")
        said = texts.settings.format(
            language=texts.language, automatic=texts.settings_automatic if alike else ""
        )
        others = [
            Button(each.language, ChooseSettings(code).command)
            for code, each in CATALOGUES.items()
            if automatic or each is not texts
        ]
        like = Button(texts.automatic_button, ChooseSettings(AUTOMATIC).command)
        buttons = [*others, *(() if automatic else (like,))]
        if kept:
            said += "\n" + (texts.settings_logged if kept.exchanges else texts.settings_unlogged)
            buttons.append(self._logging(kept.exchanges))
            if kept.pictures or (offered and kept.exchanges):
                said += "\n" + (texts.settings_shared if kept.pictures else texts.settings_unshared)
                buttons.append(self._sharing(kept.pictures))
        if profiles:
            said += "\n" + texts.settings_profile.format(profile=profile)
            buttons += [
                Button(texts.profile_button.format(profile=name),
                       ChooseSettings(f"{PROFILE} {name}").command)
                for name in profiles if name != profile
            ]  # fmt: skip
        return Reply(said, tuple(buttons), outcome="settings")

    def spent(self, seconds: float) -> Reply:
        """What answers may cost is used up, and nobody answers without."""
        text = self.texts.spent.format(time=self.texts.span(seconds))
        return refusal(text, outcome="limit_day")

    def chosen_profile(self, profile: str) -> Reply:
        """A person chose who answers."""
        said = self.texts.settings_profile_chosen.format(profile=profile)
        if self.sent_to:
            said += "\n" + self._sent()
        return Reply(said, outcome="settings")

    def too_much(self, seconds: float, *, daily: bool) -> Reply:
        """The person has to wait."""
        text = self.texts.wait_day if daily else self.texts.wait_minute
        outcome = "limit_day" if daily else "limit_minute"
        return refusal(text.format(time=self.texts.span(seconds)), outcome=outcome)

    def no_such_picture(self, album: Album, numbers: tuple[int, ...]) -> Reply:
        """A number was named by which there is no picture: one too high, or that of a video."""
        if all(0 < number < album.numbers[-1] for number in numbers):
            return refusal(self.texts.no_picture_file)
        return refusal(self.texts.no_such_picture.format(count=album.numbers[-1]))

    def no_picture(self, *, gone: bool) -> Reply:
        """There is none, or none any more."""
        if not gone:
            return refusal(self.texts.no_picture, outcome="no_picture")
        text = self.texts.picture_gone.format(time=self.texts.span(self.seconds))
        return refusal(text, outcome="picture_gone")

    def _logging(self, logged: bool) -> Button:
        if logged:
            return Button(self.texts.unlog_button, ChooseSettings(LOG_OFF).command)
        return Button(self.texts.log_button, ChooseSettings(LOG_ON).command)

    def _sharing(self, shares: bool) -> Button:
        if shares:
            return Button(self.texts.unshare_button, ChooseSettings(SHARE_OFF).command)
        return Button(self.texts.share_button, ChooseSettings(SHARE_ON).command)

    def _caption(self, offer: bool) -> tuple[Button, ...]:
        return (Button(self.texts.caption_button, Caption().command),) if offer else ()

    def _verdicts(self, number: str) -> tuple[Button, ...]:
        return (
            Button("👍", Rate(number, good=True).command, self.texts.good),
            Button("👎", Rate(number, good=False).command, self.texts.bad),
        )

    def _retry(self) -> tuple[Button, ...]:
        return (Button(self.texts.retry_button, Retry().command),)


def refusal(text: str, reference: str = "", outcome: str = "refused") -> Reply:
    """A reply that says why there is no answer."""
    return Reply(text, error=True, reference=reference, outcome=outcome)


# --- from the model's bare words ("2", "a dog runs .") to a sentence ------------------------------


_NUMBERS = (  # by value
    *("", "one", "two", "three", "four", "five", "six"),
    *("seven", "eight", "nine", "ten", "eleven", "twelve"),
)
_COUNTING = re.compile(
    r"\bhow many\b|^count\b|\bwhat (?:number of|is the (?:total )?number of (?!the\b))",
    re.IGNORECASE,
)
_NUMBER = re.compile(r"(?<![\w.,:/$#-])(\d{1,2})\b(?![.,:/%+-]?\d|[%+])(?=(.?))")
_POLAR = {"yes", "no"}
_DRAFT_WORDS = 4  # fewer may be a short answer, which is put another way
_UNKNOWN = {"unknown", "not sure", "unsure", "i don't know", "don't know", "can't tell", "unclear"}
_INDEFINITE = re.compile(r"(?<![\w'-])(an?) ([a-z]\w*)")
_ARTICLE = re.compile(r"(?:a|an|the|some|there)\s", re.IGNORECASE)

_CAPITALS = word_set(
    """I I'm I've I'll I'd TV TVs USA UK U.S U.S.A NYC DVD DVDs CD CDs PC SUV SUVs ATM RV
    RVs BBQ BMW NBA NFL MLB USB GPS BMX IBM HP LG KFC iPhone iPad iPod Xbox Wii Nike Adidas Samsung
    Sony Dell Toyota Honda Nikon Wilson Harley Nintendo Starbucks McDonald's Pepsi Coke Google
    Monday Tuesday Wednesday Thursday Friday Saturday Sunday January February April June July
    September October November December Christmas Halloween Easter Thanksgiving Santa America
    American Americans England English Britain British London Paris Rome Italy Italian France French
    Germany German Spain Spanish Europe European Asia Asian Africa African India Indian Japan
    Japanese Chinese Mexico Mexican Canada Canadian Australia Australian Russia Russian Chicago
    California Texas Florida Dalmatian Labrador Chihuahua
    """
)
_PHRASES = ("New York", "Los Angeles", "San Francisco", "Las Vegas", "Santa Claus", "Coca-Cola")
_SPELLINGS = {word.lower(): word for word in (*_CAPITALS, *_PHRASES)} | {"coca cola": "Coca-Cola"}
_WRITTEN = re.compile(r"[^\sa-z]")
_ENDED = re.compile(r"[.!?…][)\"'”\u2019]*$")
_NAMES = re.compile(
    r"(?<!\w)(?<!\w')(?:"
    + "|".join(re.escape(name) for name in sorted(_SPELLINGS, key=len, reverse=True))
    + r")(?!\w|'(?!s\b)\w)"
)


def _is_sure(confidence: float | None, least: float) -> bool:
    """Whether an answer goes without a doubt; a model that does not tell is taken at its word."""
    return confidence is None or confidence >= least


def say_caption(raw: str, texts: Texts, *, sure: bool = True) -> str:
    """Write a caption as a sentence: "a dog runs ." becomes "A dog runs." or "Ein Hund rennt."."""
    body = _tidy(raw)
    if _is_written(raw) and not (texts is GERMAN and caption_in_german(body)):
        return _say_written(raw, texts, sure=sure)
    if not body:
        return texts.cannot_tell
    if texts is GERMAN:
        german = plain_in_german(body) or caption_in_german(body)
        if german is None:
            return texts.in_english.format(answer=say_caption(raw, ENGLISH, sure=sure))
        return _stop(german) if sure else texts.unsure_looks_like.format(answer=_stop(german))
    return _sentence(body) if sure else texts.unsure_looks_like.format(answer=_stop(body))


def say_alt(exchange: Exchange, texts: Texts) -> str:
    """A caption as a sentence to be copied: without doubts, and without a word on its language."""
    if exchange.translated_answer:
        return _stop(exchange.translated_answer)
    if _is_written(exchange.answer):
        return exchange.answer
    body = _tidy(exchange.answer)
    return _sentence(body) if body else texts.cannot_tell


def translated_caption(exchange: Exchange, texts: Texts) -> Exchange:
    """The same with its caption in the language of the texts, if there are words for it."""
    if texts is not GERMAN:
        return replace(exchange, translated_answer="")
    body = _tidy(exchange.answer)
    german = plain_in_german(body) or caption_in_german(body)
    return replace(exchange, translated_answer=german or "")


def say_answer(raw: str, question: str, texts: Texts, *, sure: bool = True) -> str:
    """Write an answer as a sentence: "2" to a question for a count becomes "Two."."""
    if _is_written(raw):
        return _say_written(raw, texts, sure=sure)
    body = _tidy(raw)
    if not body or body.lower() in _UNKNOWN:
        return texts.cannot_tell
    if _COUNTING.search(question):
        body = _NUMBER.sub(_number_word, body)
    if sure:
        return _sentence(body)
    hedge = texts.unsure_looks_like if _ARTICLE.match(body) else texts.unsure_say
    return hedge.format(answer=_stop(body))


def say_translated(raw: str, question: str, texts: Texts, *, sure: bool = True) -> str:
    """Write the answer to a translated question as a German sentence: "red" becomes "Rot."."""
    if _is_written(raw):
        return _say_written(raw, texts, sure=sure)
    body = _tidy(raw)
    if not body or body.lower() in _UNKNOWN:
        return texts.cannot_tell
    german = in_german(body, question)
    if german is None:
        return texts.in_english.format(answer=_stop(body))
    return _sentence(german) if sure else texts.unsure_say.format(answer=_stop(german))


def _is_written(raw: str) -> bool:
    """Whether an answer is in sentences already, as chat models write, not in bare words."""
    return bool(_WRITTEN.match(raw) and (_ENDED.search(raw) or re.search(r"\n\S", raw)))


def _say_written(raw: str, texts: Texts, *, sure: bool) -> str:
    """Sentences as they are, and in which language if that is not the person's."""
    said = raw if sure else texts.unsure_sentence.format(answer=raw)
    return texts.in_english.format(answer=said) if sure else said


def _number_word(digits: re.Match[str]) -> str:
    value = int(digits.group(1))
    if value == 0:
        return "no" if digits.group(2) == " " else "none"
    return _NUMBERS[value] if value < len(_NUMBERS) else digits.group()


def _tidy(raw: str) -> str:
    """Undo tokenised spacing, drop outer punctuation and give names their capitals."""
    text = " ".join(re.sub(r"<\W*\w+\W*>", " ", raw).split())
    text = re.sub(r"``|\'\'", '"', text)
    text = re.sub(r'"\s*([^"]*?)[\s.,]*"', r'"\1"', text)
    text = re.sub(r"(?<!\w)'\s+([^']+?)\s+'(?!\w)", r"'\1'", text)
    text = re.sub(r"\s+([.,!?;:%)\]])", r"\1", text)
    text = re.sub(r"([(\[])\s+|(?<=\d:)\s+(?=\d\d\b)", r"\1", text)
    text = re.sub(r"(?<=[a-z]),(?=[a-z])", ", ", text)
    text = re.sub(r"\s+(n't|'(?:s|m|re|ve|ll|d))\b", r"\1", text)
    text = re.sub(r"([.,!?;:])[.,!?;:\s]*(?=[.,!?;:])", "", text)
    text = text.lstrip(" .,!?;:").rstrip(" .,!?;:-")
    text = re.sub(r"^-\s*(?!\d)", "", text)
    text = _INDEFINITE.sub(lambda found: f"{article(found[2])} {found[2]}", text)
    return _NAMES.sub(lambda name: _SPELLINGS[name.group()], text)


def _sentence(body: str) -> str:
    """Capital letters where sentences start, and a full stop."""
    if body.split(maxsplit=1)[0] not in _CAPITALS:  # "iPhone" keeps its small letter
        body = body[0].upper() + body[1:]
    return _stop(re.sub(r"(?<=\w{3}[.!?] )[a-z]", lambda letter: letter.group().upper(), body))


def _stop(body: str) -> str:
    return f"{body}."
