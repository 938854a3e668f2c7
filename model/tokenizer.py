"""Texts as tokens, by the `tokenizers` library alone, and which tokens no answer can hold."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from tokenizers import Tokenizer

# As byte-level and other vocabularies spell tokens: "Ċ" is a line break, "ĉ" a tab.
_NO_TEXT = re.compile(r"[A-Z_{}<>\\|^~=@\[\]Ċĉ]")


class TextTokenizer:
    """A tokenizer from a `tokenizer.json`.

    Args:
        path: The file.

    Raises:
        Exception: It is none, as the library says it.
    """

    def __init__(self, path: Path) -> None:
        self._tokenizer = Tokenizer.from_file(str(path))
        # Texts are untrusted: "<|endoftext|>" typed by a person is these letters.
        self._tokenizer.encode_special_tokens = True
        self._tokenizer.no_padding()
        self._tokenizer.no_truncation()

    def tokens(self, text: str) -> list[int]:
        """Token ids of a text, without any special tokens, not even those that it spells out."""
        ids: list[int] = self._tokenizer.encode(text, add_special_tokens=False).ids
        return ids

    def text_of(self, tokens: Sequence[int]) -> str:
        """The text of tokens, special ones left out."""
        text: str = self._tokenizer.decode(list(tokens), skip_special_tokens=True)
        return text


def unwritable_tokens(vocabulary: Mapping[str, int], size: int, end: int) -> NDArray[np.bool_]:
    """Which tokens no text to learn can hold: bool (V).

    `model.prompts.target_text` has no capitals and no line breaks, and texts none of the signs of
    programs. A language model that learnt from code has tokens of them ("AlmostEqual"), of which
    one would come up now and then.

    Args:
        vocabulary: Token ids by spelling.
        size: V, of the language model; rows of no token are unwritable, too.
        end: The end token, which is writable.
    """
    found = np.ones(size, dtype=np.bool_)
    for token, index in vocabulary.items():
        if index < size:
            found[index] = _NO_TEXT.search(token) is not None
    found[end] = False
    return found
