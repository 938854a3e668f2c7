"""The API as an application of Ray Serve: each replica is a process with an engine of its own.

Needs the extra `ray`; deploy/ray/ has its configuration, and says how it is started.
"""

from __future__ import annotations

import asyncio
from contextlib import ExitStack

import ray
from PIL import Image
from ray import serve
from starlette.types import ASGIApp

from bot.api.app import api_of
from bot.api.keys import read_keys
from bot.cli.allocator import limit_allocator
from bot.cli.context import AppContext
from bot.errors import SettingsError
from bot.health import Health
from bot.metrics import Metrics
from bot.version import build_info
from data.images.open import Picture
from model.errors import EngineBusy
from model.requests import SHORT_ANSWERS
from model.server_config import RemoteProfile

HEALTH_SECONDS = 25.0  # after which a model that has not answered counts as stuck


class Replica:
    """Loads the model, and answers programs with it.

    Everything is set as for `glimpse serve`, by the environment in which Ray was started. Ray
    decides how many replicas there are, and where they listen.

    Raises:
        SettingsError: There is no key, without which only this computer would be answered.
    """

    def __init__(self) -> None:
        limit_allocator()
        app = AppContext()
        settings = app.settings
        keys = read_keys(settings)
        if not keys:
            raise SettingsError("Set GLIMPSE_API_KEY or GLIMPSE_API_KEYS_FILE where Ray starts.")
        self._closing = ExitStack()
        cores = int(ray.get_runtime_context().get_assigned_resources().get("CPU", 0))
        engine = self._closing.enter_context(app.engine(threads=settings.threads or cores or None))
        build = build_info(settings.profile)
        metrics = Metrics(Health(), build, settings.profile)
        metrics.engine = engine
        self._engine = engine
        self._api = api_of(engine, settings, keys, metrics, fingerprint=build.adapter)

    def __serve_build_asgi_app__(self) -> ASGIApp:
        """Give Ray the app, which it calls with requests."""
        return self._api

    async def check_health(self) -> None:
        """Ask the model something, unless it is elsewhere or full of others' questions.

        Raises:
            TimeoutError: It does not answer; Ray puts another replica in the place of this one.
        """
        chat = getattr(self._engine.profile, "capabilities", SHORT_ANSWERS).chat
        if isinstance(self._engine.profile, RemoteProfile) or (chat and self._engine.waiting):
            return  # a chat model takes seconds for each of those that wait
        try:
            answer = self._engine.submit(_SPECK, None)
        except EngineBusy:
            return
        async with asyncio.timeout(HEALTH_SECONDS):
            await asyncio.wrap_future(answer)

    def __del__(self) -> None:
        """Finish what was begun."""
        self._closing.close()


_SPECK = Picture(Image.new("RGB", (8, 8)), "health", 8, 8, "PNG")

app = serve.deployment(name="Glimpse")(serve.ingress()(Replica)).bind()
