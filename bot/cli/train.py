"""`glimpse train`: a new adapter from a recipe."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

import click

from bot.cli.context import Desk, busy, data_option, prepare_base, standard
from bot.cli.plan_talk import plan_lines
from bot.cli.team import has_team, is_member, leads, run_team
from bot.cli.training_talk import talk
from bot.errors import CommandError

if TYPE_CHECKING:
    from finetune.config import Recipe

_folder = click.Path(file_okay=False, path_type=Path)


@click.command(
    epilog="Example: glimpse train starter --data ~/datasets --run runs/first --processes 2",
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
    desk: Desk,
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
    if not (resume or dry_run or is_member()) and (run / "checkpoint.pt").exists():
        raise CommandError(f"{run} holds a run already; --resume it, or name another folder.")
    os.environ.update(desk.settings.environment())
    prepare_base(chosen.profile)
    if processes > 1 and not has_team():
        arguments = ["train", recipe, f"--data={data}", f"--run={run}"]
        arguments += [f"--features={features}"] if features else []
        arguments += ["--resume"] if resume else []
        arguments += ["--dry-run"] if dry_run else []
        run_team(processes, arguments)
        return
    if dry_run:
        _rehearse(chosen, data, run)
        return
    with busy("Starting"):
        from finetune.trainer import Trainer, TrainingError
    with talk() as (report, encoding):
        trainer = Trainer(chosen, data, run, features, report, encoding)
        for warning in trainer.warnings if trainer.team.leads else ():
            click.echo(f"Warning: {warning}", err=True)
        try:
            folder = trainer.train(resume=resume)
        except TrainingError as error:
            number = trainer.stopped_by
            raise CommandError(str(error), 1 if number is None else 128 + number) from error
    if trainer.team.leads:
        click.echo(f"The adapter is in {folder}.")
        click.echo(f"Try it: glimpse ask PHOTO QUESTION --profile {folder.parent / 'profile.toml'}")


def _rehearse(recipe: Recipe, data: Path, run: Path) -> None:
    """Say what a run would take."""
    with busy("Rehearsing"):
        from finetune.plan import plan

        found = plan(recipe, data, run)
    if leads():
        click.echo("\n".join(plan_lines(found)))
