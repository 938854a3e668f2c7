"""The mapper: hidden states of a picture become a prefix of embeddings for a language model.

    hidden states (B, 1 + G², D) ─► normalise ─► project ─► learned places ─► prefix (B, P, C)

Prefix tuning on pictures follows ClipCap (Mokady et al. 2021, arXiv 2111.09734); patch states with
an MLP follow LLaVA (Liu et al. 2023, arXiv 2310.03744), pixel shuffle SmolVLM and nanoVLM, and the
resampler with learned queries Flamingo's perceiver (Alayrac et al. 2022, arXiv 2204.14198).
"""

from __future__ import annotations

from typing import cast

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from model.config import MapperConfig
from model.errors import ProfileError
from model.object_head import ObjectFacts, ObjectHead

WORD_FEATURES = 512  # between the two layers of the word detector
COLOUR_FEATURES = 128  # likewise of what reads colours
PLACE_FEATURES = 64  # likewise of what reads an object's place
MOST_COUNTED = 6  # objects of a class; more are many


class Mapper(nn.Module):
    """Maps hidden states (B, 1 + G², D) to a prefix (B, P, C), scaled like token embeddings.

    Attributes:
        positions: P, the number of prefix positions.
    """

    positions: int

    def __init__(  # noqa: PLR0917
        self,
        config: MapperConfig,
        hidden_size: int,
        grid: int,
        width: int,
        classes: int = 0,
        detail: tuple[int, int] = (0, 1),
    ) -> None:
        super().__init__()
        self.config, self.hidden_size = config, hidden_size
        self.detail_channels = detail[0] * detail[1] ** 2
        self.dropout = nn.Dropout(config.dropout)
        self.body: nn.Module
        if config.kind == "resampler":
            self.body = Resampler(config, hidden_size, grid, width)
            image_positions = config.queries
        else:
            if config.shuffle < 1 or grid % config.shuffle:
                raise ProfileError(
                    f"shuffle = {config.shuffle} in [mapper] does not divide a grid of {grid}."
                )
            self.body = PatchMlp(config, hidden_size, grid, width)
            image_positions = 1 + (grid // config.shuffle) ** 2
        _check_tags(config, grid, classes)
        self.tags = ClassTags(config, grid, hidden_size, classes, width) if config.tags else None
        tags = (self.tags.positions if self.tags else 0) + config.words + config.objects
        self.positions = image_positions + tags
        self.norm = nn.LayerNorm(width)
        self.places = nn.Parameter(torch.randn(self.positions, width) * 0.02)
        self.scale = nn.Parameter(torch.tensor(0.1))
        self.words = WordTags(config, hidden_size, width) if config.words else None
        self.colours = PatchColours(config, grid, width) if config.colours else None
        self.objects: ObjectTags | None = None
        if config.objects:
            self.objects = ObjectTags(config, ObjectHead(config, hidden_size, grid, *detail), width)

    def split(self, hidden: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """What a tower gives, (B, 1 + G², D + 3c² + r²E) → states, colours, detail states."""
        fine = hidden.shape[-1] - self.detail_channels
        size = self.hidden_size
        return hidden[..., :size], hidden[..., size:fine], hidden[..., fine:]

    def forward(
        self, hidden: Tensor, words: Tensor | None = None, objects: ObjectFacts | None = None
    ) -> Tensor:
        """Hidden states (B, 1 + G², D) → prefix (B, P, C).

        Args:
            hidden: What the tower gives, (B, 1 + G², D + 3c² + r²E).
            words: Logits (B, V) of caption words, if not those of the mapper's own detector.
            objects: What is known of objects, if not what the mapper's own head tells.
        """
        hidden, colours, detail = self.split(hidden)
        prefix = self.body(self.dropout(hidden))  # (B, P - T, C)
        if self.colours is not None:
            prefix = prefix + self.colours(colours)
        prefix = self.norm(prefix) * self.scale
        if self.tags is not None:
            prefix = torch.cat([prefix, self.tags(hidden)], dim=1)
        if self.words is not None:
            prefix = torch.cat([prefix, self.words(hidden, words)], dim=1)
        if self.objects is not None:
            facts = objects or self.objects.head.facts(self.objects.head(hidden, detail))
            prefix = torch.cat([prefix, self.objects(facts)], dim=1)
        return cast(Tensor, prefix + self.places)

    def tag_prefix(self, words: Tensor, objects: ObjectFacts) -> Tensor:
        """A prefix (B, P, C) of word and object tags only; other positions hold just their place.

        Args:
            words: Logits of caption words (B, V).
            objects: What is known of objects.
        """
        tags = []
        if self.words is not None:
            tags.append(self.words(None, words))
        if self.objects is not None:
            tags.append(self.objects(objects))
        named = torch.cat(tags, dim=1)
        return self.places + F.pad(named, (0, 0, self.positions - named.shape[1], 0))

    def fit_scale(self, embeddings: Tensor) -> None:
        """Start at the root mean square of the language model's token embeddings (V, C)."""
        with torch.no_grad():
            self.scale.copy_(embeddings.float().pow(2).mean().sqrt())


class PatchMlp(nn.Module):
    """Folds s x s patches into one position, then two linear layers; the global state apart."""

    def __init__(self, config: MapperConfig, hidden_size: int, grid: int, width: int) -> None:
        super().__init__()
        self.grid, self.shuffle = grid, config.shuffle
        folded = hidden_size * config.shuffle**2
        self.patches = nn.Sequential(
            nn.LayerNorm(folded),
            nn.Linear(folded, config.hidden_size),
            nn.GELU(),
            nn.Linear(config.hidden_size, width),
        )
        self.whole = nn.Sequential(nn.LayerNorm(hidden_size), nn.Linear(hidden_size, width))

    def forward(self, hidden: Tensor) -> Tensor:
        """Hidden states (B, 1 + G², D) → positions (B, 1 + (G/s)², C)."""
        folded = pixel_shuffle(hidden[:, 1:], self.grid, self.shuffle)
        return torch.cat([self.whole(hidden[:, :1]), self.patches(folded)], dim=1)


class PatchColours(nn.Module):
    """What the colours of each position's patches add to it; at first nothing."""

    def __init__(self, config: MapperConfig, grid: int, width: int) -> None:
        super().__init__()
        self.grid, self.shuffle = grid, config.shuffle
        channels = 3 * config.colours**2 * config.shuffle**2
        last = nn.Linear(COLOUR_FEATURES, width)
        nn.init.zeros_(last.weight)
        nn.init.zeros_(last.bias)
        self.layers = nn.Sequential(nn.Linear(channels, COLOUR_FEATURES), nn.GELU(), last)

    def forward(self, colours: Tensor) -> Tensor:
        """Mean colours (B, 1 + G², 3c²) → (B, 1 + (G/s)², C), 0 for the global position."""
        added = self.layers(pixel_shuffle(colours[:, 1:], self.grid, self.shuffle))
        return F.pad(added, (0, 0, 1, 0))


class Resampler(nn.Module):
    """Learned queries read the hidden states by cross-attention, whatever the grid's size."""

    def __init__(self, config: MapperConfig, hidden_size: int, grid: int, width: int) -> None:
        super().__init__()
        inner = config.hidden_size
        heads = next(h for h in (12, 8, 6, 4, 2, 1) if inner % h == 0)
        self.reduce = nn.Sequential(nn.LayerNorm(hidden_size), nn.Linear(hidden_size, inner))
        self.patch_places = nn.Parameter(torch.randn(1 + grid**2, inner) * 0.02)
        self.queries = nn.Parameter(torch.randn(config.queries, inner) * 0.02)
        self.layers = nn.ModuleList(
            nn.TransformerDecoderLayer(
                inner, heads, 2 * inner, config.dropout, F.gelu, batch_first=True, norm_first=True
            )
            for _ in range(config.layers)
        )
        self.project = nn.Linear(inner, width)

    def forward(self, hidden: Tensor) -> Tensor:
        """Hidden states (B, 1 + G², D) → positions (B, Q, C)."""
        memory = self.reduce(hidden) + self.patch_places  # (B, 1 + G², H)
        queries = self.queries.expand(hidden.shape[0], -1, -1)  # (B, Q, H)
        for layer in self.layers:
            queries = layer(queries, memory)
        return cast(Tensor, self.project(queries))


class ClassTags(nn.Module):
    """Positions that name what the tower's own classifier sees: in the picture and in its quarters.

    The classifier knows a thousand things, most of which few training captions name. Each class
    has an embedding that starts as the mean token embedding of its name, so that the language
    model can read "zebra" from the first step on.
    """

    head_weight: Tensor
    head_bias: Tensor

    def __init__(self, config: MapperConfig, grid: int, hidden: int, classes: int, width: int):
        super().__init__()
        self.whole, self.quarter, self.grid = config.tags, config.quarter_tags, grid
        self.positions = self.whole + 4 * self.quarter
        # The classifier belongs to the base weights: it is set on loading, never saved here.
        self.register_buffer("head_weight", torch.zeros(classes, hidden), persistent=False)
        self.register_buffer("head_bias", torch.zeros(classes), persistent=False)
        self.names = nn.Embedding(classes, width)
        self.certainty = nn.Parameter(torch.zeros(width))

    def set_classifier(self, weight: Tensor, bias: Tensor) -> None:
        """Take the tower's classifier: weight (classes, D), bias (classes)."""
        self.head_weight.copy_(weight)
        self.head_bias.copy_(bias)

    def forward(self, hidden: Tensor) -> Tensor:
        """Hidden states (B, 1 + G², D) → embeddings of the most probable classes (B, T, C)."""
        embeddings = [self._name(hidden[:, :1], self.whole)]
        if self.quarter:
            half = self.grid - self.grid // 2
            cells = (
                hidden[:, 1:].reshape(hidden.shape[0], self.grid, self.grid, -1).permute(0, 3, 1, 2)
            )
            quarters = F.avg_pool2d(cells.float(), half, self.grid // 2)  # (B, D, 2, 2)
            embeddings.append(self._name(quarters.flatten(2).transpose(1, 2), self.quarter))
        return torch.cat(embeddings, dim=1)

    def _name(self, states: Tensor, count: int) -> Tensor:
        """States (B, R, D) → embeddings (B, R x count, C)."""
        logits = F.linear(states.float(), self.head_weight.float(), self.head_bias.float())
        probabilities, classes = logits.softmax(dim=-1).topk(count, dim=-1)  # (B, R, k)
        named = self.names(classes) + probabilities[..., None] * self.certainty
        return cast(Tensor, named.flatten(1, 2))


class WordTags(nn.Module):
    """Positions that name the words which captions of such a picture most probably use.

    A detector of caption words learns in a minute what the mapper needs hours for, and the
    language model can read its words at once. After semantic attention (You et al. 2016, arXiv
    1603.03925), with the words as prefix. `finetune.word_tags` fits it before training starts.
    """

    def __init__(self, config: MapperConfig, hidden_size: int, width: int) -> None:
        super().__init__()
        self.count = config.words
        self.detector = nn.Sequential(
            nn.Linear(hidden_size, WORD_FEATURES),
            nn.ReLU(),
            nn.Linear(WORD_FEATURES, config.vocabulary),
        )
        self.detector.requires_grad_(False)
        self.names = nn.Embedding(config.vocabulary, width)
        self.certainty = nn.Parameter(torch.zeros(width))

    def forward(self, hidden: Tensor | None, logits: Tensor | None = None) -> Tensor:
        """Hidden states (B, 1 + G², D), or logits → embeddings of the likeliest words (B, k, C)."""
        if logits is None:
            assert hidden is not None
            logits = self.detector(hidden[:, 0])
        probabilities, found = logits.float().sigmoid().topk(self.count)
        return cast(Tensor, self.names(found) + probabilities[..., None] * self.certainty)


class ObjectTags(nn.Module):
    """Positions that name the most probable objects, with their place and how many there are.

    As with word tags, each name starts as the mean token embedding of its class. What a place and
    a count add starts at nothing, and is nothing where they are unknown.
    """

    def __init__(self, config: MapperConfig, head: ObjectHead, width: int) -> None:
        super().__init__()
        self.count, self.head = config.objects, head
        self.names = nn.Embedding(config.object_classes, width)
        self.certainty = nn.Parameter(torch.zeros(width))
        self.counts = nn.Parameter(torch.zeros(MOST_COUNTED, width))
        last = nn.Linear(PLACE_FEATURES, width, bias=False)
        nn.init.zeros_(last.weight)
        self.place = nn.Sequential(nn.Linear(5, PLACE_FEATURES), nn.GELU(), last)

    def forward(self, facts: ObjectFacts) -> Tensor:
        """Facts of B pictures → embeddings of the most probable objects (B, k, C)."""
        probabilities, found = facts.probabilities.topk(self.count)  # (B, k)
        counts = facts.counts.gather(1, found).long().clamp(max=MOST_COUNTED)
        many = F.pad(self.counts, (0, 0, 1, 0))[counts]  # (B, k, C), 0 where it is unknown
        corners = facts.corners.gather(1, found[..., None].expand(-1, -1, 4))
        size = corners[..., 2:] - corners[..., :2]
        middle = (corners[..., 2:] + corners[..., :2]) / 2
        area = size.prod(-1, keepdim=True).clamp(min=0).sqrt()
        place = self.place(torch.cat([middle * 2 - 1, size, area], dim=-1)) * (area > 0)
        named = self.names(found) + probabilities[..., None] * self.certainty
        return cast(Tensor, named + many + place)


def _check_tags(config: MapperConfig, grid: int, classes: int) -> None:
    if config.tags and not classes:
        raise ProfileError("tags in [mapper] need a tower with a classifier.")
    if config.tags and max(config.tags, config.quarter_tags) > classes:
        raise ProfileError(
            f"tags in [mapper] are too many: the tower's classifier knows only {classes} classes."
        )
    if config.words > config.vocabulary:
        raise ProfileError("words in [mapper] are more than its vocabulary.")
    if config.objects > config.object_classes or config.object_boxes > config.object_classes:
        raise ProfileError("objects or object_boxes in [mapper] are more than its object_classes.")
    if config.quarter_tags and grid < 2:
        raise ProfileError("quarter_tags in [mapper] need a tower with a grid of at least 2.")


def pixel_shuffle(patches: Tensor, grid: int, side: int) -> Tensor:
    """Fold side x side neighbours into one position: (B, G², D) → (B, (G/s)², s²D)."""
    batch, _, width = patches.shape
    coarse = grid // side
    blocks = patches.view(batch, coarse, side, coarse, side, width)
    return blocks.permute(0, 1, 3, 2, 4, 5).reshape(batch, coarse**2, side**2 * width)
