"""Putting a reply together in a person's language: the model's answer, or why there is none."""

from __future__ import annotations

import secrets
from dataclasses import dataclass

from bot.intents import MAX_CHARACTERS, UNANSWERABLE, Intent, Kind
from bot.languages import AUTOMATIC, CATALOGUES
from bot.log import Erased, Kept
from bot.looking import Cause, Trouble
from bot.memory import Album
from bot.messages import Button, Exchange, Reply
from bot.texts import Texts
from bot.wording import Sureness, say_answer, say_caption, say_translated

LOG_ON, LOG_OFF = "log on", "log off"  # after "/settings"
SHARE_ON, SHARE_OFF = "pictures on", "pictures off"


@dataclass(frozen=True)
class Speaker:
    """Says things in one language.

    Attributes:
        texts: The language.
        sureness: Confidence below which it says that it is not sure.
        seconds: How long pictures are kept.
    """

    texts: Texts
    sureness: Sureness
    seconds: float

    def answers(self, album: Album, intent: Intent, found: dict[int, Exchange | Trouble]) -> Reply:
        """Put answers together: one as it is, several in a numbered list."""
        texts = self.texts
        several = len(found) > 1
        lines = [
            f"{place + 1}. {self.line(result)}" if several else self.line(result)
            for place, result in found.items()
        ]
        exchanges = tuple(result for result in found.values() if isinstance(result, Exchange))
        troubles = [result for result in found.values() if isinstance(result, Trouble)]
        reference = next((trouble.reference for trouble in troubles if trouble.reference), "")
        if intent.names_asked and exchanges:
            lines.insert(0, texts.no_names)
        if several and album.left_out:
            lines.append(texts.only_first.format(count=len(album.entries)))
        text = "\n".join(lines)
        if not exchanges:
            alike = len({self.line(trouble) for trouble in troubles}) == 1
            outcome = ":".join(filter(None, (troubles[0].cause.value, troubles[0].reason)))
            return error(self.line(troubles[0]) if alike else text, reference, outcome)
        if intent.invite:
            text += f"\n\n{texts.invite_several if several else texts.invite}"
        number = secrets.token_hex(8)
        offer = intent.kind is Kind.QUESTION and not several
        buttons = (*self._caption(offer), *self._verdicts(number), *self._retry())
        return Reply(
            text, buttons, reference=reference, exchanges=exchanges, number=number,
            outcome="answered",
        )  # fmt: skip

    def line(self, result: Exchange | Trouble) -> str:
        """One picture's answer, or why there is none."""
        if isinstance(result, Trouble):
            if result.cause is Cause.REFUSED:
                return self.texts.refusals.get(result.reason, result.sentence)
            sentence: str = getattr(self.texts, result.cause.value)
            return sentence.format(reference=result.reference)
        if result.question is None:
            sure = result.confidence >= self.sureness.caption
            return say_caption(result.answer, self.texts, sure=sure)
        sure = result.confidence >= self.sureness.answer
        if result.asked:
            return say_translated(result.answer, result.question, self.texts, sure=sure)
        return say_answer(result.answer, result.question, self.texts, sure=sure)

    def sentence(self, intent: Intent, *, offer_caption: bool) -> Reply:
        """The reply to what needs no look at a picture."""
        template: str = getattr(self.texts, intent.kind.value)
        text = template.format(
            limit=MAX_CHARACTERS, command=intent.command, time=self.texts.span(self.seconds)
        )
        unanswerable = intent.kind in UNANSWERABLE
        offer = unanswerable and offer_caption and intent.kind is not Kind.UNKNOWN_COMMAND
        brief = intent.kind is Kind.RATED
        outcome = intent.kind.value
        return Reply(text, self._caption(offer), error=unanswerable, brief=brief, outcome=outcome)

    def privacy(self, days: float | None, *, offered: bool = False, shares: bool = False) -> Reply:
        """What is kept for how long.

        Args:
            days: So long exchanges are; None if they are not.
            offered: People may allow that their pictures are.
            shares: This one does.
        """
        span = self.texts.span(self.seconds)
        if days is None:
            return Reply(self.texts.privacy.format(time=span), outcome="privacy")
        kept = self.texts.span(86_400 * days)
        texts = self.texts
        unsaved = texts.privacy_may_save if offered else texts.privacy_unsaved
        said = texts.privacy_logged.format(
            time=span,
            days=kept,
            pictures=texts.privacy_saved.format(days=kept) if shares else unsaved,
        )
        said += f" {texts.privacy_learnt}" if shares else ""
        return Reply(said, outcome="privacy")

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
        self, *, alike: bool, automatic: bool, chosen: bool, kept: Kept | None = None,
        offered: bool = False,
    ) -> Reply:  # fmt: skip
        """What is set, and buttons to change it.

        Args:
            alike: The device speaks this language.
            automatic: The language is the device's.
            chosen: The person has just chosen it.
            kept: What is kept of them; None if nothing is of anybody.
            offered: People may allow that their pictures are kept.
        """
        texts = self.texts
        if chosen and not automatic:
            return Reply(texts.settings_chosen, outcome="settings")
        said = texts.settings.format(
            language=texts.language, automatic=texts.settings_automatic if alike else ""
        )
        others = [
            Button(each.language, f"/settings {code}")
            for code, each in CATALOGUES.items()
            if automatic or each is not texts
        ]
        like = Button(texts.automatic_button, f"/settings {AUTOMATIC}")
        buttons = [*others, *(() if automatic else (like,))]
        if kept:
            said += "\n" + (texts.settings_logged if kept.exchanges else texts.settings_unlogged)
            buttons.append(self._logging(kept.exchanges))
            if kept.pictures or (offered and kept.exchanges):
                said += "\n" + (texts.settings_shared if kept.pictures else texts.settings_unshared)
                buttons.append(self._sharing(kept.pictures))
        return Reply(said, tuple(buttons), outcome="settings")

    def too_much(self, seconds: float, *, daily: bool) -> Reply:
        """The person has to wait."""
        text = self.texts.wait_day if daily else self.texts.wait_minute
        outcome = "limit_day" if daily else "limit_minute"
        return error(text.format(time=self.texts.span(seconds)), outcome=outcome)

    def no_picture(self, *, gone: bool) -> Reply:
        """There is none, or none any more."""
        if not gone:
            return error(self.texts.no_picture, outcome="no_picture")
        text = self.texts.picture_gone.format(time=self.texts.span(self.seconds))
        return error(text, outcome="picture_gone")

    def _logging(self, logged: bool) -> Button:
        if logged:
            return Button(self.texts.unlog_button, f"/settings {LOG_OFF}")
        return Button(self.texts.log_button, f"/settings {LOG_ON}")

    def _sharing(self, shares: bool) -> Button:
        if shares:
            return Button(self.texts.unshare_button, f"/settings {SHARE_OFF}")
        return Button(self.texts.share_button, f"/settings {SHARE_ON}")

    def _caption(self, offer: bool) -> tuple[Button, ...]:
        return (Button(self.texts.caption_button, "/caption"),) if offer else ()

    def _verdicts(self, number: str) -> tuple[Button, ...]:
        return (
            Button("👍", f"/rate good {number}", self.texts.good),
            Button("👎", f"/rate bad {number}", self.texts.bad),
        )

    def _retry(self) -> tuple[Button, ...]:
        return (Button(self.texts.retry_button, "/retry"),)


def error(text: str, reference: str = "", outcome: str = "refused") -> Reply:
    """A reply that says why there is no answer."""
    return Reply(text, error=True, reference=reference, outcome=outcome)
