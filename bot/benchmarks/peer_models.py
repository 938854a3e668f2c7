"""What Glimpse is compared with: well-known shapes in plain transformers, and Glimpse itself.

The shapes are made from configurations with random weights: how long they take does not depend on
what they know, and nothing has to be fetched. They compute as most people's first program does: in
float32, nothing compiled, greedily, one picture at a time, with transformers' own `generate`.

    clip-gpt2    CLIP ViT-B/32 + GPT-2, a prefix of 10 (ClipCap: Mokady et al., arXiv 2111.09734)
    clip-pythia  the same with a language model of Pythia-160m's shape (GPT-NeoX, arXiv 2304.01373)
    git          GIT-base (Wang et al., arXiv 2205.14100)
    blip         BLIP-base, for captions and for questions (Li et al., arXiv 2201.12086)
    smolvlm      SmolVLM-256M, a picture of 512 pixels without tiles (arXiv 2504.05299)

Every one writes the same number of tokens, whether it would have ended before or not. Questions are
random tokens, so that plain shapes need no tokenizer, which is to their advantage.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial
from itertools import count
from typing import Any

import numpy as np
import torch
from PIL import Image
from torch import Tensor, nn
from transformers import (
    BlipConfig,
    BlipForConditionalGeneration,
    BlipForQuestionAnswering,
    CLIPVisionConfig,
    CLIPVisionModel,
    GitConfig,
    GitForCausalLM,
    GPT2Config,
    GPT2LMHeadModel,
    GPTNeoXConfig,
    GPTNeoXForCausalLM,
    SmolVLMConfig,
    SmolVLMForConditionalGeneration,
)

from bot.benchmarks.peers import ANSWER_TOKENS, CAPTION_TOKENS, Kind
from model.cache import Progress
from model.config import load_profile
from model.engine import Engine
from model.hub import silence_libraries
from model.requests import EngineLimits
from model.runtime import VisionLanguageModel, load_model

QUESTION_TOKENS = 10
PREFIX = 10  # positions of a picture, as ClipCap has them
QUESTION, OTHER_QUESTION = "What is in this picture?", "Is there a person in the picture?"


# --- Glimpse ----------------------------------------------------------------------------------


class EndlessModel:
    """A model whose texts never end, so that their length is the most that is allowed.

    Args:
        model: The model.

    Attributes:
        end: No token at all.
        written: Tokens of the text that was written last.
    """

    end = -1

    def __init__(self, model: VisionLanguageModel) -> None:
        self._model, self.written = model, 0
        self.object_names, self.object_boxes = model.object_names, model.object_boxes
        self.tokens, self.start, self.read_pictures = model.tokens, model.start, model.read_pictures

    def text_of(self, tokens: Sequence[int]) -> str:
        """The text of tokens, special ones left out."""
        self.written = len(tokens)
        return self._model.text_of(tokens)


@dataclass(frozen=True)
class _Picture:
    image: Image.Image
    digest: str


class GlimpsePeer:
    """Glimpse's engine, asked one thing at a time.

    Args:
        threads: CPU cores to use.
        profile: Name of a profile, or path of a TOML file.
        runtime: "openvino" or "torch".
        int8: Quantise the language model.
        progress: Told what is fetched and converted.

    Raises:
        ProfileError, AdapterError, WeightsError, DeviceError: One plain sentence each.
    """

    def __init__(
        self, threads: int, profile: str, runtime: str, int8: bool, progress: Progress
    ) -> None:
        chosen = load_profile(profile)
        loaded = load_model(
            chosen, runtime, threads=threads, int8=int8, device="cpu", progress=progress
        )
        self._threads = torch.get_num_threads() if runtime == "torch" else threads
        decoding = replace(
            chosen.decoding, caption_tokens=CAPTION_TOKENS, answer_tokens=ANSWER_TOKENS
        )
        self._model = EndlessModel(loaded.model)
        self._engine = Engine(
            replace(chosen, decoding=decoding),
            self._model,
            loaded.calibration,
            EngineLimits(workers=1),  # one thing at a time needs no more
        )
        self._numbers = count()
        self._last = _Picture(Image.new("RGB", (8, 8)), "")

    def prepare(self) -> None:
        """Take the number of threads that the runtime was loaded with."""
        torch.set_num_threads(self._threads)

    def caption(self, image: Image.Image) -> int:
        """Describe a fresh RGB picture."""
        return self._ask(image, None)

    def answer(self, image: Image.Image) -> int:
        """Answer a question about a fresh RGB picture."""
        return self._ask(image, QUESTION)

    def follow_up(self) -> int:
        """Answer another one about the same picture."""
        self._engine.answer(self._last, OTHER_QUESTION)
        return self._model.written

    def close(self) -> None:
        """Stop the engine."""
        self._engine.close()

    def _ask(self, image: Image.Image, question: str | None) -> int:
        self._last = _Picture(image, str(next(self._numbers)))
        self._engine.submit(self._last, question).result()
        return self._model.written


# --- plain transformers -----------------------------------------------------------------------


class PlainPeer:
    """What all plain shapes share.

    Args:
        threads: CPU cores to use.
        side: Pictures become squares of so many pixels.
        vocabulary: How many tokens there are.
    """

    def __init__(self, threads: int, side: int, vocabulary: int) -> None:
        self._threads, self._side = threads, side
        self._question = torch.randint(2, vocabulary, (1, QUESTION_TOKENS))

    def prepare(self) -> None:
        """Take all threads."""
        torch.set_num_threads(self._threads)

    def follow_up(self) -> int | None:
        """None: `generate` keeps nothing of a picture from one call to the next."""
        return None

    def close(self) -> None:
        """Nothing runs."""

    def _pixels(self, image: Image.Image) -> Tensor:
        """An RGB picture → (1, 3, side, side), as the shapes' own preprocessing does it."""
        small = image.resize((self._side, self._side), Image.Resampling.BICUBIC)
        scaled = torch.from_numpy(np.array(small)).float().permute(2, 0, 1)[None] / 255
        return (scaled - 0.45) / 0.27


