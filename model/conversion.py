"""Converting a PyTorch model into OpenVINO's format, once; `model.converted` keeps the result.

    vision.xml      pixels (1, 3, S, S) uint8 ─► prefix (1, P, C), and what the object head sees
    language.xml    embeddings (B, T, C), mask, positions, rows, keep ─► logits (B, K, V);
                    keys and values are a state of the network, its rows chosen by `rows`
    embeddings.npy  of the tokens: float32 (V, C), or int8 with scales.npy, GGUF's Q8_0
    unwritable.npy  which tokens no answer can hold: bool (V)
    tokenizer.json
    model.json      end token, names of objects, calibration, sizes

Weights of the language model become int8 with a scale for each output. Matrices that read the same
states (queries, keys and values; gate and up) become one: fewer and larger products use the cores
better.
"""

from __future__ import annotations

import json
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from model.confidence import Calibration
from model.hub import silence_libraries
from model.object_head import find_boxes
from model.quantization import quantize_embeddings
from model.quiet_openvino import apply_make_stateful_transformation, ops, ov
from model.vision import EfficientNetLiteTower
from model.vlm import PrefixVLM

LARGEST = 127
SMALLEST_MATRIX = 2**12  # weights from which eight bits are worth it


def convert(vlm: PrefixVLM, calibration: Calibration, out: Path, *, int8: bool = True) -> None:
    """Write a model in OpenVINO's format.

    Args:
        vlm: The model in fp32 with its adapter merged; batch norms are folded in place.
        calibration: Of its confidences.
        out: An empty folder.
        int8: Whether the language model's weights are quantised.

    Raises:
        RuntimeError: OpenVINO cannot convert this network.
    """
    if isinstance(vlm.tower, EfficientNetLiteTower):
        vlm.tower.fold_batch_norm()
    _save(_convert_vision(vlm), out / "vision.xml")
    _save(_convert_language(vlm.language, int8), out / "language.xml")
    embeddings = vlm.language.get_input_embeddings().weight.detach().float()
    blocks = quantize_embeddings(embeddings)
    if blocks is None:
        np.save(out / "embeddings.npy", embeddings.numpy())
    else:
        np.save(out / "embeddings.npy", blocks.weight.numpy())
        np.save(out / "scales.npy", blocks.scale.numpy())
    np.save(out / "unwritable.npy", vlm.unwritable.numpy())
    vlm.tokenizer.backend_tokenizer.save(str(out / "tokenizer.json"))
    facts = {
        "end": vlm.end,
        "image_size": vlm.tower.image_size,
        "object_names": list(vlm.object_names),
        "object_boxes": vlm.object_boxes,
        "calibration": asdict(calibration),
    }
    (out / "model.json").write_text(json.dumps(facts, indent=2) + "\n", encoding="utf-8")


def _save(model: ov.Model, path: Path) -> None:
    ov.save_model(model, path, compress_to_fp16=False)


# --- the tower and the mapper -----------------------------------------------------------------


class _Vision(nn.Module):
    """Pixels → prefix and, with an object head, what it sees."""

    def __init__(self, vlm: PrefixVLM) -> None:
        super().__init__()
        self.tower, self.mapper = vlm.tower, vlm.mapper

    def forward(self, pixels: Tensor) -> Any:
        hidden = self.tower(pixels)
        tags = self.mapper.objects
        if tags is None:
            return self.mapper(hidden)
        states, _, detail = self.mapper.split(hidden)
        maps = tags.head(states, detail)
        boxes = find_boxes(maps, tags.head.boxed)
        facts = tags.head.facts(maps, boxes)
        prefix = self.mapper(hidden, objects=facts)
        seen = boxes.classes, boxes.scores, boxes.corners, facts.probabilities, facts.counts
        return prefix, *seen


def _convert_vision(vlm: PrefixVLM) -> ov.Model:
    side = vlm.tower.image_size
    random = torch.Generator().manual_seed(0)
    pixels = torch.randint(0, 256, (2, 3, side, side), dtype=torch.uint8, generator=random)
    with _tracing():
        model = ov.convert_model(_Vision(vlm).eval(), example_input=pixels)
    # One picture at a time: with a fixed shape its memory is planned, and two cores gain nothing
    # from more at once.
    model.reshape({model.input(0): ov.PartialShape([1, 3, side, side])})
    return model


# --- the language model -----------------------------------------------------------------------


class _Past:
    """Keys and values of all layers, as the library's attention asks its cache for them."""

    is_compileable = False

    def __init__(self, pairs: Sequence[Tensor]) -> None:
        self.pairs = list(pairs)

    def update(
        self, keys: Tensor, values: Tensor, layer: int, *_: Any, **__: Any
    ) -> tuple[Tensor, Tensor]:
        at = 2 * layer
        self.pairs[at] = torch.cat([self.pairs[at], keys], dim=-2)
        self.pairs[at + 1] = torch.cat([self.pairs[at + 1], values], dim=-2)
        return self.pairs[at], self.pairs[at + 1]

    def get_seq_length(self, _layer: int = 0) -> int:
        return self.pairs[0].shape[-2]


