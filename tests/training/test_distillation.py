"""Few steps without guidance: what a student learns is what its guided teacher renders in many."""

import json
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file
from torch import Tensor, nn

from emo_modules.checkpoints.adapter import AdapterUse, read_adapter
from emo_modules.checkpoints.store import load_checkpoint, read_checkpoint, save_checkpoint
from emo_modules.config import EMOConfig, ScheduleConfig
from emo_modules.models.conditions import KeptConditions
from emo_modules.models.emo import EMO
from emo_modules.sampling.solver import Solver
from emo_modules.schedule import TRAIN_STEPS, FewSteps, alpha_bar_at, build_scheduler, implied_prediction
from emo_training.cli import main
from emo_training.training.batch_sources import MemorySource
from emo_training.training.distillation import Distillation
from emo_training.training.fidelity import Fidelity, distance
from emo_training.training.lora import FAKE, STUDENT, copy_lora, use_lora
from emo_training.training.losses import LossConfig, Noised
from emo_training.training.progress import TrainProgress
from emo_training.training.sample_set import Batch, Draw
from emo_training.training.stages import DISTILLING
from emo_training.training.student import Distilling
from emo_training.training.train_config import TrainConfig
from emo_training.training.trained import trained_parameters

from .runs import trainer, whole_and_in_parts

pytest.importorskip("peft")
CLIP = Draw(batch=2, frames=4, motion_frames=2, drop_reference=0, drop_audio=0, drop_both=0)
METHODS = ("lcm", "dmd2")


def run_of(method: str, **changes: Any) -> TrainConfig:
    config = TrainConfig(
        "distill", 4, lr=1e-2, warmup=2, ema=0.9, sampling=CLIP, log_every=2, precision="no", lora=2,
        distill=Distillation(method, 2, fake_updates=1) if method == "dmd2" else Distillation(method, 2),
    )  # fmt: skip
    return replace(config, **changes)


@pytest.mark.parametrize("method", METHODS)
def test_a_run_interrupted_and_resumed_equals_one_that_was_not(
    make_pipeline, tiny_config, samples, tmp_path, method
):
    config = run_of(method, steps=5)  # the last turn is of the network that learns what is made
    ends = [
        (progress.running, dict(run.named), load_file(copy_lora(folder)))
        for run, progress, folder in whole_and_in_parts(
            lambda: make_pipeline(tiny_config).model, samples, config, tmp_path
        )
    ]
    (losses, one, file), (others, two, again) = ends
    assert losses == others
    assert losses.keys() >= ({"consistency"} if method == "lcm" else {"distribution", "fake"})
    assert all(torch.equal(value, two[name]) for name, value in one.items())
    assert file.keys() == again.keys()
    assert all(torch.equal(value, again[name]) for name, value in file.items())
    learned = {name for name, value in one.items() if ".lora_B." in name and value.abs().max() > 0}
    assert {name.split(".")[-2] for name in learned} == ({STUDENT} if method == "lcm" else {STUDENT, FAKE})
    assert len(file) == 3 * len([name for name in one if f".lora_A.{STUDENT}." in name])  # of nothing else
    first = next(name for name in sorted(learned) if f".{STUDENT}." in name)
    written = f"diffusion_model.{first.replace(f'.{STUDENT}', '')}"
    assert not torch.equal(file[written], one[first])  # the average


MEAN, SPREAD = 0.5, 0.8  # of what the toy was trained on; without portrait 0 and 1


@dataclass
class Told:
    """Conditions of the toy."""

    kept: Tensor
    few: bool = False

    def uncond(self) -> "Told":
        return Told(torch.zeros_like(self.kept))