@torch.inference_mode()
def _generate(model: Any, most: int, before: int = 0, **given: Any) -> int:
    """Write so many tokens greedily; how many there are beyond those that were given."""
    with silence_libraries():
        found = model.generate(**given, do_sample=False, min_new_tokens=most, max_new_tokens=most)
    return int(found.shape[1]) - before


class PrefixPeer(PlainPeer):
    """CLIP, an MLP that makes a prefix of its pooled output, and a language model.

    Args:
        threads: CPU cores to use.
        vision: The tower's configuration.
        language: The language model, of transformers.
    """

    def __init__(self, threads: int, vision: CLIPVisionConfig, language: Any) -> None:
        config = language.config
        super().__init__(threads, vision.image_size, config.vocab_size)
        self.tower, self.language = CLIPVisionModel(vision).eval(), language.eval()
        width = config.hidden_size
        self.mapper = nn.Sequential(
            nn.Linear(vision.hidden_size, width * PREFIX // 2),
            nn.Tanh(),
            nn.Linear(width * PREFIX // 2, width * PREFIX),
        ).eval()
        self._prefix = torch.zeros(1, PREFIX, width)
        self.language.generation_config.pad_token_id = 0  # or it warns that it has none

    def caption(self, image: Image.Image) -> int:
        """Describe a fresh RGB picture."""
        self._see(image)
        return _generate(self.language, CAPTION_TOKENS, inputs_embeds=self._prefix)

    def answer(self, image: Image.Image) -> int:
        """Answer a question about a fresh RGB picture."""
        self._see(image)
        return self.follow_up()

    @torch.inference_mode()
    def follow_up(self) -> int:
        """Answer a question behind the prefix, which is easily kept."""
        embedded = self.language.get_input_embeddings()(self._question)
        both = torch.cat([self._prefix, embedded], dim=1)
        return _generate(self.language, ANSWER_TOKENS, inputs_embeds=both)

    @torch.inference_mode()
    def _see(self, image: Image.Image) -> None:
        pooled = self.tower(self._pixels(image)).pooler_output
        self._prefix = self.mapper(pooled).view(self._prefix.shape)


class GitPeer(PlainPeer):
    """GIT: the decoder reads the picture's states and the question as one text."""

    def __init__(self, threads: int, config: GitConfig) -> None:
        super().__init__(threads, config.vision_config.image_size, config.vocab_size)
        self.model = GitForCausalLM(config).eval()

    def caption(self, image: Image.Image) -> int:
        """Describe a fresh RGB picture."""
        return self._write(image, self._question[:, :1], CAPTION_TOKENS)

    def answer(self, image: Image.Image) -> int:
        """Answer a question about a fresh RGB picture."""
        return self._write(image, self._question, ANSWER_TOKENS)

    def _write(self, image: Image.Image, prompt: Tensor, most: int) -> int:
        return _generate(
            self.model, most, prompt.shape[1], pixel_values=self._pixels(image), input_ids=prompt
        )


class BlipPeer(PlainPeer):
    """BLIP: one network for captions, and one for questions, whose tower they share here."""

    def __init__(self, threads: int, config: BlipConfig) -> None:
        super().__init__(threads, config.vision_config.image_size, config.text_config.vocab_size)
        self.captioner = BlipForConditionalGeneration(config).eval()
        self.answerer = BlipForQuestionAnswering(config).eval()
        self.answerer.vision_model = self.captioner.vision_model

    def caption(self, image: Image.Image) -> int:
        """Describe a fresh RGB picture."""
        # Without a prompt it begins with its own first token, which is none of the new ones.
        return _generate(self.captioner, CAPTION_TOKENS, 1, pixel_values=self._pixels(image))

    def answer(self, image: Image.Image) -> int:
        """Answer a question about a fresh RGB picture."""
        pixels = self._pixels(image)
        return _generate(
            self.answerer, ANSWER_TOKENS, 1, input_ids=self._question, pixel_values=pixels
        )


class SmolVlmPeer(PlainPeer):
    """SmolVLM: the picture's states take the place of image tokens in the prompt."""

    def __init__(self, threads: int, config: SmolVLMConfig) -> None:
        vision = config.vision_config
        super().__init__(threads, vision.image_size, config.image_token_id)
        self.model = SmolVLMForConditionalGeneration(config).eval()
        patches = (vision.image_size // vision.patch_size) ** 2
        image = torch.full((1, patches // config.scale_factor**2), config.image_token_id)
        self._asked = torch.cat([image, self._question], dim=1)

    def caption(self, image: Image.Image) -> int:
        """Describe a fresh RGB picture; people ask for that in words."""
        return self._write(image, CAPTION_TOKENS)

    def answer(self, image: Image.Image) -> int:
        """Answer a question about a fresh RGB picture."""
        return self._write(image, ANSWER_TOKENS)

    def _write(self, image: Image.Image, most: int) -> int:
        tiles = self._pixels(image)[:, None]  # (1, 1 tile, 3, side, side)
        return _generate(
            self.model, most, self._asked.shape[1], pixel_values=tiles, input_ids=self._asked,
            attention_mask=torch.ones_like(self._asked),
        )  # fmt: skip


# --- their published sizes --------------------------------------------------------------------

_VIT = {"hidden_size": 768, "intermediate_size": 3072, "num_hidden_layers": 12}
_VIT |= {"num_attention_heads": 12}


def clip_gpt2(threads: int) -> PrefixPeer:
    """CLIP ViT-B/32 and GPT-2, 124 million parameters."""
    return PrefixPeer(threads, _clip(32), GPT2LMHeadModel(GPT2Config()))


def clip_pythia(threads: int) -> PrefixPeer:
    """CLIP ViT-B/32 and Pythia-160m."""
    config = GPTNeoXConfig(**_VIT, vocab_size=50304, max_position_embeddings=2048)
    return PrefixPeer(threads, _clip(32), GPTNeoXForCausalLM(config))


def git_base(threads: int) -> GitPeer:
    """GIT-base: CLIP ViT-B/16 and six layers, 177 million parameters."""
    return GitPeer(threads, GitConfig(vision_config=_clip(16).to_dict()))


def blip_base(threads: int) -> BlipPeer:
    """BLIP-base: ViT-B/16 at 384 pixels, and twelve layers of text."""
    vision = {**_VIT, "image_size": 384, "patch_size": 16}
    text = {**_VIT, "vocab_size": 30524, "encoder_hidden_size": 768}
    return BlipPeer(threads, BlipConfig(text_config=text, vision_config=vision))


def smolvlm(threads: int) -> SmolVlmPeer:
    """SmolVLM-256M: SigLIP-B/16 at 512 pixels, and SmolLM2-135M."""
    vision = {**_VIT, "image_size": 512, "patch_size": 16}
    text = {"model_type": "llama", "vocab_size": 49280, "hidden_size": 576}
    text |= {"intermediate_size": 1536, "num_hidden_layers": 30, "num_attention_heads": 9}
    text |= {"num_key_value_heads": 3, "max_position_embeddings": 8192, "pad_token_id": 2}
    config = SmolVLMConfig(
        text_config=text, vision_config=vision, scale_factor=4, image_token_id=49190,
        pad_token_id=2, tie_word_embeddings=False,
    )  # fmt: skip
    return SmolVlmPeer(threads, config)


def _clip(patch: int) -> CLIPVisionConfig:
    return CLIPVisionConfig(**_VIT, image_size=224, patch_size=patch)


def all_kinds(profile: str, int8: bool, progress: Progress) -> dict[str, Kind]:
    """What can be measured, by the names of `--only`; Glimpse first.

    Args:
        profile: Of Glimpse: a name, or the path of a TOML file.
        int8: Quantise its language model.
        progress: Told what is fetched and converted.
    """
    glimpse = partial(GlimpsePeer, profile=profile, int8=int8, progress=progress)
    return {
        "glimpse": Kind("Glimpse, OpenVINO", partial(glimpse, runtime="openvino")),
        "glimpse-torch": Kind("Glimpse, PyTorch", partial(glimpse, runtime="torch")),
        "clip-gpt2": Kind("CLIP + GPT-2", clip_gpt2),
        "clip-pythia": Kind("CLIP + Pythia-160m", clip_pythia),
        "git": Kind("GIT-base", git_base),
        "blip": Kind("BLIP-base", blip_base),
        "smolvlm": Kind("SmolVLM-256M", smolvlm),
    }
