"""Runs notebooks, and stores them with their outputs: `python notebooks/render.py [--to FOLDER]`.

What differs from run to run without meaning anything (times of cells, the kernel's version) is not
stored, so that a change in a stored notebook is a change in what it shows. Figures become small.
"""

from __future__ import annotations

import argparse
import base64
import io
from pathlib import Path
from typing import Any

import nbformat
from nbclient import NotebookClient
from PIL import Image

FOLDER = Path(__file__).parent
LONGEST_CELL = 3600  # seconds


def render(path: Path) -> Any:
    """Run a notebook from top to bottom, and give it with its outputs."""
    notebook = nbformat.read(path, as_version=4)
    metadata = dict(notebook.metadata)  # the kernel adds its version
    place = {"metadata": {"path": str(FOLDER)}}
    client = NotebookClient(notebook, timeout=LONGEST_CELL, resources=place, coalesce_streams=True)
    client.execute()
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
    if png := output.get("data", {}).get("image/png"):
        output.data = nbformat.from_dict(_small(base64.b64decode(png)))
    return output


def _small(png: bytes) -> dict[str, str]:
    """A figure by its media type: a PNG of few colours, or a JPEG if that is smaller."""
    figure = Image.open(io.BytesIO(png)).convert("RGB")
    drawn, photo = io.BytesIO(), io.BytesIO()
    figure.quantize(64, dither=Image.Dither.NONE).save(drawn, "PNG", optimize=True)
    figure.save(photo, "JPEG", quality=80, optimize=True)
    kind, file = min((("image/png", drawn), ("image/jpeg", photo)), key=lambda pair: pair[1].tell())
    return {kind: base64.b64encode(file.getvalue()).decode()}


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
