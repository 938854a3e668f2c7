"""Putting a reply together in a person's language: the model's answer, or why there is none."""

from __future__ import annotations

import re
import secrets
from collections.abc import Hashable, Sequence
from dataclasses import dataclass

from bot.assistant.conversations import Album
from bot.assistant.inference import Failure, FailureCause
from bot.assistant.intents import MAX_CHARACTERS, UNANSWERABLE
from bot.assistant.locale import AUTOMATIC, CATALOGUES
from bot.assistant.locale.files import what_it_is
from bot.assistant.locale.german import GERMAN
from bot.assistant.locale.texts import Texts
from bot.assistant.objects import other_things
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
from bot.assistant.wording import begins_written, say
from bot.log import Consent, Erased

LOG_ON, LOG_OFF = "log on", "log off"  # after "/settings"
PROFILE = "model"  # followed by its name
SHARE_ON, SHARE_OFF = "pictures on", "pictures off"
_POLAR = {"yes", "no", "ja", "nein"}
_DRAFT_WORDS = 4  # fewer may be a short answer, which is put another way


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
            "" while that is not to be told, for a few words become another sentence.
        """
        if not begins_written(text) or len(text.split()) < _DRAFT_WORDS:
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
        least = self.thresholds.caption
        if result.question is not None:
            polar = result.answer.lower() in _POLAR
            least = self.thresholds.polar if polar else self.thresholds.answer
        # A model that does not tell is taken at its word.
        sure = result.confidence is None or result.confidence >= least
        return say(result, self.texts, sure=sure)

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
