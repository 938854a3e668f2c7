"""What can go wrong in `model`; the text of each error is one plain sentence for a person.

Nothing heavy is imported here, so that whoever only handles errors does not load PyTorch.
"""

from __future__ import annotations


class ModelError(RuntimeError):
    """The base of all errors of this package."""


class ProfileError(ModelError):
    """A profile that cannot be used."""


class WeightsError(ModelError):
    """Base weights that cannot be had."""


class AdapterError(ModelError):
    """An adapter that is missing, damaged or made for another base."""


class DeviceError(ModelError):
    """A device that is not there, or cannot be used."""


class MissingLibraryError(ModelError):
    """A library that is not installed, which serving a converted model does without."""


class EngineBusy(ModelError):  # noqa: N818 - a state, not a mistake
    """The engine's queue is full; ask again in a moment."""


class EngineUnavailable(ModelError):  # noqa: N818
    """The model, or its server, gives no answer; the sentence is for the operator alone.

    Args:
        sentence: What went wrong.
        status: The HTTP status that the server answered with; 0 if it did not.
    """

    def __init__(self, sentence: str, status: int = 0) -> None:
        super().__init__(sentence)
        self.status = status


class EngineClosed(ModelError):  # noqa: N818
    """The engine was shut down."""
