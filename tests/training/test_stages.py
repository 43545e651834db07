"""Every stage trains the parts that its table names, and nothing else changes by a bit."""

import re
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from torch import Tensor

from emo_modules.config import EMOConfig
from emo_modules.models.emo import EMO
from emo_modules.models.spatial import grid_positions
from emo_training.training.batch_sources import MemorySource
from emo_training.training.loop import Trainer, load_parameters
from emo_training.training.losses import LossConfig
from emo_training.training.sample_set import Draw, SampleSet
from emo_training.training.stages import (
    DEMO_STAGES,
    FROZEN,
    PAINTER,
    PAPER_STAGES,
    PARTS,
    part_of,
    select_parameters,
    start_as_lookup,
)
from emo_training.training.state import saved_weights
from emo_training.training.train_config import TrainConfig

# Without clips nobody reads what ReferenceNet's last layer does after its tap, so nothing teaches it.
AFTER_THE_LAST_TAP = (
    r"reference_net\.up_blocks\.{}\.attentions\.{}\.(proj_out|transformer_blocks\.0\.(norm3|ff))\."
)
CASES = [(demo, stage) for demo in (False, True) for stage in PAPER_STAGES]


@pytest.fixture(scope="module", params=["sd15", "demo"])
def preset(request, demo_config) -> EMO:
    with torch.device("meta"):
        return EMO(demo_config if request.param == "demo" else EMOConfig.sd15())


def names(model: EMO, part: str) -> set[str]:
    return {name for name, _ in model.named_parameters() if part_of(name) == part}


def test_every_parameter_has_a_part(preset):
    moving = {FROZEN, PAINTER} if preset.config.moving else set()
    assert {part_of(name) for name, _ in preset.named_parameters()} == {*PARTS, *moving}
    for part in ("reference_net", "face_locator"):
        expected = {f"{part}.{name}" for name, _ in getattr(preset, part).named_parameters()}
        assert names(preset, part) == expected


def test_parts_are_the_modules_of_that_name(preset):
    backbone = {f"backbone.{name}" for name, _ in preset.backbone.named_parameters()}
    rest = {name for name, _ in preset.named_parameters()} - backbone
    speed, audio, temporal = (names(preset, part) for part in ("speed", "audio", "temporal"))
    assert speed - backbone == {name for name in rest if name.startswith("speed_encoder.")}
    assert audio <= backbone
    assert names(preset, "audio_projection") == {n for n in rest if n.startswith("audio_projection.")}
    assert {name.split(".")[-3 if "to_out" not in name else -4] for name in audio & backbone} <= {
        "attn_audio",
        "0",
    }
    places = len(list(preset.backbone.places()))
    with_attention = sum(bool(block.attentions) for block, _ in preset.backbone.places())
    assert len(audio & backbone) == 7 * with_attention  # norm (2), query, key, value, output (2)
    assert len(speed & backbone) == 7 * places
    modules = {name for name in backbone if ".motion_modules." in name}
    assert temporal | (speed & backbone) == modules
    beside = {name for name in rest if name.startswith(("refiner.", "motion_code_encoder."))}
    assert names(preset, "backbone") == (backbone - modules - audio) | beside


def test_the_tables_are_the_papers_and_the_demo_goes_on_with_everything_but_hearing():
    assert list(PAPER_STAGES) == list(DEMO_STAGES) == ["image", "video", "speed"]
    assert [stage.clips for stage in PAPER_STAGES.values()] == [False, True, True]
    assert not {"audio", "audio_projection"} & set(PAPER_STAGES["speed"].trains)
    for stage in ("video", "speed"):
        assert {*DEMO_STAGES[stage].trains, "audio_projection"} == {*PARTS, PAINTER}
        assert "audio_projection" not in DEMO_STAGES[stage].trains
        assert DEMO_STAGES[stage].speed


def train_config(stage: str, demo: bool = False) -> TrainConfig:
    past = 2 if PAPER_STAGES[stage].clips else 0
    draw = Draw(2, 3, past, first_clip=0, drop_reference=0, drop_audio=0, drop_both=0, whole_region=0)
    return TrainConfig(stage, 2, demo, lr=1e-2, warmup=0, sampling=draw, loss=LossConfig(), precision="no")


