"""Running the Discord bot until somebody stops it."""

from __future__ import annotations

import asyncio
import logging
import re
from typing import NamedTuple

import aiohttp
import discord
from discord import app_commands

from bot.assistant.assistant import Assistant
from bot.discord.commands import Translator, add_commands, on_form
from bot.discord.handlers import DiscordHandlers
from bot.discord.sender import ActionButton
from bot.errors import PlatformError
from bot.health import Connection
from bot.platforms import SHUTDOWN_SECONDS, retry

RETRY = 5.0  # seconds between attempts to start without a network
SCOPES = ("bot", "applications.commands")
PERMISSIONS = discord.Permissions(
    view_channel=True,
    send_messages=True,
    send_messages_in_threads=True,
    read_message_history=True,  # replies need it
)
# Of discord.py, whose warnings name channels, messages and servers.
_LOGGERS_WITH_IDS = ("discord.http", "discord.webhook.async", "discord.state", "discord.ui.view")
_ID = re.compile(r"https?://\S+|\d{15,}")
_NETWORK_ERRORS = (aiohttp.ClientError, OSError, discord.DiscordServerError)
UNREACHABLE = "Discord cannot be reached; look after the network."

_log = logging.getLogger(__name__)


class Synced(NamedTuple):
    """How many commands Discord now knows, and the link that invites the bot."""

    commands: int
    invitation: str


class DiscordBot(discord.AutoShardedClient):
    """Hands on what happens on Discord.

    Args:
        assistant: Answers.
        connection: Is told whether Discord answers.
        shards: Connections that share its servers; 0 for as many as Discord recommends, which is
            one until a bot is in some two thousand servers.
    """

    def __init__(
        self, assistant: Assistant, connection: Connection | None = None, shards: int = 0
    ) -> None:
        self.connection = connection or Connection()
        # Without the privileged intent: what mentions the bot comes with its content anyway.
        super().__init__(
            intents=discord.Intents.default(),
            allowed_mentions=discord.AllowedMentions.none(),
            shard_count=shards or None,
            max_messages=None,  # what people wrote is not kept in mind
            enable_debug_events=True,  # for what follows
        )
        self._finishing = False
        self.handlers = DiscordHandlers(self, assistant)
        self.on_message = self.handlers.on_message  # as the library looks it up
        self.tree = app_commands.CommandTree(
            self,
            allowed_contexts=app_commands.AppCommandContext(
                guild=True, dm_channel=True, private_channel=True
            ),
            allowed_installs=app_commands.AppInstallationType(guild=True, user=True),
        )
        add_commands(self.tree, self.handlers)

    async def setup_hook(self) -> None:
        """Know the buttons of earlier runs, and the commands in every language."""
        self.add_dynamic_items(ActionButton)
        await self.tree.set_translator(Translator())

    async def on_socket_raw_receive(self, _message: str | bytes) -> None:
        """Note that Discord says something, if it is only that it got a heartbeat."""
        self.connection.heard()

    async def on_ready(self) -> None:
        """Note that all shards stand."""
        self.connection.connected()

    async def on_shard_ready(self, shard: int) -> None:
        """Note that a shard stands, maybe again."""
        self.connection.connected(shard)

    async def on_shard_resumed(self, shard: int) -> None:
        """Note that a shard stands again."""
        self.connection.connected(shard)

    async def on_shard_disconnect(self, shard: int) -> None:
        """Note that a shard is lost."""
        self.connection.lost(UNREACHABLE, shard)

    async def on_raw_message_edit(self, event: discord.RawMessageUpdateEvent) -> None:
        """Hand on a message that was changed."""
        await self.handlers.on_edit(event.message)

    async def on_interaction(self, interaction: discord.Interaction[DiscordBot]) -> None:
        """Hand on a form that was filled in, perhaps one of an earlier run."""
        if interaction.type is discord.InteractionType.modal_submit:
            await on_form(interaction, self.handlers)

    async def finish(self) -> None:
        """Take nothing new, and wait until what is under way is answered; once, and not long."""
        if self._finishing:
            return
        self._finishing = True
        try:
            async with asyncio.timeout(SHUTDOWN_SECONDS):
                await self.handlers.close()
        except TimeoutError:
            _log.warning("Some answers were not finished in %.0f s", SHUTDOWN_SECONDS)
            await self.handlers.abandon()

    async def close(self) -> None:
        """Close; commands are answered before, also if Discord has ended the connection."""
        await self.finish()
        await super().close()

    def invitation(self) -> str:
        """The link under which people add the bot; known once it is logged in."""
        return _invitation(self)


