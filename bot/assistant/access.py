"""Who may use the bot: everybody, or the people and chats on a list."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Access:
    """Lists of people and chats, each named as "telegram:123" or "discord:456".

    Attributes:
        users: People who may use the bot anywhere.
        chats: Chats and servers in which everybody may use it.
        admins: People who may use it anywhere and as often as they like.
    """

    users: frozenset[str] = frozenset()
    chats: frozenset[str] = frozenset()
    admins: frozenset[str] = frozenset()

    def allows(self, platform: str, user: str, chat: str) -> bool:
        """Whether this person may use the bot in this chat; without lists, everybody may.

        Args:
            platform: "telegram" or "discord"; other platforms are open to all who reach them.
            user: The person's id there.
            chat: The chat's id; of a topic or a channel, what comes before the first slash counts.
        """
        listed = {name.partition(":")[0] for name in self.users | self.chats}
        if platform not in listed or self.is_admin(platform, user):
            return True
        where = chat.partition("/")[0]
        return f"{platform}:{user}" in self.users or f"{platform}:{where}" in self.chats

    def is_admin(self, platform: str, user: str) -> bool:
        """Whether this person's questions are not counted."""
        return f"{platform}:{user}" in self.admins