def trained(model: EMO, samples: SampleSet, config: TrainConfig, folder: Path) -> set[str]:
    """The names of the parameters that training changed."""
    before = {name: parameter.detach().clone() for name, parameter in model.named_parameters()}
    source = MemorySource(samples, model.config, config.sampling, config.seed)
    Trainer(model, source, config, folder, log=lambda line: None).run()
    return {name for name, parameter in model.named_parameters() if not torch.equal(parameter, before[name])}


def expected(model: EMO, config: TrainConfig) -> set[str]:
    found = {name for name, _ in model.named_parameters() if part_of(name) in config.table.trains}
    if config.table.clips:
        return found
    last = len(model.config.backbone.block_out_channels) - 1
    pattern = AFTER_THE_LAST_TAP.format(last, model.config.backbone.layers_per_block)
    silent = {name for name in found if re.match(pattern, name)}
    assert len(silent) == 8
    return found - silent


@pytest.mark.parametrize(("demo", "stage"), CASES)
def test_a_stage_changes_exactly_what_its_table_names(
    make_pipeline, tiny_config, samples, tmp_path, demo, stage
):
    model, config = make_pipeline(tiny_config).model, train_config(stage, demo)
    assert trained(model, samples, config, tmp_path) == expected(model, config)
    averaged = make_pipeline(tiny_config).model
    before = {name: parameter.clone() for name, parameter in averaged.named_parameters()}
    load_parameters(averaged, saved_weights(tmp_path))
    changed = {n for n, parameter in averaged.named_parameters() if not torch.equal(parameter, before[n])}
    assert changed == expected(model, config)


@pytest.mark.parametrize("stage", PAPER_STAGES)
def test_the_papers_preset_trains_in_the_same_loop(make_pipeline, paper_config, samples, tmp_path, stage):
    model, config = make_pipeline(replace(paper_config, height=64)).model, train_config(stage)
    assert model.config.schedule.prediction == "epsilon"
    assert trained(model, samples, config, tmp_path) == expected(model, config)


def test_selected_parameters_alone_ask_for_gradients(make_pipeline, tiny_config):
    model = make_pipeline(tiny_config).model
    selected = dict(select_parameters(model, PAPER_STAGES["video"]))
    hearing = names(model, "audio") | names(model, "audio_projection")
    assert set(selected) == names(model, "temporal") | hearing
    assert {name for name, p in model.named_parameters() if p.requires_grad} == set(selected)


def test_an_unknown_stage_is_refused():
    with pytest.raises(ValueError, match="stage is 'voice'; expected is one of image, video, speed"):
        TrainConfig("voice", 1)


def attention_map(model: EMO, size: int) -> Tensor:
    """(L, L) of the first reference-attention for random features seen by ReferenceNet and Backbone alike."""
    block = model.backbone.down_blocks[0].attentions[0].transformer_blocks[0]
    tokens = torch.nn.functional.layer_norm(
        torch.randn(1, size * size, 64, generator=torch.Generator().manual_seed(0)), (64,)
    )
    maps = []

    def attend(query: Tensor, key: Tensor, value: Tensor, heads: int) -> Tensor:
        maps.append((query @ key.transpose(1, 2) * (query.shape[-1] / heads) ** -0.5).softmax(-1))
        return query

    block.attn_ref.attend = attend
    query = block.norm_ref(tokens) + grid_positions(size, size, 64, tokens.device)
    block.attn_ref(query, block.project_reference(tokens.unflatten(1, (size, size))))
    return maps[0][0]


def test_reference_attention_can_start_as_a_look_at_the_same_place(demo_config):
    shape = {"block_out_channels": (64, 64), "attention_levels": (True, True), "norm_groups": 8}
    small = replace(
        demo_config,
        backbone=replace(demo_config.backbone, **shape),
        reference_net=replace(demo_config.reference_net, **shape),
    )
    with torch.random.fork_rng(devices=[]), torch.no_grad():
        torch.manual_seed(0)
        model = EMO(small)
        before = attention_map(model, 8).diagonal().mean()
        start_as_lookup(model)
        after = attention_map(model, 8)
    assert before < 0.05
    assert after.diagonal().mean() > 0.5
    assert (after.argmax(-1) == torch.arange(64)).float().mean() > 0.95
