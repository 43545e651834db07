"""Encoded samples: what every training stage reads."""

from collections.abc import Iterable
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Annotated, Any, Self

import torch
from safetensors.torch import save_file
from torch import Tensor

from emo_modules.checked import Checked, Range
from emo_modules.config import EMOConfig
from emo_modules.models.conditions import KeptConditions
from emo_modules.weights.reading import describe_keys, read_weights
from emo_modules.writing.partial import whole_file

EXPECTED = "encoded samples, as SampleSet.save writes them"


@dataclass(frozen=True)
class SampleSet:
    """K samples of F frames; `audio` has the m frames of context before the first and after the last."""

    latents: Tensor  # (K, F, C, H, W)
    portraits: Tensor  # (K, P, C, H, W) other pictures of the same person
    audio: Tensor  # (K, m+F+m, layers, D)
    boxes: Tensor  # (K, F, 4) face box, fractions of the picture's width and height
    speeds: Tensor  # (K, F) head rotation in degrees per second

    def __len__(self) -> int:
        return len(self.latents)

    def save(self, path: Path) -> None:
        with whole_file(path) as partial:
            save_file({name: value.contiguous() for name, value in asdict(self).items()}, partial)

    @classmethod
    def load(cls, path: Path) -> Self:
        """Raises ValueError for a file that `save` did not write."""
        tensors, names = read_weights(path, EXPECTED), {f.name for f in fields(cls)}
        if tensors.keys() != names:
            raise ValueError(f"{path}: expected {EXPECTED}; found {describe_keys(list(tensors))}")
        return cls(**tensors)

    @classmethod
    def stack(cls, samples: Iterable[dict[str, Tensor]]) -> Self:
        rows = list(samples)
        return cls(**{f.name: torch.stack([row[f.name] for row in rows]) for f in fields(cls)})

    def part(self, start: int, stop: int) -> Self:
        return type(self)(**{f.name: getattr(self, f.name)[start:stop] for f in fields(self)})


@dataclass(frozen=True)
class Batch:
    """B clips to train on; dropped conditions are zeros, as the model sees them dropped at inference."""

    latents: Tensor  # (B, F, C, H, W)
    motion: Tensor  # (B, M, C, H, W)
    motion_kept: Tensor  # (B,) 0 for a video's first clip, whose motion maps are zero
    reference: Tensor  # (B, C, H, W)
    reference_kept: Tensor  # (B,)
    audio: Tensor  # (B, F, 2m+1, layers, D)
    audio_kept: Tensor  # (B,)
    mask: Tensor  # (B, 1, 8H, 8W)
    speeds: Tensor  # (B, F)

    @property
    def levels(self) -> int:
        """How many noise levels a row has: one over a clip, many over single pictures."""
        return 1 if self.motion.shape[1] else self.latents.shape[1]

    def to(self, device: torch.device) -> Self:
        return type(self)(**{f.name: getattr(self, f.name).to(device) for f in fields(self)})

    def of_video(self) -> dict[str, Any]:
        """What `Conditioner.video` takes by name; Any, since arguments differ in kind."""
        return {"portrait": self.reference, "picture": self.mask}

    def of_clip(self, speed: bool) -> dict[str, Any]:
        """What `Conditioner.clip` takes by name, beside the past."""
        return {"audio": self.audio} | ({"speeds": self.speeds} if speed else {})

    def of_stills(self) -> dict[str, Any]:
        """What `Conditioner.stills` takes by name."""
        return {}

    def conditions(self, clips: bool, speed: bool) -> dict[str, Any]:
        """What `EMO.forward` takes by name: sound and motion frames are of clips only."""
        kept = KeptConditions(self.reference_kept, self.audio_kept, self.motion_kept)
        given = self.of_video() | {"kept": kept}
        return given | (self.of_clip(speed) | {"motion": self.motion} if clips else {})


Share = Annotated[float, Range(0, 1)]


@dataclass(frozen=True)
class Draw(Checked):
    """How clips are drawn from samples and which conditions are dropped, as probabilities."""

    batch: Annotated[int, Range(1, 4096)] = 4
    frames: Annotated[int, Range(1, 4096)] = 12
    motion_frames: Annotated[int, Range(0, 4096)] = 4
    first_clip: Share = 0.25
    drop_reference: Share = 0.05
    drop_audio: Share = 0.1
    drop_both: Share = 0.05  # guidance's other half is without portrait and sound
    portrait_share: Share = 0.15  # references that are other pictures; the rest are frames of the sample
    person_share: Share = 0.1  # most of an epoch of shards that one of many people takes
    whole_region: Share = 0.1  # the mask covers the picture, as at inference when no face is found
    successive: bool | None = None  # frames follow one another; default: where there are motion frames

    @property
    def still(self) -> bool:
        """Frames come from anywhere in the sample: they are pictures, no clip (image stage)."""
        return not self.motion_frames if self.successive is None else not self.successive

    @property
    def window(self) -> int:
        """Frames that follow one another: motion frames and those that are trained on."""
        return self.frames + self.motion_frames

    @property
    def needed(self) -> int:
        """Frames that a sample must have: those that are trained on, and another one for the reference."""
        return (1 if self.still else self.window) + 1


