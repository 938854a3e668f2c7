"""Vision towers: pictures in, hidden states out.

Every tower gives the hidden states of its patches, not a pooled embedding, behind one interface:
position 0 is global (a class token, or the mean of the patches), the rest is the grid row by row.

Sources: CLIP (Radford et al. 2021, arXiv 2103.00020), ViT (Dosovitskiy et al. 2020, arXiv
2010.11929), DINOv2 (Oquab et al. 2023, arXiv 2304.07193), EfficientNet-Lite (Tan & Le 2019,
arXiv 1905.11946, without squeeze-and-excitation).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, cast

import torch
from PIL import Image
from torch import Tensor, nn
from torch.nn import functional as F
from torch.nn.utils.fusion import fuse_conv_bn_eval

from model.cache import Progress, silent
from model.config import STARTER_WHEEL, TowerConfig
from model.errors import ProfileError
from model.hub import load_network
from model.preprocessing import pixels_of
from model.pretrained import starter_tower

CLIP_MEAN, CLIP_STD = (0.48145466, 0.4578275, 0.40821073), (0.26862954, 0.26130258, 0.27577711)
IMAGENET_MEAN, IMAGENET_STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
HALF = (0.5, 0.5, 0.5)
LITE_MEAN, LITE_STD = (127 / 255,) * 3, (128 / 255,) * 3


class VisionTower(nn.Module):
    """A network that turns pictures into hidden states.

    Attributes:
        image_size: Side of the square input, in pixels.
        hidden_size: Width D of one hidden state.
        grid: Patches along one side; the tower gives 1 + grid x grid hidden states.
        colours: Side c of the square of mean colours that is appended to each hidden state as 3c²
            channels: the last layer of a classifier hardly knows them any more.
        detail_size: Width E of a hidden state of the detail layer; 0 if there is none.
        detail_side: Side r of the square of its states that lie in one patch; they are appended to
            each hidden state as r²E channels, after the colours.
    """

    image_size: int
    hidden_size: int
    grid: int
    colours = 0
    detail_size = 0
    detail_side = 1
    has_class_token = True

    def __init__(self, mean: Sequence[float], std: Sequence[float]) -> None:
        super().__init__()
        self.register_buffer("mean", torch.tensor(mean).view(3, 1, 1) * 255, persistent=False)
        self.register_buffer("std", torch.tensor(std).view(3, 1, 1) * 255, persistent=False)

    def preprocess(self, images: Sequence[Image.Image]) -> Tensor:
        """RGB pictures of any shape → uint8 pixels (B, 3, S, S)."""
        return torch.from_numpy(pixels_of(images, self.image_size))

    def forward(self, pixels: Tensor) -> Tensor:
        """Pixels (B, 3, S, S) of 0..255 → hidden states (B, 1 + grid², D + 3c² + r²E)."""
        mean, std = cast(Tensor, self.mean), cast(Tensor, self.std)
        hidden, detail = self.hidden_states((pixels.to(std) - mean) / std)
        parts = [hidden]
        if self.colours:
            parts.append(patch_colours(pixels, self.grid, self.colours).to(hidden))
        if detail is not None:
            parts.append(detail.to(hidden))
        return torch.cat(parts, -1) if len(parts) > 1 else hidden

    def hidden_states(self, pixels: Tensor) -> tuple[Tensor, Tensor | None]:
        """Normalised pixels (B, 3, S, S) → hidden states, and those of the detail layer.

        The former are (B, 1 + grid², D), the latter (B, 1 + grid², r²E), or None if there is no
        such layer.
        """
        raise NotImplementedError

    def blocks(self) -> Sequence[nn.Module]:
        """The parts, from the lowest to the highest, that can be tuned."""
        raise NotImplementedError

    def unfreeze_blocks(self, count: int) -> None:
        """Let the weights of the last blocks learn; batch norms keep their statistics.

        Raises:
            ValueError: The tower has fewer blocks.
        """
        blocks = self.blocks()
        if count > len(blocks):
            raise ValueError(f"the tower has only {len(blocks)} blocks")
        for block in blocks[len(blocks) - count :]:
            block.requires_grad_(True)

    def tuned_state(self) -> dict[str, Tensor]:
        """The weights that learn, by name."""
        return {name: p.detach() for name, p in self.named_parameters() if p.requires_grad}

    @torch.no_grad()
    def load_tuned_state(self, state: Mapping[str, Tensor]) -> None:
        """Put tuned weights in the place of the tower's own.

        Raises:
            ValueError: They are of another tower, or not numbers.
        """
        known = dict(self.named_parameters())
        for name, value in state.items():
            if name not in known or known[name].shape != value.shape:
                raise ValueError(f"The tower has no weights {name} of this shape.")
            if not value.isfinite().all():
                raise ValueError("The tower's weights are not all numbers.")
            known[name].copy_(value)

    def compact(self, hidden: Tensor) -> Tensor:
        """Hidden states without a global state that the others determine, for storing."""
        return hidden if self.has_class_token else hidden[:, 1:]

    def complete(self, stored: Tensor) -> Tensor:
        """What `compact` stored → hidden states (B, 1 + grid², …)."""
        return stored if self.has_class_token else with_mean(stored)

    def classifier(self) -> tuple[Tensor, Tensor] | None:
        """Weight (classes, D) and bias (classes) of a classifier on the global state, if any."""
        return None


class EfficientNetLiteTower(VisionTower):
    """EfficientNet-Lite's last feature map: at 256 px an 8 x 8 grid of 1280 channels."""

    has_class_token = False

    def __init__(self, variant: str, image_size: int, detail_layer: int = 0) -> None:
        from efficientnet_lite_pytorch import EfficientNet

        super().__init__(LITE_MEAN, LITE_STD)
        self.net: Any = EfficientNet.from_name(variant)
        self.image_size, self.hidden_size = image_size, self.net._fc.in_features
        self.grid = _size_after_convolutions(image_size, [self.net])
        blocks = len(self.net._blocks)
        if not -blocks <= detail_layer < blocks:
            raise ProfileError(
                f"detail_layer = {detail_layer} in [tower], but the tower has only {blocks} blocks."
            )
        self.detail_layer = detail_layer % blocks
        if self.detail_layer:
            self.detail_size, self.detail_side = self._detail_shape()
        self.to(memory_format=torch.channels_last)  # type: ignore[call-overload]

    def hidden_states(self, pixels: Tensor) -> tuple[Tensor, Tensor | None]:
        """Normalised pixels (B, 3, S, S) → hidden states, see `VisionTower.hidden_states`."""
        net, detail = self.net, None
        pixels = pixels.contiguous(memory_format=torch.channels_last)
        states = net._swish(net._bn0(net._conv_stem(pixels)))
        for number, block in enumerate(net._blocks):
            states = block(states)
            if number == self.detail_layer and number:
                folded = F.pixel_unshuffle(states, self.detail_side)  # (B, Er², grid, grid)
                detail = self.complete(folded.flatten(2).transpose(1, 2))
        states = net._swish(net._bn1(net._conv_head(states)))  # (B, D, grid, grid)
        return self.complete(states.flatten(2).transpose(1, 2)), detail

    def blocks(self) -> Sequence[nn.Module]:
        """The network's blocks, and what widens their states at the end."""
        return [*self.net._blocks, nn.ModuleList([self.net._conv_head, self.net._bn1])]

    def _detail_shape(self) -> tuple[int, int]:
        """Width of the detail layer's states, and how many lie side by side in one patch."""
        below = [self.net._conv_stem, *self.net._blocks[: self.detail_layer + 1]]
        size = _size_after_convolutions(self.image_size, below)
        side, rest = divmod(size, self.grid)
        if rest:
            raise ProfileError(
                f"The detail layer's grid of {size} does not fold into one of "
                f"{self.grid}; choose another image_size or detail_layer in [tower]."
            )
        return int(below[-1]._project_conv.out_channels), side

    def classifier(self) -> tuple[Tensor, Tensor]:
        """ImageNet's thousand classes: weight (1000, D) and bias (1000)."""
        return self.net._fc.weight.detach(), self.net._fc.bias.detach()

    def fold_batch_norm(self) -> None:
        """Fold each batch norm into the convolution before it: the same numbers, fewer passes."""
        self.eval()
        _fold(self.net, _conv_stem="_bn0", _conv_head="_bn1")
        for block in self.net._blocks:
            _fold(block, _expand_conv="_bn0", _depthwise_conv="_bn1", _project_conv="_bn2")


