"""Training LoRA alone: it learns, changes nothing else, goes on exactly, and the file is what was trained."""

import sys
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file
from torch import nn

from emo_modules.checkpoints.adapter import AdapterUse, read_adapter
from emo_modules.checkpoints.store import load_checkpoint, save_checkpoint
from emo_modules.models.emo import EMO
from emo_modules.schedule import alphas_cumprod
from emo_training.training.frozen import store_frozen
from emo_training.training.lora import LORA, add_lora, copy_lora, target_layers
from emo_training.training.losses import add_training_noise
from emo_training.training.objective import Denoising
from emo_training.training.sample_set import Draw, SampleSet, draw_batch
from emo_training.training.stages import PAPER_STAGES, part_of
from emo_training.training.train_config import TrainConfig

from .runs import trainer, whole_and_in_parts

pytest.importorskip("peft")
CLIP = Draw(batch=2, frames=3, motion_frames=2)
RUN = TrainConfig(
    "video", 4, lr=1e-2, warmup=2, ema=0.9, sampling=CLIP, log_every=2, precision="no", lora=2,
    lora_parts="all",
)  # fmt: skip


@pytest.fixture
def model(make_pipeline, tiny_config) -> EMO:
    return make_pipeline(tiny_config).model


@pytest.fixture
def checkpoint(model, tmp_path) -> Path:
    (path,) = save_checkpoint(tmp_path / "base.safetensors", model.config, dict(model.named_children()))
    return path


@torch.no_grad()
def loss_of(model: EMO, samples: SampleSet) -> float:
    """Of one fixed batch with fixed noise."""
    noise = torch.Generator().manual_seed(99)
    draw = replace(CLIP, batch=8, first_clip=0, drop_reference=0, drop_audio=0, drop_both=0, whole_region=0)
    batch = draw_batch(samples, model.config, draw, noise)
    noised = add_training_noise(
        batch, model.config.schedule, alphas_cumprod(model.config.schedule), RUN.loss, noise
    )
    return float(Denoising(model.config, RUN.table, RUN.loss).losses(model, noised)["denoise"])


def test_one_sample_is_learned_by_lora_alone_and_the_file_is_what_was_trained(
    model, samples, checkpoint, tmp_path
):
    one, before = samples.part(0, 1), {name: p.clone() for name, p in model.named_parameters()}
    config = replace(RUN, steps=20, lr=2e-2, ema=None, lora=8, lora_layers="linear")
    start = loss_of(model, one)
    trainer(model, one, config, tmp_path / "run", notes={"licence": "MIT"}).run()
    assert loss_of(model, one) < 0.75 * start
    after = dict(model.named_parameters())
    for name, value in before.items():
        inside = name.replace(".weight", ".base_layer.weight").replace(".bias", ".base_layer.bias")
        assert torch.equal(after[name if name in after else inside], value)
    written = copy_lora(tmp_path / "run")
    found = read_adapter(written)
    assert (found.info.family, found.info.rank, found.info.base) == ("emo", 8, "tiny")
    assert found.notes["licence"] == "MIT"
    merged = load_checkpoint(checkpoint, adapters=[AdapterUse(written)]).model
    assert loss_of(merged, one) == pytest.approx(loss_of(model, one), rel=1e-4)
    assert {path.name for path in (tmp_path / "run").iterdir()} == {LORA, "log.jsonl", "state-000020"}


def test_a_run_interrupted_and_resumed_equals_one_that_was_not(make_pipeline, tiny_config, samples, tmp_path):
    ends = [
        (progress.running, dict(run.named), load_file(copy_lora(folder)))
        for run, progress, folder in whole_and_in_parts(
            lambda: make_pipeline(tiny_config).model, samples, RUN, tmp_path
        )
    ]
    (losses, one, file), (others, two, again) = ends
    assert losses == others
    assert all(torch.equal(value, two[name]) for name, value in one.items())
    assert all(torch.equal(value, again[name]) for name, value in file.items())
    first = f"diffusion_model.{next(iter(one)).replace('.default', '')}"
    assert not torch.equal(file[first], next(iter(one.values())))  # the file has the average


def test_a_state_holds_what_is_trained_and_no_more(model, samples, tmp_path):
    run = trainer(model, samples, replace(RUN, steps=1), tmp_path)
    run.run()
    state = tmp_path / "state-000001"
    held = load_file(state / "trained.safetensors")
    assert held.keys() == dict(run.named).keys()
    assert all("lora_" in name for name in held)
    assert not list(state.glob("model*")) and not list(state.glob("ema*"))


def test_it_starts_as_nothing(model, samples):
    before = loss_of(model, samples)
    named = add_lora(model, RUN.table, RUN)
    assert loss_of(model, samples) == pytest.approx(before, rel=1e-6)
    assert all(p.requires_grad and p.dtype == torch.float32 for _, p in named)
    assert not any(p.requires_grad for name, p in model.named_parameters() if "lora_" not in name)


def test_every_layer_that_is_chosen_learns(model, samples, tmp_path):
    """But the last of ReferenceNet, after what is read of it."""
    run = trainer(model, samples, replace(RUN, lora_layers="all"), tmp_path)
    batch, noise = next(run.source.stream([0]))
    run.compute_gradients(run.add_noise(batch, noise))
    without = {name.split(".lora_")[0] for name, p in run.named if ".lora_B" in name and p.grad is None}
    assert all(
        name.startswith(("reference_net.up_blocks.1", "speed_encoder", "backbone")) for name in without
    )
    assert all("_speed" in name or "reference_net" in name or "speed_encoder" in name for name in without)


