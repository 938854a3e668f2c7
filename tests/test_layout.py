"""The shape of the project: who imports whom, small rooms, and a lock that tells the truth."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from graphlib import TopologicalSorter
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).parents[1]
PACKAGES = ("bot", "model", "data", "finetune")
LONGEST_FILE, LONGEST_FUNCTION = 500, 60  # lines, without a function's docstring
SOURCES = sorted(path for package in PACKAGES for path in (ROOT / package).rglob("*.py"))


LINT = "from importlinter.cli import lint_imports; raise SystemExit(lint_imports(no_cache=True))"


def test_dependencies_point_one_way() -> None:
    # In a process of its own, where no test has changed the path or the loggers.
    command = [sys.executable, "-c", LINT]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "3 kept, 0 broken" in done.stdout


def test_the_assistant_does_not_load_pytorch() -> None:
    program = (
        "import sys, bot.assistant.assistant, model.requests, model.errors, model.questions; "
        "print(*sorted(sys.modules.keys() & {'torch', 'transformers', 'model.engine'}))"
    )
    command = [sys.executable, "-c", program]
    loaded = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    assert loaded.stdout.split() == []


def test_imports_run_in_no_circle() -> None:
    """Not even late ones, or those for types alone."""
    modules = {
        ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__"): path
        for path in SOURCES
    }
    uses = {}
    for module, path in modules.items():
        named = set()
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.ImportFrom):
                whole = {f"{node.module}.{name.name}" for name in node.names}
                named |= whole if whole <= modules.keys() else {node.module, *whole}
            elif isinstance(node, ast.Import):
                named |= {name.name for name in node.names}
        uses[module] = (named & modules.keys()) - {module}
    assert uses["bot.telegram.bot"]
    tuple(TopologicalSorter(uses).static_order())  # raises CycleError, which names the circle


def test_files_and_functions_are_short() -> None:
    assert len(SOURCES) > 50
    long = [
        f"{path.relative_to(ROOT)}:{line} {name} has {length} lines"
        for path in SOURCES
        for line, name, length, limit in rooms(path.read_text(encoding="utf-8"))
        if length > limit
    ]
    assert long == []


def rooms(text: str) -> Iterator[tuple[int, str, int, int]]:
    """Line, name, length and longest length of a file and of its functions."""
    yield 1, "file", text.count("\n"), LONGEST_FILE
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            body = node.body[1:] if ast.get_docstring(node) else node.body
            length = (node.end_lineno or 0) - body[0].lineno + 1 if body else 0
            yield node.lineno, node.name, length, LONGEST_FUNCTION


def test_rooms_are_measured() -> None:
    text = 'def f():\n    """Say\n    much."""\n    a = 1\n    return a\n'
    assert list(rooms(text)) == [(1, "file", 5, LONGEST_FILE), (1, "f", 2, LONGEST_FUNCTION)]


# --- the lock --------------------------------------------------------------------------------


def locked(path: str = "requirements.lock") -> dict[str, str]:
    lines = (ROOT / path).read_text(encoding="utf-8").splitlines()
    pins = [line for line in lines if not line.startswith("#")]
    assert all(re.fullmatch(r"[\w.-]+==[\w.]+", pin) for pin in pins)  # no addresses, no options
    return {canonicalize_name(pin.split("==")[0]): pin.split("==")[1] for pin in pins}


def test_the_lock_fits_what_the_project_asks_for() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    asked = [*project["project"]["dependencies"], *project["build-system"]["requires"]]
    for extra in project["project"]["optional-dependencies"].values():
        asked += extra
    pins = locked() | locked("deploy/ray/requirements.lock")
    for requirement in map(Requirement, asked):
        assert pins[canonicalize_name(requirement.name)] in requirement.specifier


def test_what_is_installed_is_what_is_locked() -> None:
    wrong = {}
    for name, pin in locked().items():
        try:
            found = version(name).removesuffix("+cpu")
        except PackageNotFoundError:  # on another Python or system it may not be needed
            continue
        if found != pin:
            wrong[name] = found
    assert wrong == {}


def test_nothing_for_other_processors_is_locked() -> None:
    assert [name for name in locked() if re.match(r"nvidia|cuda|triton|torchvision", name)] == []


# --- docs/architecture.md --------------------------------------------------------------------


def test_the_architecture_page_names_every_module_and_no_other() -> None:
    page = (ROOT / "docs/architecture.md").read_text(encoding="utf-8")
    table = page.partition("## Every module")[2]
    named = re.findall(r"^\| `([^`]+\.py)` \| (.+) \|$", table, re.MULTILINE)
    summaries = {}
    for package in PACKAGES:
        for path in (ROOT / package).rglob("*.py"):
            if not path.name.startswith("__"):
                doc = ast.get_docstring(ast.parse(path.read_text(encoding="utf-8"))) or ""
                said = doc.split("\n\n", maxsplit=1)[0].replace("\n", " ").replace("|", "/")
                summaries[path.relative_to(ROOT).as_posix()] = said
    assert dict(named) == summaries
    others = set(re.findall(r"`((?:bot|model|data|finetune|tests)/[\w/.]*)`", page)) - set(
        summaries
    )
    assert [name for name in others if not (ROOT / name).exists()] == []
