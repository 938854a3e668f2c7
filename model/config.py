"""Profiles: which tower, mapper and language model make one assistant, frozen, from TOML."""

from __future__ import annotations

import math
import os
import tomllib
from dataclasses import MISSING, asdict, dataclass, fields, replace
from pathlib import Path
from typing import Any, TypeVar, get_args, get_type_hints

import tomli_w

from model.questions import takes_for_granted

PROFILES_FOLDER = Path(__file__).parent / "profiles"
ADAPTERS_FOLDER = Path(__file__).parent / "adapters"
STARTER_WHEEL = "starter-wheel"


class ProfileError(ValueError):
    """A profile that cannot be used; `str(error)` is one plain sentence."""


@dataclass(frozen=True)
class TowerConfig:
    """The vision tower.

    Attributes:
        kind: "efficientnet-lite", "clip", "vit" or "dinov2".
        source: A hub id, a folder in the hub's format, or "starter-wheel".
        image_size: Side of the square that pictures are resized to, in pixels.
        layer: Which layer's hidden states are used, counted as Python indexes them (-1: the last).
        detail_layer: A lower layer whose hidden states the object head reads as well, counted like
            `layer` (of EfficientNet-Lite: its block, from 0); 0 for none. Its grid may be finer.
    """

    kind: str
    source: str
    image_size: int
    layer: int = -1
    detail_layer: int = 0


@dataclass(frozen=True)
class MapperConfig:
    """The mapper from hidden states to the prefix.

    Attributes:
        kind: "mlp" or "resampler".
        hidden_size: Width inside the mapper.
        shuffle: Side of the square of patches folded into one position (pixel shuffle); "mlp" only.
        queries: Number of learned queries; "resampler" only.
        layers: Number of cross-attention layers; "resampler" only.
        tags: Number of positions that name the tower's most probable classes; 0 for towers
            without a classifier.
        quarter_tags: Likewise for each quarter of the picture.
        words: Number of positions that name the most probable caption words; 0 for none.
        vocabulary: How many caption words are known.
        objects: Number of positions that name the most probable objects, each with its place and
            count; 0 for none, and then there is no object head.
        object_classes: How many classes of objects are known; those with boxes come first.
        object_boxes: How many of them have boxes; the others (sky, grass) are only there or not.
        colours: Side of the square of mean colours of each patch that the mapper reads beside its
            hidden state; 0 for none; "mlp" only.
        dropout: Dropout on the mapper's input while training.
    """

    kind: str
    hidden_size: int = 768
    shuffle: int = 1
    queries: int = 32
    layers: int = 2
    tags: int = 0
    quarter_tags: int = 0
    words: int = 0
    vocabulary: int = 800
    objects: int = 0
    object_classes: int = 128
    object_boxes: int = 80
    colours: int = 0
    dropout: float = 0.0


@dataclass(frozen=True)
class LanguageConfig:
    """The language model: a hub id, a folder in the hub's format, or "starter-wheel"."""

    source: str


@dataclass(frozen=True)
class DecodingConfig:
    """How answers and captions are decoded.

    Attributes:
        answer_tokens: Most tokens of an answer.
        caption_tokens: Most tokens of a caption.
        answer_beams: Beam width of answers, of which the most probable is given; 1 is greedy
            decoding.
        caption_beams: Beam width of captions; 1 is greedy decoding.
        length_penalty: Exponent of the length that a caption's score is divided by (GNMT style).
        guidance_scale: Of answers (classifier-free guidance, arXiv 2306.17806): 1 decodes as the
            model is; below 1, what it would answer without the picture has a say too. Other scales
            than 1 take two rows of the language model for each answer, an adapter that learnt
            questions without pictures as well, and a new calibration.
        polar_guidance_scale: Likewise, of questions for yes or no that take for granted what they
            are about (`model.questions`).
        presence_weight: How much the object head's score counts in an answer to "is there a dog?",
            beside what the language model expects (`model.evidence`); 0 for not at all.
        count_weight: Likewise of the objects found, in an answer to "how many dogs are there?".
    """

    answer_tokens: int = 12
    caption_tokens: int = 32
    answer_beams: int = 1
    caption_beams: int = 1
    length_penalty: float = 1.0
    guidance_scale: float = 1.0
    polar_guidance_scale: float = 1.0
    presence_weight: float = 0.0
    count_weight: float = 0.0

    def scale_of(self, question: str) -> float:
        """The guidance scale of the answer to a question."""
        granted = takes_for_granted(question)
        return self.polar_guidance_scale if granted else self.guidance_scale


