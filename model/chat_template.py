"""How a chat model wants a conversation about a picture: its own template, tried out beforehand."""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

from PIL import Image

from model.chat_config import ChatConfig
from model.chat_messages import caption_in
from model.errors import WeightsError
from model.requests import NO_CONTEXT, ChatContext

# Found again in what a template makes of them.
_SYSTEM, _FIRST, _SAID, _LAST = "qsystemq", "qfirstq", "qsaidq", "qlastq"


@dataclass(frozen=True)
class Conversation:
    """What is said to the model.

    Attributes:
        system: The system prompt; "" for none.
        turns: Earlier questions with their answers, the oldest first.
        question: That is asked now.
    """

    system: str
    turns: Sequence[tuple[str, str]]
    question: str


@dataclass(frozen=True)
class _Form:
    """How messages are written, for templates differ in what they read.

    Attributes:
        system: As parts, as a text, or before the first question.
        said: Answers as parts, or as a text.
    """

    system: Literal["parts", "text", "question"]
    said: Literal["parts", "text"]


class ChatTemplate:
    """Makes a model's inputs of a conversation, by the template that came with the model.

    Args:
        processor: Of the model.
        options: More arguments for its picture processor.
        title: What people call the model.

    Raises:
        WeightsError: It has no template that keeps picture, questions and answers.
    """

    def __init__(self, processor: Any, options: dict[str, Any], title: str) -> None:
        self._processor, self._options = processor, options
        self._control = _control_tokens(processor.tokenizer)
        self._form = self._fitting_form(title)

    def inputs(self, image: Image.Image, conversation: Conversation) -> Any:
        """What the model reads: token ids of one row, pixels, and what else its kind needs.

        Nothing that people wrote becomes a control token: a space parts it.
        """
        plain = self._parted
        turns = [(plain(question), plain(answer)) for question, answer in conversation.turns]
        said = replace(conversation, turns=turns, question=plain(conversation.question))
        return self._processor.apply_chat_template(
            [*_messages(self._form, said, {"type": "image", "image": image})],
            add_generation_prompt=True,
            tokenize=True,
            return_dict=True,
            return_tensors="pt",
            processor_kwargs={"images_kwargs": self._options},
        )

    def _parted(self, text: str) -> str:
        # transformers' own `sanitize_control_tokens` fails with Idefics3.
        return self._control.sub(lambda found: f"{found[0][0]} {found[0][1:]}", text)

    def _fitting_form(self, title: str) -> _Form:
        if not getattr(self._processor, "chat_template", None):
            raise WeightsError(f"{title} has no chat template, so it cannot be asked.")
        for system, said in itertools.product(("parts", "text", "question"), ("parts", "text")):
            form = _Form(system, said)  # type: ignore[arg-type]
            if self._keeps_everything(form):
                return form
        raise WeightsError(
            f"The chat template of {title[0].lower()}{title[1:]} loses the picture or words, so it "
            "cannot be asked."
        )

    def _keeps_everything(self, form: _Form) -> bool:
        """Whether everything of a conversation comes out of the template, once and in order."""
        probe = Conversation(_SYSTEM, [(_FIRST, _SAID)], _LAST)
        try:
            seeing, blind = (
                self._processor.apply_chat_template(
                    [*_messages(form, probe, picture)], add_generation_prompt=True, tokenize=False
                )
                for picture in ({"type": "image"}, None)
            )
        except Exception:  # whatever a template trips over, and those that refuse on purpose
            return False
        places = [seeing.find(word) for word in (_FIRST, _SAID, _LAST)]
        once = all(seeing.count(word) == 1 for word in (_SYSTEM, _FIRST, _SAID, _LAST))
        shown = len(self._control.findall(seeing)) > len(self._control.findall(blind))
        # A list that is printed rather than read would hold its keys.
        return once and shown and places == sorted(places) and "'type'" not in seeing


def _messages(
    form: _Form, conversation: Conversation, picture: dict[str, Any] | None
) -> Iterator[dict[str, Any]]:
    """The conversation as messages, the picture in the first of a user."""
    system = conversation.system
    if system and form.system != "question":
        yield {"role": "system", "content": _parts(system) if form.system == "parts" else system}
    lead = f"{system}\n\n" if system and form.system == "question" else ""
    first = [picture] if picture else []
    for question, answer in conversation.turns:
        yield {"role": "user", "content": [*first, *_parts(lead + question)]}
        yield {"role": "assistant", "content": _parts(answer) if form.said == "parts" else answer}
        first, lead = [], ""
    yield {"role": "user", "content": [*first, *_parts(lead + conversation.question)]}


def _control_tokens(tokenizer: Any) -> re.Pattern[str]:
    """What stands for more than its letters: "<image>", say, or the end of a message."""
    added = {str(token.content) for token in tokenizer.added_tokens_decoder.values()}
    marks = [each for each in added if len(each.strip()) > 1 and not each.strip().isalnum()]
    return re.compile("|".join(map(re.escape, sorted(marks, key=len, reverse=True))) or r"(?!)")


def _parts(text: str) -> list[dict[str, Any]]:
    return [{"type": "text", "text": text}]


def conversation_of(
    config: ChatConfig, question: str | None, context: ChatContext = NO_CONTEXT
) -> Conversation:
    """The last turns and the question, with what is asked for a caption in the place of None."""
    kept = context.turns[-config.turns :] if config.turns else ()
    turns = [(turn.question or config.caption, turn.answer) for turn in kept]
    if question is None:
        question = caption_in(context.language, config.caption)
    return Conversation(config.system, turns, question)
