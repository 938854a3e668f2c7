"""Recipes: everything that decides a training run, as frozen values from TOML."""

from __future__ import annotations

import os
import tomllib
from dataclasses import dataclass, field, fields, replace
from pathlib import Path
from typing import Any, TypeVar

from finetune.errors import RecipeError
from finetune.possible import problems
from model.config import Profile, build
from model.errors import ProfileError

RECIPES_FOLDER = Path(__file__).parent / "recipes"
T = TypeVar("T")


@dataclass(frozen=True)
class Source:
    """Pictures with texts, from one or more JSON lines files.

    Attributes:
        name: For logs.
        files: JSON lines files, relative to the data folder.
        images: The folder of the pictures, relative to the data folder and inside it.
        share: How much of all picture visits go here; shares are relative to each other.
        captions: Captions learnt at one visit.
        questions: Questions learnt at one visit.
        derived: Questions derived from captions, learnt at one visit; half of them ask for yes
            or no.
        split_key: Key of the rows that names the split; rows of other splits are left out.
        split: The split to train on.
        prefix: Only pictures whose file name starts with it are taken.
        prefix_dropout: Share of the prefix positions, tags included, that are hidden at a visit,
            so that few pictures are not learnt by heart (PatchDropout, arXiv 2208.07220).
        boxes: Questions made from the boxes of objects, learnt at one visit; needs [objects]. A
            picture that is asked some is seen whole, for a crop may lack what they are about.
    """

    name: str
    files: tuple[str, ...]
    images: str
    share: float = 1.0
    captions: int = 0
    questions: int = 0
    derived: int = 0
    split_key: str = ""
    split: str = ""
    prefix: str = ""
    prefix_dropout: float = 0.0
    boxes: int = 0


@dataclass(frozen=True)
class ObjectSources:
    """What the object head is fitted to; without folders it is not.

    Attributes:
        folders: Folders of the data folder that hold `images` and `detections.jsonl`, and perhaps
            people's `objects.jsonl`.
        masks: Those whose `objects.jsonl` holds the shares of the picture that classes cover.
        epochs: How often each picture is seen.
    """

    folders: tuple[str, ...] = ()
    masks: tuple[str, ...] = ()
    epochs: int = 8


@dataclass(frozen=True)
class ImpliedTexts:
    """Captions or questions without pictures, learnt behind the tags that their words imply.

    Attributes:
        file: JSON lines of `captions`, or of `question` and `answer`; plain or .gz.
        share: How much of the schedule's `implied` goes here; shares are relative to each other.
        texts: Most texts of one row that are learnt at once.
    """

    file: str
    share: float = 1.0
    texts: int = 2


@dataclass(frozen=True)
class Samples:
    """Held-out pictures that the model describes, and answers questions about, as it learns.

    Attributes:
        files, images, split_key, split, prefix: As in `Source`.
        pictures: How many of them; each is captioned if people did, and asked one question if
            people asked.
    """

    files: tuple[str, ...]
    images: str
    pictures: int = 2
    split_key: str = ""
    split: str = ""
    prefix: str = ""


@dataclass(frozen=True)
class Lora:
    """Low-rank adaptation of the language model (Hu et al. 2021, arXiv 2106.09685)."""

    rank: int = 16
    alpha: int = 32
    dropout: float = 0.05
    targets: tuple[str, ...] = ("q_proj", "k_proj", "v_proj", "o_proj")