class Toy(nn.Module):
    """A teacher whose every number is known, as if trained on normal latents. What a LoRA adds through
    `to_out` can make any line of the latents at any time."""

    def __init__(self, config: EMOConfig) -> None:
        super().__init__()
        self.config, self.to_out = config, nn.Linear(2 * KNOTS, 1, bias=False)
        nn.init.zeros_(self.to_out.weight)

    def forward(self, noisy: Tensor, timesteps: Tensor, kept: KeptConditions, **_: Any) -> Tensor:
        flat = self.predict(noisy.flatten(0, 1), timesteps.flatten(), Told(kept.reference))
        return flat.unflatten(0, noisy.shape[:2])

    def predict(self, x: Tensor, timesteps: Tensor, told: Told) -> Tensor:
        alpha_bar, kept = alpha_bar_at(timesteps, self.config.schedule), told.kept.view(-1, 1, 1, 1)
        mean, variance = MEAN * kept, 1 + (SPREAD**2 - 1) * kept
        gain = alpha_bar.sqrt() * variance / (alpha_bar * variance + 1 - alpha_bar)
        clean = mean + gain * (x - alpha_bar.sqrt() * mean)
        knots = torch.linspace(0, TRAIN_STEPS, KNOTS)
        times = (1 - (timesteps[:, None] - knots).abs() / knots[1]).clamp(min=0)
        places = x.flatten(1)[..., None]
        lines = torch.cat([times[:, None].expand(-1, places.shape[1], -1), places * times[:, None]], dim=-1)
        clean = clean + self.to_out(lines).view_as(x)
        return implied_prediction(clean, x, alpha_bar, self.config.schedule)


KNOTS = 51  # times between which its lines change evenly
COUNT, SIDE = 64, 4


@pytest.fixture
def toy(tiny_config) -> Toy:
    import peft

    schedule = ScheduleConfig("v_prediction", zero_terminal_snr=True, steps=40, cfg=3.5)
    model = Toy(replace(tiny_config, schedule=schedule))
    for name in (STUDENT, FAKE):
        settings = peft.LoraConfig(r=2 * KNOTS, lora_alpha=2 * KNOTS, target_modules=["to_out"])
        peft.inject_adapter_in_model(settings, model, name)
    for name, parameter in model.named_parameters():
        if "lora_A" in name:
            nn.init.eye_(parameter)
    return model


def noised_toys(count: int) -> Noised:
    one, latents = torch.ones(count), torch.zeros(count, 1, 1, SIDE, SIDE)
    batch = Batch(latents, latents[:, :0], one, latents[:, 0], one, one, one, latents[:, 0], one[:, None])
    return Noised(batch, latents, latents, torch.zeros(count, 1, dtype=torch.long), latents[..., :1, :1])


def teach(toy: Toy, distillation: Distillation, updates: int, rate: float) -> None:
    """On latents that the toy was trained on."""
    objective = Distilling(toy.config, LossConfig(inference_share=0.3), distillation, toy, TrainProgress(1))
    weights = [p for name, p in toy.named_parameters() if "lora_B" in name]
    optimizer = torch.optim.Adam(weights, rate, betas=(0.9, 0.99))
    generator = torch.Generator().manual_seed(1)
    for step in range(updates):
        optimizer.param_groups[0]["lr"] = rate * (1 - step / updates)
        noised = noised_toys(COUNT)
        noised.batch.latents.normal_(MEAN, SPREAD, generator=generator)
        given = objective.prepare(partial(no_grad_forward, objective, toy), noised, generator)
        optimizer.zero_grad()
        sum(objective.losses(toy, given).values()).backward()
        optimizer.step()
        objective.progress.advance({})


@torch.no_grad()
def no_grad_forward(objective: Distilling, toy: Toy, noised: Noised) -> Tensor:
    return objective.forward(toy, noised)


def rendered(toy: Toy, lora: str | None, solver: str, steps: int, cfg: float = 1.0) -> Tensor:
    """From the same noise every time."""
    use_lora(toy, lora)
    noise = torch.randn(256, 1, SIDE, SIDE, generator=torch.Generator().manual_seed(2))
    return Solver(toy, solver, steps, cfg)(noise, Told(torch.ones(256)))


