"""Profiles: which tower, mapper and language model make one assistant, frozen, from TOML."""

from __future__ import annotations

import os
import tomllib
from dataclasses import asdict, dataclass, fields, is_dataclass, replace
from pathlib import Path
from typing import Annotated, Any, Literal, TypeVar, get_args, get_origin, get_type_hints

import tomli_w
from pydantic import Field, StrictFloat, StrictInt, TypeAdapter, ValidationError
from pydantic_core import ErrorDetails

from model.errors import ProfileError
from model.questions import has_presupposition

PROFILES_FOLDER = Path(__file__).parent / "profiles"
ADAPTERS_FOLDER = Path(__file__).parent / "adapters"
STARTER_WHEEL = "starter-wheel"
# Values of `kind`, which profiles of our own models have not.
REMOTE, TRANSFORMERS = "openai", "transformers"
# Values of tables: of this very type, finite, and not negative unless that has a meaning.
Count = Annotated[StrictInt, Field(ge=0)]
Positive = Annotated[StrictInt, Field(ge=1)]
Real = Annotated[StrictFloat, Field(allow_inf_nan=False)]
Number = Annotated[Real, Field(ge=0)]
Name = Annotated[str, Field(min_length=1)]


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

    kind: Literal["efficientnet-lite", "clip", "vit", "dinov2"]
    source: Name
    image_size: Positive
    layer: StrictInt = -1
    detail_layer: StrictInt = 0


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

    kind: Literal["mlp", "resampler"]
    hidden_size: Positive = 768
    shuffle: Positive = 1
    queries: Positive = 32
    layers: Positive = 2
    tags: Count = 0
    quarter_tags: Count = 0
    words: Count = 0
    vocabulary: Count = 800
    objects: Count = 0
    object_classes: Count = 128
    object_boxes: Count = 80
    colours: Count = 0
    dropout: Annotated[Number, Field(lt=1)] = 0.0