@dataclass(frozen=True)
class Schedule:
    """How long and how fast.

    Attributes:
        steps: Optimiser steps.
        minutes: End the run by then, with the learning rate decayed in time; 0 for no limit.
        mapper_steps: Steps of the first stage, in which only the mapper learns.
        warmup_steps: Steps over which each learning rate rises.
        pictures: Pictures in one step.
        accumulate: Parts of a step that are learnt one after the other, for less memory; the
            captions of self-critical steps are still drawn at once.
        texts: Mean number of texts without a picture in one step; most come early. There are no
            more of people's than the file of `text_only` holds.
        derived_texts: Share of those that are derived from captions, not asked by people, so that
            the language prior knows such questions as well.
        implied: Rows of `[[implied]]` in one step: texts behind the tags that their words imply.
        mapper_rate: Peak learning rate of the mapper.
        lora_rate: Peak learning rate of LoRA.
        tower_rate: Peak learning rate of the tower's last blocks, if those learn.
        last_rate: Share of its peak that each learning rate ends at.
        weight_decay: AdamW's, on matrices of the mapper.
        clip: Largest norm of the gradient.
        average_from: Share of the run after which weights are averaged (LAWA, arXiv 2209.14981).
        start_share: Share of the weights that a run started at in those that it leaves, for one
            that continues (WiSE-FT, arXiv 2109.01903).
        checkpoint_steps: Steps between checkpoints.
        answer_weight: Weight of an answer's token; a caption's is 1.
        yes_weight: Weight of a "yes", beside `answer_weight`: of what people
            ask, 59 % is true (VQA v1, Antol et al. 2015, arXiv 1505.00468), but VQA v2 and derived
            questions are balanced. Whether a thing is in the picture is left alone: users ask that
            to find out.
        no_weight: Weight of a "no" to derived questions whether a thing is in the picture, so
            worded that people's are not leant to no with them: what one
            may ask for is mostly absent, and a model that says yes too often sees what is not there
            (POPE, arXiv 2305.10355).
        critic_from: Share of the run after which captions are learnt from the model's own, by
            how much better than its others they are (SCST, arXiv 1612.00563); 1 for never.
        critic_samples: Captions that the model draws of one picture for that.
        critic_tokens: Longest of them, in tokens.
        critic_weight: Weight of a drawn caption's token, times by how much CIDEr / 10 it is better.
        critic_absent: What a drawn caption loses, of CIDEr / 100, for each object that it names and
            that neither people nor the detector of `[objects]` find in its picture.
    """

    steps: int
    minutes: float = 0.0
    mapper_steps: int = 100
    warmup_steps: int = 50
    pictures: int = 16
    accumulate: int = 1
    texts: int = 0
    derived_texts: float = 0.0
    implied: int = 0
    mapper_rate: float = 1e-3
    lora_rate: float = 4e-4
    tower_rate: float = 1e-5
    last_rate: float = 0.0
    weight_decay: float = 0.01
    clip: float = 1.0
    average_from: float = 0.85
    start_share: float = 0.0
    checkpoint_steps: int = 200
    answer_weight: float = 3.0
    yes_weight: float = 1.0
    no_weight: float = 1.0
    critic_from: float = 1.0
    critic_samples: int = 4
    critic_tokens: int = 20
    critic_weight: float = 3.0
    critic_absent: float = 0.0


@dataclass(frozen=True)
class Recipe:
    """One training run.

    Attributes:
        name: For logs and the adapter's card.
        profile: Name of the profile, or a TOML file beside the recipe.
        schedule: How long and how fast.
        sources: What to learn from.
        lora: Low-rank adaptation of the language model.
        samples: What to say something about at every checkpoint.
        objects: What the object head is fitted to.
        implied: Texts without pictures that are learnt behind the tags that they imply.
        text_only: JSON lines of questions without pictures, for the language prior; "" for none.
        views: Cached views of each picture: itself, mirrored, and random crops of it.
        crops: Encode a new random crop at each visit; views are then cached for word tags only.
        tower_blocks: How many of the tower's last blocks learn with LoRA; needs crops.
        cross_fit: Fit the detector of word tags on other pictures than those it names words of.
        text_tokens: Most tokens of texts behind one prefix.
        precision: "float32", "bfloat16", or "auto" for whichever this processor does faster.
        seed: Of every random draw.
        compiled: Compile the layers of the language model; takes a C++ compiler and a minute.
        continues: Start at the adapter that the profile names, not at fresh weights.
        refit_words: Then fit the detector of word tags anew to what this run learns from; words
            that it knew keep their names.
    """

    name: str
    profile: str
    schedule: Schedule
    sources: tuple[Source, ...]
    lora: Lora = field(default_factory=Lora)
    samples: tuple[Samples, ...] = ()
    objects: ObjectSources = field(default_factory=ObjectSources)
    implied: tuple[ImpliedTexts, ...] = ()
    text_only: str = ""
    views: int = 1
    crops: bool = False
    tower_blocks: int = 0
    cross_fit: bool = False
    text_tokens: int = 96
    precision: str = "auto"
    seed: int = 0
    compiled: bool = False
    continues: bool = False
    refit_words: bool = False


