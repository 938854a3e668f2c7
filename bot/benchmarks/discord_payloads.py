"""What Discord's gateway and API send, as far as the bot looks at it."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

Json = dict[str, Any]

ME: Json = {"id": "100", "username": "glimpse", "discriminator": "0", "avatar": None, "bot": True}
ANN: Json = {"id": "200", "username": "ann", "discriminator": "0", "avatar": None}
APPLICATION: Json = {
    "id": "100", "name": "glimpse", "description": "", "icon": None, "rpc_origins": [],
    "bot_public": True, "bot_require_code_grant": False, "verify_key": "", "flags": 0,
    "owner": ANN, "team": None, "summary": "",
}  # fmt: skip
GUILD, CHANNEL = "500", "600"


def user(number: int) -> Json:
    """A person; number 0 is ANN."""
    return ANN if number == 0 else {**ANN, "id": str(200 + number), "username": f"p{number}"}


def private_channel(person: Json) -> str:
    """The channel in which a person writes to the bot alone."""
    return str(int(person["id"]) + 100)


def channel(name: str) -> Json:
    """A channel: the server's, or a person's."""
    if name == CHANNEL:
        return {
            "id": CHANNEL, "type": 0, "name": "general", "position": 0, "guild_id": GUILD,
            "permission_overwrites": [], "parent_id": None, "nsfw": False,
        }  # fmt: skip
    return {"id": name, "type": 1, "recipients": [user(int(name) - 300)]}


def guild() -> Json:
    """A server in which everybody may do everything."""
    everyone = {
        "id": GUILD, "name": "@everyone", "color": 0, "hoist": False, "position": 0,
        "permissions": str((1 << 45) - 1), "managed": False, "mentionable": False,
    }  # fmt: skip
    return {
        "id": GUILD, "name": "Server", "owner_id": ANN["id"], "roles": [everyone],
        "channels": [channel(CHANNEL)], "members": [{**_member(), "user": ME}],
        "member_count": 9, "emojis": [], "stickers": [], "features": [], "threads": [],
        "voice_states": [], "presences": [], "verification_level": 0, "nsfw_level": 0,
        "default_message_notifications": 0, "mfa_level": 0, "unavailable": False,
    }  # fmt: skip


def message(number: str, where: str, author: Json, text: str, **more: Any) -> Json:
    """A message, by a person or by the bot."""
    made = {
        "id": number, "channel_id": where, "author": author, "content": text,
        "timestamp": datetime.now(UTC).isoformat(), "edited_timestamp": None, "tts": False,
        "mention_everyone": False, "mentions": [], "mention_roles": [], "attachments": [],
        "embeds": [], "pinned": False, "type": 0, "components": [], **more,
    }  # fmt: skip
    if where == CHANNEL and author is not ME:
        made |= {"guild_id": GUILD, "member": _member()}
    if f"<@{ME['id']}>" in text:
        made["mentions"] = [ME]
    return made


def attachment(number: str, name: str, size: int, kind: str, url: str) -> Json:
    """A file that somebody attached; Discord tells no kind of some."""
    made = {"id": number, "filename": name, "size": size, "url": url, "proxy_url": url}
    return {**made, "content_type": kind} if kind else made


def command(
    number: str, person: Json, where: str, name: str, *, options: list[Json], file: Json | None
) -> Json:  # fmt: skip
    """Somebody uses a slash command, perhaps with a picture."""
    data: Json = {"id": "1", "name": name, "type": 1, "options": options}
    if file:
        data["options"] = [*options, {"name": "image", "type": 11, "value": file["id"]}]
        data["resolved"] = {"attachments": {file["id"]: file}}
    return _interaction(number, person, where) | {"type": 2, "data": data}


def press(number: str, person: Json, answer: Json, custom_id: str) -> Json:
    """Somebody presses a button under an answer."""
    data = {"custom_id": custom_id, "component_type": 2}
    made = _interaction(number, person, answer["channel_id"])
    return made | {"type": 3, "data": data, "message": answer}


def answer_to_callback(interaction: Json) -> Json:
    """What Discord says when the bot tells it that an answer will come."""
    return {"interaction": {"id": interaction["id"], "type": interaction["type"]}}


def _interaction(number: str, person: Json, where: str) -> Json:
    who: Json = {"user": person}
    if where == CHANNEL:
        who = {"member": {**_member(), "user": person}, "guild_id": GUILD, "guild": {"id": GUILD}}
    return {
        "id": number, "application_id": ME["id"], "token": f"token-{number}", "version": 1,
        "channel": channel(where), "channel_id": where, "locale": "en-US", "entitlements": [],
        "authorizing_integration_owners": {}, "attachment_size_limit": 10_000_000,
        "context": 0 if where == CHANNEL else 1, "app_permissions": "0", **who,
    }  # fmt: skip


def _member() -> Json:
    return {
        "roles": [], "joined_at": "2026-01-01T00:00:00+00:00", "deaf": False, "mute": False,
        "flags": 0, "permissions": "0",
    }  # fmt: skip
