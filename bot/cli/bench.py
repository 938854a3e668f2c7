"""`glimpse bench`: how fast things are on this machine."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from bot.cli.desk import Desk, busy, data_option, prepare_base, standard

if TYPE_CHECKING:
    from finetune.race import Pace, Round


@click.group(
    epilog="Example: glimpse bench train starter --data ~/datasets",
    short_help="Measure how fast things are on this machine.",
)
def bench() -> None:
    """Measure how fast things are on this machine."""


@bench.command(
    epilog="Example: glimpse bench train starter --data ~/datasets",
    short_help="Compare training with a plain loop.",
)
@click.argument("recipe")
@data_option
@click.option(
    "--rounds", type=click.IntRange(1, 100), default=3, help="Turns of each. [default: 3]"
)
@standard
@click.pass_obj
def train(desk: Desk, recipe: str, *, data: Path, rounds: int) -> None:
    """Time `glimpse train RECIPE` beside a plain loop of transformers' Trainer and peft.

    Both learn the same texts about the same pictures, in turns, in one process.
    """
    from finetune.recipe import load_recipe

    chosen = load_recipe(recipe)
    os.environ.update(desk.settings.environment())
    prepare_base(chosen.profile)
    with busy("Comparing"):
        from finetune.race import median, race

        found = race(chosen, data, rounds)
    click.echo("\n".join(_lines(found, median(found))))


def _lines(rounds: Sequence[Round], middle: Round) -> Iterator[str]:
    yield f"{'':15} texts/s   positions/text   positions/s"
    for name, pace in (("plain loop", middle.plain), ("glimpse train", middle.ours)):
        yield (
            f"{name:15} {pace.speed:7.2f}   {_per_text(pace):14.1f}   "
            f"{pace.positions / pace.seconds:11.0f}"
        )
    each = ", ".join(f"{one.times:.2f}" for one in rounds)
    fewer = _per_text(middle.plain) / _per_text(middle.ours)
    yield (
        f"{middle.times:.2f} times as fast (rounds: {each}): {fewer:.2f} times, since texts share "
        f"prefixes and rows; {middle.times / fewer:.2f} times, since a position takes less."
    )


def _per_text(pace: Pace) -> float:
    return pace.positions / pace.texts
