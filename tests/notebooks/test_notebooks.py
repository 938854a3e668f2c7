"""All notebooks run from top to bottom with tiny models, and are stored with what they show."""

from __future__ import annotations

import base64
import importlib.util
import io
import json
import re
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from PIL import Image
from tiny_models import SIDE, save_hub, save_tiny_adapter, write_profile

from model.config import load_profile

ROOT = Path(__file__).parents[2]
FOLDER = ROOT / "notebooks"
NOTEBOOKS = sorted(FOLDER.glob("*.ipynb"))
KERNEL = "tested"
THINGS = ["cat", "dog", "bus", "sky"]
LARGEST = 300_000  # bytes of a stored notebook
DRAWINGS = {"01_prefix": 5, "02_decoder_from_scratch": 3, "03_errors": 5}
LONGEST_CELL = 180  # seconds, on a busy machine
long = pytest.mark.timeout(600)  # likewise
TINY = {
    "GLIMPSE_NOTEBOOK_TOKENS": "6",
    "GLIMPSE_NOTEBOOK_PICTURES": "15",
    "GLIMPSE_NOTEBOOK_STEPS": "40",
    "GLIMPSE_NOTEBOOK_BATCH": "4",
    "GLIMPSE_NOTEBOOK_WIDTH": "128",
    "GLIMPSE_NOTEBOOK_LIMIT": "30",
}

Run = Callable[..., Any]


@pytest.fixture(scope="module")
def profile(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A profile of tiny random models with an adapter."""
    folder = tmp_path_factory.mktemp("notebooks")
    save_hub(folder)
    path = write_profile(
        folder / "tiny.toml",
        adapter="adapter",
        tower={"kind": "clip", "source": "clip", "image_size": SIDE, "detail_layer": 1},
        mapper={
            "kind": "mlp",
            "hidden_size": 24,
            "shuffle": 2,
            "colours": 2,
            "words": 2,
            "vocabulary": 5,
            "objects": 3,
            "object_classes": len(THINGS),
            "object_boxes": 3,
        },
        language={"source": "llama"},
        decoding={"answer_tokens": 3, "caption_tokens": 6},
    )
    save_tiny_adapter(folder / "adapter", load_profile(path), objects={"names": THINGS})
    return path


@pytest.fixture(scope="module")
def _jupyter(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Jupyter's folders in a temporary place, and a kernel that is this very interpreter."""
    folder = tmp_path_factory.mktemp("jupyter")
    spec = folder / "kernels" / KERNEL
    spec.mkdir(parents=True)
    start = [sys.executable, "-m", "ipykernel_launcher", "-f", "{connection_file}"]
    facts = {"argv": start, "display_name": KERNEL, "language": "python"}
    (spec / "kernel.json").write_text(json.dumps(facts), encoding="utf-8")
    with pytest.MonkeyPatch.context() as patch:
        for name in ("CONFIG_DIR", "DATA_DIR", "RUNTIME_DIR"):
            patch.setenv(f"JUPYTER_{name}", str(folder / name.lower()))
        patch.setenv("JUPYTER_PATH", str(folder))  # where kernels are looked for first
        patch.setenv("JUPYTER_PLATFORM_DIRS", "1")  # or jupyter_core warns of its old folders
        patch.setenv("IPYTHONDIR", str(folder / "ipython"))
        patch.setenv("MPLCONFIGDIR", str(folder / "matplotlib"))
        yield


@pytest.fixture
def run(_jupyter: None, monkeypatch: pytest.MonkeyPatch) -> Run:
    """Runs a notebook with settings, then more code in its kernel; gives it with its outputs."""
    for name, value in TINY.items():
        monkeypatch.setenv(name, value)

    def execute(name: str, code: str, **settings: Any) -> Any:
        import nbformat
        from nbclient import NotebookClient

        for key, value in settings.items():
            monkeypatch.setenv(f"GLIMPSE_NOTEBOOK_{key.upper()}", str(value))
        notebook = nbformat.read(FOLDER / name, as_version=4)
        notebook.cells.append(nbformat.v4.new_code_cell(code))
        place = {"metadata": {"path": str(FOLDER)}}
        NotebookClient(
            notebook, kernel_name=KERNEL, timeout=LONGEST_CELL, resources=place
        ).execute()
        return notebook

    return execute


def outputs(notebook: Any) -> list[Any]:
    return [output for cell in notebook.cells for output in cell.get("outputs", [])]


def pictures(notebook: Any) -> int:
    kinds = {"image/png", "image/jpeg"}
    return sum(bool(kinds & output.get("data", {}).keys()) for output in outputs(notebook))


def complaints(notebook: Any) -> str:
    """What was written to the kernel's stderr."""
    told = [output for output in outputs(notebook) if output.get("name") == "stderr"]
    return "".join(output["text"] for output in told if "font cache" not in output["text"])


# --- as they are stored ----------------------------------------------------------------------


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_notebooks_are_stored_with_outputs_and_nothing_of_a_machine(path: Path) -> None:
    import nbformat

    notebook = nbformat.read(path, as_version=4)
    nbformat.validate(notebook)
    assert path.stat().st_size < LARGEST
    assert set(notebook.metadata) == {"kernelspec", "language_info"}
    for cell in notebook.cells:
        assert cell.metadata == {}
        assert cell.source.strip()
        if cell.cell_type == "markdown":  # its text is not all headings
            assert not any(line.startswith("# ") for line in cell.source.split("\n")[1:])
    code = [cell for cell in notebook.cells if cell.cell_type == "code"]
    assert [cell.execution_count for cell in code] == [*range(1, len(code) + 1)]
    assert {each.output_type for each in outputs(notebook)} <= {"stream", "display_data"}
    assert pictures(notebook) == DRAWINGS[path.stem]
    assert complaints(notebook) == ""
    printed = "".join(each.get("text", "") for each in outputs(notebook))
    assert len(printed) > 400
    assert re.findall(r"(?:^|[\s'\"(:])(?:~|[A-Z]:)?[/\\][\w.]+[/\\]", printed) == []


@pytest.mark.usefixtures("_jupyter")
def test_what_is_stored_is_small_and_the_same_after_each_run(tmp_path: Path) -> None:
    import nbformat

    spec = importlib.util.spec_from_file_location("render", FOLDER / "render.py")
    assert spec is not None
    assert spec.loader is not None
    render = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(render)
    draw = "import matplotlib.pyplot as p\nprint(1)\nprint(2)\np.imshow([[[0, 9, 99]]])\np.show()"
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(draw, id="a")])
    nbformat.write(notebook, tmp_path / "a.ipynb")
    found, again = (render.render(tmp_path / "a.ipynb") for _ in range(2))
    assert found == again
    assert [each.output_type for each in outputs(found)] == ["stream", "display_data"]
    assert outputs(found)[0].text == "1\n2\n"
    (kind,) = outputs(found)[1].data
    drawn = base64.b64decode(outputs(found)[1].data[kind])
    assert kind == "image/png"
    assert Image.open(io.BytesIO(drawn)).mode == "P"