@dataclass(frozen=True)
class Profile:
    """One assistant: everything that decides its answers but the weights themselves."""

    name: str
    tower: TowerConfig
    mapper: MapperConfig
    language: LanguageConfig
    decoding: DecodingConfig = DecodingConfig()
    adapter: str = ""

    @property
    def adapter_folder(self) -> Path:
        """Where the trained adapter lies; a bare name is a folder shipped with the package."""
        if not self.adapter:
            raise ProfileError(
                f"The profile {self.name!r} has no trained adapter yet; "
                "train one with `glimpse train` and name its folder under `adapter`."
            )
        path = _expand(self.adapter)
        return path if path.is_absolute() else ADAPTERS_FOLDER / path


T = TypeVar("T")
C = TypeVar("C", TowerConfig, LanguageConfig)
_SECTIONS: dict[str, type[Any]] = {
    "tower": TowerConfig,
    "mapper": MapperConfig,
    "language": LanguageConfig,
    "decoding": DecodingConfig,
}
_CHOICES = {
    ("tower", "kind"): ("efficientnet-lite", "clip", "vit", "dinov2"),
    ("mapper", "kind"): ("mlp", "resampler"),
}
_MAY_BE_NEGATIVE = ("layer", "detail_layer", "length_penalty")
_AT_LEAST_ONE = {
    "tower": ("image_size",),
    "mapper": ("hidden_size", "shuffle", "queries", "layers"),
    "decoding": ("answer_tokens", "caption_tokens", "answer_beams", "caption_beams"),
}


def load_profile(name: str | os.PathLike[str]) -> Profile:
    """Read a profile by its name, or by the path of a TOML file.

    Paths inside a file are taken relative to that file.

    Raises:
        ProfileError: No such profile, a syntax error, an unknown key or an impossible value.
    """
    path = _find(name)
    try:
        table = tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError) as error:
        raise ProfileError(f"The profile {path.name} cannot be read.") from error
    except tomllib.TOMLDecodeError as error:
        raise ProfileError(f"The profile {path.name} is not valid TOML: {error}.") from error
    return profile_from_table(table, path)


def save_profile(profile: Profile, path: Path) -> None:
    """Write a profile as TOML that `load_profile` reads.

    Raises:
        OSError: It cannot be written.
    """
    path.write_text(tomli_w.dumps(asdict(profile)), encoding="utf-8")


def profile_from_table(table: dict[str, Any], path: Path) -> Profile:
    """Build a profile from a parsed TOML table; `path` is the file it came from."""
    known = {field.name for field in fields(Profile)}
    _refuse_unknown(set(table) - known, known, path.name)
    texts = {"name": path.stem, "adapter": ""}
    parts: dict[str, Any] = {key: table.get(key, default) for key, default in texts.items()}
    for key in texts:
        if not isinstance(parts[key], str):
            raise ProfileError(f"{key} = {parts[key]!r} in {path.name} should be of type str.")
    for section, kind in _SECTIONS.items():
        if section in table or section != "decoding":
            values = table.get(section)
            if not isinstance(values, dict):
                raise ProfileError(f"The profile {path.name} lacks the section [{section}].")
            parts[section] = build(kind, values, f"[{section}] of {path.name}")
    profile = Profile(**parts)
    _check(profile, path.name)
    beside = path.parent / _expand(profile.adapter)
    if profile.adapter and (beside.is_dir() or os.sep in profile.adapter):
        profile = replace(profile, adapter=str(beside.resolve()))
    return replace(
        profile,
        tower=_resolve_source(profile.tower, path.parent),
        language=_resolve_source(profile.language, path.parent),
    )


