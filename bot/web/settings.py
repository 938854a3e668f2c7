"""What the web chat allows."""

from __future__ import annotations

from dataclasses import dataclass

from data.images.open import ImageLimits


@dataclass(frozen=True)
class WebSettings:
    """Where the web chat listens and what an upload may cost.

    Attributes:
        host: Name or address to listen on.
        port: Port to listen on; 0 takes any free one.
        allowed_hosts: Further names under which people reach it, for a proxy in front.
        picture_bytes: Largest picture, in bytes.
        pictures: Most pictures in one message.
        text_bytes: Longest text, in bytes of UTF-8; the assistant has a shorter limit of its own.
        messages_at_once: Messages read or answered at the same time; more are asked to wait.
        held_bytes: Bytes of all uploads held in memory at the same time.
        silence_seconds: How long an upload may send nothing.
        shutdown_seconds: How long a stopping server lets messages finish.
    """

    host: str = "127.0.0.1"
    port: int = 8000
    allowed_hosts: tuple[str, ...] = ()
    picture_bytes: int = ImageLimits.bytes
    pictures: int = 10
    text_bytes: int = 32_000
    messages_at_once: int = 64
    held_bytes: int = 400_000_000
    silence_seconds: float = 30.0
    shutdown_seconds: int = 15

    @property
    def body_bytes(self) -> int:
        """Largest body of one message: its pictures, its text and room for part headers."""
        return self.picture_bytes * self.pictures + self.text_bytes + 64_000
