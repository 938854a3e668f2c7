"""What can go wrong in `finetune`; the text of each error is one plain sentence for a person."""

from __future__ import annotations


class FinetuneError(RuntimeError):
    """The base of all errors of this package."""


class RecipeError(FinetuneError):
    """A recipe that cannot be used."""


class TrainingError(FinetuneError):
    """Training that cannot go on."""
