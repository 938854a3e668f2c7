"""A dictionary of what was kept last."""

from __future__ import annotations

from collections import OrderedDict
from typing import TypeVar

K = TypeVar("K")
V = TypeVar("V")
ROOM = 5000


class Recent(OrderedDict[K, V]):
    """Forgets what was kept longest ago when there is no room."""

    def __setitem__(self, key: K, value: V) -> None:
        """Keep a value as the newest."""
        super().__setitem__(key, value)
        self.move_to_end(key)
        while len(self) > ROOM:
            self.popitem(last=False)