@pytest.mark.parametrize("stage", PAPER_STAGES)
def test_layers_are_chosen_by_kind_and_part(model, stage):
    def chosen(layers: str, parts: str) -> list[str]:
        config = replace(RUN, stage=stage, lora_layers=layers, lora_parts=parts)
        return target_layers(model, PAPER_STAGES[stage], config)

    modules = dict(model.named_modules())
    attention = chosen("attention", "stage")
    assert attention
    assert {part_of(f"{name}.weight") for name in attention} <= {*PAPER_STAGES[stage].trains}
    assert all(".to_" in name for name in attention)
    linear, everything = chosen("linear", "stage"), chosen("all", "stage")
    assert {*attention} < {*linear}
    assert all(isinstance(modules[name], nn.Linear) for name in linear)
    assert {*linear} <= {*everything}
    assert len(everything) == sum(
        isinstance(module, nn.Linear | nn.Conv2d) and part_of(f"{name}.weight") in PAPER_STAGES[stage].trains
        for name, module in modules.items()
    )
    assert {*attention} < {*chosen("attention", "all")}


def test_frozen_weights_in_half_precision_round_the_model_and_nothing_that_trains(
    any_precision, model, samples, tmp_path
):
    exact = loss_of(model, samples)
    run = trainer(model, samples, replace(RUN, frozen="bf16", precision="bf16", steps=2), tmp_path)
    types = {name: p.dtype for name, p in model.named_parameters()}
    assert all(types[name] == torch.float32 for name, _ in run.named)
    layers = {name for name in types if name.endswith(("base_layer.weight", "resnets.0.conv1.weight"))}
    assert {types[name] for name in layers} == {torch.bfloat16}
    assert all(types[name] == torch.float32 for name in types if ".norm" in name)
    run.run()
    with torch.autocast("cpu", torch.bfloat16):
        assert loss_of(model, samples) == pytest.approx(exact, rel=0.05)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"lora": 0}, "lora is the rank, from 1, got 0"),
        ({"lora": None}, "need a lora, which says the rank"),
        ({"frozen": "bf16"}, "frozen bf16 is computed with in bf16, got precision no"),
        ({"lora": None, "lora_parts": "stage", "frozen": "int8"}, "frozen int8 would round weights"),
        ({"graph": True, "compile": True}, "choose one"),
    ],
)
def test_settings_that_contradict_each_other_are_refused(changes, message):
    with pytest.raises(ValueError, match=message):
        replace(RUN, **changes)


def test_another_lora_does_not_go_on_in_the_same_folder(make_pipeline, tiny_config, samples, tmp_path):
    trainer(make_pipeline(tiny_config).model, samples, replace(RUN, steps=1), tmp_path).run()
    kept = copy_lora(tmp_path).read_bytes()
    for changes in ({"lora": 4}, {"lora_layers": "linear"}, {"lora_alpha": 1}):
        other = trainer(make_pipeline(tiny_config).model, samples, replace(RUN, **changes), tmp_path)
        with pytest.raises(ValueError, match=r"has a LoRA of rank 2 .* or name another --out"):
            other.run()
    plain = replace(RUN, lora=None, lora_parts="stage")
    with pytest.raises(ValueError, match="trains a LoRA, asked for is to train whole layers"):
        trainer(make_pipeline(tiny_config).model, samples, plain, tmp_path).run()
    assert copy_lora(tmp_path).read_bytes() == kept


@pytest.mark.parametrize(
    ("missing", "changes"),
    [
        ("peft", {}),
        ("torchao", {"frozen": "int8", "precision": "bf16"}),
        ("torchao", {"optimizer": "adamw8bit"}),
    ],
)
def test_what_is_not_installed_is_named(
    any_precision, model, samples, tmp_path, monkeypatch, missing, changes
):
    for name in (missing, "torchao.quantization", "torchao.optim"):
        monkeypatch.setitem(sys.modules, name, None)
    with pytest.raises(ValueError, match=f"needs {missing}, which is not installed: pip install"):
        trainer(model, samples, replace(RUN, **changes), tmp_path)


def test_an_average_in_main_memory_is_the_same(make_pipeline, tiny_config, samples, tmp_path):
    for name, on_cpu in (("one", False), ("two", True)):
        config = replace(RUN, ema_on_cpu=on_cpu)
        trainer(make_pipeline(tiny_config).model, samples, config, tmp_path / name).run()
    one, two = (load_file(copy_lora(tmp_path / name)) for name in ("one", "two"))
    assert all(torch.equal(value, two[name]) for name, value in one.items())


def test_frozen_weights_of_eight_bits(any_precision, model, samples, tmp_path):
    pytest.importorskip("torchao")
    exact = loss_of(model, samples)
    config = replace(RUN, frozen="int8", precision="bf16", steps=2)
    run = trainer(model, samples, config, tmp_path)
    kinds = {
        type(p).__name__ for name, p in model.named_parameters() if name.endswith("to_q.base_layer.weight")
    }
    assert kinds != {"Parameter"}
    run.run()
    with torch.autocast("cpu", torch.bfloat16):
        assert loss_of(model, samples) == pytest.approx(exact, rel=0.1)


def test_float32_leaves_everything_as_it_is(model):
    before = [p for p in model.parameters()]
    store_frozen(model, RUN)
    assert all(p is q for p, q in zip(before, model.parameters(), strict=True))