class TransformerTower(VisionTower):
    """A vision transformer in the hub's format: CLIP, ViT or DINOv2."""

    def __init__(
        self, net: Any, config: TowerConfig, mean: Sequence[float], std: Sequence[float]
    ) -> None:
        super().__init__(mean, std)
        self.net = net
        self.layer = config.layer
        self.image_size, self.hidden_size = config.image_size, int(net.config.hidden_size)
        self.grid = config.image_size // int(net.config.patch_size)
        count = int(net.config.num_hidden_layers)
        for key, layer in (("layer", config.layer), ("detail_layer", config.detail_layer)):
            if not -count - 1 <= layer <= count:
                raise ProfileError(
                    f"{key} = {layer} in [tower], but the tower has only {count} layers."
                )
        self.detail_layer = config.detail_layer % (count + 1)
        self.detail_size = self.hidden_size if self.detail_layer else 0

    def hidden_states(self, pixels: Tensor) -> tuple[Tensor, Tensor | None]:
        """Normalised pixels (B, 3, S, S) → hidden states, see `VisionTower.hidden_states`."""
        config = self.net.config
        # DINOv2 fits its learned places to the picture by itself; the others want to be asked.
        resized = self.image_size != config.image_size and config.model_type != "dinov2"
        extra = {"interpolate_pos_encoding": True} if resized else {}
        output = self.net(pixel_values=pixels, output_hidden_states=True, **extra)
        states = output.hidden_states  # of each layer (B, 1 + grid², D)
        return states[self.layer], states[self.detail_layer] if self.detail_layer else None

    def blocks(self) -> Sequence[nn.Module]:
        """The layers up to the one whose hidden states are used."""
        count = self.net.config.num_hidden_layers
        lists = (part for part in self.net.modules() if isinstance(part, nn.ModuleList))
        layers = next(each for each in lists if len(each) == count)
        return list(layers)[: range(count + 1)[self.layer]]


