"""What a rendering will take, and on the progress bar how much of it is left."""

from collections.abc import Iterator
from dataclasses import replace

from torch import Tensor
from tqdm import tqdm

from ..checkpoints.tiny_decoder import check_latents
from ..config import EMOConfig
from ..cost.estimate import duration, estimate
from ..cost.memory import Memory, Weights, free_graphics_memory, free_main_memory, memory
from ..cost.rates import RateBook, Rates
from ..cost.stopwatch import Stopwatch
from ..cost.work import Work
from ..media.audio import Audio
from ..model_choice import ModelChoice
from ..models.deep_cache import check_deep_cache
from ..options import Options
from ..pipeline import Progress
from ..precision import DTYPES
from ..sampling.clip_store import default_folder
from ..sampling.enlarge import video_sides
from ..sampling.solver import check_steps

TINY = {"_class_name": "AutoencoderTiny"}  # the configuration of what decodes then
# without tqdm's own rate and remaining time: kept clips, warming up and decoding would mislead them
LAYOUT = "{desc}: {percentage:3.0f}%|{bar}| {n_fmt}/{total_fmt} [{elapsed}{postfix}]"


def work_for(config: EMOConfig, audio: Audio, options: Options, model: ModelChoice, device: str) -> Work:
    """Raises ValueError for a start beyond the sound, and for options that this model cannot take."""
    first, schedule = round(options.start * config.fps), config.schedule
    steps = schedule.steps if options.steps is None else options.steps
    check_steps(steps, options.guided_steps)
    check_deep_cache(options.deep_cache, config)
    audio.from_frame(first, config.fps)
    width, height = video_sides(config, options.size)
    if model.tiny_decoder:
        check_latents(config)
        config = replace(config, vae=TINY)
    return Work(
        config,
        audio.frame_count(config.fps) - first,
        audio.waveform.shape[-1] / audio.sample_rate,
        width,
        height,
        steps,
        schedule.cfg if options.cfg is None else options.cfg,
        options.guided_steps,
        device,
        DTYPES[model.precision(device)],
        model.how,
        audio.waveform.nbytes,
        options.deep_cache,
    )


def print_estimate(work: Work, weights: Weights, model: ModelChoice) -> None:
    main = free_main_memory()
    free = None if main is None else Memory(main, free_graphics_memory(work.device))
    needed = memory(work, weights, model.low_memory)
    found = estimate(work, RateBook(default_folder()).find(work), needed, free, model.low_memory)
    print("\n".join(found.lines()))


def bar_of(work: Work) -> "tqdm[None]":
    return tqdm(desc="denoising", unit="step", total=work.all_steps, bar_format=LAYOUT)


class Bar:
    """Steps as they are done, and the time that is left for the whole film."""

    def __init__(self, bar: "tqdm[None]", work: Work, watch: Stopwatch, known: Rates | None) -> None:
        self._bar, self._work, self._watch, self._known = bar, work, watch, known

    def step(self, progress: Progress) -> None:
        self._watch.step(progress.step, progress.steps)
        done = (progress.clip - 1) * progress.steps + progress.step  # kept clips took no step
        self._bar.update(done - self._bar.n)
        self._tell()

    def clips(self, frames: Iterator[Tensor]) -> Iterator[Tensor]:
        """The same frames, clip by clip."""
        for clip in self._watch.laps(frames):
            self._tell()  # with the clip before this one
            yield clip

    def _tell(self) -> None:
        left = self._watch.left(self._work, self._known)
        if left is not None:
            self._bar.set_postfix_str(f"{duration(left)} left")
