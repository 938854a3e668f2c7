"""Trains in pieces on a machine that is at hand for minutes, and reached by small transfers only.

    python -m finetune.research.remote_training pack RECIPE --data FOLDER --to PIECES
    python -m finetune.research.remote_training unpack --pieces PIECES --to SET
    python -m finetune.research.remote_training train SET --run RUN --out OUT --minutes 8
        [--from OUT] [--seed N] [--state weights]

`pack` writes all that the recipe's training needs as numbered archives, `unpack` checks them and
joins them on the other side, as they come: `finetune.research.training_set` says what is in them,
and SET/data is what `glimpse train` takes under `--data`. `train` goes on from the last checkpoint
in RUN, or from what an earlier `train` left in `--from`, and stops when the minutes are over; OUT
then holds, as archives again, the adapter and what the next piece needs: checkpoint, object heads
and log. `--state` decides how much a checkpoint takes; docs/training-gpu.md has the figures.
"""

from __future__ import annotations

import argparse
import io
import shutil
import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from finetune.checkpoint import export_adapter
from finetune.config import Recipe, load_recipe
from finetune.errors import TrainingError
from finetune.object_head import FILE as OBJECTS
from finetune.progress import StepReport
from finetune.research import archives
from finetune.research.archives import MEGABYTE, Entry, Piece
from finetune.research.sanity import one_sentence
from finetune.research.training_set import QUALITY, TrainingSet
from finetune.trainer import Trainer
from model.cache import configure
from model.pretrained import OFFLINE

CHECKPOINT, LOG = "checkpoint.pt", "log.jsonl"
STATES = ("exact", "half", "weights")


@dataclass(frozen=True)
class Result:
    """Where a run stands after a piece of it.

    Attributes:
        step: Steps done.
        share: How much of the run is done, 0..1.
        finished: Whether there is an adapter.
        device: What it was computed on.
        pieces: What was left, in archives.
    """

    step: int
    share: float
    finished: bool
    device: str
    pieces: tuple[Piece, ...]


def train_piece(
    folder: Path,
    run: Path,
    out: Path,
    minutes: float,
    *,
    before: Path | None = None,
    seed: int | None = None,
    state: str = "weights",
    limit: int = 60 * MEGABYTE,
    exports: bool = True,
    features: Path | None = None,
    report: Any = lambda report: None,
) -> Result:
    """Train for some minutes, from the last checkpoint.

    Args:
        folder: What `archives.unpack` made of a training set.
        run: Folder of the run; a checkpoint in it is gone on from.
        out: Where the run's state goes as archives, in the place of what is there.
        minutes: When to stop. Encoding photos and fitting heads count; both are finished in any
            case, and one step is made.
        before: What an earlier piece left, if `run` holds no checkpoint.
        seed: Of the run, if not the recipe's; nothing is described on the way then, for which
            photos that are depends on the seed.
        state: How the checkpoint is left, one of `STATES`.
        limit: The most bytes of an archive.
        exports: Whether an unfinished run leaves an adapter, too.
        features: Folder of encoded photos; by default in `folder`, for all runs.
        report: Called at every logged step.

    Raises:
        RecipeError, DataError, ProfileError, WeightsError, TrainingError: One plain sentence each.
    """
    until = time.monotonic() + 60 * minutes
    recipe = packed_recipe(folder, seed)
    if (folder / "wheels").is_dir():
        configure({OFFLINE: str(folder / "wheels")})
    if before and not (run / CHECKPOINT).is_file():
        take_up(before, run)
    resumes = (run / CHECKPOINT).is_file()
    trainer = Trainer(recipe, folder / "data", run, features or folder / "features", report)
    try:
        trainer.train(resumes, max(until - time.monotonic(), 0.0))
        finished = True
    except TrainingError:
        if trainer.stopped_by is None:
            raise
        finished = False
        shutil.rmtree(run / "adapter", ignore_errors=True)
        if exports:
            export_adapter(
                run / "adapter", recipe, trainer.profile,
                learner=trainer.learner, progress=trainer.progress, average=trainer.average,
            )  # fmt: skip
    progress = trainer.progress
    pieces = leave(run, out, state="none" if finished else state, limit=limit)
    share = progress.share(recipe.schedule)
    return Result(progress.step, share, finished, str(trainer.processes.device), pieces)


