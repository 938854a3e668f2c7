"""Recipes: everything that decides a training run, as frozen values from TOML."""

from __future__ import annotations

import os
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass, field, fields, replace
from pathlib import Path
from typing import Annotated, Any

from pydantic import PlainValidator, StrictBool

from finetune.errors import RecipeError
from model.config import Count, Number, Profile, build
from model.errors import ProfileError

PRECISIONS = ("auto", "float32", "bfloat16")
RECIPES_FOLDER = Path(__file__).parent / "recipes"
# Names of files and the like; `problems` says what is wrong with them.
Names = Annotated[
    tuple[str, ...], PlainValidator(lambda value: tuple(value) if type(value) is list else value)
]


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
    files: Names
    images: str
    share: Number = 1.0
    captions: Count = 0
    questions: Count = 0
    derived: Count = 0
    split_key: str = ""
    split: str = ""
    prefix: str = ""
    prefix_dropout: Number = 0.0
    boxes: Count = 0


@dataclass(frozen=True)
class ObjectSources:
    """What the object head is fitted to; without folders it is not.

    Attributes:
        folders: Folders of the data folder that hold `images` and `detections.jsonl`, and perhaps
            people's `objects.jsonl`.
        masks: Those whose `objects.jsonl` holds the shares of the picture that classes cover.
        epochs: How often each picture is seen.
    """

    folders: Names = ()
    masks: Names = ()
    epochs: Count = 8


@dataclass(frozen=True)
class ImpliedTexts:
    """Captions or questions without pictures, learnt behind the tags that their words imply.

    Attributes:
        file: JSON lines of `captions`, or of `question` and `answer`; plain or .gz.
        share: How much of the schedule's `implied` goes here; shares are relative to each other.
        texts: Most texts of one row that are learnt at once.
    """

    file: str
    share: Number = 1.0
    texts: Count = 2


@dataclass(frozen=True)
class Samples:
    """Held-out pictures that the model describes, and answers questions about, as it learns.

    Attributes:
        files, images, split_key, split, prefix: As in `Source`.
        pictures: How many of them; each is captioned if people did, and asked one question if
            people asked.
    """

    files: Names
    images: str
    pictures: Count = 2
    split_key: str = ""
    split: str = ""
    prefix: str = ""


@dataclass(frozen=True)
class Lora:
    """Low-rank adaptation of the language model (Hu et al. 2021, arXiv 2106.09685)."""

    rank: Count = 16
    alpha: Count = 32
    dropout: Number = 0.05
    targets: Names = ("q_proj", "k_proj", "v_proj", "o_proj")