def _size_after_convolutions(size: int, parts: Sequence[Any]) -> int:
    """Side of the feature map; the paddings are those of the network's own image size."""
    for conv in (module for part in parts for module in part.modules()):
        if isinstance(conv, nn.Conv2d):
            padding = getattr(conv.static_padding, "padding", (0, 0))
            size = (size + padding[0] + padding[1] - conv.kernel_size[0]) // conv.stride[0] + 1
    return size


def with_mean(states: Tensor) -> Tensor:
    """States (B, G², D) → (B, 1 + G², D), their mean in front."""
    return torch.cat([states.mean(dim=1, keepdim=True), states], dim=1)


def patch_colours(pixels: Tensor, grid: int, side: int) -> Tensor:
    """Pixels (B, 3, S, S) of 0..255 → mean colours, -1..1, of side x side parts of each patch.

    Returns:
        (B, 1 + grid², 3 x side²), red, green and blue of one part after the other; first the mean
        of all patches.
    """
    means = F.adaptive_avg_pool2d(pixels.float() / 127.5 - 1, grid * side)
    parts = means.view(-1, 3, grid, side, grid, side)
    return with_mean(parts.permute(0, 2, 4, 3, 5, 1).flatten(3).flatten(1, 2))


def load_tower(config: TowerConfig, progress: Progress = silent) -> VisionTower:
    """Load a tower with its base weights, in fp32, frozen and in evaluation mode.

    Raises:
        WeightsError: The weights cannot be had; one plain sentence.
        ProfileError: The profile asks for what the tower cannot give.
    """
    load = _load_starter if config.source == STARTER_WHEEL else _load_from_hub
    return load(config, progress).eval().requires_grad_(False)


def _load_starter(config: TowerConfig, progress: Progress) -> VisionTower:
    from safetensors.torch import load_file

    if config.kind != "efficientnet-lite":
        raise ProfileError("The starter's wheel holds a tower of kind 'efficientnet-lite' only.")
    tower = EfficientNetLiteTower("efficientnet-lite2", config.image_size, config.detail_layer)
    tower.net.load_state_dict(load_file(starter_tower(progress=progress)))
    return tower


def _load_from_hub(config: TowerConfig, progress: Progress) -> VisionTower:
    from transformers import CLIPVisionModel, Dinov2Model, ViTModel

    if config.kind == "efficientnet-lite":
        raise ProfileError("A tower of kind 'efficientnet-lite' needs source = \"starter-wheel\".")
    kind, options, mean, std = {
        "clip": (CLIPVisionModel, {}, CLIP_MEAN, CLIP_STD),
        "vit": (ViTModel, {"add_pooling_layer": False}, HALF, HALF),
        "dinov2": (Dinov2Model, {}, IMAGENET_MEAN, IMAGENET_STD),
    }[config.kind]
    net = load_network("The vision tower", config.source, kind, progress=progress, **options)
    return TransformerTower(net, config, mean, std)


def _fold(module: Any, **norms: str) -> None:
    """Fold batch norms into convolutions of a module, both by name; a block may lack some."""
    for conv, norm in norms.items():
        if isinstance(getattr(module, norm, None), nn.BatchNorm2d):
            fused = fuse_conv_bn_eval(getattr(module, conv), getattr(module, norm))
            setattr(module, conv, fused)
            setattr(module, norm, nn.Identity())