def packed_recipe(folder: Path, seed: int | None = None) -> Recipe:
    """The recipe of an unpacked training set, with another seed if one is given.

    Raises:
        TrainingError: The set is not whole.
        RecipeError: The recipe is damaged.
    """
    archives.check_whole(folder)
    found = [path for path in sorted(folder.glob("*.toml")) if path.name != "profile.toml"]
    if len(found) != 1:
        raise TrainingError(f"{folder} holds no training set; unpack all of its pieces there.")
    recipe = load_recipe(str(found[0]))
    if seed is None or seed == recipe.seed:
        return recipe
    return replace(recipe, seed=seed, samples=())


# --- what is left of a piece, and taken up again ------------------------------------------------


def leave(run: Path, out: Path, *, state: str, limit: int) -> tuple[Piece, ...]:
    """Write the result of a run, and what it needs to go on, as archives.

    Args:
        run: Folder of the run.
        out: Where the archives go, in the place of what is there.
        state: How the checkpoint is left: one of `STATES`, or "none" of a finished run.
        limit: The most bytes of an archive.

    Raises:
        TrainingError: The disk is full, or the checkpoint damaged.
    """
    shutil.rmtree(out, ignore_errors=True)
    shipped = sorted(path for path in (run / "adapter").rglob("*") if path.is_file())
    names = [LOG, "profile.toml", *(path.relative_to(run).as_posix() for path in shipped)]
    if state != "none":
        names.append(OBJECTS)
    entries = [Entry.of(name, run / name) for name in names if (run / name).is_file()]
    if state != "none":
        shrunk = io.BytesIO()
        torch.save(shrink(_load(run / CHECKPOINT), state), shrunk)
        entries.append(Entry(CHECKPOINT, shrunk.getvalue))
    return tuple(archives.pack(entries, out, limit).pieces)


def take_up(out: Path, run: Path) -> None:
    """Make a run's folder of what a piece left.

    Raises:
        TrainingError: Something is missing or damaged; one plain sentence.
    """
    missing = archives.unpack(out, run).missing
    if missing:
        raise TrainingError(f"Of the pieces in {out}, {', '.join(missing)} is missing.")
    (run / archives.UNPACKED).unlink()
    if (run / CHECKPOINT).is_file():
        torch.save(restore(_load(run / CHECKPOINT)), run / CHECKPOINT)


def shrink(saved: Mapping[str, Any], state: str) -> dict[str, Any]:
    """A checkpoint in fewer bytes.

    Weights, and their mean if there is one, as float16, 2 bytes each: an update of the usual rates
    is a hundred times what rounding changes. "half" keeps the moments of Adam as bfloat16, which
    has the range that squares need (4 bytes more); "weights" leaves them away: they remember
    10 and 50 steps (betas .9 and .98). "exact" changes nothing.
    """
    if state == "exact":
        return dict(saved)
    shrunk = {**saved, **{key: _cast(saved[key], torch.float16) for key in ("weights", "average")}}
    optimizer = dict(saved["optimiser"])
    kept = {} if state == "weights" else optimizer["state"]
    optimizer["state"] = {
        number: {key: _moment(key, value) for key, value in moments.items()}
        for number, moments in kept.items()
    }
    return {**shrunk, "optimiser": optimizer}


def restore(saved: Mapping[str, Any]) -> dict[str, Any]:
    """A checkpoint as the trainer wrote it, of what `shrink` made; all is float32 again."""
    parts = {key: _cast(saved[key], torch.float32) for key in ("weights", "average")}
    optimizer = dict(saved["optimiser"])
    optimizer["state"] = {
        number: _cast(moments, torch.float32) for number, moments in optimizer["state"].items()
    }
    return {**saved, **parts, "optimiser": optimizer}


def _cast(tensors: Mapping[str, Any], dtype: torch.dtype) -> dict[str, Any]:
    return {
        key: value.to(dtype) if isinstance(value, Tensor) and value.is_floating_point() else value
        for key, value in tensors.items()
    }


