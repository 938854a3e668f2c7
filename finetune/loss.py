"""What training makes smaller: the cross-entropy of learnt tokens behind their pictures."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor
from torch.nn import functional as F

from finetune.image_features import FeatureSource
from finetune.implied_tags import ImpliedTags
from finetune.lora import Learner
from finetune.object_head import CrossFittedObjects
from finetune.packing import pack
from finetune.sampler import Visit
from finetune.word_tags import CrossFittedWords

HIDDEN = -1e9  # added to the attention of what must not be seen


class Objective:
    """The loss of visits, computed in packed rows.

    Args:
        learner: The model that learns.
        features: Gives hidden states of the pictures.
        words: Gives the words of training pictures, as if those were new; else the mapper's own
            detector does.

    Attributes:
        objects: Likewise gives objects, if there is an object head.
        implied: Gives the tags that texts without a picture imply.
    """

    objects: CrossFittedObjects | None = None
    implied: ImpliedTags | None = None

    def __init__(
        self, learner: Learner, features: FeatureSource, words: CrossFittedWords | None = None
    ) -> None:
        self.learner, self.features, self.words = learner, features, words

    def __call__(self, visits: Sequence[Visit]) -> Tensor:
        """Weighted sum of the cross-entropies of learnt tokens, in nats.

        Weights below zero make tokens less likely.
        """
        vlm, language = self.learner.vlm, self.learner.language
        packed = pack([visit.group for visit in visits], vlm.mapper.positions).to(vlm.device)
        with self.learner.autocast():
            embeddings = vlm.embed(packed.tokens).float()  # (B, L, C)
            if len(packed.slots):
                prefix = self.prefix(visits).flatten(0, 1)  # (pictures x P, C)
                flat = embeddings.flatten(0, 1).index_copy(0, packed.slots, prefix)
                embeddings = flat.view_as(embeddings)
            states = language.get_base_model().base_model(
                inputs_embeds=embeddings,
                attention_mask=embeddings.new_zeros(packed.mask.shape).masked_fill(
                    ~packed.mask, HIDDEN
                ),
                position_ids=packed.places,
                use_cache=False,
            )[0]  # (B, L, C)
            learnt = states.flatten(0, 1)[packed.sources]  # (N, C)
            logits = language.get_output_embeddings()(learnt)  # (N, V)
        losses = F.cross_entropy(logits.float(), packed.labels, reduction="none")
        return (losses * packed.weights).sum()

    def prefix(self, visits: Sequence[Visit]) -> Tensor:
        """Prefixes (pictures, P, C) of the visits that have a picture, or tags without one.

        While the mapper learns, a position that a visit hides holds its place and no content. It
        must not be 0: a first position of 0 stays so in every layer, where the gradient of the
        normalisation grows to infinity.
        """
        vlm = self.learner.vlm
        seen = [visit for visit in visits if visit.image is not None]
        told = [visit for visit in visits if visit.implied]
        prefixes: dict[int, Tensor] = {}
        if seen:
            hidden = vlm.tower.complete(self.features(seen).to(vlm.device).float())
            words = self.words(seen, hidden) if self.words else None
            facts = self.objects(seen, hidden) if self.objects else None
            prefix = self._kept(vlm.mapper(hidden, words, facts), seen)
            prefixes |= {id(visit): row for visit, row in zip(seen, prefix, strict=True)}
        if told:
            assert self.implied is not None
            prefix = vlm.mapper.tag_prefix(*self.implied(told))
            prefix = self._kept(prefix, told)
            prefixes |= {id(visit): row for visit, row in zip(told, prefix, strict=True)}
        return torch.stack([prefixes[id(visit)] for visit in visits if id(visit) in prefixes])

    def _kept(self, prefix: Tensor, visits: Sequence[Visit]) -> Tensor:
        """Prefixes without the positions that the visits hide while the mapper learns."""
        mapper = self.learner.vlm.mapper
        if mapper.training:
            kept = torch.stack([visit.kept(prefix.shape[1]) for visit in visits])
            prefix = torch.where(kept.to(prefix.device)[..., None], prefix, mapper.places)
        return prefix.float()
