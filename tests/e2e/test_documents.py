"""The documents tell the truth: their commands run, and what they name is there.

A block that no test can run has a comment before it that says why.
"""

from __future__ import annotations

import ast
import importlib.util
import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import fields
from pathlib import Path
from typing import Any

import click
import pytest
from documents import (
    PAGES,
    ROOT,
    Block,
    anchors,
    blocks,
    inline_code,
    links,
    name_of,
    prose,
    words_after,
)
from log_helpers import opened, record

from bot.cli.main import glimpse
from bot.settings import CONFIG, PREFIX, Settings
from model.cache import cache_folder
from model.pretrained import LANGUAGE_MODEL, TOWER, is_ready

BLOCKS = [block for page in PAGES for block in blocks(page)]
RUN = {name_of(page): [block for block in BLOCKS if block.page == page and not block.reason]
       for page in PAGES}  # fmt: skip
ASKING = re.compile(r"^glimpse (ask|caption|batch|eval|train|check)", re.MULTILINE)
PACKAGES = ("bot", "model", "data", "finetune")


# --- commands that are run -------------------------------------------------------------------

STUB = """#!{python}
# `glimpse` as it is, but for a training run of a few steps.
import sys
from dataclasses import replace
if sys.argv[1:2] == ["train"]:
    import finetune.config as config
    whole = config.load_recipe
    def load_recipe(name):
        recipe = whole(name)
        steps = dict(steps=4, mapper_steps=1, warmup_steps=1, pictures=2, checkpoint_steps=4)
        return replace(recipe, samples=(), schedule=replace(recipe.schedule, **steps))
    config.load_recipe = load_recipe
from bot.cli import main
sys.exit(main())
"""
MAKE = '#!/bin/sh\nexec {make} --dry-run --directory={root} "$@"\n'


@pytest.fixture
def sandbox(tmp_path: Path) -> dict[str, str]:
    """An environment in which commands see the repository, and write beside it."""
    here, programs = tmp_path / "glimpse", tmp_path / "bin"
    for folder in (here, programs, tmp_path / "home", here / ".venv/bin"):
        folder.mkdir(parents=True)
    (here / ".venv/bin/activate").touch()
    for name in ("data", "deploy", "docs", "finetune", "model", "notebooks"):
        (here / name).symlink_to(ROOT / name)
    make = shutil.which("make") or pytest.skip("make is not installed")
    texts = {"glimpse": STUB.format(python=sys.executable),
             "make": MAKE.format(make=make, root=ROOT)}  # fmt: skip
    for name, text in texts.items():
        (programs / name).write_text(text, encoding="utf-8")
        (programs / name).chmod(0o755)
    with opened(tmp_path / "log.db") as log:
        log.record(record(1))
    return os.environ | {
        "PATH": f"{programs}:{os.environ['PATH']}", "HOME": str(tmp_path / "home"),
        "PYTHONPATH": str(ROOT), "GLIMPSE_CACHE": str(cache_folder()), "GLIMPSE_PORT": "0",
        "GLIMPSE_LOG": str(tmp_path / "log.db"), "GLIMPSE_LOG_KEY": "secret",
        "GLIMPSE_THREADS": "1", "OMP_NUM_THREADS": "1",
    }  # fmt: skip


