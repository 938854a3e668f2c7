"""CLIPScore: how well a caption fits its picture in the eyes of CLIP, without references.

Hessel et al. 2021, arXiv 2104.08718: 2.5 x max(cosine, 0) of the embeddings of the picture and of
"A photo depicts" with the caption.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from finetune.evaluation.runner import open_image
from model.errors import WeightsError
from model.hub import quiet

log = logging.getLogger(__name__)
WEIGHT = 2.5
PROMPT = "A photo depicts "
BATCH = 16


class ClipScore:
    """Scores captions with a CLIP that is on this machine.

    Args:
        source: A folder in the hub's format, or the id of a model in the hub's cache.

    Raises:
        WeightsError: It is not there, or is no whole CLIP; one plain sentence.
    """

    def __init__(self, source: str) -> None:
        from transformers import CLIPModel, CLIPProcessor

        try:
            with quiet():
                self._processor: Any = CLIPProcessor.from_pretrained(source, local_files_only=True)
                self._model, info = CLIPModel.from_pretrained(
                    source, dtype=torch.float32, local_files_only=True, output_loading_info=True
                )
        except Exception as error:  # whatever a parser of files trips over
            log.exception("cannot load %s", source)
            raise WeightsError(
                f"There is no CLIP {source!r} on this machine that can be loaded; name a folder."
            ) from error
        if info["missing_keys"] or info["mismatched_keys"]:  # they would silently be random
            raise WeightsError(f"{source!r} holds no whole CLIP with vision and text.")
        self._model.eval()

    def __call__(self, images: Sequence[Path], captions: Sequence[str]) -> list[float]:
        """CLIPScore of each caption with its picture, 0..2.5.

        Raises:
            DataError: A picture cannot be read; one plain sentence.
        """
        scores: list[float] = []
        for start in range(0, len(images), BATCH):
            part = slice(start, start + BATCH)
            scores += self._score(images[part], captions[part])
        return scores

    @torch.inference_mode()
    def _score(self, images: Sequence[Path], captions: Sequence[str]) -> list[float]:
        inputs = self._processor(
            text=[PROMPT + caption for caption in captions],
            images=[open_image(path).image for path in images],
            return_tensors="pt",
            padding=True,
            truncation=True,
        )
        found = self._model(**inputs)
        cosine: Tensor = torch.cosine_similarity(found.image_embeds, found.text_embeds)
        scores: list[float] = (WEIGHT * cosine.clamp(min=0)).tolist()
        return scores
