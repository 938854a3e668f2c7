"""Fewer passes over memory, the same numbers."""

from pathlib import Path

import pytest
import torch
from tiny_models import tiny_vlm

from finetune.config import Lora
from finetune.lora import (
    CLASS_NAMES,
    Learner,
    WeightAverage,
    _FastLinear,
    init_class_names,
    part,
    speed_up,
)
from model.config import MapperConfig
from model.mapper import Mapper

LORA = Lora(rank=4, alpha=8, dropout=0.0, targets=("q_proj", "down_proj"))


def gradients(learner: Learner, tokens: torch.Tensor) -> tuple[torch.Tensor, list[torch.Tensor]]:
    """Logits of some tokens, and the gradients of LoRA for a loss on them."""
    for parameter in learner.lora_parameters:
        parameter.grad = None
    with torch.autocast("cpu", torch.bfloat16):
        logits = learner.language(inputs_embeds=learner.vlm.embed(tokens).float()).logits
    logits.float().log_softmax(-1)[..., 7].sum().backward()
    found = [parameter.grad for parameter in learner.lora_parameters]
    assert all(gradient is not None for gradient in found)
    return logits.detach().float(), [gradient.clone() for gradient in found if gradient is not None]


def taught(hub: Path) -> Learner:
    """A learner whose LoRA says something."""
    learner = Learner(tiny_vlm(hub, "llama"), LORA, bfloat16=True)
    with torch.no_grad():
        for parameter in learner.lora_parameters:
            parameter.normal_(std=0.1)
    return learner


def test_fast_lora_gives_pefts_numbers_and_gradients(
    hub: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    vlm = tiny_vlm(hub, "llama")
    with monkeypatch.context() as patch:
        patch.setattr("finetune.lora.speed_up", lambda language: None)
        learner = Learner(vlm, LORA, bfloat16=True)
    torch.manual_seed(1)
    with torch.no_grad():
        for parameter in learner.lora_parameters:
            parameter.normal_(std=0.3)
    tokens = torch.randint(0, 50, (3, 7))
    slow, wanted = gradients(learner, tokens)
    before = {key: value.clone() for key, value in learner.state().items()}
    speed_up(learner.language)
    assert sum(isinstance(m, _FastLinear) for m in learner.language.modules()) == len(wanted) // 2
    fast, found = gradients(learner, tokens)
    for mine, theirs in zip([fast, *found], [slow, *wanted], strict=True):
        cosine = torch.cosine_similarity(mine.flatten(), theirs.flatten(), dim=0)
        assert cosine > 0.999
        assert float(mine.norm()) == pytest.approx(float(theirs.norm()), rel=0.1)
    learner.load(before)  # peft still knows its modules


def test_speaking_with_merged_weights_says_the_same(hub: Path) -> None:
    learner = taught(hub)
    tokens = torch.randint(0, 50, (3, 7))
    plain, _ = gradients(learner, tokens)
    with learner.generating():
        spoken = learner.language(inputs_embeds=learner.vlm.embed(tokens).float()).logits.float()
    assert torch.cosine_similarity(spoken.flatten(), plain.flatten(), dim=0) > 0.999
    assert gradients(learner, tokens)[0].equal(plain)  # LoRA goes on learning as before


def test_only_what_it_computes_right_is_sped_up(hub: Path) -> None:
    for options, bfloat16 in ((LORA, False), (Lora(4, 8, 0.5, LORA.targets), True)):
        learner = Learner(tiny_vlm(hub, "llama"), options, bfloat16)
        assert not any(isinstance(m, _FastLinear) for m in learner.language.modules())


@pytest.mark.filterwarnings("ignore")  # PyTorch's own, as it compiles
def test_layers_are_compiled_for_learning_but_not_for_speaking(
    hub: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    graphs = []

    def count(graph: torch.fx.GraphModule, inputs: object) -> object:
        graphs.append(graph)
        return graph.forward

    def compile_quickly(module: torch.nn.Module, dynamic: bool) -> None:
        module._compiled_call_impl = torch.compile(
            module._call_impl, dynamic=dynamic, backend=count
        )

    monkeypatch.setattr(torch.nn.Module, "compile", compile_quickly)
    learner = taught(hub)
    tokens = torch.randint(0, 50, (2, 6))
    plain, wanted = gradients(learner, tokens)
    monkeypatch.setattr("finetune.lora.shutil.which", lambda name: None)
    learner.compile()
    assert gradients(learner, tokens)[0].equal(plain)
    assert graphs == []
    monkeypatch.setattr("finetune.lora.shutil.which", lambda name: f"/bin/{name}")
    learner.compile()
    again, found = gradients(learner, tokens)
    assert len(graphs) == 2  # without and with gradients of the input, not one for each layer
    for mine, theirs in zip([again, *found], [plain, *wanted], strict=True):
        assert torch.cosine_similarity(mine.flatten(), theirs.flatten(), dim=0) > 0.999
    with learner.generating():
        learner.prefill(torch.zeros(1, 3, learner.vlm.width))
    assert len(graphs) == 2


def test_class_tags_start_as_the_words_of_their_names(hub: Path) -> None:
    vlm = tiny_vlm(hub, "llama")
    config = MapperConfig("mlp", hidden_size=8, tags=2)
    vlm.mapper = Mapper(config, hidden_size=8, grid=2, width=vlm.width, classes=1000)
    init_class_names(vlm)
    names = CLASS_NAMES.read_text(encoding="utf-8").splitlines()
    assert len(names) == 1000
    assert (names[0], names[340]) == ("tench", "zebra")
    tags = vlm.mapper.tags
    assert tags is not None
    zebra = vlm.embed(torch.tensor(vlm.tokens(" zebra"))).mean(dim=0)
    torch.testing.assert_close(tags.names.weight[340], zebra)


def test_what_is_learnt_can_be_put_back(hub: Path) -> None:
    lora = Lora(2, 4, 0.0, ("q_proj", "v_proj"))
    one, two = (Learner(tiny_vlm(hub, "llama"), lora) for _ in range(2))
    with torch.no_grad():
        for parameter in (*one.lora_parameters, *one.vlm.mapper.parameters()):
            parameter.normal_()
    two.load(one.state())
    assert one.state().keys() == two.state().keys()
    for key, value in one.state().items():
        assert torch.equal(value, two.state()[key])
    assert len(part("lora", one.state())) == 8  # two layers, two targets, A and B
    assert part("mapper", one.state()).keys() == one.vlm.mapper.state_dict().keys()


def test_frozen_weights_may_be_bfloat16_but_never_what_is_learnt(hub: Path) -> None:
    learner = Learner(tiny_vlm(hub, "llama"), Lora(2, 4, 0.0, ("q_proj",)), bfloat16=True)
    frozen = [p for p in learner.language.parameters() if not p.requires_grad]
    assert {p.dtype for p in frozen if p.ndim > 1} == {torch.bfloat16}
    assert {p.dtype for p in frozen if p.ndim == 1} == {torch.float32}
    assert {value.dtype for value in learner.state().values()} == {torch.float32}


def test_an_average_is_the_mean() -> None:
    average = WeightAverage()
    for value in (1.0, 2.0, 6.0):
        average.add({"a": torch.tensor([value])})
    assert average.count == 3
    torch.testing.assert_close(average.state["a"], torch.tensor([3.0]))
