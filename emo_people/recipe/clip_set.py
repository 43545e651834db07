"""Clips in the memory of the device that trains, from which batches are drawn and encoded as they are needed.

The encoder is linear and costs next to nothing; pixels are kept, since a portrait's are moved and a frame's
are compared.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from emo_modules.config import EMOConfig
from emo_modules.media.audio import exact_fps
from emo_modules.speech.wav2vec2 import AudioEncoder, frame_positions, interpolate_rows
from emo_training.training.batch_sources import Drawn, microbatch_generator
from emo_training.training.graphs import DEVICE
from emo_training.training.motion_codes import draw_gains, lid_code, mirror_turn, turn_code
from emo_training.training.sample_set import Batch, Draw, box_masks

from ..filming.clip_files import Clip, read_clip
from ..filming.clips import FILES, FRAMES, MARGIN, SIDE
from .views import draw_views

READ_AT_ONCE = 16  # clips whose sound is encoded together
FIRST_SHARE = 0.35  # of the clips that begin a performance: those that are taken from its first frame on
BOX_JITTER = 0.06  # of a box's side: a face is not found where the renderer has it
GAIN, LIFT = 0.12, 0.05  # deviations of colour factors, and of what is added to all channels
GREY = 0.15  # share of the clips that have no colours but a tint, as old photographs
LUMA = (0.299, 0.587, 0.114)


@dataclass(frozen=True)
class MovingBatch(Batch):
    """With what a model that moves portraits is told and compared with."""

    pixels: Tensor  # (B, 3, H, W) in -1..1, the portrait
    code: Tensor  # (B, F, MOTION_CODE)
    pictures: Tensor  # (B, F, 3, H, W) in -1..1, the frames
    displacement: Tensor  # (B, F, 2, 64, 64), in widths and heights of the picture
    hidden: Tensor  # (B, F, 1, 32, 32) 0..1
    landmarks: Tensor  # (B, F, 68, 2) px

    def conditions(self, clips: bool, speed: bool) -> dict[str, Any]:
        return super().conditions(clips, speed) | {"pixels": self.pixels, "code": self.code}


class ClipSet:
    """Up to `room` clips; more can be added while others are trained on."""

    def __init__(self, config: EMOConfig, room: int, device: torch.device) -> None:
        def empty(*shape: int, dtype: torch.dtype) -> Tensor:
            return torch.zeros(room, *shape, dtype=dtype, device=device)

        self.config, self.device, self.room, self.count = config, device, room, 0
        audio, half = config.audio, torch.float16
        self.pictures = empty(FRAMES + 1, 3, SIDE, SIDE, dtype=torch.uint8)
        self.displacement = empty(FRAMES, 2, 64, 64, dtype=half)
        self.hidden = empty(FRAMES, 32, 32, dtype=torch.uint8)
        self.boxes = empty(FRAMES + 1, 4, dtype=torch.float32)
        self.landmarks = empty(FRAMES + 1, 68, 2, dtype=torch.float32)
        self.turned = empty(FRAMES, 3, dtype=torch.float32)
        self.lids = empty(FRAMES, dtype=torch.float32)
        self.head_speed = empty(dtype=torch.float32)
        self.audio = empty(FRAMES + 2 * audio.context, audio.layers, audio.feature_dim, dtype=half)
        self.begins = empty(dtype=torch.bool)

    def __len__(self) -> int:
        return self.count

    @torch.no_grad()
    def add(self, clips: Sequence[Clip], encoder: AudioEncoder) -> None:
        """Those for which there is room; `encoder` is on the device."""
        clips = clips[: self.room - self.count]
        if clips:
            with DEVICE:
                self._add(clips, encoder)

    def _add(self, clips: Sequence[Clip], encoder: AudioEncoder) -> None:
        rows = slice(self.count, self.count + len(clips))

        def stacked(name: str) -> Tensor:
            return torch.from_numpy(np.stack([getattr(clip, name) for clip in clips])).to(self.device)

        begins = stacked("start") == 0
        self.pictures[rows] = stacked("pictures").movedim(-1, 2)
        self.displacement[rows] = (stacked("displacement").movedim(-1, 2) / SIDE).half()
        for name in ("hidden", "boxes", "landmarks", "turned", "lids", "head_speed"):
            getattr(self, name)[rows] = stacked(name)
        self.audio[rows] = heard(stacked("waveform").float(), begins, encoder, self.config).half()
        self.begins[rows] = begins
        self.count += len(clips)

    def rows(self, draw: Draw, generator: torch.Generator) -> Tensor:
        """Which clips a microbatch is of, (B,): the first that its generator decides."""
        return torch.randint(self.count, (draw.batch,), generator=generator, device=self.device)

    def draw(
        self, draw: Draw, encoder: nn.Module, generator: torch.Generator, rows: Tensor | None = None
    ) -> MovingBatch:
        """B clips, those of `rows` (B,) where given; without motion frames (image stage) frames from anywhere
        in them."""
        config, count = self.config, draw.batch
        rows = self.rows(draw, generator) if rows is None else rows
        places, first = draw_windows(self.begins[rows], draw, generator)
        shown, clip = rows[:, None], places[:, draw.motion_frames :]
        colour, view = draw_colours(count, generator), draw_views(self.boxes[rows, 0] / SIDE, generator)
        pictures = recolour(view.pictures(self.pictures[shown, 1 + places.clamp(min=0)]), colour)
        pixels = recolour(view.pictures(self.pictures[rows, :1]), colour)[:, 0]
        latents = encode(encoder, pictures)
        window = torch.arange(2 * config.audio.context + 1, device=self.device)
        boxes = view.boxes(self.boxes[rows, 0] / SIDE)
        speeds = self.head_speed[rows, None] * draw_gains(count, clip.shape[1], generator)
        turned = turn_code(self.turned[shown, clip], speeds)
        turned = torch.where(view.mirrored[:, None, None], mirror_turn(turned), turned)
        lids = lid_code(self.lids[shown, clip], generator)
        return MovingBatch(
            latents=latents[:, draw.motion_frames :],
            motion=latents[:, : draw.motion_frames],
            motion_kept=1 - first.float(),
            reference=encode(encoder, pixels[:, None])[:, 0],
            reference_kept=torch.ones(count, device=self.device),
            audio=self.audio[shown[:, :, None], clip[:, :, None] + window].float(),
            audio_kept=1 - self.chance(draw.drop_audio, count, generator).float(),
            mask=draw_regions(boxes, draw.whole_region, config, generator),
            speeds=speeds,
            pixels=pixels,
            code=torch.cat([turned, lids[..., None]], dim=2),
            pictures=pictures[:, draw.motion_frames :],
            displacement=view.displacements(self.displacement[shown, clip]),
            hidden=view.pictures(self.hidden[shown, clip][:, :, None]) / 255,
            landmarks=view.points(self.landmarks[shown, 1 + clip] / SIDE) * SIDE,
        )

    def chance(self, share: float, count: int, generator: torch.Generator) -> Tensor:
        """(B,) true for about this share."""
        return torch.rand(count, generator=generator, device=self.device) < share


def heard(waveforms: Tensor, begins: Tensor, encoder: AudioEncoder, config: EMOConfig) -> Tensor:
    """Waveforms (K, S) of clips and their margins -> features (K, m+F+m, layers, D). Before a performance's
    first frame there is nothing to be heard but that frame, as at inference."""
    frames, context = FRAMES + 2 * MARGIN, config.audio.context
    waveforms = F.pad(waveforms, (0, encoder.receptive_field))
    positions = frame_positions(frames, exact_fps(config.fps), encoder.stride, encoder.receptive_field)
    encoded = encoder(waveforms).movedim(1, 0)
    rows = interpolate_rows(encoded, positions).movedim(0, 1)[:, MARGIN - context : frames - MARGIN + context]
    rows[:, :context] = torch.where(begins[:, None, None, None], rows[:, context, None], rows[:, :context])
    return rows


def draw_windows(begins: Tensor, draw: Draw, generator: torch.Generator) -> tuple[Tensor, Tensor]:
    """Frame numbers (B, M+F), negative before a performance's first frame, and whether it begins there (B,):
    then nothing is known of a past."""

    def rand(*shape: int) -> Tensor:
        return torch.rand(*shape, generator=generator, device=begins.device)

    count, past = len(begins), draw.motion_frames
    if not past:
        return (rand(count, draw.frames) * FRAMES).long(), torch.ones_like(begins)
    first = begins & (rand(count) < FIRST_SHARE)
    start = (rand(count) * (FRAMES - draw.window + 1)).long()
    start = torch.where(first, -past, start)
    return start[:, None] + torch.arange(draw.window, device=begins.device), first


def draw_colours(count: int, generator: torch.Generator) -> Tensor:
    """(B, 3, 4): what red, green and blue become, as factors of all three and an addition; the same for a
    clip and its portrait."""

    def normal(*shape: int) -> Tensor:
        return torch.randn(*shape, generator=generator, device=generator.device)

    gains = (GAIN * normal(count, 1) + 0.5 * GAIN * normal(count, 3)).exp()
    grey = torch.rand(count, 1, 1, generator=generator, device=generator.device) < GREY
    mixed = torch.where(grey, gains.new_tensor(LUMA).expand(3, 3), torch.eye(3, device=gains.device))
    lifts = (LIFT * normal(count, 1)).expand(-1, 3)
    return torch.cat([gains[:, :, None] * mixed, lifts[:, :, None]], dim=2)


def recolour(pictures: Tensor, colours: Tensor) -> Tensor:
    """0..255 (B, F, 3, H, W) in other colours (B, 3, 4) -> -1..1."""
    mixed = torch.einsum("bij,bfjhw->bfihw", colours[:, :, :3] / 255, pictures)
    return (mixed + colours[:, None, :, 3, None, None]).clamp(0, 1) * 2 - 1


@torch.no_grad()
def encode(encoder: nn.Module, pictures: Tensor) -> Tensor:
    """(B, F, 3, 8H, 8W) -> latents (B, F, C, H, W)."""
    latents: Tensor = encoder(pictures.flatten(0, 1))
    return latents.float().unflatten(0, pictures.shape[:2])


def draw_regions(boxes: Tensor, whole: float, config: EMOConfig, generator: torch.Generator) -> Tensor:
    """The locator's pictures (B, 1, H, W) of boxes (B, 4) in fractions, as a finder would have them."""
    sides = (boxes[:, 2:] - boxes[:, :2]).repeat(1, 2)
    off = BOX_JITTER * torch.randn(boxes.shape, generator=generator, device=boxes.device)
    masks = box_masks(boxes + off * sides, config.height, config.width)
    everywhere = torch.rand(len(boxes), generator=generator, device=boxes.device) < whole
    return torch.maximum(masks, everywhere[:, None, None, None].float())


