"""What training makes smaller: the cross-entropy of learnt tokens behind their pictures."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor
from torch.nn import functional as F

from data.features import FeatureStore
from finetune.adapting import Learner
from finetune.mixture import Visit
from finetune.packing import pack

HIDDEN = -1e9  # added to the attention of what must not be seen


class Objective:
    """The loss of visits, computed in packed rows.

    Args:
        learner: The model that learns.
        store: Cached hidden states of the pictures.
    """

    def __init__(self, learner: Learner, store: FeatureStore) -> None:
        self.learner, self.store = learner, store

    def __call__(self, visits: Sequence[Visit]) -> tuple[Tensor, Tensor]:
        """Weighted sum of the cross-entropies of learnt tokens, in nats, and the sum of weights.

        Weights below zero, which make tokens less likely, count by their size in that sum.
        """
        vlm, language = self.learner.vlm, self.learner.language
        packed = pack([visit.group for visit in visits], vlm.mapper.positions)
        with torch.autocast("cpu", torch.bfloat16, enabled=self.learner.bfloat16):
            embeddings = vlm.embed(packed.tokens).float()  # (B, L, C)
            if len(packed.slots):
                prefix = self.prefix(visits).flatten(0, 1)  # (pictures x P, C)
                flat = embeddings.flatten(0, 1).index_copy(0, packed.slots, prefix)
                embeddings = flat.view_as(embeddings)
            states = language.get_base_model().base_model(
                inputs_embeds=embeddings,
                attention_mask=torch.zeros(packed.mask.shape).masked_fill(~packed.mask, HIDDEN),
                position_ids=packed.places,
                use_cache=False,
            )[0]  # (B, L, C)
            learnt = states.flatten(0, 1)[packed.sources]  # (N, C)
            logits = language.get_output_embeddings()(learnt)  # (N, V)
        losses = F.cross_entropy(logits.float(), packed.labels, reduction="none")
        return (losses * packed.weights).sum(), packed.weights.abs().sum()

    def prefix(self, visits: Sequence[Visit]) -> Tensor:
        """Prefixes (pictures, P, C) of the visits that have a picture.

        While the mapper learns, a position that a visit hides holds its place and no content. It
        must not be 0: a first position of 0 stays so in every layer, where the gradient of the
        normalisation grows to infinity.
        """
        vlm = self.learner.vlm
        seen = [(self.store.rows[v.image], v) for v in visits if v.image is not None]
        rows = [row for row, _ in seen]
        views = [visit.view(self.store.counts[row]) for row, visit in seen]
        states = torch.from_numpy(self.store.get(rows, views)).float()
        prefix: Tensor = vlm.mapper(vlm.tower.complete(states))
        if vlm.mapper.training:
            kept = torch.stack([v.kept(prefix.shape[1]) for _, v in seen])[..., None]
            prefix = torch.where(kept, prefix, vlm.mapper.places)
        return prefix.float()