def test_consistency_leads_where_the_guided_teacher_leads_in_forty_steps(toy):
    wanted = rendered(toy, None, "ddim", 40, 3.5)
    assert wanted.mean() > 2 * MEAN  # guidance goes further than what it was trained on
    before = {steps: distance([rendered(toy, STUDENT, "ddim", steps)], [wanted]) for steps in (1, 4)}
    teach(toy, Distillation("lcm", 4), 800, 2e-2)
    for steps, share in ((1, 0.1), (4, 0.3)):
        after = distance([rendered(toy, STUDENT, "ddim", steps)], [wanted])
        assert after < share * before[steps]
    # with noise of its own between the steps it is another performance, of the same kind
    plain, made = rendered(toy, None, "lcm", 4), rendered(toy, STUDENT, "lcm", 4)
    assert abs(made.mean() - wanted.mean()) < 0.35 * abs(plain.mean() - wanted.mean())
    assert torch.equal(rendered(toy, None, "ddim", 40, 3.5), wanted)  # the teacher is as it was


def test_distribution_matching_makes_in_one_step_what_the_teacher_makes_in_many(toy):
    wanted, before = rendered(toy, None, "ddim", 40), rendered(toy, STUDENT, "lcm", 1)
    assert wanted.std() == pytest.approx(SPREAD, rel=0.1)
    assert before.std() < 0.01  # one step of the teacher's is the mean of all that could be
    teach(toy, Distillation("dmd2", 1, guidance=1.0, fake_updates=2), 450, 1e-2)
    made = rendered(toy, STUDENT, "lcm", 1)
    assert made.std() == pytest.approx(float(wanted.std()), rel=0.25)
    assert made.mean() == pytest.approx(float(wanted.mean()), abs=0.1)


def test_a_schedule_says_where_its_steps_are():
    few = Distillation("dmd2", 4).few_steps
    assert (few.timesteps, few.solver, few.cfg) == ((999, 749, 499, 249), "lcm", 1.0)
    assert build_scheduler_timesteps(few) == few.timesteps
    with pytest.raises(ValueError, match=r"2 steps are at the timesteps \(999, 499\), got \(999, 500\)"):
        FewSteps("lcm", (999, 500))


@pytest.mark.parametrize("steps", [1, 2, 4, 6])
@pytest.mark.parametrize("fake_updates", [1, 2, 3, 5])
def test_both_networks_see_every_step(steps, fake_updates):
    distillation = Distillation("dmd2", steps, fake_updates=fake_updates)
    turns = [distillation.turn(update) for update in range(steps * (fake_updates + 1))]
    students = [last for is_students, last in turns if is_students]
    assert sorted(students) == list(range(steps))
    others = [last for is_students, last in turns if not is_students]
    assert sorted(others) == sorted(list(range(steps)) * fake_updates)


def build_scheduler_timesteps(few: FewSteps) -> tuple[int, ...]:
    scheduler = build_scheduler(few.solver, ScheduleConfig())
    scheduler.set_timesteps(few.steps)
    return tuple(scheduler.timesteps.tolist())


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"stage": "video"}, "the stage distill and its settings belong together"),
        ({"distill": None}, "the stage distill and its settings belong together"),
        ({"lora": None}, "a distillation needs a lora"),
        ({"graph": True}, "graph captures one network"),
    ],
)
def test_settings_that_contradict_each_other_are_refused(changes, message):
    with pytest.raises(ValueError, match=message):
        run_of("lcm", **changes)


def test_another_distillation_does_not_go_on_in_the_same_folder(
    make_pipeline, tiny_config, samples, tmp_path
):
    config = run_of("lcm", steps=1)
    trainer(make_pipeline(tiny_config).model, samples, config, tmp_path).run()
    other = replace(config, distill=replace(config.distill, steps=4))
    run = trainer(make_pipeline(tiny_config).model, samples, other, tmp_path)
    with pytest.raises(ValueError, match="has a distillation of lcm to 2 .*, asked for is lcm to 4"):
        run.run()


@pytest.fixture
def teacher(tiny_pipeline, tmp_path) -> Path:
    parts = dict(tiny_pipeline.model.named_children())
    encoders = {"vae": tiny_pipeline.vae, "audio_encoder": tiny_pipeline.audio_encoder}
    (path,) = save_checkpoint(tmp_path / "teacher.safetensors", tiny_pipeline.config, parts | encoders)
    return path


