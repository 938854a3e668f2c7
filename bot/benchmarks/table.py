"""What a soak found, as a table for people and as JSON for machines."""

from __future__ import annotations

from collections import Counter
from dataclasses import asdict
from typing import Any

from bot.benchmarks.faults import __doc__ as _ABOUT_FAULTS
from bot.benchmarks.ledger import Outcome, Tally
from bot.benchmarks.resources import Check, Sample
from bot.benchmarks.soak import Plan, Result

_COUNTED = (Outcome.ANSWERED, Outcome.REFUSED, Outcome.APOLOGISED, Outcome.SILENT, Outcome.LEFT)
_VERDICTS = {True: "ok", False: "FAILED", None: "?"}
_MOST_RECORDS = 12


def as_text(plan: Plan, result: Result) -> str:
    """The table, and below it what a reader has to know of it."""
    rows = {name: _row(each) for name, each in result.tallies.items()}
    heads = ["", *next(iter(rows.values()))]
    lines = [
        f"{plan.people} people for {plan.minutes:g} minutes, who wait {plan.pause:g} s between "
        f"an answer and what they do next, in the middle",
        "",
        *_aligned([heads, *([name, *map(str, row.values())] for name, row in rows.items())]),
        "",
        *(f"{check.name:16} {_VERDICTS[check.ok]:6} {check.detail}" for check in result.checks),
        _cache(result),
        "",
        f"{result.faults.total()} faults",
        *(f"  {count:3} {name}" for name, count in sorted(result.faults.items())),
    ]
    for name, each in result.tallies.items():
        for what in ("lost", "doubled", "wrong"):
            kinds: Counter[str] = getattr(each, what)
            lines += [f"{name}, {what}: {count} {kind}" for kind, count in sorted(kinds.items())]
    lines += ["", "What the bot wrote for its operator:"]
    lines += [f"  {count:4} {said}" for said, count in result.records.most_common(_MOST_RECORDS)]
    lines += ["", _left_out(), "", "passed" if result.passed else "FAILED"]
    return "\n".join(lines)


def as_json(plan: Plan, result: Result) -> dict[str, Any]:
    """The same, with nothing left out."""
    return {
        "minutes": plan.minutes,
        "people": plan.people,
        "pause": plan.pause,
        "seed": plan.seed,
        "platforms": {
            name: {
                **_row(each),
                "lost_kinds": dict(each.lost),
                "doubled_kinds": dict(each.doubled),
                "wrong_kinds": dict(each.wrong),
            }
            for name, each in result.tallies.items()
        },
        "checks": {check.name: _check(check) for check in result.checks},
        "prefix_cache_full_after": result.full,
        "faults": dict(result.faults),
        "log": dict(result.records),
        "samples": [_sample(each, result.samples[0].at) for each in result.samples],
        "passed": result.passed,
    }


def _row(found: Tally) -> dict[str, Any]:
    counts = {outcome.value: found.outcomes[outcome] for outcome in _COUNTED}
    return {
        "messages": found.messages,
        **counts,
        "lost": found.lost.total(),
        "double": found.doubled.total(),
        "crashed": found.crashed,
        "wrong": found.wrong.total() + found.unexcused,
        "p50 s": round(found.wait(0.5), 2),
        "p95 s": round(found.wait(0.95), 2),
        "max s": round(found.wait(1.0), 2),
    }


def _aligned(rows: list[list[str]]) -> list[str]:
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return [
        "  ".join(
            cell.ljust(width) if place == 0 else cell.rjust(width)
            for place, (cell, width) in enumerate(zip(row, widths, strict=True))
        )
        for row in rows
    ]


def _cache(result: Result) -> str:
    if result.full is None:
        return "The prefix cache was never full."
    if result.full == 0:
        return "The prefix cache was full before the time began."
    return f"The prefix cache was full after {result.full:.0f} s."


def _left_out() -> str:
    """What the faults leave out."""
    return " ".join((_ABOUT_FAULTS or "").partition("\n\n")[2].split())


def _sample(sample: Sample, start: float) -> dict[str, Any]:
    return {**asdict(sample), "at": round(sample.at - start, 1)}


def _check(check: Check) -> dict[str, Any]:
    return {"ok": check.ok, "detail": check.detail}
