"""`glimpse check`: what is set up, and whether it works."""

from __future__ import annotations

import json
from dataclasses import asdict

import click

from bot.cli.check import NOTE, OK, PROBLEM, Finding, findings
from bot.cli.context import Desk, profile_option, standard
from bot.cli.failing import Failure

_COLOURS = {OK: "green", NOTE: "yellow", PROBLEM: "red"}


@click.command(epilog="Example: glimpse check", short_help="Say what is set up and works.")
@click.option("--json", "as_json", is_flag=True, help="Print everything as one JSON object.")
@profile_option
@standard
@click.pass_obj
def check(desk: Desk, as_json: bool, profile: str | None) -> None:
    """Say what is set up and whether it works, with a question to the model in the end.

    Nothing is downloaded. Exit status 1 if something that Glimpse needs is broken.
    """
    found: list[Finding] = []
    for finding in findings(desk, profile):
        found.append(finding)
        if not as_json:
            _show(finding)
    broken = [finding.name for finding in found if finding.state == PROBLEM]
    if as_json:
        rows = [asdict(finding) for finding in found]
        click.echo(json.dumps({"ok": not broken, "checks": rows}, indent=2))
    if broken:
        raise Failure(f"Glimpse does not work yet: see {', '.join(broken)}.")


def _show(finding: Finding) -> None:
    mark = click.style(f"{finding.state:8}", fg=_COLOURS[finding.state])
    advice = f" {finding.advice}" if finding.advice else ""
    detail = finding.detail + ("." if advice and not finding.detail.endswith(".") else "")
    click.echo(f"{mark}{finding.name:14}{detail}{advice}")
