"""What a run of the sampler takes: asked by the page before it starts, told to the page while it runs."""

from collections.abc import Iterator, Mapping
from functools import lru_cache
from pathlib import Path

import comfy.model_management
import comfy.model_patcher
import torch
from server import PromptServer
from torch import Tensor

from ...emo_modules.checkpoints.adapter import read_adapter
from ...emo_modules.checkpoints.store import read_checkpoint
from ...emo_modules.config import EMOConfig
from ...emo_modules.cost.memory import Weights, denoising_bytes, latent_bytes, length_bytes
from ...emo_modules.cost.rates import RateBook
from ...emo_modules.cost.stopwatch import Stopwatch
from ...emo_modules.cost.work import Work
from ...emo_modules.media.audio import Audio, load_audio
from ...emo_modules.models.deep_cache import MOST_INTERVAL, OFF
from ...emo_modules.schedule import FewSteps
from ...emo_modules.writing.room import LARGE
from .deep_cache import interval_of
from .files import checkpoint_path, lora_path
from .kept import clip_store
from .model import choose_dtypes
from .reference import Reference
from .sampling import Denoising, OnStep, made_for

EVENT = "emo.cost"
MOST = {
    "steps": 1000,
    "cfg": 30,
    "start": 86400,
    "width": 4096,
    "height": 4096,
    "deep_cache": MOST_INTERVAL,
}  # that widgets give


def work_for(
    config: EMOConfig,
    sound: Audio,
    first: int,
    size: tuple[int, int],
    denoising: Denoising,
    dtype: torch.dtype,
    interval: int = OFF,
) -> Work:
    """From frame `first` of the sound on; `size` is width and height in pixels, `interval` DeepCache's.
    `denoising` is as `as_made` gives it. Raises ValueError when no sound is left."""
    sound.from_frame(first, config.fps)
    return Work(
        config,
        sound.frame_count(config.fps) - first,
        sound.waveform.shape[-1] / sound.sample_rate,
        *size,
        denoising.steps,
        denoising.cfg,
        device=str(comfy.model_management.get_torch_device()),
        dtype=dtype,
        how=denoising.sampler_name,
        deep_cache=interval,
    )


class Count:
    """Where the time of the sampler on node `node_id` goes, and what is left of it, for the page and the next
    estimates."""

    def __init__(self, node_id: str | None) -> None:
        self.watch, self._node_id = Stopwatch(), node_id
        self._work: Work | None = None

    def begin(
        self,
        model: comfy.model_patcher.ModelPatcher,
        reference: Reference,
        sound: Audio,
        first: int,
        denoising: Denoising,
    ) -> None:
        """Once it is known what there is to do."""
        config, pixels = reference.net.config, reference.large
        height, width = (
            (8 * side for side in reference.portrait.shape[-2:]) if pixels is None else pixels.shape[-2:]
        )
        dtype = model.model.get_dtype_inference()
        size, interval = (width, height), interval_of(model)
        self._work = work_for(config, sound, first, size, denoising, dtype, interval)
        self._known = RateBook(clip_store().folder).find(self._work)
        seconds = self._known.seconds(self._work) if self._known else None
        self._tell(frames=self._work.frames, clips=self._work.clips, seconds=seconds)

    def steps(self, on_step: OnStep) -> OnStep:
        """The same callback, counted."""

        def counted(solve: int, done: int, total: int, estimate: Tensor) -> None:
            self.watch.step(done, total)
            self._tell_left()
            on_step(solve, done, total, estimate)

        return counted

    def clips(self, video: Iterator[Tensor]) -> Iterator[Tensor]:
        """The same clips; after the last one the rates are kept."""
        for clip in self.watch.laps(video):
            self._tell_left()  # with the clip before this one
            yield clip

    def keep(self) -> None:
        """For the next estimates."""
        assert self._work is not None
        if rates := self.watch.rates(self._work):
            RateBook(clip_store().folder).add(self._work, rates)

    def _tell_left(self) -> None:
        assert self._work is not None
        left = self.watch.left(self._work, self._known)
        if left is not None:
            self._tell(left=left)

    def _tell(self, **detail: float | None) -> None:
        server = getattr(PromptServer, "instance", None)
        if server is not None and server.client_id is not None and self._node_id is not None:
            server.send_sync(EVENT, {"node": self._node_id, **detail}, server.client_id)


def foretell(query: Mapping[str, str], sound_file: Path) -> dict[str, float | None]:
    """What a run with these widgets takes: frames, clips, seconds (None: never done), bytes, and those that
    are free on the device.

    Raises ValueError and OSError for what cannot be run.
    """
    checkpoint, state = checkpoint_path(query["checkpoint"]), sound_file.stat()
    config, weights, stored = _contents(checkpoint, checkpoint.stat().st_mtime_ns)
    parameters, arithmetic = choose_dtypes(query.get("dtype", "auto"), weights.all, stored)
    width, height = (round(_number(query, side)) or getattr(config, side) for side in ("width", "height"))
    denoising = Denoising(
        seed=0,
        steps=round(_number(query, "steps")),
        cfg=_number(query, "cfg"),
        sampler_name=query.get("sampler", ""),
        scheduler="",
        audio_scale=1.0,
    )
    few = [_few_steps(lora_path(name)) for name in query.get("loras", "").splitlines()]
    own = next((each.of_schedule(config.schedule) for each in few if each), config.schedule)
    denoising = made_for(own, denoising)
    first = round(_number(query, "start") * config.fps)
    sound = _sound(sound_file, state.st_mtime_ns, state.st_size)
    interval = round(_number(query, "deep_cache")) or OFF
    work = work_for(config, sound, first, (width, height), denoising, arithmetic or parameters, interval)
    known = RateBook(clip_store().folder).find(work)
    return {
        "frames": work.frames,
        "clips": work.clips,
        "seconds": known.seconds(work) if known else None,
        "bytes": _needed(work, weights.all * parameters.itemsize),
        "free": _free(),
    }


def _number(query: Mapping[str, str], name: str) -> float:
    """Raises ValueError for one that no widget gives."""
    value = float(query.get(name, 0))
    if not 0 <= value <= MOST[name]:
        raise ValueError(f"{name} is from 0 to {MOST[name]}, got {value:g}")
    return value


def _needed(work: Work, weights: int) -> float:
    """On the device that computes; the latents of the whole video are on a CPU, or on its disk."""
    needed = weights + denoising_bytes(work)
    if torch.device(work.device).type == "cpu":
        needed += length_bytes(work) + min(latent_bytes(work), LARGE)
    return needed


def _free() -> float:
    """Bytes that are free, or would be without the models that are loaded."""
    device = comfy.model_management.get_torch_device()
    loaded = [each for each in comfy.model_management.current_loaded_models if each.device == device]
    held = sum(each.model_loaded_memory() for each in loaded)
    return float(comfy.model_management.get_free_memory(device) + held)


@lru_cache(maxsize=8)
def _contents(path: Path, changed: int) -> tuple[EMOConfig, Weights, torch.dtype]:
    found = read_checkpoint(path)
    return found.config, Weights.of(found.tensors), next(iter(found.tensors.values())).dtype


def _few_steps(lora: Path) -> FewSteps | None:
    """What it was distilled to."""
    return read_adapter(lora).info.few_steps


@lru_cache(maxsize=1)
def _sound(path: Path, changed: int, size: int) -> Audio:
    """A file that has changed is read anew."""
    return load_audio(path)