def answering(recipe: Recipe, profile: Profile) -> Profile:
    """The profile that answers with a run's adapter, which lies beside it as `adapter`.

    It keeps the guidance scales only if the model knows what to answer without a picture.
    """
    schedule = recipe.schedule
    knows = schedule.texts and (recipe.text_only or schedule.derived_texts)
    decoding = profile.decoding
    if not (knows or recipe.continues):
        decoding = replace(decoding, guidance_scale=1.0, polar_guidance_scale=1.0)
    return replace(profile, name=recipe.name, adapter="adapter", decoding=decoding)


def load_recipe(name: str | os.PathLike[str]) -> Recipe:
    """Read a recipe by its name, or by the path of a TOML file.

    Raises:
        RecipeError: No such recipe, a syntax error, an unknown key or an impossible value.
    """
    path = Path(name) if os.fspath(name).endswith(".toml") else RECIPES_FOLDER / f"{name}.toml"
    if not path.is_file():
        known = ", ".join(sorted(p.stem for p in RECIPES_FOLDER.glob("*.toml")))
        raise RecipeError(
            f"There is no recipe {os.fspath(name)!r}; known are {known}, or give a TOML file."
        )
    try:
        table: dict[str, Any] = tomllib.loads(path.read_text(encoding="utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError, OSError) as error:
        raise RecipeError(f"The recipe {path.name} is not valid TOML: {error}.") from error
    try:
        return recipe_from_table(table, path)
    except ProfileError as error:
        raise RecipeError(str(error)) from error


def recipe_from_table(table: dict[str, Any], path: Path) -> Recipe:
    """Build a recipe from a parsed TOML table; `path` is the file it came from.

    Raises:
        RecipeError: An impossible value.
        ProfileError: An unknown key, or a value of the wrong type.
    """
    values = {"name": path.stem, **table}
    parts: dict[str, Any] = {
        "schedule": _section(Schedule, values.pop("schedule", {}), f"[schedule] of {path.name}"),
        "lora": _section(Lora, values.pop("lora", {}), f"[lora] of {path.name}"),
        "sources": _sections(Source, values.pop("sources", []), f"[[sources]] of {path.name}"),
        "samples": _sections(Samples, values.pop("samples", []), f"[[samples]] of {path.name}"),
        "objects": _section(ObjectSources, values.pop("objects", {}), f"[objects] of {path.name}"),
        "implied": _sections(
            ImpliedTexts, values.pop("implied", []), f"[[implied]] of {path.name}"
        ),
    }
    plain = build(_Plain, values, path.name)
    beside = path.parent / plain.profile
    profile = str(beside.resolve()) if beside.is_file() else plain.profile
    parts |= {f.name: getattr(plain, f.name) for f in fields(_Plain)}
    recipe = Recipe(**parts | {"profile": profile})
    for problem in problems(recipe):
        raise RecipeError(f"The recipe {path.name} cannot be used: {problem}.")
    return recipe


@dataclass(frozen=True)
class _Plain:
    """A recipe without its sections."""

    name: str
    profile: str
    text_only: str = Recipe.text_only
    views: int = Recipe.views
    crops: bool = Recipe.crops
    tower_blocks: int = Recipe.tower_blocks
    cross_fit: bool = Recipe.cross_fit
    text_tokens: int = Recipe.text_tokens
    precision: str = Recipe.precision
    seed: int = Recipe.seed
    compiled: bool = Recipe.compiled
    continues: bool = Recipe.continues
    refit_words: bool = Recipe.refit_words


def _section(kind: type[T], table: Any, where: str) -> T:
    if not isinstance(table, dict):
        raise RecipeError(f"{where} should be a table.")
    return build(kind, table, where)


def _sections(kind: type[T], tables: Any, where: str) -> tuple[T, ...]:
    if not isinstance(tables, list):
        raise RecipeError(f"{where} should be a list of tables.")
    return tuple(_section(kind, table, where) for table in tables)
