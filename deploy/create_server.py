"""Makes a server at Hetzner from cloud-init.yaml, over Hetzner's own library (pip install hcloud).

    export HCLOUD_TOKEN=...            # of a project in the Hetzner Console, to read and write
    export GLIMPSE_TELEGRAM_TOKEN=...  # or GLIMPSE_DISCORD_TOKEN, or both
    python deploy/create_server.py create

`delete` takes the server away again, with everything on it.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import os
import re
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import click
import requests
from hcloud import APIException, Client, HCloudException
from hcloud.actions.domain import ActionException
from hcloud.firewalls.client import BoundFirewall
from hcloud.firewalls.domain import FirewallRule
from hcloud.locations.client import BoundLocation
from hcloud.server_types.client import BoundServerType
from hcloud.servers.client import BoundServer
from hcloud.ssh_keys.client import BoundSSHKey

HERE = Path(__file__).parent
IMAGE = "ubuntu-24.04"
LABELS = {"app": "glimpse"}
TOKENS = ("GLIMPSE_TELEGRAM_TOKEN", "GLIMPSE_DISCORD_TOKEN")
EVERYWHERE = ["0.0.0.0/0", "::/0"]
LARGEST = 32 * 1024  # bytes of a cloud config that Hetzner takes
PATIENCE = (10.0, 60.0)  # seconds to connect, and for an answer

REASONS = {
    "unauthorized": "Hetzner does not know this token; make one in the Console (Security, API "
    "tokens) and set HCLOUD_TOKEN.",
    "forbidden": "This token may not do that; make one that may read and write.",
    "token_readonly": "This token may only read; make one that may read and write.",
    "rate_limit_exceeded": "Hetzner asks to slow down: too many requests with this token. Try "
    "again in an hour.",
    "resource_unavailable": "Servers of this type are sold out there at the moment; try another "
    "--location or --type, or wait.",
    "placement_error": "Hetzner has no room for this type there at the moment; try another "
    "--location or --type, or wait.",
    "resource_limit_exceeded": "This account may not have more of these; ask Hetzner for a higher "
    "limit in the Console (Limits).",
    "uniqueness_error": "There is something of this name in the project already.",
    "maintenance": "Hetzner is being maintained; try again later.",
}

name_option = click.option(
    "--name", default="glimpse", show_default=True, help="Of the server and its firewall."
)


@click.group()
def main() -> None:
    """Make or delete a server for Glimpse at Hetzner."""


@main.command()
@name_option
@click.option("--type", "kind", default="cx23", show_default=True, help="cax11 is one with ARM.")
@click.option("--location", "place", default="nbg1", show_default=True, help="nbg1, fsn1, hel1...")
@click.option("--repository", default="", help="To clone from. [default: where origin is]")
@click.option("--image", default="", help="An image to pull, rather than to build it there.")
@click.option(
    "--ssh-key", "key_path", type=click.Path(dir_okay=False, path_type=Path),
    default="~/.ssh/id_ed25519.pub", show_default=True, help="Your public key.",
)  # fmt: skip
@click.option("--https", is_flag=True, help="Open port 443, for the webhook or the chat page.")
@click.option("--backups", is_flag=True, help="Let Hetzner copy the disk daily (a fifth more).")
@click.option("--dry-run", is_flag=True, help="Print the cloud config, with tokens masked.")
def create(
    *, name: str, kind: str, place: str, repository: str, image: str, key_path: Path, https: bool,
    backups: bool, dry_run: bool,
) -> None:  # fmt: skip
    """Make a server on which Glimpse sets itself up."""
    tokens = {token: os.environ.get(token, "").strip() for token in TOKENS}
    config = cloud_config(tokens, repository or origin(), image)
    if dry_run:
        click.echo(masked(config, tokens))
        return
    if not any(tokens.values()):
        click.echo("No token is set; put one into .env on the server later.", err=True)
    public_key = read_key(key_path.expanduser())
    with plain_errors():
        client = connect()
        if client.servers.get_by_name(name):
            raise click.ClickException(
                f"There is a server called {name} already; choose another --name, or delete it."
            )
        server_type, location = find(client, kind, place)
        system = client.images.get_by_name_and_architecture(IMAGE, server_type.architecture)
        if system is None:
            raise click.ClickException(f"Hetzner does not offer {IMAGE} for {kind}.")
        arguments = {
            "name": name, "server_type": server_type, "location": location, "labels": LABELS,
            "image": system, "ssh_keys": [upload_key(client, public_key, name)],
            "firewalls": [make_firewall(client, name, https)], "user_data": config,
        }  # fmt: skip
        click.echo(f"Making {name} ({kind} in {place}{price(server_type, place)})...")
        made = client.servers.create(**arguments)
        for action in (made.action, *made.next_actions):
            action.wait_until_finished()
        if backups:
            made.server.enable_backup().wait_until_finished()
        made.server.reload()
    click.echo(next_steps(made.server))


@main.command()
@name_option
def delete(name: str) -> None:
    """Delete the server and its firewall, with the log and the keys on it."""
    with plain_errors():
        client = connect()
        server = client.servers.get_by_name(name)
        if server is None:
            raise click.ClickException(f"There is no server called {name}.")
        if server.labels.get("app") != LABELS["app"]:
            raise click.ClickException(f"{name} was not made by this script; it stays.")
        click.echo("Everything on it is lost: the log, its backups there, and the keys in .env.")
        if click.prompt(f"Type the server's name to delete {address(server)}") != name:
            raise click.ClickException("That is another name; nothing was deleted.")
        server.delete().wait_until_finished()
        firewall = client.firewalls.get_by_name(name)
        if firewall is not None and firewall.labels.get("app") == LABELS["app"]:
            firewall.delete()
    click.echo(f"{name} is deleted, and costs nothing more.")


# --- the cloud config ------------------------------------------------------------------------


def cloud_config(tokens: dict[str, str], repository: str, image: str) -> str:
    """Fill the values into cloud-init.yaml.

    Raises:
        click.ClickException: A value that cannot stand there.
    """
    values = {**tokens, "REPOSITORY": repository}
    if image:
        values["GLIMPSE_IMAGE"] = image
    text = (HERE / "cloud-init.yaml").read_text(encoding="utf-8")
    for name, value in values.items():
        if re.search(r"[^\x21-\x7e]", value):
            raise click.ClickException(f"{name} must not have spaces or line breaks in it.")
        line = re.compile(rf"^(\s+)(?:# )?{name}=.*$", re.MULTILINE)
        text, count = line.subn(lambda found, n=name, v=value: f"{found[1]}{n}={v}", text)
        assert count == 1, name  # tests/deploy looks after cloud-init.yaml
    if len(text.encode()) > LARGEST:
        raise click.ClickException("The cloud config is larger than the 32 KiB that Hetzner takes.")
    return text


def masked(config: str, tokens: dict[str, str]) -> str:
    """The same for the eyes of others: without tokens, or a password in an address."""
    for name, token in tokens.items():
        if token:
            config = config.replace(f"{name}={token}", f"{name}=********")
    return re.sub(r"://[^/@\s]+@", "://********@", config)


def origin() -> str:
    """Where this clone came from, as an address that a server can clone without a key.

    Raises:
        click.ClickException: That cannot be told.
    """
    done = subprocess.run(
        ["git", "-C", HERE, "remote", "get-url", "origin"],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    url = done.stdout.strip()
    found = re.fullmatch(r"(?:ssh://)?git@([^:/]+)[:/](.+)", url)
    if found:
        url = f"https://{found[1]}/{found[2]}"
    if not url.startswith("https://"):
        raise click.ClickException(
            "Where a server can clone this repository is not known; name it with --repository "
            "https://..."
        )
    return url


# --- at Hetzner ------------------------------------------------------------------------------


def connect() -> Client:
    """A client with the token of the environment."""
    token = os.environ.get("HCLOUD_TOKEN", "").strip()
    if not token:
        raise click.ClickException(
            "Set HCLOUD_TOKEN: in the Hetzner Console, open your project, Security, API tokens."
        )
    endpoint = os.environ.get("HCLOUD_ENDPOINT", "https://api.hetzner.cloud/v1")
    return Client(token, api_endpoint=endpoint, application_name="glimpse", timeout=PATIENCE)


def find(client: Client, kind: str, place: str) -> tuple[BoundServerType, BoundLocation]:
    """The type and the location, as far as there are servers of that type there."""
    location = client.locations.get_by_name(place)
    if location is None:
        known = ", ".join(sorted(each.name for each in client.locations.get_all()))
        raise click.ClickException(f"There is no location {place}; there are {known}.")
    server_type = client.server_types.get_by_name(kind)
    if server_type is None:
        raise click.ClickException(
            f"There is no server type {kind}; cx23 and cax11 have the 4 GB that Glimpse needs."
        )
    places = [each["location"] for each in server_type.prices]
    if place not in places:
        raise click.ClickException(f"{kind} is not sold in {place}, but in {', '.join(places)}.")
    if server_type.memory < 4:
        raise click.ClickException(f"{kind} has {server_type.memory:g} GB; Glimpse needs 4.")
    return server_type, location


def price(server_type: BoundServerType, place: str) -> str:
    """What it costs, as Hetzner says at this moment."""
    for each in server_type.prices:
        if each["location"] == place:
            return f", {float(each['price_monthly']['net']):.2f} EUR a month without VAT and IPv4"
    return ""


def read_key(path: Path) -> str:
    """A public key of OpenSSH."""
    try:
        text = path.read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError):
        text = ""
    if not re.match(r"(ssh-|ecdsa-|sk-)\S+ \S+", text):
        raise click.ClickException(
            f"{path} holds no public key; make one with ssh-keygen -t ed25519, or name it with "
            "--ssh-key."
        )
    return text


def upload_key(client: Client, key: str, name: str) -> BoundSSHKey:
    """The key as Hetzner knows it, uploaded if it does not yet."""
    try:
        digest = hashlib.md5(base64.b64decode(key.split()[1]), usedforsecurity=False).hexdigest()
    except binascii.Error:
        raise click.ClickException("The public key is damaged.") from None
    fingerprint = ":".join(re.findall("..", digest))
    found = client.ssh_keys.get_by_fingerprint(fingerprint)
    label = f"{name}-{digest[:8]}"
    return found or client.ssh_keys.create(name=label, public_key=key, labels=LABELS)


def make_firewall(client: Client, name: str, https: bool) -> BoundFirewall:
    """One that lets in ssh, ping, and 443 if wanted; unlike ufw, it holds for Docker, too."""
    rules = [
        FirewallRule("in", "tcp", EVERYWHERE, port, description=said)
        for port, said in [("22", "ssh"), *([("443", "https")] if https else [])]
    ]
    rules.append(FirewallRule("in", "icmp", EVERYWHERE, description="ping"))
    firewall = client.firewalls.get_by_name(name)
    if firewall is None:
        return client.firewalls.create(name=name, rules=rules, labels=LABELS).firewall
    if (firewall.labels or {}).get("app") != LABELS["app"]:
        raise click.ClickException(
            f"There is a firewall {name} already, not of this script; choose another --name."
        )
    for action in firewall.set_rules(rules):
        action.wait_until_finished()
    return firewall


def address(server: BoundServer) -> str:
    """Its public address."""
    public = server.public_net
    if public.ipv4 is not None:
        return str(public.ipv4.ip)
    return str(public.ipv6.ip).replace("::/64", "::1")


def next_steps(server: BoundServer) -> str:
    """What to do now."""
    where = address(server)
    return f"""{server.name} runs at {where}. It sets itself up, which takes some ten minutes:

    ssh root@{where} tail -f /var/log/glimpse-setup.log

When that says "Glimpse is ready", write to your bot. Then keep a copy of the keys elsewhere:

    ssh root@{where} cat /opt/glimpse/deploy/.env"""


@contextmanager
def plain_errors() -> Iterator[None]:
    """Say what went wrong in a sentence, never with a token in it."""
    try:
        yield
    except APIException as error:
        known = REASONS.get(str(error.code))
        said = known or f"Hetzner refused: {error.message} ({error.code})."
        raise click.ClickException(said) from error
    except ActionException as error:
        reason = error.action.error or {}
        known = REASONS.get(str(reason.get("code")))
        said = known or f"Hetzner could not finish: {reason.get('message', 'it took too long')}."
        raise click.ClickException(f"{said} Look into the Console.") from error
    except requests.RequestException as error:
        raise click.ClickException("Hetzner cannot be reached; is there a network?") from error
    except HCloudException as error:
        raise click.ClickException("Hetzner gave an answer that cannot be read.") from error


if __name__ == "__main__":
    main()
