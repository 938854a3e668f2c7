"""The word detector: what it learns from captions, and what the language model then reads."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file
from tiny_data import COLOURS
from training import make_trainer

from data.datasets.feature_cache import FeatureStore
from data.datasets.records import QuestionRecord
from finetune.errors import TrainingError
from finetune.packing import Group
from finetune.sampler import Visit, presuppositions
from finetune.word_tags import (
    FOLDS,
    CrossFittedWords,
    WordExamples,
    fit_words,
    frequent_words,
    word_targets,
)
from model.adapter import load_trained
from model.config import load_profile

WORDS = {"mapper": {"kind": "mlp", "hidden_size": 24, "shuffle": 2, "words": 2, "vocabulary": 6}}
COLOURED = {"mapper": {**WORDS["mapper"], "colours": 2}}


def test_frequent_words_are_content_words_counted_once_for_a_picture() -> None:
    captions = [["a dog and a dog", "the dog runs"], ["a cat runs"], ["it is a dog"]]
    assert frequent_words([captions], 3)[0] == "dog"
    assert set(frequent_words([captions], 3)) == {"dog", "runs", "cat"}


def test_a_few_questions_bring_their_words_in_beside_many_captions() -> None:
    captions = [["a dog in the grass"]] * 60 + [["a dog in the snow"]] * 40
    asked = [["What is the giraffe eating? leaves"], ["Is the giraffe tall? yes"]]
    assert frequent_words([captions, asked], 3) == ["dog", "giraffe", "grass"]
    assert frequent_words([captions, []], 9) == ["dog", "grass", "snow"]


def test_a_word_said_once_is_less_sure() -> None:
    targets = word_targets([["a dog runs", "a dog"], ["a cat"]], ["dog", "runs", "cat"])
    assert targets == pytest.approx(torch.tensor([[1.0, 0.6, 0.0], [0.0, 0.0, 0.6]]))


def test_the_detector_names_the_word_that_belongs_to_a_picture(
    tmp_path: Path, hub: Path, data: Path
) -> None:
    """Hidden states with one direction for each colour: its word must come first."""
    trainer = make_trainer(tmp_path, hub, data, profile=WORDS)
    mapper = trainer.vlm.mapper
    assert mapper.words is not None
    width, states = trainer.vlm.tower.hidden_size, 1 + trainer.vlm.tower.grid**2
    names = [f"{n}.png" for n in range(200)]
    colours = [list(COLOURS)[n % 4] for n in range(200)]
    array = np.random.default_rng(0).normal(0, 0.3, (200, states, width)).astype(np.float16)
    for row, colour in enumerate(colours):
        array[row, :, list(COLOURS).index(colour)] += 3
    store = FeatureStore({n: i for i, n in enumerate(names)}, [1] * 200, [array])
    captions = {
        n: [f"a {c} wall", f"the {c} dog left"] for n, c in zip(names, colours, strict=True)
    }
    examples = WordExamples.of(trainer.vlm, store, captions)
    assert examples is not None
    vocabulary = fit_words(trainer.vlm, examples, seed=0)
    with torch.inference_mode():
        logits = mapper.words.detector(torch.from_numpy(array[:, 0]).float())
    columns = torch.tensor([vocabulary.index(colour) for colour in COLOURS])
    found = logits[:, columns].argmax(dim=1)
    right = [list(COLOURS)[index] for index in found.tolist()]
    assert sum(a == b for a, b in zip(right, colours, strict=True)) > 190
    red = trainer.vlm.embed(torch.tensor(trainer.vlm.tokens(" red"))).float().mean(dim=0)
    assert mapper.words.names.weight[vocabulary.index("red")].detach() == pytest.approx(red)


def test_words_are_trained_saved_and_loaded(tmp_path: Path, hub: Path, data: Path) -> None:
    trainer = make_trainer(tmp_path, hub, data, profile=WORDS, steps=2)
    folder = trainer.train()
    words = trainer.vlm.mapper.words
    assert words is not None
    assert not any(p.requires_grad for p in words.detector.parameters())
    (tmp_path / "tiny.toml").write_text(
        f'adapter = "{folder}"\n' + (tmp_path / "tiny.toml").read_text(encoding="utf-8"),
        encoding="utf-8",
    )
    loaded, _ = load_trained(load_profile(str(tmp_path / "tiny.toml")))
    assert loaded.mapper.words is not None
    kept = loaded.mapper.words.detector[0].weight
    assert kept.detach() == pytest.approx(words.detector[0].weight.detach(), abs=2e-3)


def test_too_few_words_are_refused(tmp_path: Path, hub: Path, data: Path) -> None:
    many = {"mapper": {**WORDS["mapper"], "vocabulary": 500}}
    with pytest.raises(TrainingError, match="different words"):
        make_trainer(tmp_path, hub, data, profile=many, steps=1).train()


def test_the_words_of_a_training_picture_do_not_come_from_its_own_captions(
    tmp_path: Path, hub: Path, data: Path
) -> None:
    trainer = make_trainer(tmp_path, hub, data, profile=WORDS)
    names = [f"{n}.png" for n in range(60)]
    shape = (60, 1 + trainer.vlm.tower.grid**2, trainer.vlm.tower.hidden_size)
    states = np.random.default_rng(0).normal(size=shape).astype(np.float16)
    store = FeatureStore({n: i for i, n in enumerate(names)}, [1] * 60, [states])
    vocabulary = ["red", "green", "blue", "white", "dog", "wall"]
    captions = {n: [f"a {vocabulary[i % 6]} thing"] for i, n in enumerate(names)}
    visits = [Visit(name, Group((), has_picture=True)) for name in names]
    hidden = torch.from_numpy(states).float()

    folds: dict[str, int] = {}

    def logits(captions: dict[str, list[str]]) -> torch.Tensor:
        examples = WordExamples.of(trainer.vlm, store, captions)
        fitted = CrossFittedWords(trainer.vlm, examples, vocabulary, 0)
        folds.update(fitted._fold)
        return fitted(visits, hidden)

    before = logits(captions)
    fold = [folds[name] for name in names]
    first = torch.tensor([each == 0 for each in fold])
    assert first.sum() == 60 / FOLDS
    changed = {n: ["a red wall"] if fold[i] == 0 else captions[n] for i, n in enumerate(names)}
    after = logits(changed)
    torch.testing.assert_close(after[first], before[first])
    assert (after[~first] - before[~first]).abs().amax(dim=1).min() > 1e-4
    # Pictures without captions have nothing to hide: the mapper's own detector sees them.
    stranger = [Visit("new.png", Group((), has_picture=True))]
    own = trainer.vlm.mapper.words
    assert own is not None
    fitted = CrossFittedWords(
        trainer.vlm, WordExamples.of(trainer.vlm, store, captions), vocabulary, 0
    )
    torch.testing.assert_close(fitted(stranger, hidden[:1]), own.detector(hidden[:1, 0]))


def test_words_need_texts(tmp_path: Path, hub: Path, data: Path) -> None:
    trainer = make_trainer(tmp_path, hub, data, profile=WORDS)
    with pytest.raises(TrainingError, match="Word tags need pictures with captions or questions"):
        WordExamples.of(trainer.vlm, trainer.store, {})


def test_cross_fitting_says_what_it_lacks(tmp_path: Path, hub: Path, data: Path) -> None:
    trainer = make_trainer(tmp_path, hub, data, profile=WORDS)
    everything = trainer.mixture.captions
    one = dict([everything.popitem()])
    for captions, vocabulary, sentence in (
        (everything, [], "whose vocabulary is known"),
        (one, ["word"] * 6, "needs more than 5 pictures"),
    ):
        examples = WordExamples.of(trainer.vlm, trainer.store, captions)
        with pytest.raises(TrainingError, match=sentence):
            CrossFittedWords(trainer.vlm, examples, vocabulary, 0)


@pytest.mark.parametrize("crops", [False, True])
def test_cross_fitting_without_word_tags_is_refused(
    tmp_path: Path, hub: Path, data: Path, crops: bool
) -> None:
    changes = {"cross_fit": True, "crops": crops}
    profile = {"mapper": {**WORDS["mapper"], "words": 0}}
    trainer = make_trainer(tmp_path, hub, data, changes=changes, profile=profile)
    with pytest.raises(TrainingError, match="needs word tags"):
        trainer.train()


def test_who_goes_on_from_an_adapter_knows_its_words(tmp_path: Path, hub: Path, data: Path) -> None:
    changes = {"cross_fit": True, "crops": True}
    first = make_trainer(tmp_path / "first", hub, data, profile=COLOURED, changes=changes)
    folder = first.train()
    words = first.progress.vocabulary
    assert len(words) == 6
    profile = COLOURED | {"adapter": str(folder)}
    again = {**changes, "continues": True}
    second = make_trainer(tmp_path / "second", hub, data, profile=profile, changes=again)
    second.begin()
    assert second.progress.vocabulary == words
    names = second.vlm.mapper.words
    assert names is not None
    weights = load_file(folder / "prefix.safetensors")
    assert weights["colours.layers.2.weight"].any()  # colours are learnt, and words without them
    saved = weights["words.names.weight"].float()
    torch.testing.assert_close(names.names.weight.detach(), saved)


def test_a_detector_that_is_fitted_anew_keeps_the_names_of_words_that_it_knew(
    tmp_path: Path, hub: Path, data: Path
) -> None:
    first = make_trainer(tmp_path / "first", hub, data, profile=WORDS, mapper_rate=0.05)
    folder = first.train()
    known = first.progress.vocabulary
    profile = WORDS | {"adapter": str(folder)}
    again = {"continues": True, "refit_words": True, "seed": 3}
    second = make_trainer(tmp_path / "second", hub, data, profile=profile, changes=again)
    # Other texts about the same pictures: some words stay, others come.
    captions = {
        image: ["a zebra by a lamp", *texts] for image, texts in second.mixture.captions.items()
    }
    for _, items in second.mixture.sources:
        items[:] = [
            replace(item, captions=captions.get(item.image, item.captions)) for item in items
        ]
    second.begin()
    words = second.progress.vocabulary
    kept, came = set(words) & set(known), set(words) - set(known)
    assert kept
    assert came >= {"zebra", "lamp"}
    now = second.vlm.mapper.words
    assert now is not None
    weights = load_file(folder / "prefix.safetensors")
    names = now.names.weight.detach()
    for word in words:
        row = names[words.index(word)]
        if word in kept:
            expected = weights["words.names.weight"][known.index(word)].float()
        else:
            ids = torch.tensor(second.vlm.tokens(" " + word))
            expected = second.vlm.embed(ids).float().mean(dim=0).detach()
        torch.testing.assert_close(row, expected)
    assert not torch.equal(now.detector[0].weight, weights["words.detector.0.weight"].float())


def test_fitting_anew_needs_a_detector(tmp_path: Path, hub: Path, data: Path) -> None:
    bare = {"mapper": {**WORDS["mapper"], "words": 0}}
    folder = make_trainer(tmp_path / "first", hub, data, profile=bare, steps=1).train()
    changes = {"continues": True, "refit_words": True}
    profile = {**bare, "adapter": str(folder)}
    second = make_trainer(tmp_path / "second", hub, data, profile=profile, changes=changes)
    with pytest.raises(TrainingError, match="refit_words needs word tags"):
        second.begin()


def test_pictures_without_captions_teach_the_words_of_their_questions(
    tmp_path: Path, hub: Path, data: Path
) -> None:
    """Hidden states with a direction for what is asked about: its word must come first."""
    profile = {"mapper": {**WORDS["mapper"], "vocabulary": 12}}
    trainer = make_trainer(tmp_path, hub, data, profile=profile)
    mapper = trainer.vlm.mapper
    assert mapper.words is not None
    width, states = trainer.vlm.tower.hidden_size, 1 + trainer.vlm.tower.grid**2
    names = [f"{n:03}.png" for n in range(200)]
    array = np.random.default_rng(0).normal(0, 0.3, (200, states, width)).astype(np.float16)
    array[100:150, :, 0] += 3
    array[150:, :, 1] += 3
    store = FeatureStore({n: i for i, n in enumerate(names)}, [1] * 200, [array])
    captions = {n: ["a red wall", "green grass by a blue boat"] for n in names[:100]}
    asked = [QuestionRecord("What is the giraffe eating?", (("leaves", 9), ("bananas", 1)))]
    other = [QuestionRecord("Who sits on the sofa?", (("nobody", 3),))]
    mentions = {n: presuppositions(asked) for n in names[100:150]}
    mentions |= {n: presuppositions(other) for n in names[150:]}
    examples = WordExamples.of(trainer.vlm, store, captions, mentions)
    assert examples is not None
    vocabulary = fit_words(trainer.vlm, examples, seed=0)
    with torch.inference_mode():
        logits = mapper.words.detector(torch.from_numpy(array[:, 0]).float())
    giraffe, sofa = vocabulary.index("giraffe"), vocabulary.index("sofa")
    assert (logits[100:150, giraffe] > logits[100:150, sofa]).sum() > 45
    assert (logits[150:, giraffe] < logits[150:, sofa]).sum() > 45
    assert "bananas" not in vocabulary