class _Step(nn.Module):
    """Embeddings behind keys and values → logits of some positions, and all keys and values."""

    def __init__(self, language: Any) -> None:
        super().__init__()
        self.body, self.head = language.base_model, language.get_output_embeddings()

    def forward(
        self, embeddings: Tensor, mask: Tensor, positions: Tensor, keep: Tensor, past: list[Tensor]
    ) -> Any:
        cache = _Past(past)
        states = self.body(
            inputs_embeds=embeddings,
            attention_mask=mask,
            position_ids=positions,
            past_key_values=cache,
            use_cache=True,
        )[0]
        return self.head(states.index_select(1, keep)), *cache.pairs


def _convert_language(language: Any, int8: bool) -> ov.Model:
    config = language.config
    heads = getattr(config, "num_key_value_heads", None) or config.num_attention_heads
    size = getattr(config, "head_dim", None) or config.hidden_size // config.num_attention_heads
    states = 2 * config.num_hidden_layers
    example = {
        "embeddings": torch.zeros(2, 3, config.hidden_size),
        "mask": torch.zeros(2, 1, 3, 8),
        "positions": torch.tensor([[5, 6, 7]] * 2),
        "keep": torch.tensor([1, 2]),
        "past": [torch.zeros(2, heads, 5, size) for _ in range(states)],
    }
    language.eval()
    with _tracing():
        model = ov.convert_model(_Step(language), example_input=example)
    for port, name in zip(model.inputs, ["embeddings", "mask", "positions", "keep"], strict=False):
        port.get_tensor().set_names({name})
    model.outputs[0].get_tensor().set_names({"logits"})
    _join_matrices(model)
    if int8:
        _quantize(model)
    _keep_state(model, states, heads, size)
    return model


def _join_matrices(model: ov.Model) -> None:
    """Make one product of those of the same states with several matrices."""
    groups: dict[tuple[str, int], list[ov.Node]] = {}
    for product in _products(model):
        source = product.input_value(0)
        key = source.get_node().get_friendly_name(), source.get_index()
        groups.setdefault(key, []).append(product)
    for products in groups.values():
        if len(products) < 2:
            continue
        weights = [product.input_value(1).get_node().data for product in products]
        joined = ops.matmul(
            products[0].input_value(0), ops.constant(np.concatenate(weights)), False, True
        )
        sizes = np.array([len(each) for each in weights], np.int64)
        parts = ops.variadic_split(joined, ops.constant(-1), ops.constant(sizes))
        for number, product in enumerate(products):
            for target in product.output(0).get_target_inputs():
                target.replace_source_output(parts.output(number))
    model.validate_nodes_and_infer_types()


def _quantize(model: ov.Model) -> None:
    """Weights as int8 with a scale for each output, which OpenVINO multiplies as they are."""
    for product in _products(model):
        full = product.input_value(1).get_node().data
        if full.size < SMALLEST_MATRIX:
            continue
        scale = np.abs(full).max(axis=1, keepdims=True).clip(1e-12) / LARGEST
        steps = np.round(full / scale).astype(np.int8)
        weights = ops.multiply(ops.convert(ops.constant(steps), "f32"), ops.constant(scale))
        product.input(1).replace_source_output(weights.output(0))
    model.validate_nodes_and_infer_types()


def _products(model: ov.Model) -> list[ov.Node]:
    """Products of states with a constant matrix (out, in)."""
    return [
        op
        for op in model.get_ordered_ops()
        if op.get_type_name() == "MatMul"
        and op.input_value(1).get_node().get_type_name() == "Constant"
        and op.input_value(1).get_node().data.ndim == 2
        and op.get_attributes()["transpose_b"]
        and not op.get_attributes()["transpose_a"]
    ]


def _keep_state(model: ov.Model, states: int, heads: int, size: int) -> None:
    """Make keys and values a state of the network, whose rows `rows` (B) chooses.

    The pattern is the one that OpenVINO's attention keeps in place (as optimum-intel writes it).
    """
    past, present = model.inputs[-states:], model.outputs[-states:]
    names = {}
    for number, (before, after) in enumerate(zip(past, present, strict=True)):
        before.get_tensor().set_names({f"past.{number}"})
        after.get_tensor().set_names({f"present.{number}"})
        before.get_node().set_partial_shape(ov.PartialShape([-1, heads, -1, size]))
        names[f"past.{number}"] = f"present.{number}"
    rows = ops.parameter([-1], dtype=np.int32, name="rows")
    rows.output(0).get_tensor().set_names({"rows"})
    model.add_parameters([rows])
    for before in past:
        targets = before.get_target_inputs()
        chosen = ops.gather(before, rows, ops.constant(0))
        for target in targets:
            target.replace_source_output(chosen.output(0))
    model.validate_nodes_and_infer_types()
    apply_make_stateful_transformation(model, names)
    # A state that is not set yet is empty: (B, heads, 0, size).
    shape = ops.shape_of(model.input("embeddings"), output_type="i64")
    batch = ops.gather(shape, ops.constant([0]), ops.constant(0))
    rest = ops.constant(np.array([heads, 0, size], np.int64))
    empty = ops.broadcast(ops.constant(np.float32(0)), ops.concat([batch, rest], 0))
    for op in model.get_ops():
        if op.get_type_name() == "ReadValue":
            op.set_arguments([empty])
    model.validate_nodes_and_infer_types()


@contextmanager
def _tracing() -> Iterator[None]:
    """Tracing warns of every Python number that becomes a constant; the tests compare answers."""
    with warnings.catch_warnings(), silence_libraries(), torch.no_grad():
        warnings.simplefilter("ignore")
        yield