def test_there_are_three_notebooks_and_the_readme_names_them() -> None:
    readme = (FOLDER / "README.md").read_text(encoding="utf-8")
    assert len(NOTEBOOKS) == 3
    assert [path.name for path in NOTEBOOKS if path.name not in readme] == []


def test_packages_do_not_know_the_notebooks() -> None:
    sources = [path for name in ("bot", "model", "data", "finetune")
               for path in (ROOT / name).rglob("*.py")]  # fmt: skip
    texts = [path.read_text(encoding="utf-8") for path in sources]
    assert not any("import drawn" in text or "from drawn" in text for text in texts)


# --- as they run -----------------------------------------------------------------------------

PREFIX = """
assert [*vlm.mapper(hidden).shape] == [1, len(names), vlm.width] == [1, 10, 24]
assert tests["patches, left half"] == [1, 3] and tests["patches, right half"] == [2, 4]
assert tests["words"] == [5, 6] and tests["objects"] == [7, 8, 9]
assert torch.equal(hide([]), prefix)
changed = (hide([2]) != prefix).any(dim=-1)[0]
assert changed.tolist() == [place == 2 for place in range(10)]
assert torch.equal(hide([2])[0, 2], vlm.mapper.places[2])
assert loss.isfinite().all() and loss.abs().max() > 0
hidden_loss = score(vlm, vlm.prefill(hide([3])), [prompt_for(None)], [caption])[0]
assert abs((scores[0] - hidden_loss) - float(loss[3])) < 1e-3
"""


