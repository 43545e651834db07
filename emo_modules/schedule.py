"""Noise schedules and solvers: DDIM, and diffusers' schedulers, set up as a model was trained."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import cache
from typing import Annotated, Any, Self

import torch
from torch import Tensor

from .checked import Checked, Length, Range
from .config import ScheduleConfig, Solver
from .tables import cached

TRAIN_STEPS = 1000
LEAST_ALPHA = 2.0**-24  # of a signal that is gone, as in diffusers
DIFFUSERS: dict[str, tuple[str, dict[str, Any]]] = {
    # What the relatives were released with, and their six-step weights were made for. It steps by
    # 1000 // steps: it misses the timesteps it announces where steps do not divide 1000, and with 6, 7, 11,
    # 15 ... steps leaves noise behind.
    "ddim-diffusers": ("DDIMScheduler", {"clip_sample": False}),
    "dpm++2m": ("DPMSolverMultistepScheduler", {"algorithm_type": "dpmsolver++", "solver_order": 2}),
    "unipc": ("UniPCMultistepScheduler", {}),
    "euler": ("EulerDiscreteScheduler", {}),
    # by itself it would round the timesteps of a few steps to fiftieths of the range
    "lcm": ("LCMScheduler", {"clip_sample": False, "original_inference_steps": TRAIN_STEPS}),
}
SOLVERS = ("ddim", *DIFFUSERS)


def few_timesteps(steps: int) -> tuple[int, ...]:
    """Those that end equal parts of the range, all noise first: 4 are 999, 749, 499 and 249."""
    return tuple(TRAIN_STEPS - 1 - part * TRAIN_STEPS // steps for part in range(steps))


@dataclass(frozen=True)
class FewSteps(Checked):
    """What weights were distilled to: the schedule that fits them. Guidance is folded into them."""

    method: str
    timesteps: Annotated[tuple[Annotated[int, Range(0, TRAIN_STEPS - 1)], ...], Length(1, 50)]
    solver: Solver = "lcm"
    cfg: Annotated[float, Range(0, 100)] = 1.0

    def impossible(self) -> Iterator[str]:
        if self.timesteps != (known := few_timesteps(len(self.timesteps))):
            yield f"{len(known)} steps are at the timesteps {known}, got {self.timesteps}"

    @classmethod
    def of(cls, method: str, steps: int) -> Self:
        return cls(method, few_timesteps(steps))

    @property
    def steps(self) -> int:
        return len(self.timesteps)

    def of_schedule(self, schedule: ScheduleConfig) -> ScheduleConfig:
        """The same noise and prediction, solved in these steps."""
        return replace(schedule, solver=self.solver, steps=self.steps, cfg=self.cfg)

    def __str__(self) -> str:
        return f"{self.steps} step{'s' if self.steps > 1 else ''} of {self.solver} with cfg {self.cfg:g}"


@cache
def alphas_cumprod(config: ScheduleConfig) -> Tensor:
    """(1000,) float64 share of signal power at every training timestep; 0 at the last with zero terminal SNR.

    "scaled_linear" is linear in sqrt(beta), Stable Diffusion's own; "linear" is linear in beta.
    """
    ends = torch.tensor([config.beta_start, config.beta_end], dtype=torch.float64)
    power = 0.5 if config.beta_schedule == "scaled_linear" else 1.0
    first, last = (ends**power).tolist()
    betas = torch.linspace(first, last, TRAIN_STEPS, dtype=torch.float64) ** (1 / power)
    root = (1 - betas).cumprod(0).sqrt()
    if config.zero_terminal_snr:  # arXiv 2305.08891, algorithm 1
        root = (root - root[-1]) * root[0] / (root[0] - root[-1])
    return root.square()


def add_noise(clean: Tensor, noise: Tensor, alpha_bar: Tensor) -> Tensor:
    """x_t = sqrt(a) x_0 + sqrt(1 - a) e, for a broadcastable to `clean`."""
    return alpha_bar.sqrt() * clean + (1 - alpha_bar).sqrt() * noise


def training_target(clean: Tensor, noise: Tensor, alpha_bar: Tensor, config: ScheduleConfig) -> Tensor:
    """What the model learns to predict: the noise (EMO eq. 1), or the velocity sqrt(a) e - sqrt(1 - a)
    x_0."""
    if config.prediction == "epsilon":
        return noise
    return alpha_bar.sqrt() * noise - (1 - alpha_bar).sqrt() * clean


def clean_estimate(noisy: Tensor, prediction: Tensor, alpha_bar: Tensor, config: ScheduleConfig) -> Tensor:
    """The clean latents that a prediction implies."""
    if config.prediction == "epsilon":
        return (noisy - (1 - alpha_bar).sqrt() * prediction) / alpha_bar.sqrt()
    return alpha_bar.sqrt() * noisy - (1 - alpha_bar).sqrt() * prediction


def implied_prediction(clean: Tensor, noisy: Tensor, alpha_bar: Tensor, config: ScheduleConfig) -> Tensor:
    """Inverse of `clean_estimate`: the prediction that stands for these clean latents."""
    noise = (1 - alpha_bar).sqrt()
    if config.prediction == "epsilon":
        return (noisy - alpha_bar.sqrt() * clean) / noise
    return (alpha_bar.sqrt() * noisy - clean) / noise


def alpha_bar_at(timesteps: Tensor, config: ScheduleConfig) -> Tensor:
    """Timesteps (N,), fractional ones too -> share of signal power (N, 1, 1, 1)."""
    table = cached(_alphas_on, timesteps)(config, timesteps.device)
    below = timesteps.float().floor().clamp(0, TRAIN_STEPS - 1)
    above = (below + 1).clamp(max=TRAIN_STEPS - 1)
    values = torch.lerp(table[below.long()], table[above.long()], timesteps.float() - below)
    return values[:, None, None, None]


@cache
def _alphas_on(config: ScheduleConfig, device: torch.device) -> Tensor:
    return alphas_cumprod(config).to(device, torch.float32)


class DDIM:
    """DDIM (arXiv 2010.02502 eq. 12 without noise) at trailing timesteps, used as diffusers' schedulers are.

    To rounding it is their DPMSolverMultistepScheduler of the first order. That one brings scipy.stats and
    huggingface_hub along, whose import takes as long as a clip.
    """

    init_noise_sigma = 1.0

    def __init__(self, config: ScheduleConfig) -> None:
        self._config, self._done = config, 0
        self.timesteps = torch.empty(0, dtype=torch.long)
        self._alphas = torch.empty(0, dtype=torch.float64)

    def set_timesteps(self, steps: int, device: torch.device | str | None = None) -> None:
        places = TRAIN_STEPS - torch.arange(steps, dtype=torch.float64) * TRAIN_STEPS / steps
        timesteps = places.round().long() - 1
        alphas = alphas_cumprod(self._config)[timesteps].clamp(min=LEAST_ALPHA)
        self._alphas = torch.cat(
            [alphas, torch.ones(1, dtype=torch.float64)]
        )  # stays: no step waits for a GPU
        self.timesteps, self._done = timesteps.to(device), 0

    def scale_model_input(self, x: Tensor, timestep: Tensor) -> Tensor:
        return x

    def step(
        self, prediction: Tensor, timestep: Tensor, x: Tensor, return_dict: bool = False
    ) -> tuple[Tensor]:
        """From x at the next of the timesteps to the one behind it, as the only element."""
        now, then = self._alphas[self._done : self._done + 2]
        self._done += 1
        clean = clean_estimate(x, prediction, now, self._config)
        kept = ((1 - then) / (1 - now)).sqrt()
        return (kept * x + (then.sqrt() - now.sqrt() * kept) * clean,)


def build_scheduler(solver: str, config: ScheduleConfig) -> Any:
    """The scheduler of a `SOLVERS` name. Raises ValueError listing the names for any other."""
    if solver not in SOLVERS:
        raise ValueError(f"solver {solver!r} is none of {', '.join(SOLVERS)}")
    if solver == "ddim":
        return DDIM(config)
    import diffusers

    name, extra = DIFFUSERS[solver]
    common = {
        "num_train_timesteps": TRAIN_STEPS,
        "beta_start": config.beta_start,
        "beta_end": config.beta_end,
        "beta_schedule": config.beta_schedule,
        "prediction_type": config.prediction,
        "rescale_betas_zero_snr": config.zero_terminal_snr,
        "timestep_spacing": "trailing",
    }
    return getattr(diffusers, name)(**common, **extra)
