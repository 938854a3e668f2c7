"""`glimpse data`: datasets made ready for training."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

import click

from bot.cli.context import standard
from bot.cli.terminal import TimedLines, progress, saying_when_stopped

if TYPE_CHECKING:
    from data.datasets.builder import BuildOptions, BuildResult

Command = TypeVar("Command", bound=Callable[..., object])
_file = click.Path(dir_okay=False, path_type=Path)
_folder = click.Path(file_okay=False, path_type=Path)
_DEFAULT = "default"


@click.group(
    epilog="Example: glimpse data flickr8k --images Flicker8k_Dataset "
    "--captions dataset_flickr8k.json --to ~/datasets/flickr8k",
    short_help="Prepare a dataset for training.",
)
def data() -> None:
    """Prepare a dataset from what you have on disk.

    It goes into a folder of JSON lines with links to the pictures, which are not copied.
    """


def common(command: Command) -> Command:
    """Add the options that every dataset has."""
    to = click.option("--to", required=True, type=_folder, help="Folder to fill.")
    limit = click.option(
        "--limit", type=click.IntRange(1), help="Only so many rows of each split, for a try."
    )
    strict = click.option(
        "--strict", is_flag=True, help="Refuse data that are not whole instead of warning."
    )
    return to(limit(strict(standard(command))))


def from_hub(command: Command) -> Command:
    """Add the option that takes a dataset from the hub."""
    return click.option(
        "--from-hub",
        "hub",
        is_flag=False,
        flag_value=_DEFAULT,
        metavar="[NAME]",
        help="Take it from the Hugging Face hub, with the datasets library.",
    )(command)


@data.command(
    "flickr30k",
    epilog="Example: glimpse data flickr30k --images flickr30k-images "
    "--captions dataset_flickr30k.json --to ~/datasets/flickr30k",
    short_help="31,000 pictures with five captions each.",
)
@click.option("--images", type=_folder, help="Folder of the pictures.")
@click.option(
    "--captions", type=_file, help="results_20130124.token, results.csv or dataset_flickr30k.json."
)
@click.option(
    "--split",
    "splits",
    type=_file,
    multiple=True,
    help="With a token file: dataset_flickr30k.json, or lists (train.txt, …); repeatable.",
)
@from_hub
@common
def flickr30k(
    images: Path | None,
    captions: Path | None,
    splits: tuple[Path, ...],
    hub: str | None,
    *,
    to: Path,
    limit: int | None,
    strict: bool,
) -> None:
    """Prepare Flickr30k, in Karpathy's split if the captions or --split say it."""
    from data.datasets.flickr import HUB, build_flickr

    if hub:
        _forbid("--from-hub", images, captions, splits)
    else:
        _require(images=images, captions=captions)
    name = HUB if hub == _DEFAULT else hub or ""
    _build(
        lambda options: build_flickr(
            "flickr30k", options, images, captions, splits=splits, hub=name
        ),
        (to, limit, strict),
    )


@data.command(
    "flickr8k",
    epilog="Example: glimpse data flickr8k --images Flicker8k_Dataset "
    "--captions dataset_flickr8k.json --to ~/datasets/flickr8k",
    short_help="8,000 pictures with five captions each.",
)
@click.option("--images", type=_folder, required=True, help="Folder of the pictures.")
@click.option(
    "--captions",
    type=_file,
    required=True,
    help="Flickr8k.token.txt, captions.txt or dataset_flickr8k.json.",
)
@click.option(
    "--split",
    "splits",
    type=_file,
    multiple=True,
    help="With a token file: dataset_flickr8k.json, or Flickr_8k.trainImages.txt, …; repeatable.",
)
@common
def flickr8k(
    images: Path,
    captions: Path,
    splits: tuple[Path, ...],
    *,
    to: Path,
    limit: int | None,
    strict: bool,
) -> None:
    """Prepare Flickr8k, in its split if the captions or --split say it."""
    from data.datasets.flickr import build_flickr

    _build(
        lambda options: build_flickr("flickr8k", options, images, captions, splits=splits),
        (to, limit, strict),
    )


@data.command(
    "vqav2",
    epilog="Example: glimpse data vqav2 --questions v2_OpenEnded_mscoco_val2014_questions.json "
    "--annotations v2_mscoco_val2014_annotations.json --images val2014 --to ~/datasets/vqav2",
    short_help="658,000 questions with ten answers each.",
)
@click.option("--questions", type=_file, multiple=True, help="v2_…_questions.json; repeatable.")
@click.option("--annotations", type=_file, multiple=True, help="v2_…_annotations.json; repeatable.")
@click.option(
    "--images", type=_folder, multiple=True, help="train2014, val2014 or both; repeatable."
)
@from_hub
@common
def vqav2(
    questions: tuple[Path, ...],
    annotations: tuple[Path, ...],
    images: tuple[Path, ...],
    hub: str | None,
    *,
    to: Path,
    limit: int | None,
    strict: bool,
) -> None:
    """Prepare VQA v2, whose questions are about the pictures of COCO 2014.

    --from-hub brings the questions; --images names the unpacked pictures of COCO 2014, or NAME a
    dataset on the hub that has pictures, such as lmms-lab/VQAv2 for the validation split alone.
    """
    from data.datasets.vqa import HUB, build_vqa

    if hub:
        _forbid("--from-hub", questions, annotations)
        _require(images=images or hub != _DEFAULT)
    else:
        _require(questions=questions, annotations=annotations, images=images)
    name = HUB if hub == _DEFAULT else hub or ""
    _build(
        lambda options: build_vqa(options, questions, annotations, images, hub=name),
        (to, limit, strict),
    )


