"""The web chat: an ASGI app around an assistant, and one hand-made page."""
