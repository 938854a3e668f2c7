"""Reading what Telegram brings, also where its shape is newer or older than the library knows."""

from __future__ import annotations

import logging
from typing import Any

from telegram import Bot, Update

# What the bot looks at in a message. The rest can be left out if the library cannot read it.
_ESSENTIAL = frozenset(
    {
        *("message_id", "date", "edit_date", "chat", "from", "sender_chat", "message_thread_id"),
        *("is_topic_message", "media_group_id", "text", "entities", "caption", "caption_entities"),
        *("photo", "document", "sticker", "forward_origin"),
    }
)
_MESSAGES = ("message", "edited_message")
_QUOTED = ("reply_to_message", "external_reply", "quote")
# Stands for what a message showed and nobody can read, so that its sender is told something.
_UNREADABLE = {"voice": {"file_id": "-", "file_unique_id": "-", "duration": 0}}

_log = logging.getLogger(__name__)


def read_update(content: dict[str, Any], bot: Bot) -> Update:
    """An update; without what cannot be read of it, or with nothing but its number.

    Args:
        content: As Telegram brought it.
        bot: Answers it.
    """
    failure = ""
    for attempt in (content, _without(content, _QUOTED), _bare(content)):
        try:
            if found := Update.de_json(attempt, bot):
                if failure:
                    _log.warning("An update was read in part (%s)", failure)
                return found
        except Exception as error:  # a code, and nothing of what people wrote
            failure = type(error).__name__
    _log.error("An update that cannot be read is left out (%s)", failure)
    return Update(content["update_id"])


def _without(content: dict[str, Any], names: tuple[str, ...]) -> dict[str, Any]:
    """The same update whose message does not have some fields."""
    return {
        name: {key: held for key, held in value.items() if key not in names}
        if name in _MESSAGES and isinstance(value, dict)
        else value
        for name, value in content.items()
    }


def _bare(content: dict[str, Any]) -> dict[str, Any]:
    """The same update with no more of its message than the bot looks at."""
    bare = {"update_id": content["update_id"]}
    for name in _MESSAGES:
        message = content.get(name)
        if isinstance(message, dict):
            kept = {key: held for key, held in message.items() if key in _ESSENTIAL}
            shown = {"text", "photo", "document", "sticker"} & set(kept)
            bare[name] = kept if shown else {**kept, **_UNREADABLE}
    return bare
