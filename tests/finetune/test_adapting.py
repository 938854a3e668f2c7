from pathlib import Path

import torch
from tiny_models import tiny_vlm

from finetune.config import Lora
from finetune.lora import CLASS_NAMES, Average, Learner, name_tags, part
from model.config import MapperConfig
from model.mapper import Mapper


def test_class_tags_start_as_the_words_of_their_names(hub: Path) -> None:
    vlm = tiny_vlm(hub, "llama")
    config = MapperConfig("mlp", hidden_size=8, tags=2)
    vlm.mapper = Mapper(config, hidden_size=8, grid=2, width=vlm.width, classes=1000)
    name_tags(vlm)
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
    average = Average()
    for value in (1.0, 2.0, 6.0):
        average.add({"a": torch.tensor([value])})
    assert average.count == 3
    torch.testing.assert_close(average.state["a"], torch.tensor([3.0]))