def build(kind: type[T], values: dict[str, Any], where: str) -> T:
    """Make a frozen dataclass of a TOML table, refusing unknown keys and wrong types.

    Raises:
        ProfileError: One plain sentence that names the key and `where` it stands.
    """
    hints = get_type_hints(kind)
    declared = fields(kind)  # type: ignore[arg-type]
    _refuse_unknown(set(values) - set(hints), set(hints), where)
    missing = [f.name for f in declared if f.name not in values and _required(f)]
    if missing:
        raise ProfileError(f"{missing[0]!r} is missing in {where}.")
    checked = {}
    for key, value in values.items():
        wanted = hints[key]
        if wanted is float and type(value) is int:
            value = float(value)  # noqa: PLW2901 - TOML writes 1 for 1.0
        if get_args(wanted):
            value = tuple(value) if isinstance(value, list) else value  # noqa: PLW2901
        elif type(value) is not wanted:
            raise ProfileError(f"{key} = {value!r} in {where} should be of type {wanted.__name__}.")
        if isinstance(value, float) and not math.isfinite(value):
            raise ProfileError(f"{key} = {value!r} in {where} is not a number to work with.")
        if (
            type(value) in (int, float)
            and value < 0
            and key not in ("layer", "detail_layer", "length_penalty")
        ):
            raise ProfileError(f"{key} = {value!r} in {where} must not be negative.")
        checked[key] = value
    return kind(**checked)


def _check(profile: Profile, where: str) -> None:
    """Refuse values of the right type that make no sense."""
    for (section, key), allowed in _CHOICES.items():
        value = getattr(getattr(profile, section), key)
        if value not in allowed:
            raise ProfileError(
                f"{key} = {value!r} in [{section}] of {where} is not one of {', '.join(allowed)}."
            )
    for section, keys in _AT_LEAST_ONE.items():
        for key in keys:
            if getattr(getattr(profile, section), key) < 1:
                raise ProfileError(f"{key} in [{section}] of {where} must be at least 1.")
    for section in ("tower", "language"):
        if not getattr(profile, section).source:
            raise ProfileError(f"source in [{section}] of {where} is empty.")
    if profile.mapper.dropout >= 1:
        raise ProfileError(f"dropout in [mapper] of {where} must be less than 1.")
    if profile.mapper.colours and profile.mapper.kind != "mlp":
        raise ProfileError(f'colours in [mapper] of {where} needs kind = "mlp".')
    if profile.mapper.quarter_tags and not profile.mapper.tags:
        raise ProfileError(f"quarter_tags in [mapper] of {where} needs tags as well.")


def _required(field: Any) -> bool:
    return field.default is MISSING and field.default_factory is MISSING


def _refuse_unknown(unknown: set[str], known: set[str], where: str) -> None:
    if unknown:
        key = sorted(unknown)[0]
        raise ProfileError(f"Unknown key {key!r} in {where}; known are {', '.join(sorted(known))}.")


def _find(name: str | os.PathLike[str]) -> Path:
    text = os.fspath(name)
    if text.endswith(".toml") or os.sep in text:
        path = _expand(text)
        if not path.is_file():
            raise ProfileError(f"There is no profile file {text!r}.")
        return path
    path = PROFILES_FOLDER / f"{text}.toml"
    if not path.is_file():
        known = ", ".join(sorted(p.stem for p in PROFILES_FOLDER.glob("*.toml")))
        raise ProfileError(f"There is no profile {text!r}; known are {known}, or give a TOML file.")
    return path


def _resolve_source(config: C, folder: Path) -> C:
    """A source that is a folder beside the profile becomes that folder's whole path."""
    local = folder / _expand(config.source)
    if config.source == STARTER_WHEEL or not local.is_dir():
        return config
    return replace(config, source=str(local.resolve()))


def _expand(path: str) -> Path:
    """A path with `~` resolved, if this machine knows whose home it is."""
    try:
        return Path(path).expanduser()
    except RuntimeError:
        return Path(path)