@dataclass(frozen=True)
class Kept:
    """Which conditions each of B clips keeps: 1 or 0, (B,) each."""

    portrait: Tensor  # the reference is another picture of the person, not a frame of the sample
    motion: Tensor
    reference: Tensor
    audio: Tensor
    region: Tensor


def draw_kept(draw: Draw, generator: torch.Generator) -> Kept:
    def kept(drop: float) -> Tensor:
        return (torch.rand(draw.batch, generator=generator) >= drop).float()

    both = kept(draw.drop_both)
    return Kept(
        portrait=1 - kept(draw.portrait_share),
        motion=kept(draw.first_clip),
        reference=kept(draw.drop_reference) * both,
        audio=kept(draw.drop_audio) * both,
        region=kept(draw.whole_region),
    )


def draw_batch(samples: SampleSet, config: EMOConfig, draw: Draw, generator: torch.Generator) -> Batch:
    """B random clips: M motion frames, the F frames after them, and a reference picture of the same person.

    Without motion frames (image stage) the F pictures come from anywhere in the sample.
    """
    if samples.latents.shape[1] < draw.needed:
        raise ValueError(
            f"samples have {samples.latents.shape[1]} frames, training needs {draw.needed} "
            f"({draw.motion_frames} motion frames, {draw.frames} to train on, and another one for "
            "the reference)"
        )

    def randint(high: int) -> Tensor:
        return torch.randint(high, (draw.batch,), generator=generator)

    picks = draw_picks(len(samples), draw, generator)
    window, reference_places = draw_places(samples.latents.shape[1], draw, draw.batch, generator)
    clip = window[:, draw.motion_frames :]
    context = clip[:, :, None] + torch.arange(2 * config.audio.context + 1)
    union = box_union(samples.boxes[picks[:, None], clip])
    latents = samples.latents[picks[:, None], window].float()
    reference = samples.latents[picks, reference_places]
    elsewhere = samples.portraits[picks, randint(samples.portraits.shape[1])]
    kept = draw_kept(draw, generator)
    reference = torch.where(kept.portrait[:, None, None, None] > 0, elsewhere, reference)
    return Batch(
        latents=latents[:, draw.motion_frames :],
        motion=latents[:, : draw.motion_frames],
        motion_kept=kept.motion,
        reference=reference.float(),
        reference_kept=kept.reference,
        audio=samples.audio[picks[:, None, None], context].float(),
        audio_kept=kept.audio,
        mask=region_masks(union, kept.region, config),
        speeds=samples.speeds[picks[:, None], clip].float(),
    )


def draw_picks(samples: int, draw: Draw, generator: torch.Generator) -> Tensor:
    """Which samples a microbatch's clips are of, (B,): the first that its generator decides."""
    return torch.randint(samples, (draw.batch,), generator=generator)


def draw_places(frames: int, draw: Draw, batch: int, generator: torch.Generator) -> tuple[Tensor, Tensor]:
    """Which frames to read of samples that have `frames` of them, at least `draw.needed`.

    Returns (B, M+F), motion frames and the frames after them, or of pictures frames from anywhere; and the
    reference's (B,): any other frame of the sample, each as likely (EMO sec. 3.3: "a distinct, randomly
    chosen frame").
    """

    def randint(high: int, *shape: int) -> Tensor:
        return torch.randint(high, (batch, *shape), generator=generator)

    if draw.still:
        reference = randint(frames)
        places = randint(frames - 1, draw.frames)
        return places + (places >= reference[:, None]), reference
    start = randint(frames - draw.window + 1)
    outside = randint(frames - draw.window)
    reference = outside + draw.window * (outside >= start)
    return start[:, None] + torch.arange(draw.window), reference


def box_union(boxes: Tensor) -> Tensor:
    """The box (B, 4) around each clip's boxes (B, F, 4) (EMO sec. 3.2)."""
    return torch.cat([boxes[..., :2].amin(1), boxes[..., 2:].amax(1)], dim=-1)


def region_masks(union: Tensor, kept: Tensor, config: EMOConfig) -> Tensor:
    """The locator's pictures (B, 1, H, W): boxes (B, 4) in fractions, or everything where not kept."""
    return torch.maximum(box_masks(union, config.height, config.width), 1 - kept[:, None, None, None])


def box_masks(boxes: Tensor, height: int, width: int) -> Tensor:
    """Boxes (B, 4) in fractions -> masks (B, 1, height, width), 1 inside."""
    x = (torch.arange(width, device=boxes.device) + 0.5) / width
    y = (torch.arange(height, device=boxes.device) + 0.5) / height
    across = (x >= boxes[:, None, 0]) & (x < boxes[:, None, 2])
    down = (y >= boxes[:, None, 1]) & (y < boxes[:, None, 3])
    return (down[:, :, None] & across[:, None, :]).float()[:, None]
