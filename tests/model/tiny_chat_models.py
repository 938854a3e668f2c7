"""Tiny random chat models in the hub's format, with real tokenizers, processors and templates."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from tiny_models import seeded
from tokenizers import AddedToken, Tokenizer, decoders, models, pre_tokenizers, trainers
from transformers import (
    GenerationConfig,
    Idefics3Config,
    Idefics3ForConditionalGeneration,
    Idefics3ImageProcessorPil,
    Idefics3Processor,
    LlavaConfig,
    LlavaForConditionalGeneration,
    LlavaProcessor,
    PixtralImageProcessorPil,
    PreTrainedTokenizerFast,
    Qwen2_5_VLConfig,
    Qwen2_5_VLForConditionalGeneration,
    Qwen2VLImageProcessorPil,
)

WORDS = (
    "Describe this picture in one plain sentence. What colour is the dog? The dog is brown and it "
    "runs through the grass. Is it red? Yes, it is a red bus. No. Who is there? A man and a woman."
)
# As they came with SmolVLM-256M-Instruct, pixtral-12b and Qwen2.5-VL-3B-Instruct, videos left out.
IDEFICS3 = (
    "<|im_start|>{% for message in messages %}{{message['role'] | capitalize}}"
    "{% if message['content'][0]['type'] == 'image' %}{{':'}}{% else %}{{': '}}{% endif %}"
    "{% for line in message['content'] %}{% if line['type'] == 'text' %}{{line['text']}}"
    "{% elif line['type'] == 'image' %}{{ '<image>' }}{% endif %}{% endfor %}<end_of_utterance>\n"
    "{% endfor %}{% if add_generation_prompt %}{{ 'Assistant:' }}{% endif %}"
)
PIXTRAL = """\
{%- if messages[0]["role"] == "system" %}
    {%- set system_message = messages[0]["content"] %}
    {%- set loop_messages = messages[1:] %}
{%- else %}
    {%- set loop_messages = messages %}
{%- endif %}
{{- bos_token }}
{%- for message in loop_messages %}
    {%- if (message['role'] == 'user') != (loop.index0 % 2 == 0) %}
        {{- raise_exception('conversation roles must alternate user/assistant') }}
    {%- endif %}
    {%- if message["role"] == "user" %}
        {%- if loop.last and system_message is defined %}
            {{- "[INST]" + system_message + "\n\n" }}
        {%- else %}
            {{- "[INST]" }}
        {%- endif %}
        {%- if message["content"] is not string %}
            {%- for chunk in message["content"] %}
                {%- if chunk["type"] == "text" %}
                    {{- chunk["text"] }}
                {%- elif chunk["type"] == "image" %}
                    {{- "[IMG]" }}
                {%- else %}
                    {{- raise_exception("Unrecognized content type!") }}
                {%- endif %}
            {%- endfor %}
        {%- else %}
            {{- message["content"] }}
        {%- endif %}
        {{- "[/INST]" }}
    {%- elif message["role"] == "assistant" %}
        {{- message["content"] + eos_token }}
    {%- endif %}
{%- endfor %}"""
QWEN = (
    "{% for message in messages %}{% if loop.first and message['role'] != 'system' %}"
    "<|im_start|>system\nYou are a helpful assistant.<|im_end|>\n{% endif %}"
    "<|im_start|>{{ message['role'] }}\n{% if message['content'] is string %}"
    "{{ message['content'] }}<|im_end|>\n{% else %}{% for content in message['content'] %}"
    "{% if content['type'] == 'image' or 'image' in content %}"
    "<|vision_start|><|image_pad|><|vision_end|>{% elif 'text' in content %}{{ content['text'] }}"
    "{% endif %}{% endfor %}<|im_end|>\n{% endif %}{% endfor %}"
    "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)
NO_SYSTEM = IDEFICS3.replace(
    "{% for message in messages %}",
    "{% for message in messages %}{% if message['role'] == 'system' %}"
    "{{ raise_exception('System role not supported') }}{% endif %}",
    1,
)
BLIND = IDEFICS3.replace("{{ '<image>' }}", "")
_TEXT = {"hidden_size": 32, "intermediate_size": 64, "num_hidden_layers": 2,
         "num_attention_heads": 2, "num_key_value_heads": 1,
         "max_position_embeddings": 2048}  # fmt: skip
_SIGHT = {"hidden_size": 32, "intermediate_size": 64, "num_hidden_layers": 2,
          "num_attention_heads": 2}  # fmt: skip


def save_idefics3(folder: Path, template: str = IDEFICS3) -> None:
    """What SmolVLM-256M and -500M are."""
    tokenizer = _tokenizer(
        "<|im_start|>", "<image>", "<fake_token_around_image>", "<global-img>",
        *(f"<row_{row}_col_{column}>" for row in range(1, 7) for column in range(1, 7)),
        eos="<end_of_utterance>",
    )  # fmt: skip
    sizes = {"longest_edge": 64}
    seeing = Idefics3ImageProcessorPil(size=sizes, max_image_size={"longest_edge": 32})
    processor = Idefics3Processor(seeing, tokenizer, image_seq_len=4, chat_template=template)
    config = Idefics3Config(
        vision_config={**_SIGHT, "image_size": 32, "patch_size": 8},
        text_config={**_TEXT, "model_type": "llama", "vocab_size": len(tokenizer)},
        image_token_id=tokenizer.convert_tokens_to_ids("<image>"),
        scale_factor=2,
    )
    _save(folder, lambda: Idefics3ForConditionalGeneration(config), tokenizer, processor)


def save_pixtral(folder: Path, template: str = PIXTRAL) -> None:
    """What Pixtral 12B is, Llava with Pixtral's tower; its own processor needs torchvision."""
    tokenizer = _tokenizer("[INST]", "[/INST]", "[IMG]", "[IMG_BREAK]", "[IMG_END]", eos="</s>")
    tokenizer.bos_token = "[INST]"
    seeing = PixtralImageProcessorPil(size={"longest_edge": 32}, patch_size=8)
    processor = LlavaProcessor(
        seeing, tokenizer, patch_size=8, vision_feature_select_strategy="full",
        image_token="[IMG]", chat_template=template,
    )  # fmt: skip
    config = LlavaConfig(
        vision_config={**_SIGHT, "model_type": "pixtral", "image_size": 32, "patch_size": 8},
        text_config={**_TEXT, "model_type": "mistral", "vocab_size": len(tokenizer)},
        image_token_index=tokenizer.convert_tokens_to_ids("[IMG]"),
        vision_feature_layer=-1,
        vision_feature_select_strategy="full",
    )
    _save(folder, lambda: LlavaForConditionalGeneration(config), tokenizer, processor)


