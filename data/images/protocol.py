"""What the sandbox and its decoder processes say to each other: packed headers and their limits."""

from __future__ import annotations

import struct

READY = b"+"
REQUEST = struct.Struct("<8sQQdd")  # format, bytes that follow, pixels, side ratio, seconds
REPLY = struct.Struct("<16s5I")  # reason or "", width, height, width and height sent, text length
MAX_DETAIL = 300  # bytes of the text
MAX_SIDE = 1024  # pixels, longest side of what is sent back