def read_clip_set(folder: Path, config: EMOConfig, encoder: AudioEncoder, device: torch.device) -> ClipSet:
    """All clips of a folder, as `render_clips` writes them. Raises FileNotFoundError where there are none."""
    paths = sorted(folder.glob(FILES.format(0).replace("0000000", "*")))
    if not paths:
        raise FileNotFoundError(f"{folder} has no clips: make them with render-clips")
    clips = ClipSet(config, len(paths), device)
    for first in range(0, len(paths), READ_AT_ONCE):
        clips.add([read_clip(path) for path in paths[first : first + READ_AT_ONCE]], encoder)
    return clips


class ClipSource:
    """Microbatches of a `ClipSet`, as `Trainer` reads them."""

    def __init__(self, clips: ClipSet, encoder: nn.Module, draw: Draw, seed: int) -> None:
        self.clips, self.encoder, self.draw, self.seed = clips, encoder, draw, seed

    def stream(self, microbatches: Sequence[int]) -> Iterator[Drawn]:
        for number in microbatches:
            generator = microbatch_generator(self.seed, number, device=self.clips.device)
            yield self.clips.draw(self.draw, self.encoder, generator), generator

    def names(self, microbatch: int) -> list[str]:
        generator = microbatch_generator(self.seed, microbatch, device=self.clips.device)
        return [f"number {row}" for row in self.clips.rows(self.draw, generator).tolist()]