SCRATCH = """
# Learning helps; a decoder that knows nothing starts at log V.
assert abs(float(guess) - math.log(len(known))) < 0.5
for name in ("pre-trained", "from scratch, same steps"):
    losses = [entry["val"] for entry in histories[name]]
    assert min(losses) < losses[0] - 0.3, (name, losses)
    best = held_out_loss(models[name], "val")  # the best weights were put back
    assert abs(best - min(losses)) < 1e-3, (name, best, losses)
rows, targets = next(batches())
with torch.no_grad():
    final = float(loss_of(decoder, hidden["train"][rows], targets))
assert final < 0.85 * math.log(len(known)), (final, math.log(len(known)))

# Causal, after training too, and in a batch each row for itself.
states = hidden["test"].float()
tokens = torch.randint(len(known), (len(states), 7))
for model in models.values():
    rounding = 0.02 if model is pretrained and model.learner.bfloat16 else 1e-4
    with torch.no_grad():
        before = model(states, tokens)
        assert before.shape == (len(states), 8, len(known))
        for place in range(7):
            other = tokens.clone()
            other[:, place] = (other[:, place] + 1) % len(known)
            after = model(states, other)
            assert torch.allclose(before[:, : place + 1], after[:, : place + 1], atol=rounding)
            assert not torch.allclose(before[:, place + 1 :], after[:, place + 1 :], atol=1e-4)
        assert torch.allclose(before[:1], model(states[:1], tokens[:1]), atol=rounding)

# The cache changes nothing, and captions of different lengths end with zeros.
for model in (decoder, longer):
    plain_way = greedy(model, states)
    assert torch.equal(plain_way, greedy_cached(model, states))
    for row in plain_way.tolist():
        assert 0 not in row or not any(row[row.index(0) :])

# The attention written out equals PyTorch's own.
block = decoder.blocks[0].attention
x = torch.randn(2, 5, WIDTH)
split = block.queries_keys_values(x).view(2, 5, 3, HEADS, WIDTH // HEADS).permute(2, 0, 3, 1, 4)
expected = F.scaled_dot_product_attention(*split, is_causal=True)
expected = block.output(expected.transpose(1, 2).reshape(2, 5, WIDTH))
assert torch.allclose(block(x), expected, atol=1e-5)

# The tower and the language model are frozen: mapper and LoRA learn.
parts = dict(pretrained.named_parameters())
frozen = {name for name, part in parts.items() if not part.requires_grad}
assert all("mapper." in name or "lora_" in name for name in parts.keys() - frozen)
assert any("embed_tokens" in n for n in frozen)
assert histories["from scratch, same steps"][-1]["step"] == STEPS
spent = histories["pre-trained"][-1]["seconds"]
assert histories["from scratch, same time"][-1]["seconds"] >= spent
one, other = batches(), batches()
assert all(torch.equal(next(one)[1], next(other)[1]) for _ in range(5))
assert to_batch([[vlm.end], [-5, vlm.end]]).tolist() == [[0, -100], [-100, 0]]
"""


ERRORS = """
assert len(scored) == len(shuffled) == LIMIT
right = sum(one.score for one in scored) / len(scored)
assert abs(100 * right - overall.model.value) < 1e-6
assert abs(100 * sum(shuffled) / len(shuffled) - overall.shuffled.value) < 1e-6
groups = grouped(lambda one: one.item.answer_type)
assert set(groups) == {"yes/no", "number", "other"}
assert sorted(i for chosen in groups.values() for i in chosen) == list(range(LIMIT))
assert [m.reply.confidence for m in mistakes] == sorted(
    (m.reply.confidence for m in mistakes), reverse=True
)
assert len(yes) + len(no) == len(gold) == len(groups["yes/no"])

# A model that always says yes is as good as chance, however many answers are yes.
from finetune.evaluation.runner import Reply

always = [Reply("Yes", 1.0)] * LIMIT
assert (share(always, "yes", yes) + share(always, "no", no)) / 2 == 50.0
"""


@long
@pytest.mark.parametrize(
    ("name", "checks"),
    [("01_prefix", PREFIX), ("02_decoder_from_scratch", SCRATCH), ("03_errors", ERRORS)],
)
def test_a_notebook_runs_and_holds_what_it_says(
    run: Run, profile: Path, name: str, checks: str
) -> None:
    notebook = run(f"{name}.ipynb", checks, profile=profile)
    assert pictures(notebook) == DRAWINGS[name]
    assert complaints(notebook) == ""