@dataclass(frozen=True)
class LanguageConfig:
    """The language model: a hub id, a folder in the hub's format, or "starter-wheel"."""

    source: Name


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
            beside what the language model expects (`model.generation`); 0 for not at all.
        count_weight: Likewise of the objects found, in an answer to "how many dogs are there?".
    """

    answer_tokens: Positive = 12
    caption_tokens: Positive = 32
    answer_beams: Positive = 1
    caption_beams: Positive = 1
    length_penalty: Real = 1.0
    guidance_scale: Number = 1.0
    polar_guidance_scale: Number = 1.0
    presence_weight: Number = 0.0
    count_weight: Number = 0.0

    def scale_of(self, question: str) -> float:
        """The guidance scale of the answer to a question."""
        return self.polar_guidance_scale if has_presupposition(question) else self.guidance_scale


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
        path = expand(self.adapter)
        return path if path.is_absolute() else ADAPTERS_FOLDER / path


T = TypeVar("T")
C = TypeVar("C", TowerConfig, LanguageConfig)


def load_profile(name: str | os.PathLike[str]) -> Profile:
    """Read a profile by its name, or by the path of a TOML file.

    Paths inside a file are taken relative to that file.

    Raises:
        ProfileError: No such profile, a syntax error, an unknown key or an impossible value.
    """
    return profile_from_table(*read_table(name))


def read_table(name: str | os.PathLike[str]) -> tuple[dict[str, Any], Path]:
    """What is in a profile's file, and the file's path.

    Raises:
        ProfileError: No such profile, or a syntax error.
    """
    path = _find(name)
    try:
        return tomllib.loads(path.read_text(encoding="utf-8")), path
    except (OSError, UnicodeDecodeError) as error:
        raise ProfileError(f"The profile {path.name} cannot be read.") from error
    except tomllib.TOMLDecodeError as error:
        raise ProfileError(f"The profile {path.name} is not valid TOML: {error}.") from error


def save_profile(profile: Profile, path: Path) -> None:
    """Write a profile as TOML that `load_profile` reads.

    Raises:
        OSError: It cannot be written.
    """
    path.write_text(tomli_w.dumps(asdict(profile)), encoding="utf-8")


def profile_from_table(table: dict[str, Any], path: Path) -> Profile:
    """Build a profile from a parsed TOML table; `path` is the file it came from."""
    if table.get("kind") == TRANSFORMERS:
        raise ProfileError(
            f"The model of the profile {path.name} is a chat model of the hub: it can answer, but "
            "not be trained or changed here."
        )
    if "kind" in table or "server" in table:
        raise ProfileError(
            f"The model of the profile {path.name} is on a server: it can answer, but not be "
            "trained or changed here."
        )
    for section in ("tower", "mapper", "language", "decoding"):
        if not isinstance(table.get(section, {} if section == "decoding" else None), dict):
            raise ProfileError(f"The profile {path.name} lacks the section [{section}].")
    profile = build(Profile, {"name": path.stem, **table}, path.name)
    if profile.mapper.colours and profile.mapper.kind != "mlp":
        raise ProfileError(f'colours in [mapper] of {path.name} needs kind = "mlp".')
    if profile.mapper.quarter_tags and not profile.mapper.tags:
        raise ProfileError(f"quarter_tags in [mapper] of {path.name} needs tags as well.")
    beside = path.parent / expand(profile.adapter)
    if profile.adapter and (beside.is_dir() or os.sep in profile.adapter):
        profile = replace(profile, adapter=str(beside.resolve()))
    return replace(
        profile,
        tower=_resolve_source(profile.tower, path.parent),
        language=_resolve_source(profile.language, path.parent),
    )


def build(kind: type[T], table: dict[str, Any], where: str) -> T:
    """Make a frozen dataclass, and those in it, of a TOML table.

    Args:
        kind: The dataclass; the types of its fields say which values are possible.
        table: What TOML gave.
        where: Where it stands, for the sentence: the file's name.

    Raises:
        ProfileError: An unknown or missing key, or an impossible value; one plain sentence.
    """
    try:
        return TypeAdapter(kind).validate_python(table, extra="forbid")
    except ValidationError as error:
        urgency = {"unexpected_keyword_argument": 0, "missing": 1}  # a typo is both
        first = min(error.errors(), key=lambda each: urgency.get(each["type"], 2))
        raise ProfileError(_explain(first, kind, where)) from error


def _explain(error: ErrorDetails, kind: Any, where: str) -> str:
    """One plain sentence for a mistake that pydantic found in a table."""
    *sections, key = [part for part in error["loc"] if isinstance(part, str)]  # no list's indices
    for section in sections:
        kind, is_list = _section(kind, section)
        where = f"[[{section}]] of {where}" if is_list else f"[{section}] of {where}"
    value, limits = error["input"], error.get("ctx", {})
    if error["type"] == "unexpected_keyword_argument":
        known = ", ".join(sorted(field.name for field in fields(kind)))
        return f"Unknown key {key!r} in {where}; known are {known}."
    hint, is_list = _section(kind, key)
    if error["type"] in ("dataclass_type", "tuple_type") and is_dataclass(hint):
        shown, wanted = (f"[[{key}]]", "list of tables") if is_list else (f"[{key}]", "table")
        return f"{shown} of {where} should be a {wanted}."
    match error["type"]:
        case "missing":
            sentence = f"{key!r} is missing in {where}."
        case "string_too_short":
            sentence = f"{key} in {where} is empty."
        case "finite_number":
            sentence = f"{key} = {value!r} in {where} is not a number to work with."
        case "greater_than_equal" if not limits["ge"]:
            sentence = f"{key} = {value!r} in {where} must not be negative."
        case "greater_than_equal" | "less_than_equal":
            limit = f"at least {limits['ge']:g}" if "ge" in limits else f"at most {limits['le']:g}"
            sentence = f"{key} in {where} must be {limit}."
        case "less_than":
            sentence = f"{key} in {where} must be less than {limits['lt']:g}."
        case "literal_error":
            choices = ", ".join(get_args(hint))
            sentence = f"{key} = {value!r} in {where} is not one of {choices}."
        case _:
            wanted = "a list" if error["type"] == "tuple_type" else f"of type {hint.__name__}"
            sentence = f"{key} = {value!r} in {where} should be {wanted}."
    return sentence


def _section(kind: Any, name: str) -> tuple[Any, bool]:
    """The type of what is under a name, and whether there is a list of them."""
    hint = get_type_hints(kind)[name]
    is_list = get_origin(hint) is tuple
    return (get_args(hint)[0] if is_list else hint), is_list


def _find(name: str | os.PathLike[str]) -> Path:
    text = os.fspath(name)
    if text.endswith(".toml") or os.sep in text:
        path = expand(text)
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
    local = folder / expand(config.source)
    if config.source == STARTER_WHEEL or not local.is_dir():
        return config
    return replace(config, source=str(local.resolve()))


def expand(path: str) -> Path:
    """A path with `~` resolved, if this machine knows whose home it is."""
    try:
        return Path(path).expanduser()
    except RuntimeError:
        return Path(path)
