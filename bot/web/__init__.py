"""The web chat: an ASGI app around an assistant, and one hand-made page."""

from bot.web.app import create_app
from bot.web.server import CannotServe, serve
from bot.web.settings import WebSettings

__all__ = ["CannotServe", "WebSettings", "create_app", "serve"]