def run_block(block: Block, where: Path, environment: dict[str, str]) -> list[list[str]]:
    """Run a block as one script; gives the lines that each of its commands prints."""
    mark = "\x1e"
    lines = [f"{each.text}\nprintf '%s\\n' {mark}" for each in block.commands]
    done = subprocess.run(
        ["bash", "-e", "-c", "\n".join(lines)],
        cwd=where, env=environment, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, (name_of(block.page), done.stdout, done.stderr)
    return [part.splitlines() for part in done.stdout.replace(f"{mark}\n", mark).split(mark)][:-1]


def alike(shown: Any, found: Any, name: str = "") -> bool:
    """Whether values of JSON are the same, but for times and for what rounding changes."""
    if name == "seconds":
        return found is not None
    if isinstance(shown, dict) and isinstance(found, dict):
        return [*shown] == [*found] and all(alike(shown[k], found[k], k) for k in shown)
    if isinstance(shown, list) and isinstance(found, list):
        return len(shown) == len(found) and all(map(alike, shown, found))
    if isinstance(shown, float) and isinstance(found, float):
        return abs(shown - found) < 0.05
    return bool(shown == found)


def same_line(shown: str, found: str) -> bool:
    if shown.startswith("{"):
        return alike(json.loads(shown.replace("…", "null")), json.loads(found))
    return shown == found


@pytest.mark.timeout(900)  # on a busy machine
@pytest.mark.parametrize("page", [name for name, chosen in RUN.items() if chosen])
def test_the_commands_of_a_page_run_and_print_what_it_shows(
    page: str, sandbox: dict[str, str], tmp_path: Path
) -> None:
    texts = "\n".join(command.text for block in RUN[page] for command in block.commands)
    if ASKING.search(texts) and not (is_ready(LANGUAGE_MODEL) and is_ready(TOWER)):
        pytest.skip("needs `glimpse fetch`")
    for block in RUN[page]:
        printed = run_block(block, tmp_path / "glimpse", sandbox)
        for command, found in zip(block.commands, printed, strict=True):
            shown = [*command.output]
            assert not shown or len(shown) == len(found), (command.text, found)
            assert all(map(same_line, shown, found)), (command.text, found)


def test_blocks_are_found_and_reasons_are_reasons() -> None:
    assert sum(not block.reason for block in BLOCKS) > 6
    assert all(len(block.reason.split()) > 2 for block in BLOCKS if block.reason)
    marks = sum(page.read_text("utf-8").count("<!-- not run") for page in PAGES)
    meant = sum(bool(block.reason) for block in BLOCKS) + 1  # CONTRIBUTING.md shows one
    assert marks == meant  # none has lost its block


# --- commands that are named -----------------------------------------------------------------


def named_commands(program: str) -> Iterator[tuple[str, list[str]]]:
    """The words after a program's name in blocks and inline code, each with its page."""
    for block in BLOCKS:
        for command in block.commands:
            yield from (
                (name_of(block.page), words) for words in words_after(command.text, program)
            )
    for page in PAGES:
        for text in inline_code(page):
            yield from ((name_of(page), words) for words in words_after(text, program))


def option_names(command: click.Command) -> set[str]:
    own = {name for each in command.params for name in (*each.opts, *each.secondary_opts)}
    return {name for name in own if name.startswith("-")} | {"-h", "--help"}


def unknown_words(command: click.Command, words: list[str]) -> Iterator[str]:
    """Commands and options that do not exist; "a|b" stands for both."""
    words = list(words)
    if isinstance(command, click.Group) and words and re.match(r"\w", words[0]):
        for name in words[0].split("|"):
            if name in command.commands:
                yield from unknown_words(command.commands[name], words[1:])
            else:
                yield name
        return
    for word in words:
        if word.startswith("-") and word.partition("=")[0] not in option_names(command):
            yield word


def commands_of(command: click.Command) -> Iterator[click.Command]:
    yield command
    if isinstance(command, click.Group):
        for each in command.commands.values():
            yield from commands_of(each)


def test_every_command_of_glimpse_that_is_named_exists_with_its_options() -> None:
    named = [*named_commands("glimpse")]
    assert len(named) > 60
    wrong = [(page, words, bad) for page, words in named for bad in unknown_words(glimpse, words)]
    assert wrong == []


def test_unknown_commands_and_options_are_noticed() -> None:
    assert [*unknown_words(glimpse, ["log", "tail|serch", "--folow"])] == ["--folow", "serch"]
    assert [*unknown_words(glimpse, ["ask", "x.jpg", "What?", "--jsn"])] == ["--jsn"]
    assert [*unknown_words(glimpse, ["data", "shapes", "--to=x"])] == []


def test_options_in_the_text_of_docs_are_of_some_command() -> None:
    known = set().union(*map(option_names, commands_of(glimpse)))
    named = [(name_of(page), text.split()[0]) for page in PAGES if page.parent == ROOT / "docs"
             for text in inline_code(page) if text.startswith("--")]  # fmt: skip
    assert len(named) > 10
    # A page on a module of its own may name that module's options.
    sources = {name: "" for name, _ in named}
    for page, words in named_commands("python"):
        if words[:1] == ["-m"] and (spec := importlib.util.find_spec(words[1])) and spec.origin:
            sources[page] = Path(spec.origin).read_text(encoding="utf-8")
    assert [
        (name, option)
        for name, option in named
        if option not in known and f'"{option}"' not in sources[name]
    ] == []


def test_make_has_the_targets_that_are_named() -> None:
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    targets = set(re.findall(r"^([a-z][\w-]*):", makefile, re.MULTILINE))
    named = {words[0] for _, words in named_commands("make") if words}
    assert {"run", "test", "check", "notebooks"} <= named <= targets


def test_modules_and_scripts_that_are_named_exist_with_their_options() -> None:
    named = 0
    for page, words in named_commands("python"):
        if words[:1] == ["-m"] and not words[1].startswith(("ensurepip", "pip")):
            spec = importlib.util.find_spec(words[1])
            path = Path(spec.origin or "") if spec else ROOT / words[1]
        elif words and words[0].endswith(".py"):
            path = ROOT / words[0]
        else:
            continue
        source, named = path.read_text(encoding="utf-8"), named + 1
        for option in (word for word in words[1:] if word.startswith("--")):
            assert f'"{option}"' in source, (page, words)
    assert named > 4


# --- what else is named ----------------------------------------------------------------------


def test_links_lead_somewhere() -> None:
    broken = []
    for page in PAGES:
        for target, anchor in links(page):
            path = (page.parent / target).resolve() if target else page
            if not path.exists() or (anchor and anchor not in anchors(path)):
                broken.append((name_of(page), f"{target}#{anchor}"))
    assert broken == []


def test_the_readme_is_short_and_leads_to_every_page() -> None:
    text = PAGES[0].read_text(encoding="utf-8")
    assert len(text.split()) <= 700
    linked = {(ROOT / target).resolve() for target, _ in links(PAGES[0])}
    assert set(PAGES[1:]) - linked == set()


def test_figures_of_the_readme_are_those_of_the_model_card() -> None:
    card = (ROOT / "model/adapters/starter/README.md").read_text(encoding="utf-8").splitlines()
    section = PAGES[0].read_text(encoding="utf-8").partition("## How good is it?")[2]
    shown = [line for line in section.partition("\n## ")[0].splitlines() if line.startswith("| ")]
    assert len(shown) > 4
    assert [line for line in shown if line not in card] == []


def test_files_that_are_named_exist() -> None:
    made = {"deploy/.env", "deploy/compose.override.yaml", "runs/notebooks", "runs/notebooks/"}
    folders = "bot|model|data|finetune|tests|docs|deploy|notebooks|\\.ci|runs"
    missing = [
        (name_of(page), text)
        for page in PAGES
        for text in inline_code(page)
        if re.fullmatch(rf"(?:{folders})/[\w./*-]*", text)
        and not any(ROOT.glob(text.rstrip("/")))
        and text not in made
    ]
    assert missing == []


def test_settings_that_are_named_exist() -> None:
    known = {CONFIG, *(PREFIX + each.name.upper() for each in fields(Settings))}
    notebooks = "".join(p.read_text(encoding="utf-8") for p in (ROOT / "notebooks").glob("*.ipynb"))
    known |= {*re.findall(r"GLIMPSE_NOTEBOOK_\w+", notebooks)}
    example = (ROOT / "deploy/.env.example").read_text(encoding="utf-8")
    known |= {*re.findall(r"^#? ?(\w+)=", example, re.MULTILINE)}
    pattern = re.compile(r"GLIMPSE_[A-Z0-9_]*[A-Z0-9]")
    texts = {name_of(page): page.read_text(encoding="utf-8") for page in PAGES}
    named = {(page, name) for page, text in texts.items() for name in pattern.findall(text)}
    assert len(named) > 60
    assert sorted(pair for pair in named if pair[1] not in known) == []


def test_help_leads_to_pages_that_exist() -> None:
    told = [page for command in commands_of(glimpse)
            for page in re.findall(r"[\w/.-]+\.md", command.epilog or "")]  # fmt: skip
    assert len(told) > 4
    assert [page for page in told if not (ROOT / page).is_file()] == []


# --- messages --------------------------------------------------------------------------------

GAP = "\0"  # where a message has changing parts


def messages(path: Path) -> Iterator[str]:
    """The texts of a Python file, with a gap for whatever is filled in."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.JoinedStr):
            yield "".join(
                str(part.value) if isinstance(part, ast.Constant) else GAP for part in node.values
            )
        elif isinstance(node, ast.Constant) and isinstance(node.value, str):
            yield re.sub(r"\{[\w:]*\}|%[sd]|%\.0f", GAP, node.value)


def test_messages_that_are_explained_are_said_somewhere() -> None:
    said = [text for package in PACKAGES for path in (ROOT / package).rglob("*.py")
            for text in messages(path)]  # fmt: skip
    said += [path.read_text(encoding="utf-8") for path in (ROOT / "bot/web/static").glob("*.js")]
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    said.append(re.sub(r"\$\(\w+\)", GAP, re.sub(r'"? \\\n\t+"?', " ", makefile)))
    text = "\n".join(said).replace("{library}", GAP)
    rows = re.findall(r'^\| "(.+?)" \|', prose(ROOT / "docs/troubleshooting.md"), re.MULTILINE)
    assert len(rows) > 50
    assert [row for row in rows if row.replace("…", GAP) not in text] == []
