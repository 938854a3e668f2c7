"""What the answers of a profile may cost in a day, and what they cost."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from model.config import Count, Number
from model.errors import ProfileError
from model.requests import Usage

MILLION = 1_000_000
_PATCH = 16  # pixels of a picture's side that a token stands for, in the models that take most
_LETTERS = 3  # of a token, at least


@dataclass(frozen=True)
class BudgetConfig:
    """What answers may cost in a day, which begins at midnight in UTC; 0 sets no limit.

    Attributes:
        tokens: Of everybody together.
        tokens_per_person: Of each person.
        euros: Of everybody together.
        euros_per_person: Of each person.
        euros_per_million_prompt: Price of a million tokens of questions and pictures.
        euros_per_million_completion: Price of a million tokens that the model writes.
    """

    tokens: Count = 0
    tokens_per_person: Count = 0
    euros: Number = 0.0
    euros_per_person: Number = 0.0
    euros_per_million_prompt: Number = 0.0
    euros_per_million_completion: Number = 0.0

    def check(self, where: str) -> None:
        """See that what it limits can be counted.

        Raises:
            ProfileError: Euros are limited, and a price is missing.
        """
        prices = self.euros_per_million_prompt and self.euros_per_million_completion
        if (self.euros or self.euros_per_person) and not prices:
            raise ProfileError(
                f"The [budget] of {where} is in euros; it needs euros_per_million_prompt and "
                "euros_per_million_completion."
            )

    @property
    def is_limited(self) -> bool:
        """Whether it sets any limit."""
        limits = (self.tokens, self.tokens_per_person, self.euros, self.euros_per_person)
        return any(limits)

    def cost(self, usage: Usage) -> float:
        """What tokens cost, in euros."""
        return (
            usage.prompt * self.euros_per_million_prompt
            + usage.completion * self.euros_per_million_completion
        ) / MILLION

    def covers(self, person: Usage, everybody: Usage) -> bool:
        """Whether one more answer may be given, after what was used today."""
        return not any(
            limit and used >= limit
            for limit, used in (
                (self.tokens, everybody.prompt + everybody.completion),
                (self.tokens_per_person, person.prompt + person.completion),
                (self.euros, self.cost(everybody)),
                (self.euros_per_person, self.cost(person)),
            )
        )


def told_usage(told: Mapping[str, object]) -> Usage | None:
    """What a completion of OpenAI's protocol says that it cost; None if it does not."""
    usage = told.get("usage")
    if not isinstance(usage, dict):
        return None
    counts = [usage.get("prompt_tokens"), usage.get("completion_tokens")]
    numbers = [each for each in counts if type(each) is int and each >= 0]
    return Usage(*numbers) if len(numbers) == 2 and any(numbers) else None


def estimated_usage(size: tuple[int, int], asked: Sequence[str], written: str) -> Usage:
    """About what an answer cost, rather too much than too little.

    Args:
        size: Width and height of the picture that was sent, in pixels.
        asked: All texts that went with it.
        written: The answer.
    """
    width, height = (-(-side // _PATCH) for side in size)
    prompt = width * height + sum(-(-len(text) // _LETTERS) for text in asked)
    return Usage(prompt, -(-len(written) // _LETTERS))