@data.command(
    "coco-objects",
    epilog="Example: glimpse data coco-objects instances_train2014.json instances_val2014.json "
    "--to ~/datasets/vqav2",
    short_help="COCO's boxes of objects, beside VQA v2's pictures.",
)
@click.argument("instances", type=_file, nargs=-1, required=True)
@common
def coco_objects(instances: tuple[Path, ...], *, to: Path, limit: int | None, strict: bool) -> None:
    """Add people's boxes of objects to a folder that holds pictures of COCO.

    INSTANCES are instances_train2014.json, instances_val2014.json or both, from COCO's archive of
    annotations. --to names the folder that `glimpse data vqav2` has filled.
    """
    from data.datasets.coco_objects import build_coco_objects

    _build(lambda options: build_coco_objects(options, instances), (to, limit, strict))


@data.command(
    "coco-captions",
    epilog="Example: glimpse data coco-captions captions_train2014.json captions_val2014.json "
    "--images train2014 --images val2014 --to ~/datasets/coco",
    short_help="123,000 pictures with five captions each.",
)
@click.argument("captions", type=_file, nargs=-1, required=True)
@click.option(
    "--images", type=_folder, multiple=True, required=True, help="Folder of pictures; repeatable."
)
@common
def coco_captions(
    captions: tuple[Path, ...],
    images: tuple[Path, ...],
    *,
    to: Path,
    limit: int | None,
    strict: bool,
) -> None:
    """Prepare COCO's captions.

    CAPTIONS are captions_train2014.json and the like, from COCO's archive of annotations.
    """
    from data.datasets.coco_captions import build_coco_captions

    _build(lambda options: build_coco_captions(options, captions, images), (to, limit, strict))


@data.command(
    "jsonl",
    epilog="Example: glimpse data jsonl --rows mine.jsonl --images photos --to ~/datasets/mine",
    short_help="Your own pictures, as JSON lines.",
)
@click.option("--rows", "files", type=_file, multiple=True, required=True, help="Repeatable.")
@click.option(
    "--images", type=_folder, multiple=True, required=True, help="Folder of pictures; repeatable."
)
@common
def jsonl(
    files: tuple[Path, ...],
    images: tuple[Path, ...],
    *,
    to: Path,
    limit: int | None,
    strict: bool,
) -> None:
    """Prepare JSON lines of your own.

    \b
    {"image": "a.jpg", "captions": ["A dog runs.", ...], "split": "train"}
    {"image": "a.jpg", "question": "What is it?", "answers": ["dog", ...]}
    {"image": "a.jpg", "question": "What is it?", "answer": "dog"}
    """
    from data.datasets.jsonl import build_jsonl

    _build(lambda options: build_jsonl(options, files, images), (to, limit, strict))


@data.command(
    "shapes",
    epilog="Example: glimpse data shapes --to ~/datasets/shapes",
    short_help="Drawn shapes, to see training work in minutes.",
)
@click.option(
    "--pictures",
    type=click.IntRange(10, 100_000),
    default=300,
    show_default=True,
    help="How many to draw.",
)
@click.option("--seed", type=click.IntRange(0), default=0, help="Another one draws others.")
@common
def shapes(pictures: int, seed: int, *, to: Path, limit: int | None, strict: bool) -> None:
    """Draw shapes, with captions and questions: a dataset that needs no download."""
    from data.datasets.shapes import build_shapes

    _build(lambda options: build_shapes(options, pictures, seed), (to, limit, strict))


def _build(
    prepare: Callable[[BuildOptions], BuildResult], chosen: tuple[Path, int | None, bool]
) -> None:
    """Prepare, and say what came of it."""
    from data.datasets.builder import BuildOptions

    to, limit, strict = chosen
    with progress(TimedLines) as report, saying_when_stopped(lambda: _left_in(to)):
        done = prepare(BuildOptions(to, limit, strict, report))
    for warning in done.warnings:
        click.echo(f"Warning: {warning}", err=True)
    counts = ", ".join(f"{n['rows']:,} {split}" for split, n in done.counts.items())
    state = "was ready already" if done.unchanged else "is ready"
    click.echo(f"{done.folder} {state}: {counts}.")


def _left_in(folder: Path) -> str:
    """What a build leaves that was stopped."""
    from data.datasets.manifest import MANIFEST
    from data.datasets.sources import IMAGES

    if (folder / MANIFEST).exists():
        return f"Stopped; the dataset in {folder} is as it was before."
    images = folder / IMAGES
    if images.is_dir() and not images.is_symlink():
        return (
            f"Stopped; {folder} is no dataset yet, and the same command goes on with the pictures "
            "that are there."
        )
    return f"Stopped; {folder} is no dataset yet, and the same command begins anew."


def _require(**options: object) -> None:
    for name, value in options.items():
        if not value:
            raise click.UsageError(f"Missing option '--{name}'", click.get_current_context())


def _forbid(option: str, *others: object) -> None:
    if any(others):
        message = f"{option} does without files of questions, annotations, captions and pictures"
        raise click.UsageError(message, click.get_current_context())
