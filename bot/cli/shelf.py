"""Decoded pictures at hand, so that a file asked about often is opened once."""

from __future__ import annotations

import os
import threading
from collections import OrderedDict
from collections.abc import Callable, Hashable
from concurrent.futures import Future

from data.images import Picture


class Shelf:
    """Opens picture files and keeps the last few; for several threads.

    Args:
        open_picture: Opens a file.
        size: Pictures kept, of at most 3 MB each.
    """

    def __init__(self, open_picture: Callable[[str], Picture], size: int = 32) -> None:
        self._open_picture = open_picture
        self._size = size
        self._lock = threading.Lock()
        self._kept: OrderedDict[Hashable, Future[Picture]] = OrderedDict()

    def get(self, path: str) -> Picture:
        """The picture in a file; opened anew when the file has changed.

        Raises:
            data.images.ImageRefused: It cannot be used.
        """
        key = _version(path)
        if key is None:
            return self._open_picture(path)  # which says why it cannot
        with self._lock:
            kept = self._kept.get(key)
            picture = self._kept[key] = kept or Future()
            self._kept.move_to_end(key)
            if len(self._kept) > self._size:
                self._kept.popitem(last=False)
        if kept is None:
            self._fill(key, path, picture)
        return picture.result()

    def _fill(self, key: Hashable, path: str, picture: Future[Picture]) -> None:
        """Open a picture for all who wait for it; an error is told to them, but not kept."""
        try:
            picture.set_result(self._open_picture(path))
        except BaseException as error:
            with self._lock:
                self._kept.pop(key, None)
            picture.set_exception(error)


def _version(path: str) -> Hashable | None:
    """Names a file's present content; None if there is none."""
    try:
        facts = os.stat(path)  # noqa: PTH116 (a Path would refuse more)
    except (OSError, ValueError):
        return None
    return path, facts.st_ino, facts.st_size, facts.st_mtime_ns
