"""`glimpse health`: asks a running Glimpse how it is."""

from __future__ import annotations

import json
from http.client import HTTPException
from typing import Any

import click

from bot.cli.context import Desk, standard
from bot.cli.failing import Failure
from bot.settings import Settings

PATIENCE = 5.0  # seconds
MOST = 65_536  # bytes of an answer


@click.command(
    epilog="Example: glimpse health", short_help="Ask whether a running Glimpse is well."
)
@click.option(
    "--url", metavar="URL", help="Of its health server. [default: as GLIMPSE_HEALTH_PORT says]"
)
@click.option("--live", is_flag=True, help="Only ask whether it lives, not whether it is ready.")
@standard
@click.pass_context
def health(context: click.Context, url: str | None, live: bool) -> None:
    """Ask a running Glimpse whether it can answer people; the exit status is 0 or 1."""
    desk = context.find_object(Desk) or Desk()
    base = url.rstrip("/") if url else _address(desk.settings)
    if not base.startswith(("http://", "https://")):
        raise click.UsageError("--url has to be an address like http://127.0.0.1:8081")
    status, told = _ask(base + ("/healthz" if live else "/readyz"))
    if live:
        well = status == 200
        said = "Glimpse lives." if well else "Glimpse stands still; restart it."
    else:
        well, said = status == 200, _summary(told)
    click.echo(said)
    context.exit(0 if well else 1)


def _address(settings: Settings) -> str:
    """Where the health server of these settings is reached from this computer."""
    if not settings.health_port:
        raise click.UsageError("No health server is set up; set GLIMPSE_HEALTH_PORT, or use --url")
    host = settings.health_host
    host = {"": "127.0.0.1", "0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host)
    return f"http://{f'[{host}]' if ':' in host else host}:{settings.health_port}"


def _ask(url: str) -> tuple[int, dict[str, Any]]:
    """The status and the JSON that an address answers.

    Raises:
        Failure: Nothing answers there, or something else than Glimpse.
    """
    from urllib.error import HTTPError
    from urllib.request import ProxyHandler, build_opener

    opener = build_opener(ProxyHandler({}))  # no proxy stands before this computer
    try:
        try:
            with opener.open(url, timeout=PATIENCE) as answer:
                status, body = answer.status, answer.read(MOST)
        except HTTPError as refusal:
            with refusal:
                status, body = refusal.code, refusal.read(MOST)
    except (OSError, HTTPException, ValueError) as error:
        raise Failure("Nothing answers there; is Glimpse running, with this port?") from error
    try:
        told = json.loads(body)
    except ValueError:
        told = None
    if status not in (200, 503) or not isinstance(told, dict):
        raise Failure("What answers there is not Glimpse; look after the address.")
    return status, told


def _summary(told: dict[str, Any]) -> str:
    """One line for all checks."""
    if told.get("ready"):
        return "Glimpse is ready."
    checks = told.get("checks")
    failed = [
        f"{name}: {check.get('detail', '')}"
        for name, check in (checks.items() if isinstance(checks, dict) else ())
        if isinstance(check, dict) and not check.get("ok")
    ]
    return "Glimpse is not ready: " + " ".join(failed or ["It does not say why."])
