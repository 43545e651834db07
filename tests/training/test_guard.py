"""A number that is not finite costs the updates that it spoils, and never a good state."""

import json
import math
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from accelerate import Accelerator
from accelerate.optimizer import AcceleratedOptimizer
from safetensors.torch import load_file
from torch import Tensor

from emo_modules.models.emo import EMO
from emo_training.training.batch_sources import MemorySource
from emo_training.training.guard import PATIENCE, Guard, patience_in, spoilt_microbatches
from emo_training.training.loop import Trainer
from emo_training.training.sample_set import Draw, SampleSet
from emo_training.training.state import find_state, saved_states, saved_weights
from emo_training.training.train_config import TrainConfig

# All three samples are drawn by some batches and not by others
DRAW = Draw(1, 3, 2, first_clip=0, drop_reference=0, drop_audio=0, drop_both=0, whole_region=0)
RUN = TrainConfig(
    "speed", 12, lr=1e-3, warmup=0, ema=0.9, sampling=DRAW, log_every=1, save_every=6, precision="no"
)
NAN = float("nan")


class OneAfterTheOther(MemorySource):
    """Microbatch n is of sample n alone, round and round."""

    def stream(self, microbatches):
        for number in microbatches:
            one = self.samples.part(number % 3, number % 3 + 1)
            yield from MemorySource(one, self.config, self.draw, self.seed).stream([number])

    def names(self, microbatch: int) -> list[str]:
        return [f"clip{microbatch % 3}"]


@pytest.fixture
def train(make_pipeline, tiny_config, samples, tmp_path) -> Callable[..., Trainer]:
    def build(planted: SampleSet = samples, config: TrainConfig = RUN, model: EMO | None = None) -> Trainer:
        source = OneAfterTheOther(planted, tiny_config, config.sampling, config.seed)
        model = model or make_pipeline(tiny_config).model
        return Trainer(model, source, config, tmp_path, log=lambda line: None)

    return build


def planted(samples: SampleSet, name: str, places: tuple, value: float = NAN) -> SampleSet:
    tensor = getattr(samples, name).clone()
    tensor[places] = value
    return replace(samples, **{name: tensor})


def lines(path: Path) -> list[dict]:
    def refuse(token: str) -> None:
        raise AssertionError(f"{token} is no JSON")

    return [json.loads(line, parse_constant=refuse) for line in path.read_text().splitlines()]


def is_finite(path: Path) -> bool:
    return all(value.isfinite().all() for value in load_file(path).values())


def spoil_gradient(trainer: Trainer, steps: set[int]) -> None:
    """One number of one gradient is NaN in these steps."""
    parameter = dict(trainer.named)["speed_encoder.proj2.weight"]

    def spoil(gradient: Tensor) -> Tensor:
        if trainer.progress.step + 1 not in steps:
            return gradient
        return gradient.index_put((torch.tensor(0), torch.tensor(0)), torch.tensor(NAN))

    parameter.register_hook(spoil)


def test_unknown_speeds_are_trained_on_and_say_nothing(train, samples, tmp_path):
    progress = train(planted(samples, "speeds", (1, slice(2, 5)))).run()
    assert (progress.step, progress.skipped) == (12, 0)
    assert is_finite(saved_weights(tmp_path))
    assert not (tmp_path / "skipped.jsonl").exists()


@pytest.mark.parametrize("value", [NAN, math.inf])
def test_a_sample_that_is_not_finite_costs_its_own_updates(train, samples, tmp_path, value):
    progress = train(planted(samples, "latents", (1, slice(None), 0, 0, 0), value)).run()
    assert (progress.step, progress.clips, progress.skipped) == (12, 12, 4)
    skipped = lines(tmp_path / "skipped.jsonl")
    assert [(line["step"], line["samples"]) for line in skipped] == [(k, ["clip1"]) for k in (2, 5, 8, 11)]
    assert skipped[0]["reason"].startswith("denoise is ")
    logged = lines(tmp_path / "log.jsonl")
    assert [line["skipped"] for line in logged] == [0, 1, 1, 1, 2, 2, 2, 3, 3, 3, 4, 4]
    assert all(math.isfinite(line["denoise"]) and line["grad_norm"] > 0 for line in logged)
    assert all(is_finite(state / name) for state in saved_states(tmp_path)
               for name in ("ema.safetensors", "model.safetensors"))  # fmt: skip


def test_a_gradient_that_is_not_finite_costs_one_update(train, tmp_path):
    trainer = train()
    spoil_gradient(trainer, {3})
    progress = trainer.run()
    assert (progress.step, progress.skipped) == (12, 1)
    assert lines(tmp_path / "skipped.jsonl") == [
        {"step": 3, "reason": "grad_norm is nan", "samples": ["clip2"]}
    ]
    assert is_finite(saved_weights(tmp_path))