@pytest.fixture
def distill(shards, capsys) -> Callable[..., tuple[int, str, str]]:
    """Runs the command; returns status, output and errors."""

    def run(teacher: Path, out: Path, *given: Any) -> tuple[int, str, str]:
        files = ["--teacher", teacher, "--shards", shards, "--out", out]
        small = ["--workers", 0, "--precision", "no", "--lora", 2]
        status = main(["distill", *map(str, [*files, *small, *given])])
        return status, *capsys.readouterr()

    return run


def test_the_command_writes_a_lora_that_brings_its_schedule(distill, teacher, tmp_path):
    out = tmp_path / "few" / "two.safetensors"
    out.parent.mkdir()
    status, said, error = distill(teacher, out, "--steps", 2, "--updates", 1)
    assert (status, error.count("error")) == (0, 0)
    assert f"{out}: 2 steps of lcm with cfg 1, which animate --lora and EMO Load LoRA choose" in said
    found = read_adapter(out)
    assert found.info.few_steps == FewSteps("lcm", (999, 499))
    assert not any(part in found.info.parts for part in ("reference_net", "audio_projection"))
    log = json.loads((out.with_suffix("") / "log.jsonl").read_text().splitlines()[-1])
    assert log["distance"] == log["distance_before"] > 0  # the first update's rate is 0
    whole = load_checkpoint(teacher, adapters=[AdapterUse(out)]).config.schedule
    assert (whole.solver, whole.steps, whole.cfg) == ("lcm", 2, 1.0)
    none = read_checkpoint(teacher, [AdapterUse(out, 0.0)]).config
    assert none == read_checkpoint(teacher).config  # of strength 0 it is not there
    assert (out.with_suffix("") / "samples-000001.png").exists()


def test_distances_are_of_the_student_and_of_the_teacher_in_as_few_steps(make_pipeline, tiny_config, samples):
    model = make_pipeline(tiny_config).model
    config = run_of("lcm")
    named = trained_parameters(model, DISTILLING, config)
    batch = next(MemorySource(samples, model.config, CLIP, 0).stream([0]))[0]
    fidelity = Fidelity([batch], DISTILLING, config.distill)
    first = fidelity(model)
    assert first["distance"] == pytest.approx(first["distance_before"])
    with torch.no_grad():
        for name, value in named:
            if ".lora_B." in name:
                value.normal_(std=0.3, generator=torch.Generator().manual_seed(0))
    second = fidelity(model)
    assert second["distance_before"] == first["distance_before"]
    assert second["distance"] != pytest.approx(first["distance"], rel=0.01)


def test_frozen_weights_of_half_the_size_render_too(any_precision, distill, teacher, tmp_path):
    given = ["--steps", 1, "--updates", 1, "--precision", "bf16", "--frozen", "bf16"]
    status, _, error = distill(teacher, tmp_path / "half.safetensors", *given)
    assert status == 0, error
    log = json.loads((tmp_path / "half" / "log.jsonl").read_text().splitlines()[-1])
    assert log["distance"] == pytest.approx(log["distance_before"], rel=0.2)


def test_teachers_that_have_nothing_to_distil_are_refused(distill, tiny_pipeline, moving_config, tmp_path):
    distilled = replace(tiny_pipeline.config, schedule=replace(tiny_pipeline.config.schedule, cfg=1.0))
    unknown = replace(tiny_pipeline.config, family="someone")
    for config, message in (
        (moving_config, "without guidance: its motion code decides what noise would"),
        (distilled, "was distilled to 2 steps already: name the weights that it was made of as --teacher"),
        (unknown, "is of the family 'someone', known are emo, hallo, echomimic, v_express"),
    ):
        file = tmp_path / "other.safetensors"
        save_checkpoint(file, config, dict(EMO(config).named_children()))
        status, _, error = distill(file, tmp_path / "lora.safetensors")
        assert status == 1
        assert message in error
        assert not (tmp_path / "lora").exists()
