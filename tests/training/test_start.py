"""What a training starts from, and the configuration it is given."""

import re
from dataclasses import fields, replace
from pathlib import Path

import pytest
import torch

from emo_modules.checkpoints.released import read_released
from emo_modules.config import EMOConfig
from emo_modules.models.emo import EMO
from emo_training.footage.shards import ShardIndex
from emo_training.training import start
from emo_training.training.config_file import build_config, read_values, stage_draw
from emo_training.training.start import Start, starting_model
from emo_training.training.transplant import initialise_from_relative, starting_config

from ..relatives import shrink, write_release

CONFIGS = Path(__file__).parents[2] / "configs"


@pytest.mark.parametrize("name", ["1-image", "2-video", "3-speed"])
def test_the_papers_configurations(name):
    stage = name[2:]
    config = build_config(read_values(CONFIGS / f"{name}.yaml"), EMOConfig.sd15())
    assert (config.stage, config.lr, config.demo) == (stage, 1e-5, False)
    assert config.sampling.portrait_share == 0
    frames = (config.sampling.frames, config.sampling.motion_frames)
    assert frames == ((1, 0) if stage == "image" else (12, 4))


def test_the_configuration_for_small_cards_trains_lora_and_rounds_the_rest():
    config = build_config(read_values(CONFIGS / "lora.yaml"), EMOConfig.sd15())
    assert (config.lora, config.lora_parts, config.frozen) == (16, "all", "bf16")
    assert config.recompute and config.ema_on_cpu and config.mixed_precision == "bf16"


def test_what_a_file_leaves_out_is_the_papers():
    config = build_config({"stage": "video", "steps": 5, "sampling": {"batch": 2}}, EMOConfig.sd15())
    expected = stage_draw("video", EMOConfig.sd15())
    for f in fields(expected):
        value = 2 if f.name == "batch" else getattr(expected, f.name)
        assert getattr(config.sampling, f.name) == value


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"stage": "video"}, "needs steps: give --steps"),
        ({"steps": 3}, "needs stage: give --stage"),
        ({"stage": "video", "steps": 3, "learning_rate": 1}, "TrainConfig has no field learning_rate"),
        ({"stage": "video", "steps": 3, "loss": {"snr": 1}}, "LossConfig has no field snr; configs/ has"),
        (
            {"stage": "video", "steps": 3, "precision": "fp8"},
            "precision is 'fp8'; expected is one of auto, no",
        ),
        (
            {"stage": "video", "steps": 3, "sampling": {"first_clip": 5}},
            "first_clip is 5; expected is a number",
        ),
    ],
)
def test_wrong_configurations_are_refused(values, message):
    with pytest.raises(ValueError, match=message):
        build_config(values, EMOConfig.sd15())


def test_other_files_are_no_configuration(tmp_path):
    path = tmp_path / "config.yaml"
    files = {
        "- a\n- b\n": "found list",
        "a: [": "is no YAML",
        "sampling: 5": "sampling is 5, expected are names",
    }
    for text, message in files.items():
        path.write_text(text)
        with pytest.raises(ValueError, match=message):
            read_values(path)


@pytest.fixture
def small_families(monkeypatch):
    shrink(monkeypatch)


@pytest.mark.parametrize("name", ["hallo", "echomimic", "v_express"])
def test_a_relatives_weights_are_taken_where_they_fit(name, small_families, tmp_path, paper_config):
    family, tensors = read_released(write_release(name, tmp_path))
    nets = {"backbone": paper_config.backbone, "reference_net": paper_config.reference_net}
    shallow = {part: replace(net, layers_per_block=1) for part, net in nets.items()}
    paper = starting_config(replace(paper_config, **shallow), family)
    assert paper.schedule.prediction == "v_prediction"
    assert paper.schedule.solver == "ddim"
    model = EMO(paper)
    before = {key: value.clone() for key, value in model.state_dict().items()}
    left = initialise_from_relative(model, family, tensors, "weights")
    after = model.state_dict()
    assert torch.equal(after["backbone.conv_in.weight"], tensors["backbone.conv_in.weight"])
    motion = "backbone.mid_block.motion_modules.0.transformer_blocks.0.attn1.to_q.weight"
    assert torch.equal(after[motion], tensors[motion])
    assert all(torch.equal(after[key], before[key]) for key in left)
    # the tap's norm, what nobody but EMO has, Hallo's modules without attention, EchoMimic's own tokens
    fresh = r"reference_net.*\.norm2\.|speed|locator|audio|(down_blocks\.3|up_blocks\.0)\.motion_modules"
    assert [key for key in left if not re.search(fresh, key)] == []
    spatial = [key for key in after if ".attentions." in key and "audio" not in key and key not in left]
    assert len(spatial) > 250
    reference = "backbone.mid_block.attentions.0.transformer_blocks.0.attn_ref.to_q.weight"
    source = reference if name == "v_express" else reference.replace("attn_ref", "attn1")
    assert torch.equal(after[reference], tensors[source])


def test_weights_of_another_width_are_refused(small_families, tmp_path, tiny_config):
    name = "v_express"
    family, tensors = read_released(write_release(name, tmp_path))
    wide = EMO(tiny_config)
    tensors["backbone.conv_in.weight"] = torch.zeros(24, 4, 3, 3)
    with pytest.raises(ValueError, match=r"does not fit: its backbone.conv_in.weight is \(24, 4, 3, 3\)"):
        initialise_from_relative(wide, family, tensors, "weights")


def test_fresh_layers_follow_from_the_seed(tiny_checkpoint, shards):
    speeds = ShardIndex.load(shards).speeds
    one, loaded, _ = starting_model(Start(tiny_checkpoint, size=(32, 48)), 0, speeds)
    two, *_ = starting_model(Start(tiny_checkpoint), 0, None)
    assert (one.config.width, one.config.height) == (32, 48)
    assert one.config.speed.centres != two.config.speed.centres == loaded.config.speed.centres
    assert all(torch.equal(p, q) for p, q in zip(one.parameters(), two.parameters(), strict=True))


def test_licences_of_what_it_starts_from_are_passed_on(
    tiny_checkpoint, small_families, tmp_path, monkeypatch
):
    """Where the weights fit is tested above; here only what is said of them."""
    for name in ("initialise_from_relative", "initialise_from_sd15", "read_weights"):
        monkeypatch.setattr(start, name, lambda *_: None)
    *_, none = starting_model(Start(tiny_checkpoint), 0, None)
    *_, child = starting_model(Start(tiny_checkpoint, sd15=tmp_path / "unet.safetensors"), 0, None)
    relative = write_release("v_express", tmp_path)
    *_, grandchild = starting_model(Start(tiny_checkpoint, relative=relative), 0, None)
    assert "terms" not in none
    assert "CreativeML OpenRAIL-M" in child["terms"]
    assert "non-commercial" in grandchild["licence"]
    assert "CreativeML OpenRAIL-M" in grandchild["terms"]
