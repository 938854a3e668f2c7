"""`PrefixVLM`: a picture's prefix in front of a causal language model.

    pixels ─► tower ─► hidden states (B, 1 + G², D) ─► mapper ─► prefix (B, P, C)
    prefix ─► language model ─► keys and values of the prefix, kept for every later question
    prompt ─► language model ─► answer

The mapper's prefix is computed once for a picture; questions about it reuse its keys and values
(moondream's encoded image). Training, evaluation and inference share the prompts (`model.prompts`).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor, nn
from torch.nn.utils.rnn import pad_sequence

from model.detections import Detections, detections_of
from model.mapper import Mapper
from model.object_head import find_boxes
from model.prompts import target_text
from model.tokenizer import unwritable_tokens
from model.vision import VisionTower


@dataclass(frozen=True)
class PrefixCache:
    """What one picture is to the language model.

    Attributes:
        layers: Keys and values (heads, P, head size) of its prefix, a pair for each layer.
        detections: What the object head sees in it.
    """

    layers: tuple[tuple[Tensor, Tensor], ...]
    detections: Detections = Detections()  # noqa: RUF009 - frozen

    @property
    def positions(self) -> int:
        """P, the number of prefix positions."""
        return self.layers[0][0].shape[-2]

    @property
    def bytes(self) -> int:
        """Memory that this cache holds, in bytes."""
        return sum(k.nbytes + v.nbytes for k, v in self.layers)


class PrefixVLM(nn.Module):
    """Vision tower + mapper + causal language model (any `AutoModelForCausalLM`).

    Attributes:
        object_names: Of the classes that the object head knows, if there is one.
    """

    object_names: tuple[str, ...] = ()

    def __init__(self, tower: VisionTower, mapper: Mapper, language: Any, tokenizer: Any) -> None:
        super().__init__()
        self.tower, self.mapper, self.language = tower, mapper, language
        self.tokenizer = tokenizer
        self.end: int = int(tokenizer.eos_token_id)

    @cached_property
    def unwritable(self) -> Tensor:
        """Which tokens no text to learn can hold: bool (V)."""
        size = self.language.config.vocab_size
        found = unwritable_tokens(self.tokenizer.get_vocab(), size, self.end)
        return torch.from_numpy(found).to(self.device)

    @property
    def object_boxes(self) -> int:
        """How many of the classes of objects have boxes; they come first."""
        return self.mapper.config.object_boxes

    @property
    def width(self) -> int:
        """C, the hidden size of the language model."""
        return int(self.language.config.hidden_size)

    @property
    def device(self) -> torch.device:
        """Where the language model is, and everything that it reads."""
        device: torch.device = self.language.get_input_embeddings().weight.device
        return device

    def embed(self, tokens: Tensor) -> Tensor:
        """Token ids (...) → embeddings (..., C)."""
        embedded: Tensor = self.language.get_input_embeddings()(tokens)
        return embedded

    def encode(self, images: Sequence[Image.Image]) -> Tensor:
        """RGB pictures → prefix (B, P, C)."""
        return self.encode_and_detect(images)[0]

    def encode_and_detect(self, images: Sequence[Image.Image]) -> tuple[Tensor, list[Detections]]:
        """RGB pictures → prefix (B, P, C), and what the object head sees in each."""
        hidden = self.tower(self.tower.preprocess(images).to(self.device))
        tags = self.mapper.objects
        if tags is None:
            return self.mapper(hidden), [Detections()] * len(images)
        states, _, detail = self.mapper.split(hidden)
        maps = tags.head(states, detail)
        boxes = find_boxes(maps, tags.head.boxed)
        facts = tags.head.facts(maps, boxes)
        seen = detections_of(boxes, facts.probabilities, facts.counts, self.object_names)
        return self.mapper(hidden, objects=facts), seen

    @torch.inference_mode()
    def read_pictures(self, images: Sequence[Image.Image]) -> list[PrefixCache]:
        """RGB pictures → what each is to the language model."""
        return self.prefill(*self.encode_and_detect(images))

    def tokens(self, text: str) -> list[int]:
        """Token ids of a text, without any special tokens, not even those that it spells out."""
        encoded = self.tokenizer(text, add_special_tokens=False, split_special_tokens=True)
        ids: list[int] = encoded["input_ids"]
        return ids

    def text_of(self, tokens: Sequence[int]) -> str:
        """The text of tokens, special ones left out."""
        text: str = self.tokenizer.decode(list(tokens), skip_special_tokens=True)
        return text

    def target(self, text: str) -> list[int]:
        """Token ids of what the model should write for a caption or answer, with its end."""
        return [*self.tokens(target_text(text)), self.end]

    def prefill(
        self, prefix: Tensor, detections: Sequence[Detections] | None = None
    ) -> list[PrefixCache]:
        """Prefix (B, P, C), and what is seen in the pictures → one cache for each picture."""
        from transformers import DynamicCache

        cache = DynamicCache()
        self.language(inputs_embeds=prefix, past_key_values=cache, use_cache=True, logits_to_keep=1)
        pairs = [(layer.keys, layer.values) for layer in cache.layers]  # each (B, heads, P, size)
        return [
            PrefixCache(tuple((k[row].clone(), v[row].clone()) for k, v in pairs), found)
            for row, found in enumerate(detections or [Detections()] * len(prefix))
        ]

    def batch(self, prompts: Sequence[Sequence[int]], positions: int) -> dict[str, Tensor]:
        """Align prompts of different lengths at the right, behind prefixes of P positions.

        Returns:
            What the language model takes: `input_ids` (B, T), padded on the left;
            `attention_mask` (B, P + T), 0 for padding; `position_ids` (B, T), P for a prompt's
            first token.
        """
        rows = [torch.tensor(list(prompt)) for prompt in prompts]
        tokens = pad_sequence(rows, batch_first=True, padding_side="left", padding_value=self.end)
        lengths = torch.tensor([len(row) for row in rows])[:, None]  # (B, 1)
        index = torch.arange(tokens.shape[1])[None] - (tokens.shape[1] - lengths)  # (B, T)
        mask = torch.cat([torch.ones(len(rows), positions), (index >= 0).float()], dim=1)
        places = positions + index.clamp(min=0)
        batch = {"input_ids": tokens, "attention_mask": mask.long(), "position_ids": places}
        return {name: tensor.to(self.device) for name, tensor in batch.items()}

    def start(
        self,
        caches: Sequence[PrefixCache],
        prompts: Sequence[Sequence[int]],
        scales: Sequence[float] = (),
        ahead: Sequence[Sequence[int]] = (),
    ) -> TorchDecoder:
        """Read prompts, as token ids, behind cached prefixes, see `model.generation.Decoder`."""
        return TorchDecoder(self, caches, prompts, scales)


class TorchDecoder:
    """Feeds tokens to the language model step by step, keeping its keys and values.

    With guidance, the rows come twice: B that see their prefix, then the same B that do not.
    See `model.generation.Decoder`.
    """

    @torch.inference_mode()
    def __init__(
        self,
        vlm: PrefixVLM,
        caches: Sequence[PrefixCache],
        prompts: Sequence[Sequence[int]],
        scales: Sequence[float],
    ) -> None:
        batch = vlm.batch(prompts, caches[0].positions)
        self._language, self._unwritable = vlm.language, vlm.unwritable
        self._times = 1 if all(scale == 1 for scale in scales) else 2
        self._scales = torch.tensor(scales, device=vlm.device)[:, None]
        self._cache = stack([*caches] * self._times)
        self._mask = batch["attention_mask"].repeat(self._times, 1)
        self._mask[len(caches) :, : caches[0].positions] = 0
        position_ids = batch["position_ids"].repeat(self._times, 1)
        self._position_ids = position_ids[:, -1:]
        self.logprobs = self._forward(batch["input_ids"], position_ids)

    @torch.inference_mode()
    def step(self, tokens: Sequence[int]) -> NDArray[np.float32]:
        """Next tokens (B) → log-probabilities (B, V) of what follows."""
        self._mask = torch.cat([self._mask, self._mask.new_ones(len(self._mask), 1)], dim=1)
        self._position_ids = self._position_ids + 1
        ids = torch.tensor(list(tokens), device=self._mask.device)
        return self._forward(ids[:, None], self._position_ids)

    @torch.inference_mode()
    def select(self, rows: Sequence[int]) -> None:
        """Go on with these rows only, some of them perhaps several times."""
        count = len(self._mask) // self._times
        chosen = torch.tensor(list(rows), device=self._mask.device)
        self._scales = self._scales[chosen] if self._times == 2 else self._scales
        chosen = torch.cat([chosen + count * half for half in range(self._times)])
        self._cache.reorder_cache(chosen)
        self._mask, self._position_ids = self._mask[chosen], self._position_ids[chosen]

    def _forward(self, tokens: Tensor, position_ids: Tensor) -> NDArray[np.float32]:
        """Tokens (B, T) and the positions of all rows → log-probabilities (B, V)."""
        output: Any = self._language(
            input_ids=tokens.repeat(self._times, 1),
            attention_mask=self._mask,
            position_ids=position_ids,
            past_key_values=self._cache,
            use_cache=True,
            logits_to_keep=1,
        )
        logits = output.logits[:, -1].float()
        if self._times == 2:  # logits do as well as log-probabilities: a row's constant drops out
            seen, blind = logits.chunk(2)
            logits = torch.lerp(blind, seen, self._scales)
        logprobs = torch.log_softmax(logits, dim=-1).masked_fill(self._unwritable, -torch.inf)
        found: NDArray[np.float32] = logprobs.cpu().numpy()
        return found


def stack(caches: Sequence[PrefixCache], repeats: int = 1) -> Any:
    """Caches of B pictures → one `DynamicCache` of B x repeats rows that decoding may grow."""
    from transformers import DynamicCache

    stacked = DynamicCache()
    for index in range(len(caches[0].layers)):
        keys = torch.stack([cache.layers[index][0] for cache in caches])
        values = torch.stack([cache.layers[index][1] for cache in caches])
        stacked.update(
            keys.repeat_interleave(repeats, 0), values.repeat_interleave(repeats, 0), index
        )
    return stacked
