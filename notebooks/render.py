"""Runs notebooks, and stores them with their outputs: `python notebooks/render.py [--to FOLDER]`.

What differs from run to run without meaning anything (times, the kernel's version, ids of outputs)
is not stored, so that a change in a stored notebook is a change in what it shows.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

import nbformat
from nbclient import NotebookClient

FOLDER = Path(__file__).parent
LONGEST_CELL = 3600  # seconds


def render(path: Path) -> Any:
    """Run a notebook from top to bottom, and give it with its outputs."""
    notebook = nbformat.read(path, as_version=4)
    metadata = dict(notebook.metadata)  # the kernel adds its version
    place = {"metadata": {"path": str(FOLDER)}}
    NotebookClient(notebook, timeout=LONGEST_CELL, resources=place).execute()
    notebook.metadata = nbformat.from_dict(metadata)
    for cell in notebook.cells:
        cell.metadata = {}
        if cell.cell_type == "code":
            cell.outputs = [_plain(each) for each in cell.outputs if each.get("name") != "stderr"]
    return notebook


def _plain(output: Any) -> Any:
    """An output without what stands beside its content."""
    if "metadata" in output:
        output.metadata = {}
    if "image/png" in output.get("data", {}):
        output.data.pop("text/plain", None)  # "<Figure size 900x400 with 2 Axes>"
    return output


def main() -> None:
    """Run the notebooks that are named, or all."""
    parser = argparse.ArgumentParser(description="Run notebooks, and store them with outputs.")
    parser.add_argument("notebooks", nargs="*", type=Path, help="Which. [default: all]")
    parser.add_argument("--to", type=Path, default=FOLDER, help="Folder. [default: in place]")
    chosen = parser.parse_args()
    chosen.to.mkdir(parents=True, exist_ok=True)
    for path in chosen.notebooks or sorted(FOLDER.glob("*.ipynb")):
        print(f"{path.name}...", flush=True)
        notebook = render(path)
        nbformat.write(notebook, chosen.to / path.name)


if __name__ == "__main__":
    main()