def save_qwen(folder: Path, template: str = QWEN) -> None:
    """What Qwen2.5-VL is; a part of its processor, for videos, needs torchvision."""
    tokenizer = _tokenizer(
        "<|im_start|>", "<|vision_start|>", "<|vision_end|>", "<|image_pad|>", "<|video_pad|>",
        eos="<|im_end|>",
    )  # fmt: skip
    seeing = Qwen2VLImageProcessorPil(min_pixels=28 * 28, max_pixels=56 * 56)
    marks = {name: tokenizer.convert_tokens_to_ids(f"<|{mark}|>") for name, mark in (
        ("image_token_id", "image_pad"), ("video_token_id", "video_pad"),
        ("vision_start_token_id", "vision_start"), ("vision_end_token_id", "vision_end"),
    )}  # fmt: skip
    config = Qwen2_5_VLConfig(
        vision_config={"hidden_size": 32, "intermediate_size": 64, "depth": 2, "num_heads": 2,
                       "out_hidden_size": 32, "fullatt_block_indexes": [1]},
        text_config={**_TEXT, "vocab_size": len(tokenizer),
                     "rope_parameters": {"rope_type": "default", "rope_theta": 10_000.0,
                                         "mrope_section": [2, 3, 3]}},
        **marks,
    )  # fmt: skip
    _save(folder, lambda: Qwen2_5_VLForConditionalGeneration(config), tokenizer, seeing)
    (folder / "chat_template.json").write_text(json.dumps({"chat_template": template}))


KINDS: dict[str, Callable[[Path], None]] = {
    "idefics3": save_idefics3,
    "pixtral": save_pixtral,
    "qwen": save_qwen,
}


def _save(folder: Path, build: Callable[[], Any], tokenizer: Any, *processors: Any) -> None:
    with seeded(7):
        model = build().eval()
        with torch.no_grad():  # else it says the same whatever it sees and is asked
            for weights in model.parameters():
                if weights.dim() > 1:
                    weights.normal_(0, 0.3)
    ends = tokenizer.eos_token_id
    model.generation_config = GenerationConfig(eos_token_id=ends, pad_token_id=ends)
    model.save_pretrained(folder)
    for part in (tokenizer, *processors):
        part.save_pretrained(folder)


def _tokenizer(*special: str, eos: str) -> PreTrainedTokenizerFast:
    """A byte-level BPE tokenizer of a few hundred tokens."""
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=400,
        special_tokens=[AddedToken(each, special=True) for each in (*special, eos)],
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    tokenizer.train_from_iterator([WORDS], trainer)
    return PreTrainedTokenizerFast(
        tokenizer_object=tokenizer, eos_token=eos, pad_token=eos,
        additional_special_tokens=[*special],
        model_input_names=["input_ids", "attention_mask"],
    )  # fmt: skip