def build(
    assistant: Assistant, connection: Connection | None = None, shards: int = 0
) -> DiscordBot:
    """The bot; its commands are not told to Discord before `sync`.

    Args:
        assistant: Answers.
        connection: Is told whether Discord answers.
        shards: Connections that share its servers; 0 for as many as Discord recommends.
    """
    # Requests and events hold people's messages, and what opens their interactions.
    logging.getLogger("discord").setLevel(logging.WARNING)
    for name in _LOGGERS_WITH_IDS:
        logging.getLogger(name).addFilter(_without_ids)
    discord.VoiceClient.warn_nacl = discord.VoiceClient.warn_dave = False  # it has no voice
    return DiscordBot(assistant, connection, shards)


def _without_ids(record: logging.LogRecord) -> bool:
    """Take ids, and addresses that hold them, out of what the operator is told."""
    record.msg, record.args = _ID.sub("…", record.getMessage()), ()
    return True


async def serve(
    client: DiscordBot, token: str, stopped: asyncio.Event, *, invite: bool = False
) -> None:
    """Answer until `stopped` is set; then take nothing new, and finish what is under way.

    Args:
        client: From `build`.
        token: From the developer portal.
        stopped: Ends it.
        invite: Also print the link that invites the bot.

    Raises:
        PlatformError: Discord does not know the token, or ends the connection for good.
    """
    async with client:
        stopping = asyncio.ensure_future(stopped.wait())
        running = asyncio.ensure_future(_run(client, token, invite))
        try:
            await asyncio.wait({stopping, running}, return_when=asyncio.FIRST_COMPLETED)
            ended = running.done()
            await client.finish()
        finally:
            for task in (stopping, running):
                task.cancel()
            await asyncio.gather(stopping, running, return_exceptions=True)
        if ended:
            running.result()


async def sync(client: DiscordBot, token: str) -> Synced:
    """Tell Discord the commands, which has to be done once, and when they have changed.

    Raises:
        PlatformError: Discord does not know the token, does not take them, or cannot be reached.
    """
    async with client:
        try:
            await client.login(token)
            commands = await client.tree.sync()
        except discord.LoginFailure:
            raise _unknown_token() from None
        except _NETWORK_ERRORS as error:
            raise PlatformError(UNREACHABLE) from error
        except discord.DiscordException as error:
            raise PlatformError("Discord did not take the commands; try again later.") from error
        return Synced(len(commands), client.invitation())


async def introduce(token: str) -> tuple[str, str]:
    """The name of the bot with this token, and the link that invites it.

    Raises:
        PlatformError: Discord does not know the token, or cannot be reached.
    """
    client = discord.Client(intents=discord.Intents.none())
    async with client:
        try:
            await client.login(token)
        except discord.LoginFailure:
            raise _unknown_token() from None
        except (discord.DiscordException, *_NETWORK_ERRORS) as error:
            raise PlatformError("Discord cannot be reached; look after the network.") from error
        return str(client.user), _invitation(client)


async def _run(client: DiscordBot, token: str, invite: bool) -> None:
    await _login(client, token)
    announcing = asyncio.ensure_future(_announce(client, invite))
    try:
        await client.connect()
    except discord.DiscordException as error:
        raise PlatformError(
            "Discord ended the connection for good; look after the bot in its developer portal."
        ) from error
    finally:
        announcing.cancel()


async def _login(client: DiscordBot, token: str) -> None:
    """Introduce the bot, as often as it takes without a network."""

    async def login() -> None:
        try:
            await client.login(token)
        except discord.LoginFailure:
            raise _unknown_token() from None
        except _NETWORK_ERRORS:
            client.connection.lost(UNREACHABLE)
            await _reset(client)
            raise

    def failed(error: BaseException, _wait: float) -> None:
        _log.warning("Discord cannot be reached (%s); trying again", type(error).__name__)

    await retry(
        login, lambda error: isinstance(error, _NETWORK_ERRORS), (RETRY,), failed, forever=True
    )


async def _reset(client: DiscordBot) -> None:
    """A failed login leaves an open session, and its connector would be closed with it."""
    await client.http.close()
    client.http.clear()
    client.http.connector = discord.utils.MISSING


async def _announce(client: DiscordBot, invite: bool) -> None:
    await client.wait_until_ready()
    print(f"Glimpse is on Discord as {client.user}. Ctrl-C stops it.", flush=True)
    if invite:
        print(f"Invite it: {client.invitation()}", flush=True)


def _invitation(client: discord.Client) -> str:
    return discord.utils.oauth_url(
        client.application_id or 0, permissions=PERMISSIONS, scopes=SCOPES
    )


def _unknown_token() -> PlatformError:
    return PlatformError(
        "Discord does not know this token; copy GLIMPSE_DISCORD_TOKEN from the developer portal "
        "once more."
    )