def _moment(key: str, value: Any) -> Any:
    return value.to(torch.bfloat16) if key.startswith("exp_avg") else value


def _load(path: Path) -> dict[str, Any]:
    try:
        saved: dict[str, Any] = torch.load(path, "cpu", weights_only=True)
    except Exception as error:  # whatever unpickling trips over
        raise TrainingError(f"The checkpoint {path} is damaged.") from error
    return saved


# --- commands -----------------------------------------------------------------------------------


def main() -> int:
    """Pack, unpack or train; returns the exit status: 0, or 3 for a run that is to go on."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    commands = parser.add_subparsers(dest="command", required=True)
    packing = commands.add_parser("pack")
    packing.add_argument("recipe", help="name or TOML file")
    packing.add_argument("--data", type=Path, required=True, help="the data folder")
    packing.add_argument("--to", type=Path, required=True, help="folder of the pieces")
    packing.add_argument("--megabytes", type=float, default=60, help="most of a piece")
    packing.add_argument("--quality", type=int, default=QUALITY, help="of JPEG; 0: as photos are")
    joining = commands.add_parser("unpack")
    joining.add_argument("--pieces", type=Path, required=True)
    joining.add_argument("--to", type=Path, required=True, help="folder of the training set")
    training = commands.add_parser("train")
    training.add_argument("set", type=Path, help="what was unpacked")
    training.add_argument("--run", type=Path, required=True, help="folder of the run")
    training.add_argument("--out", type=Path, required=True, help="what is left goes there")
    training.add_argument("--from", type=Path, dest="before", help="what an earlier piece left")
    training.add_argument("--minutes", type=float, default=8.0)
    training.add_argument("--seed", type=int)
    training.add_argument("--state", choices=STATES, default="weights", help="of a checkpoint")
    training.add_argument("--megabytes", type=float, default=60, help="most of a piece")
    training.add_argument("--no-adapter", action="store_true", help="only of a finished run")
    training.add_argument("--features", type=Path, help="folder of encoded photos")
    options = parser.parse_args()
    return {"pack": _pack, "unpack": _unpack, "train": _train}[options.command](options)


def _pack(options: argparse.Namespace) -> int:
    def done(piece: Piece) -> None:
        print(f"{piece.file}: {piece.size / MEGABYTE:.1f} MB", flush=True)

    wanted = TrainingSet(load_recipe(options.recipe), options.data.resolve(), options.quality)
    limit = round(options.megabytes * MEGABYTE)
    entries = wanted.entries(options.to.with_name(options.to.name + "-wheels"))
    manifest = archives.pack(entries, options.to, limit, wanted.facts, done)
    total = sum(piece.size for piece in manifest.pieces)
    print(f"{len(manifest.pieces)} pieces, {total / MEGABYTE:.0f} MB, {len(entries):,} files")
    return 0


def _unpack(options: argparse.Namespace) -> int:
    found = archives.unpack(options.pieces, options.to)
    print(f"{found.done} pieces are unpacked.")
    if found.missing:
        print(f"Still to come: {', '.join(found.missing)}")
    else:
        print(f"The training set in {options.to} is whole.")
    return 0


def _train(options: argparse.Namespace) -> int:
    def report(said: StepReport) -> None:
        print(
            f"step {said.step} of {said.steps}, loss {said.loss:.3f}, "
            f"{said.examples_per_second:.1f} texts a second, {said.seconds:.0f} s",
            flush=True,
        )
        for sample in said.samples:
            print(f"  {sample}", flush=True)

    result = train_piece(
        options.set, options.run, options.out, options.minutes,
        before=options.before, seed=options.seed, state=options.state,
        limit=round(options.megabytes * MEGABYTE), exports=not options.no_adapter,
        features=options.features, report=report,
    )  # fmt: skip
    total = sum(piece.size for piece in result.pieces)
    print(
        f"{result.step} steps on {result.device}, {100 * result.share:.0f} % of the run; "
        f"{len(result.pieces)} pieces, {total / MEGABYTE:.1f} MB, are in {options.out}."
    )
    if not result.finished:
        print(f"Go on with --from {options.out}.")
    return 0 if result.finished else 3


if __name__ == "__main__":
    sys.exit(one_sentence(main))
