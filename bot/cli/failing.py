"""From errors to sentences, without importing the heavy modules that define them."""

from __future__ import annotations

import errno
import os

# Errors whose text is one plain sentence, by full name, so that nothing has to be imported.
_PLAIN = frozenset(
    {
        "bot.discord.serving.CannotTalk",
        "bot.log.privacy.KeyUnusableError",
        "bot.log.schema.LogError",
        "bot.log.schema.OlderLogError",
        "bot.settings.SettingsError",
        "bot.telegram.serving.CannotTalk",
        "bot.web.server.CannotServe",
        "data.images.ImageRefused",
        "data.records.DataError",
        "finetune.config.RecipeError",
        "finetune.errors.TrainingError",
        "model.errors.AdapterError",
        "model.errors.EngineBusy",
        "model.errors.EngineClosed",
        "model.errors.ProfileError",
        "model.errors.WeightsError",
    }
)
UNKNOWN = "Something went wrong inside Glimpse; --verbose shows the cause."


class Failure(Exception):  # noqa: N818 (it is an answer, not a defect)
    """A command that cannot go on.

    Args:
        sentence: What went wrong and what to do.
        status: The exit status.
    """

    def __init__(self, sentence: str, status: int = 1) -> None:
        super().__init__(sentence)
        self.status = status


def explain(error: BaseException) -> str:
    """One plain sentence for any error."""
    return known(error) or UNKNOWN


def known(error: BaseException) -> str | None:
    """The sentence of an error that was foreseen, else None."""
    names = {f"{kind.__module__}.{kind.__qualname__}" for kind in type(error).__mro__}
    if isinstance(error, Failure) or names & _PLAIN:
        return str(error)
    if isinstance(error, MemoryError):
        return "There is not enough memory; close other programs and try again."
    if isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT):
        return "The disk is full; make room and try again."
    if isinstance(error, OSError) and error.errno and error.filename:
        cause = os.strerror(error.errno).lower()
        return f"{error.filename} cannot be used: {cause}."
    return None
