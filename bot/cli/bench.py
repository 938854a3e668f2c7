"""`glimpse bench`: how fast things are on this machine."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from bot.cli.context import AppContext, data_option, profile_option, standard
from bot.cli.terminal import busy

if TYPE_CHECKING:
    from finetune.benchmark import Round, Throughput

# Of `bot.benchmarks.peer_models.all_kinds`, which takes long to import.
PEERS = ("glimpse", "glimpse-torch", "clip-gpt2", "clip-pythia", "git", "blip", "smolvlm")
WRITTEN = click.Path(dir_okay=False, path_type=Path)
PAUSE = 20.0  # seconds; twenty people then keep two cores busy half of the time


json_file = click.option(
    "--json", "json_to", type=WRITTEN, metavar="FILE", help="Also write all figures to a file."
)


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
def train(app: AppContext, recipe: str, *, data: Path, rounds: int) -> None:
    """Time `glimpse train RECIPE` beside a plain loop of transformers' Trainer and peft.

    Both learn the same texts about the same pictures, in turns, in one process.
    """
    from finetune.config import load_recipe

    chosen = load_recipe(recipe)
    app.prepare_base(chosen.profile)
    with busy("Comparing"):
        from finetune.benchmark import compare, median

        found = compare(chosen, data, rounds)
    click.echo("\n".join(_lines(found, median(found))))


@bench.command(
    epilog="Example: glimpse bench chat --people 20",
    short_help="Let many people talk at once.",
)
@click.argument("photos", nargs=-1, type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--people", type=click.IntRange(1, 200), default=20, help="How many. [default: 20]")
@click.option(
    "--rounds", type=click.IntRange(1, 1000), default=3, help="Photos of each. [default: 3]"
)
@profile_option
@standard
@click.pass_obj
def chat(
    app: AppContext, photos: tuple[Path, ...], *, people: int, rounds: int, profile: str | None
) -> None:
    """Measure how long people wait for answers who all talk at once.

    Each sends a photo, then asks three questions about it one after the other, without ever
    pausing. The photos are parts of PHOTOS, or of Glimpse's own samples.
    """
    import asyncio

    from bot.assistant.assistant import Assistant
    from bot.assistant.conversations import Conversations
    from bot.benchmarks.chat_latency import distinct_photos, measure_latency

    shown = distinct_photos(photos or _samples(), people)
    with app.engine(profile) as engine, busy("Talking"):
        assistant = Assistant(engine, conversations=Conversations(conversations=people))
        found = asyncio.run(measure_latency(assistant, shown, rounds))
    middle, late = found.percentile(0.5), found.percentile(0.95)
    click.echo(
        f"{people} people at once, {len(found.waits)} messages, {found.lost} without an answer\n"
        f"waited      {middle:.2f} s in the middle, {late:.2f} s at the 95th "
        f"percentile, {max(found.waits):.2f} s at most\n"
        f"answered    {len(found.waits) / found.seconds:.1f} messages a second\n"
        f"event loop  stood still for {1000 * max(found.stalls):.0f} ms at most"
    )
    if found.lost:
        raise SystemExit(1)


@bench.command(
    epilog="Example: glimpse bench bot --people 2000 --rate 50",
    short_help="Let a crowd use the bot, with the model elsewhere.",
)
@click.argument("photos", nargs=-1, type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option(
    "--people", type=click.IntRange(1, 100_000), default=2000, help="How many. [default: 2000]"
)
@click.option(
    "--rate", type=click.FloatRange(0.1, 1000), default=25.0,
    help="Messages a second, of all together. [default: 25]",
)  # fmt: skip
@click.option(
    "--seconds", type=click.FloatRange(1, 3600), default=60.0, help="For how long. [default: 60]"
)
@click.option(
    "--thinking", type=click.FloatRange(0, 60), default=2.0,
    help="Seconds that the model takes. [default: 2]",
)  # fmt: skip
@standard
@click.pass_obj
def bot(
    _app: AppContext, photos: tuple[Path, ...], *, people: int, rate: float, seconds: float,
    thinking: float,
) -> None:  # fmt: skip
    """Measure what one process of the bot adds to the wait for a model on another machine.

    Telegram and the model's server are small ones on this computer. One message of four is a photo,
    parts of PHOTOS or of Glimpse's own samples. The bot runs on one core, if there are several.
    """
    import asyncio

    from bot.benchmarks.far_model import FarModelPlan, measure_far_model
    from bot.benchmarks.ledger import percentile
    from bot.benchmarks.process import BotNotStarted

    plan = FarModelPlan(photos or _samples(), people, rate, seconds, thinking)
    try:
        with busy("Talking"):
            found = asyncio.run(measure_far_model(plan))
    except BotNotStarted as error:
        raise click.ClickException(str(error)) from error
    middle, late = percentile(found.own, 0.5), percentile(found.own, 0.95)
    click.echo(
        f"{people} people, {found.sent} messages, {found.lost} without an answer\n"
        f"the bot's share  {1000 * middle:.0f} ms in the middle, {1000 * late:.0f} ms at the 95th "
        f"percentile\n"
        f"processor        {found.busy:.2f} cores for the bot, {found.decoding:.2f} for decoding\n"
        f"memory           {found.memory / 1e6:.0f} MB"
    )
    if found.lost:
        raise SystemExit(1)


@bench.command(
    name="log",
    epilog="Example: glimpse bench log --exchanges 100000",
    short_help="Write and read many exchanges.",
)
@click.option(
    "--exchanges", type=click.IntRange(1000, 100_000_000), default=1_000_000,
    help="How many. [default: 1000000]",
)  # fmt: skip
@standard
@click.pass_obj
def log_(_app: AppContext, *, exchanges: int) -> None:
    """Measure a log of many exchanges, in a temporary folder: writing, searching, figures."""
    import tempfile

    from bot.benchmarks.log_throughput import measure_log as write_and_read

    with tempfile.TemporaryDirectory() as folder, busy("Writing"):
        found = write_and_read(Path(folder) / "log.db", exchanges)
    click.echo(
        f"wrote    {found.rate:,.0f} of {exchanges:,} exchanges a second, {found.size:.0f} MB\n"
        f"record   {1e6 * found.recording:.0f} µs of who answers, at the 99th percentile\n"
        f"search   {found.rare:.3f} s for a rare word, {found.frequent:.3f} s for a frequent one\n"
        f"stats    {found.stats:.2f} s\n"
        f"erase    {found.forgetting:.2f} s for one person, {found.purging:.2f} s for a day"
    )


@bench.command(
    epilog="Example: glimpse bench soak --minutes 60",
    short_help="Let many people use the bot for long, while things go wrong.",
)
@click.argument("photos", nargs=-1, type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option(
    "--minutes", type=click.FloatRange(0.2, 1440), default=60.0, help="How long. [default: 60]"
)
@click.option("--people", type=click.IntRange(1, 200), default=20, help="How many. [default: 20]")
@click.option(
    "--pause",
    type=click.FloatRange(0.1, 600),
    default=PAUSE,
    help=f"Seconds that each waits after an answer, in the middle. [default: {PAUSE:g}]",
)
@click.option("--seed", type=int, default=0, help="Of what is chosen by chance. [default: 0]")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@profile_option
@standard
@click.pass_obj
def soak(
    app: AppContext, photos: tuple[Path, ...], *, minutes: float, people: int, pause: float,
    seed: int, as_json: bool, profile: str | None,
) -> None:  # fmt: skip
    """See whether anybody is forgotten, or memory grows, when many people use the bot for long.

    It is started as `glimpse run`, with small servers in place of Telegram and Discord. People
    write there and on the chat page; photos are parts of PHOTOS, or of Glimpse's own samples, in
    every format, bad files among them; the platforms fail now and then. In the end the bot is
    stopped while everybody waits. Exit status 1 means that something was not as it should be.
    """
    import asyncio
    import json

    from bot.benchmarks.process import BotNotStarted
    from bot.benchmarks.soak import SoakPlan, report_json, report_text, run_soak

    chosen = profile or app.settings.profile
    app.prepare_base(chosen)
    plan = SoakPlan(photos or _samples(), minutes, people, pause, seed, chosen)
    try:
        found = asyncio.run(run_soak(plan, lambda said: click.echo(said, err=True)))
    except BotNotStarted as error:
        raise click.ClickException(str(error)) from error
    click.echo(json.dumps(report_json(plan, found)) if as_json else report_text(plan, found))
    if not found.passed:
        raise SystemExit(1)


@bench.command(
    epilog="Example: glimpse bench peers --only glimpse --only clip-gpt2",
    short_help="Compare answering with well-known shapes.",
)
@click.option(
    "--only", multiple=True, type=click.Choice(PEERS), metavar="NAME",
    help=f"Measure this one; several are allowed: {', '.join(PEERS)}. [default: all]",
)  # fmt: skip
@click.option(
    "--rounds", type=click.IntRange(1, 1000), default=5, help="Turns of each. [default: 5]"
)
@json_file
@click.option(
    "--picture", type=WRITTEN, metavar="FILE", help="Also draw a bar chart: a file for SVG."
)
@profile_option
@standard
@click.pass_obj
def peers(
    app: AppContext, *, only: tuple[str, ...], rounds: int, json_to: Path | None,
    picture: Path | None, profile: str | None,
) -> None:  # fmt: skip
    """Time captions, answers and follow-ups of Glimpse beside plain programs of transformers.

    Those have the shapes of well-known models and random weights, so that nothing is fetched for
    them. Every one writes the same number of tokens. It takes some minutes, and 10 GB of memory;
    where there is less, one is measured after the other.
    """
    from bot.benchmarks.peers import (
        Comparison,
        enough_memory,
        measure_peers,
        report_json,
        report_picture,
        report_text,
    )

    _check_folders(json_to, picture)
    chosen, threads = profile or app.settings.profile, _threads(app)
    if not only or {"glimpse", "glimpse-torch"} & set(only):
        app.prepare_base(chosen, merged=True)
    with busy("Comparing") as progress:
        from bot.benchmarks.machine import this_machine
        from bot.benchmarks.peer_models import all_kinds

        kinds = all_kinds(chosen, app.settings.int8, progress)
        kinds = {name: kind for name, kind in kinds.items() if not only or name in only}
        together = enough_memory()
        timings = measure_peers(kinds, threads, rounds, together=together, progress=progress)
    found = Comparison(this_machine(threads), together, rounds, timings)
    click.echo(report_text(found))
    _write(json_to, report_json(found))
    _write(picture, report_picture(found))


@bench.command(
    epilog="Example: glimpse bench decode --rounds 10",
    short_help="Compare writing with what memory allows.",
)
@click.option(
    "--rounds", type=click.IntRange(1, 1000), default=5, help="Turns of each runtime. [default: 5]"
)
@json_file
@profile_option
@standard
@click.pass_obj
def decode(app: AppContext, *, rounds: int, json_to: Path | None, profile: str | None) -> None:
    """Time tokens of one row and of two guided rows, beside how fast memory can be read.

    For each token all weights of the language model are read. The tower, and 52 positions read at
    once, are timed, too; OpenVINO and PyTorch take turns.
    """
    from bot.benchmarks.decoding import (
        OpenVinoRuntime,
        Runtime,
        TorchRuntime,
        measure_decoding,
        report_json,
        report_text,
    )

    _check_folders(json_to)
    chosen, threads = profile or app.settings.profile, _threads(app)
    app.prepare_base(chosen, merged=True)
    with busy("Measuring") as progress:
        from bot.benchmarks.machine import this_machine
        from model.config import load_profile

        arguments = load_profile(chosen), threads, app.settings.int8, progress
        runtimes: list[Runtime] = [OpenVinoRuntime(*arguments), TorchRuntime(*arguments)]
        found = measure_decoding(runtimes, rounds, progress=progress)
    machine = this_machine(threads)
    click.echo(report_text(machine, found))
    _write(json_to, report_json(machine, found))


def _check_folders(*paths: Path | None) -> None:
    """See that files can be written before minutes are spent on what they will hold."""
    for path in paths:
        if path and not path.absolute().parent.is_dir():
            raise click.BadParameter(f"There is no folder {path.parent}.")


def _threads(app: AppContext) -> int:
    from model.runtime import usable_cores

    return app.settings.threads or usable_cores()


def _write(path: Path | None, text: str) -> None:
    if path:
        path.write_text(text, encoding="utf-8")


def _samples() -> list[Path]:
    return sorted((Path(__file__).parents[2] / "data/samples").glob("*.jpg"))


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


def _per_text(pace: Throughput) -> float:
    return pace.positions / pace.texts