@dataclass(frozen=True)
class Schedule:
    """How long and how fast.

    Attributes:
        steps: Optimizer steps.
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

    steps: Count
    minutes: Number = 0.0
    mapper_steps: Count = 100
    warmup_steps: Count = 50
    pictures: Count = 16
    accumulate: Count = 1
    texts: Count = 0
    derived_texts: Number = 0.0
    implied: Count = 0
    mapper_rate: Number = 1e-3
    lora_rate: Number = 4e-4
    tower_rate: Number = 1e-5
    last_rate: Number = 0.0
    weight_decay: Number = 0.01
    clip: Number = 1.0
    average_from: Number = 0.85
    start_share: Number = 0.0
    checkpoint_steps: Count = 200
    answer_weight: Number = 3.0
    yes_weight: Number = 1.0
    no_weight: Number = 1.0
    critic_from: Number = 1.0
    critic_samples: Count = 4
    critic_tokens: Count = 20
    critic_weight: Number = 3.0
    critic_absent: Number = 0.0


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
    views: Count = 1
    crops: StrictBool = False
    tower_blocks: Count = 0
    cross_fit: StrictBool = False
    text_tokens: Count = 96
    precision: str = "auto"
    seed: Count = 0
    compiled: StrictBool = False
    continues: StrictBool = False
    refit_words: StrictBool = False


def trained_profile(recipe: Recipe, profile: Profile) -> Profile:
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
    table = {"name": path.stem, "schedule": {}, "sources": [], **table}
    try:
        recipe = build(Recipe, table, path.name)
    except ProfileError as error:  # an unknown key, or a value of the wrong type
        raise RecipeError(str(error)) from error
    beside = path.parent / recipe.profile
    if beside.is_file():
        recipe = replace(recipe, profile=str(beside.resolve()))
    for problem in problems(recipe):
        raise RecipeError(f"The recipe {path.name} cannot be used: {problem}.")
    return recipe


# --- what is impossible, beside unknown keys, wrong types and numbers that are none --------------


def problems(recipe: Recipe) -> Iterator[str]:
    """What is impossible in a recipe, as parts of a sentence."""
    for part in (recipe.schedule, recipe.lora, *recipe.sources, *recipe.samples):
        yield from _nameless(part)
    yield from _below_one(recipe, "views", "text_tokens")
    if recipe.precision not in PRECISIONS:
        yield f"precision = {recipe.precision!r} is not one of {', '.join(PRECISIONS)}"
    if recipe.tower_blocks and not recipe.crops:
        yield "tower_blocks needs crops = true, for hidden states that are kept do not learn"
    if recipe.refit_words and not recipe.continues:
        yield "refit_words is for a run that continues; any other fits the word detector anyway"
    if not recipe.sources:
        yield "it names no [[sources]]"
    elif not any(source.share for source in recipe.sources):
        yield "the share of every source is 0"
    yield from _of_schedule(recipe.schedule, recipe.continues)
    yield from _of_texts(recipe)
    yield from _below_one(recipe.lora, "rank", "alpha")
    if recipe.lora.dropout >= 1:
        yield "dropout in [lora] must be below 1"
    for source in recipe.sources:
        if not source.captions + source.questions + source.derived + source.boxes:
            yield f"the source {source.name!r} asks for no captions, questions or derived ones"
        if source.boxes and not recipe.objects.folders:
            yield f"boxes of the source {source.name!r} needs folders in [objects]"
        if source.prefix_dropout >= 1:
            yield f"prefix_dropout of the source {source.name!r} must be below 1"
        yield from _split(source)
    for sample in recipe.samples:
        yield from _below_one(sample, "pictures")
        yield from _split(sample)
    yield from _of_stages(recipe.schedule)
    yield from _of_objects(recipe)


def _of_schedule(schedule: Schedule, continues: bool) -> Iterator[str]:
    yield from _below_one(schedule, "steps", "pictures", "accumulate", "checkpoint_steps")
    if schedule.critic_from < 1 and schedule.critic_samples < 2:
        yield "critic_samples must be at least 2, for each is judged by the others"
    for name in ("last_rate", "derived_texts", "start_share"):
        if getattr(schedule, name) > 1:
            yield f"{name} must be at most 1"
    if schedule.start_share and not continues:
        yield "start_share is for a run that continues"
    if not schedule.clip:
        yield "clip must be more than 0"
    if schedule.average_from > 1:
        yield "average_from must be at most 1, which is for never"


def _of_texts(recipe: Recipe) -> Iterator[str]:
    schedule = recipe.schedule
    if schedule.derived_texts and not schedule.texts:
        yield "derived_texts is a share of texts, of which there are none"
    if schedule.derived_texts and not any(source.derived for source in recipe.sources):
        yield "derived_texts needs a source with derived questions"
    if schedule.texts and not (recipe.text_only or schedule.derived_texts):
        yield "texts without a picture need a file of them, text_only, or derived_texts"


def _of_objects(recipe: Recipe) -> Iterator[str]:
    folders, masks = recipe.objects.folders, recipe.objects.masks
    for name, value in (("folders", folders), ("masks", masks)):
        if value and not _names(value):
            yield f"{name} in [objects] should be a list of names"
    if not set(masks) <= set(folders):
        yield "masks in [objects] should be some of its folders"
    yield from _below_one(recipe.objects, "epochs")
    if recipe.schedule.critic_absent and not folders:
        yield "critic_absent needs folders in [objects]"
    for texts in recipe.implied:
        yield from _below_one(texts, "texts")
    if recipe.schedule.implied and not any(texts.share for texts in recipe.implied):
        yield "implied in [schedule] needs [[implied]] with a share"
    if recipe.schedule.implied and not (recipe.cross_fit and folders):
        yield "implied in [schedule] needs cross_fit = true, and folders in [objects]"


def _of_stages(schedule: Schedule) -> Iterator[str]:
    if schedule.warmup_steps > schedule.steps:
        yield f"warmup_steps = {schedule.warmup_steps} is more than all steps"
    if schedule.mapper_steps >= schedule.steps:
        yield f"mapper_steps = {schedule.mapper_steps} leaves LoRA no step"


def _split(part: Source | Samples) -> Iterator[str]:
    if bool(part.split) != bool(part.split_key):
        yield "split and split_key go together"


def _below_one(part: Any, *names: str) -> Iterator[str]:
    for name in names:
        if getattr(part, name) < 1:
            yield f"{name} must be at least 1"


def _nameless(part: Any) -> Iterator[str]:
    for each in fields(part):
        if each.type == "Names" and not _names(getattr(part, each.name)):
            yield f"{each.name} should be a list of one or more names"


def _names(value: Any) -> bool:
    return isinstance(value, tuple) and bool(value) and all(type(v) is str and v for v in value)