def test_an_update_that_is_left_out_changes_nothing(train):
    """Weights, moments, the optimizer's count and the average stay; the learning rate goes on."""
    trainer = train()
    spoil_gradient(trainer, {2})
    batches = trainer.source.stream(trainer.microbatches())
    trainer.step(batches)

    def held() -> list[Tensor]:
        moments = [value.clone() for row in trainer.optimizer.state.values() for value in row.values()]
        weights = [p.detach().clone() for p in trainer.model.parameters()]
        return moments + weights + [value.clone() for value in trainer.ema.shadow_params]

    before, rate = held(), trainer.lr_schedule.get_last_lr()
    count = trainer.ema.optimization_step
    assert math.isnan(trainer.step(batches)["grad_norm"])
    assert all(torch.equal(a, b) for a, b in zip(before, held(), strict=True))
    assert trainer.ema.optimization_step == count
    assert trainer.lr_schedule.get_last_lr() != rate
    assert math.isfinite(trainer.step(batches)["grad_norm"])
    assert not all(torch.equal(a, b) for a, b in zip(before, held(), strict=True))


def test_nothing_but_bad_samples_ends_the_run_and_leaves_the_state_before(train, samples, tmp_path):
    train(config=replace(RUN, steps=4)).run()
    state = find_state(tmp_path)
    before = {path.name: path.read_bytes() for path in state.iterdir()}
    broken = planted(samples, "latents", (slice(None), slice(None), 0))
    said = "5 updates in a row were left out, the last in step 9: denoise is nan and grad_norm is nan; "
    with pytest.raises(ValueError, match=f"{said}.*state-000004 is as it was. Look at .*skipped.jsonl"):
        train(broken, replace(RUN, save_every=1000)).run()
    assert find_state(tmp_path) == state
    assert {path.name: path.read_bytes() for path in state.iterdir()} == before
    assert [line["step"] for line in lines(tmp_path / "skipped.jsonl")] == [5, 6, 7, 8, 9]
    assert train().run().step == 12  # with good samples it goes on from there
    assert not lines(tmp_path / "skipped.jsonl")


def test_weights_that_are_not_finite_do_not_replace_a_good_state(train, tmp_path):
    """Whatever made them so: here the optimizer."""
    trainer = train(config=replace(RUN, save_every=2))

    def spoil(*_) -> None:
        if trainer.progress.step == 7:
            trainer.named[0][1].data.view(-1)[0] = math.inf

    trainer.optimizer.optimizer.register_step_post_hook(spoil)
    with pytest.raises(
        ValueError, match="weights are not finite after step 8, and are not saved; .*000006 is"
    ):
        trainer.run()
    assert [path.name for path in saved_states(tmp_path)] == ["state-000006", "state-000004"]
    assert is_finite(saved_weights(tmp_path))


def test_an_overflow_in_fp16_halves_the_scale_and_is_no_failure(train, monkeypatch):
    """With a scaler in place of the one that accelerate makes where there is a GPU."""
    trainer, scaler = train(), torch.amp.GradScaler("cpu", init_scale=2.0**16)
    monkeypatch.setattr(Accelerator, "mixed_precision", "fp16")
    trainer.optimizer = AcceleratedOptimizer(trainer.optimizer.optimizer, scaler=scaler)
    trainer.accelerator.scaler, trainer.accelerator._optimizers = scaler, [trainer.optimizer]
    trainer.accelerator.native_amp = True
    assert patience_in("fp16") - PATIENCE == 16  # as many halvings as the first scale has

    def overflow(gradient: Tensor) -> Tensor:
        return gradient * math.inf if scaler.get_scale() > 2**12 else gradient

    trainer.named[0][1].register_hook(overflow)
    assert trainer.run().skipped == 4
    assert scaler.get_scale() == 2**12


def test_only_the_microbatches_whose_own_loss_is_wrong_are_named():
    # two processes of three turns from number 12 on: 12, 14, 16 and 13, 15, 17
    assert spoilt_microbatches([True, False, True, True, True, False], 12, 2) == [14, 17]
    assert spoilt_microbatches([True] * 6, 12, 2) == [12, 13, 14, 15, 16, 17]


def test_updates_in_between_renew_the_patience():
    guard = Guard(patience=2)
    for value, exhausted in ((NAN, False), (1.0, False), (math.inf, False), (NAN, True)):
        assert guard.allows({"loss": 1.0, "grad_norm": value}) == math.isfinite(value)
        assert guard.exhausted == exhausted
