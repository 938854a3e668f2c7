"""The loop that anybody would write first: `transformers.Trainer` and peft, one text a row.

`glimpse bench train` compares with it. It learns the same texts about the same hidden states with
the same mapper and LoRA, by the same loss; only how that is computed differs.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.utils.rnn import pad_sequence

from finetune.config import Lora
from finetune.lora import attach_lora, name_tags
from finetune.packing import Segment
from finetune.sampler import Visit
from finetune.sights import Sight
from model.hub import quiet
from model.vlm import PrefixVLM

IGNORED = -100  # the label of what is not learnt
BATCH = 16
Text = tuple[Visit, Segment]


class PlainModel(nn.Module):
    """A mapper and a language model with peft's LoRA, as `transformers.Trainer` wants them.

    Args:
        vlm: The model with a fresh mapper; LoRA is put into its language model.
        lora: What LoRA looks like.

    Attributes:
        computed: Positions that the language model has computed, prefixes and padding included.
    """

    def __init__(self, vlm: PrefixVLM, lora: Lora) -> None:
        super().__init__()
        self.computed = 0
        self.vlm = vlm
        self.mapper, self.language = vlm.mapper, attach_lora(vlm, lora)
        name_tags(vlm)

    def forward(
        self, hidden: Tensor, input_ids: Tensor, attention_mask: Tensor, labels: Tensor
    ) -> dict[str, Tensor]:
        """Hidden states (B, 1 + G², D) and padded texts (B, T) → the mean loss of learnt tokens."""
        prefix = self.mapper(hidden)  # (B, P, C)
        embeddings = torch.cat([prefix, self.vlm.embed(input_ids).to(prefix)], dim=1)
        ahead = prefix.shape[:2]
        self.computed += embeddings.shape[0] * embeddings.shape[1]
        output = self.language(
            inputs_embeds=embeddings,
            attention_mask=torch.cat([attention_mask.new_ones(ahead), attention_mask], dim=1),
            labels=torch.cat([labels.new_full(ahead, IGNORED), labels], dim=1),
        )
        return {"loss": output.loss}


def collate(vlm: PrefixVLM, sight: Sight, texts: Sequence[Text]) -> dict[str, Tensor]:
    """Texts → hidden states (B, 1 + G², D); padded token ids, mask and labels (B, T)."""
    ids = [torch.tensor(segment.prompt + segment.target) for _, segment in texts]
    labels = [
        torch.tensor((IGNORED,) * len(segment.prompt) + segment.target) for _, segment in texts
    ]
    return {
        "hidden": vlm.tower.complete(sight([visit for visit, _ in texts]).float()),
        "input_ids": pad_sequence(ids, batch_first=True),
        "attention_mask": pad_sequence([torch.ones_like(row) for row in ids], batch_first=True),
        "labels": pad_sequence(labels, batch_first=True, padding_value=IGNORED),
    }


def train_plainly(
    model: PlainModel, texts: Sequence[Text], sight: Sight, folder: Path, bfloat16: bool
) -> tuple[int, float]:
    """Learn texts once with `transformers.Trainer`, after a first batch that warms up.

    Args:
        model: What learns.
        texts: What is learnt, all about pictures.
        sight: Gives hidden states.
        folder: Nothing is left in it.
        bfloat16: Compute in bfloat16 by autocast.

    Returns:
        Positions that the language model computed, and the seconds that it took.
    """
    from transformers import PrinterCallback, Trainer, TrainerCallback, TrainingArguments

    ends: list[tuple[int, float]] = []

    class Clock(TrainerCallback):  # type: ignore[misc]
        """Notes where each step ends."""

        def on_step_end(self, *_: Any, **__: Any) -> None:
            ends.append((model.computed, time.monotonic()))

    arguments = TrainingArguments(
        output_dir=str(folder),
        per_device_train_batch_size=BATCH,
        num_train_epochs=1,
        learning_rate=2e-4,
        bf16=bfloat16,
        use_cpu=not torch.cuda.is_available(),
        remove_unused_columns=False,
        save_strategy="no",
        logging_strategy="no",
        report_to="none",
        disable_tqdm=True,
    )
    rows: Any = [*texts[:BATCH], *texts]
    trainer = Trainer(
        model, arguments, partial(collate, model.vlm, sight), rows, callbacks=[Clock()]
    )
    trainer.remove_callback(PrinterCallback)  # stdout is the caller's
    with quiet():
        trainer.train()
    (before, start), (after, end) = ends[0], ends[-1]
    return after - before, end - start
