"""From a request to its answer: pictures and question are read, and the engine is asked."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from bot.api.completion import Completion, Draft, Line
from bot.api.errors import ApiError
from bot.api.pictures import Fetch, load_pictures
from bot.api.protocol import LONGEST_WORDS, ChatRequest, pictures_of, turns_of, words_of
from bot.assistant.conversations import Album
from bot.assistant.inference import Failure, FailureCause, Inference
from bot.assistant.intents import FOR_PEOPLE, MAX_CHARACTERS, UNANSWERABLE, read_intent
from bot.assistant.locale.texts import ENGLISH
from bot.assistant.text import clean, has_words, plain
from bot.assistant.types import Attachment, Exchange, Intent, Kind, PictureEngine
from bot.assistant.unanswerable import why_not
from data.images.open import Picture, open_picture
from model.requests import SHORT_ANSWERS, Capabilities, ChatContext

BUSY_SECONDS = 2.0  # after which a full queue has room again
CHAT_CHARACTERS = 8000  # of a question to a chat model
_LATER_SECONDS = 10.0


@dataclass(frozen=True)
class Answered:
    """An answer, and what the model said for it."""

    completion: Completion
    exchanges: tuple[Exchange, ...] = ()


class Answering:
    """Answers requests with an engine.

    Args:
        engine: Answers questions about pictures.
        model: The name of its profile.
        fetch: Gets pictures from the web; None if that is not allowed.
        fingerprint: Names the weights.
        capabilities: What the model can do; a chat model is asked in the client's own words.
        opener: Decodes untrusted bytes, in a thread.
        timeout: Seconds to wait for the engine.
    """

    def __init__(
        self,
        engine: PictureEngine,
        model: str,
        *,
        fetch: Fetch | None = None,
        fingerprint: str = "",
        capabilities: Capabilities = SHORT_ANSWERS,
        opener: Callable[[bytes], Picture] = open_picture,
        timeout: float = 120.0,
    ) -> None:
        self.model = model
        self._fetch, self._fingerprint = fetch, fingerprint
        self._chat = capabilities.chat
        self._inference = Inference(engine, opener, timeout=timeout)

    def draft(self, chat: ChatRequest) -> Draft:
        """What is known of the answer to a request before there is one."""
        return Draft(chat, self._fingerprint)

    async def answer(self, draft: Draft, on_text: Callable[[str], None] | None = None) -> Answered:
        """Answer a request.

        Args:
            draft: Of the answer.
            on_text: Told from other threads, again and again, what a chat model has written so far
                about the only picture; it must return at once.

        Raises:
            ApiError: It cannot be answered, or not now.
        """
        chat = draft.chat
        if chat.model != self.model:
            raise unknown_model(chat.model)
        addresses, param = pictures_of(chat)
        said = words_of(chat)
        if len(said) > LONGEST_WORDS:  # cleaning takes its time
            raise _too_long(CHAT_CHARACTERS if self._chat else MAX_CHARACTERS)
        words = clean(said)
        intent = _chat_intent(words) if self._chat else _intent(words)
        if intent.kind in UNANSWERABLE:
            return Answered(_refusal(draft, intent, words))
        files = await load_pictures(addresses, param, self._fetch)
        album = Album([Attachment(file) for file in files], 0)
        question = intent.question if intent.kind is Kind.QUESTION else None
        alone = len(files) == 1  # else the text is a list in the end
        context = ChatContext(
            turns_of(chat) if alone else (), on_text if alone else None,
            language=intent.language or "en", asked=words if intent.language else "",
            reading=self._chat and why_not(plain(words)) is Kind.READING,
        )  # fmt: skip
        found = await self._inference.ask(album, range(len(files)), question, context=context)
        exchanges = []
        for number, result in enumerate(found.values(), 1):
            if isinstance(result, Failure):
                raise _failed(result, param, "" if alone else f"Picture {number}: ")
            exchanges.append(result)
        lines = [Line(each.answer, each.confidence) for each in exchanges]
        return Answered(Completion(draft, lines, words), tuple(exchanges))


def _refusal(draft: Draft, intent: Intent, words: str) -> Completion:
    """Why there is no answer, as the assistant says it."""
    template: str = getattr(ENGLISH, intent.kind.value)
    said = template.format(limit=MAX_CHARACTERS, command=intent.command)
    return Completion(draft, [Line(said)], words, refusal=True)


def unknown_model(name: str) -> ApiError:
    """A model that is not served here."""
    shown = name if len(name) <= 100 else f"{name[:100]}…"
    return ApiError(
        404, f"The model '{shown}' does not exist here; /v1/models lists what does.",
        "model_not_found", param="model",
    )  # fmt: skip


def _intent(words: str) -> Intent:
    """What is asked, read as `glimpse ask --json` reads it: for a program, not for a person."""
    if not has_words(words):
        return Intent(Kind.CAPTION)
    intent = read_intent(f"/ask {words}", attached=True)
    if intent.kind is Kind.TOO_LONG:
        raise _too_long(MAX_CHARACTERS)
    if intent.kind in FOR_PEOPLE:
        return Intent(Kind.QUESTION, intent.question)
    return intent


def _chat_intent(words: str) -> Intent:
    """What a chat model is asked: whatever it is, with a translation for one that needs it."""
    if not has_words(words):
        return Intent(Kind.CAPTION)
    if len(words) > CHAT_CHARACTERS:
        raise _too_long(CHAT_CHARACTERS)
    read = read_intent(f"/ask {words}", attached=True)
    question = read.question if read.translation and read.question else words
    return Intent(
        Kind.QUESTION, question, language=read.language, translation=read.translation
    )  # fmt: skip


def _too_long(limit: int) -> ApiError:
    return ApiError(
        400, f"The last message may have {limit} characters at most.", "context_length_exceeded",
        param="messages",
    )  # fmt: skip


def _failed(failure: Failure, param: str, which: str) -> ApiError:
    """Why the engine gave no answer, as an error."""
    match failure.cause:
        case FailureCause.REFUSED:
            return _refused(failure, param, which)
        case FailureCause.CRASHED:
            return crashed(failure.reference)
        case FailureCause.BUSY:
            said, code, wait = "The model is overloaded", "overloaded", BUSY_SECONDS
        case FailureCause.CLOSING:
            said, code, wait = "The server is shutting down", "shutting_down", _LATER_SECONDS
        case FailureCause.UNAVAILABLE:
            said = f"The model cannot be reached (reference {failure.reference})"
            code, wait = "model_unavailable", _LATER_SECONDS
    return ApiError(503, f"{said}; please try again.", code, retry_after=wait)


def _refused(failure: Failure, param: str, which: str) -> ApiError:
    """Why a picture could not be opened, as an error."""
    said = which + failure.sentence
    if failure.reason == "unavailable":
        return ApiError(503, said, "overloaded", retry_after=_LATER_SECONDS)
    if failure.reason == "too-large":
        return ApiError(413, said, "image_too_large", param=param)
    return ApiError(400, said, "invalid_image", param=param)


def crashed(reference: str) -> ApiError:
    """Something that nobody foresaw; the operator's log has it under the reference."""
    return ApiError(500, f"Something went wrong; reference {reference}.", "internal_error")
