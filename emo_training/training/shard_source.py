"""Training samples from shards: read and decoded by worker processes, encoded on the training device.

Latents and speech features are stored only where a cache is asked for: with 250 h of footage they take more
disk than the video, and encoding is a small part of a step.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import torch
from torch import Tensor
from torch.utils.data import DataLoader, Dataset

from emo_modules.checkpoints.vae import VAE
from emo_modules.config import EMOConfig
from emo_modules.families.family import SpeechEncoder
from emo_modules.families.table import audio_track
from emo_modules.media.audio import Audio
from emo_modules.speech.wav2vec2 import context_windows

from ..footage.decode import decode_pictures, decode_sound, resize_pictures
from ..footage.shards import Sample, SampleEntry, ShardIndex
from .batch_sources import Drawn, microbatch_generator
from .cache import LATENTS, SPEECH, Cache, latents_made_by, open_cache, speech_made_by
from .filmed import Acted, acted_in, filmed_batch
from .identities import Identities
from .relatives import ClipCues, clip_cues, relative_batch, relative_of
from .sample_order import SampleOrder
from .sample_set import (
    Batch,
    Draw,
    Kept,
    box_union,
    draw_kept,
    draw_places,
    region_masks,
)
from .summary import Footage

ENCODED_AT_ONCE = 8  # pictures in one pass of the VAE
NOISE = 1  # the use of `microbatch_generator` for noise; 0 is for what is read


@dataclass(frozen=True)
class RawBatch:
    """B samples before the VAE and the audio encoder."""

    # (B, M+F+1, 3, H, W) uint8: motion frames, the clip's frames, the reference; from a cache their latents
    pictures: Tensor
    # (S,) each, the whole samples at 16 kHz, from a cache (R, layers, D); empty for pictures without sound
    waveforms: list[Tensor]
    totals: list[int]  # frames of each whole sample
    frames: Tensor  # (B, F) where the clip's frames lie in the whole sample
    union: Tensor  # (B, 4) the face boxes' union, in fractions
    speeds: Tensor  # (B, F) degrees per second
    kept: Kept
    cues: ClipCues | None  # of EMO's relatives, stacked
    identity: Tensor  # (B, D) face embeddings, zeros of unknown faces; (B, 0) where none is read
    acted: Acted | None  # of models that move portraits, stacked


class RawClip(NamedTuple):
    """One row of a `RawBatch`."""

    pictures: Tensor
    waveform: Tensor
    total: int
    frames: Tensor
    union: Tensor
    speeds: Tensor
    cues: ClipCues | None
    identity: Tensor
    acted: Acted | None


class ShardSamples(Dataset[RawBatch]):
    """Microbatch number -> `RawBatch`; runs in the workers."""

    def __init__(
        self,
        index: ShardIndex,
        config: EMOConfig,
        draw: Draw,
        seed: int,
        sound: bool,
        identities: Identities | None = None,
    ) -> None:
        usable = [e for e in index.entries if e.frames >= draw.needed and (e.sound or not sound)]
        if not usable:
            raise ValueError(
                f"{index.folder}: none of {len(index.entries)} samples has {draw.needed} frames"
                f"{' and sound' if sound else ''}, which this stage needs with one for the reference; "
                "prepare longer ones"
            )
        self.index, self.config, self.draw, self.seed = index, config, draw, seed
        self.order, self.sound = SampleOrder(usable, seed, draw.person_share), sound
        self.cache: Cache | None = None  # in place of decoding
        self.identities, relative = identities, relative_of(config)
        self.landmarks = config.moving or bool(relative and relative.points)  # no other batch is made of them
        if relative:  # what has no landmarks is refused before a worker starts
            clip_cues(config, index.read(usable[0], self.landmarks), torch.zeros(1, dtype=torch.long))

    def __getitem__(self, microbatch: int) -> RawBatch:
        generator = microbatch_generator(self.seed, microbatch)
        kept = draw_kept(self.draw, generator)
        rows = [
            self.read(entry, bool(elsewhere), generator)
            for entry, elsewhere in zip(self.entries(microbatch), kept.portrait, strict=True)
        ]
        cues = [row.cues for row in rows if row.cues is not None]
        acted = [row.acted for row in rows if row.acted is not None]
        return RawBatch(
            torch.stack([row.pictures for row in rows]),
            [row.waveform for row in rows],
            [row.total for row in rows],
            torch.stack([row.frames for row in rows]),
            torch.stack([row.union for row in rows]),
            torch.stack([row.speeds for row in rows]),
            kept,
            ClipCues(*map(torch.stack, zip(*cues, strict=True))) if cues else None,
            torch.stack([row.identity for row in rows]),
            Acted(*map(torch.stack, zip(*acted, strict=True))) if acted else None,
        )

    def entries(self, microbatch: int) -> list[SampleEntry]:
        size = self.draw.batch
        return [self.order[microbatch * size + row] for row in range(size)]

    def read(self, entry: SampleEntry, elsewhere: bool, generator: torch.Generator) -> RawClip:
        (window,), (reference,) = draw_places(entry.frames, self.draw, 1, generator)
        sample = self.index.read(entry, self.landmarks)
        pictures = self.pictures(entry, [*window.tolist(), int(reference)], sample)
        portrait, place = sample, int(reference)
        if elsewhere and (other := self.place_elsewhere(entry, generator)) is not None:
            pictures[-1:] = self.pictures(*other)
            portrait, place = self.index.read(other[0], self.landmarks), other[1][0]
        clip = window[self.draw.motion_frames :]
        boxes = torch.from_numpy(sample.arrays["boxes"])[clip] / sample.facts["size"]
        speeds = torch.from_numpy(sample.arrays["speeds"])[clip]
        return RawClip(
            pictures,
            self.heard(entry, sample),
            entry.frames,
            clip,
            box_union(boxes[None])[0],
            speeds,
            clip_cues(self.config, sample, clip),
            self.identity(entry),
            acted_in(sample, clip, portrait, place, generator) if self.config.moving else None,
        )

    def identity(self, entry: SampleEntry) -> Tensor:
        wanted = self.config.quirks.identity
        nobody = torch.zeros(wanted.embedding_dim if wanted else 0)
        return self.identities.known.get(entry.identity, nobody) if self.identities else nobody

    def pictures(self, entry: SampleEntry, places: Sequence[int], sample: Sample | None = None) -> Tensor:
        """Those frames (N, 3, H, W) uint8, or from the cache their latents (N, C, h, w)."""
        if self.cache is not None:
            return self.cache.latents(entry, places)
        decoded = decode_pictures((sample or self.index.read(entry)).video, places)
        planes = torch.from_numpy(decoded).permute(0, 3, 1, 2)
        return resize_pictures(planes, self.config.height, self.config.width)

    def heard(self, entry: SampleEntry, sample: Sample) -> Tensor:
        """The waveform (S,), or from the cache the speech encoder's rows (R, layers, D)."""
        if not self.sound:
            return torch.empty(0)
        return decode_sound(sample) if self.cache is None else self.cache.speech(entry)

    def place_elsewhere(
        self, entry: SampleEntry, generator: torch.Generator
    ) -> tuple[SampleEntry, list[int]] | None:
        """Any frame of any other sample of the same person, None when there is no other."""
        mates = [mate for mate in self.index.by_identity[entry.identity] if mate.key != entry.key]
        if not mates:
            return None
        mate = mates[int(torch.randint(len(mates), (), generator=generator))]
        return mate, [int(torch.randint(mate.frames, (), generator=generator))]


class ShardSource:
    """Streams microbatches from shards. The image stage reads pictures only and needs no audio encoder."""

    def __init__(
        self,
        index: ShardIndex,
        config: EMOConfig,
        draw: Draw,
        seed: int,
        vae: VAE,
        audio_encoder: SpeechEncoder | None,
        workers: int = 2,
        precision: torch.dtype | None = None,
        identities: Identities | None = None,
    ) -> None:
        self.samples = ShardSamples(index, config, draw, seed, audio_encoder is not None, identities)
        self.config, self.seed, self.workers, self.precision = config, seed, workers, precision
        self.vae, self.audio_encoder = vae, audio_encoder

    @property
    def device(self) -> torch.device:
        return next(self.vae.parameters()).device

    def stream(self, microbatches: Sequence[int]) -> Iterator[Drawn]:
        raws: DataLoader[RawBatch] = DataLoader(
            self.samples,
            batch_size=None,
            sampler=microbatches,
            num_workers=self.workers,
            collate_fn=_keep,
            multiprocessing_context="spawn" if self.workers else None,
        )
        for number, raw in zip(microbatches, raws, strict=True):
            yield self.encode(raw), microbatch_generator(self.seed, number, NOISE)

    @property
    def footage(self) -> Footage:
        return Footage.of_entries(self.samples.order.entries)

    def names(self, microbatch: int) -> list[str]:
        return [entry.key for entry in self.samples.entries(microbatch)]

    @torch.no_grad()
    def use_cache(self, folder: Path, own: int = 0, processes: int = 1) -> None:
        """Samples come from `folder` from now on; encodes those that are not there yet, of `processes` that
        share the work the one number `own`. Raises ValueError as `open_cache`."""
        samples, entries = self.samples, self.samples.index.entries[own::processes]
        cache = open_cache(folder, LATENTS, latents_made_by(self.vae, self.config))
        if self.audio_encoder is not None:
            open_cache(folder, SPEECH, speech_made_by(self.audio_encoder, self.config))
            heard = [entry for entry in entries if entry.sound]
            read = samples.index.read
            cache.fill(SPEECH, heard, lambda entry: self.hear(decode_sound(read(entry)), entry.frames))
        cache.fill(LATENTS, entries, self.encode_whole)
        samples.cache = cache

    def encode_whole(self, entry: SampleEntry) -> Tensor:
        """The latents (F, C, h, w) of all frames of a sample."""
        pictures = self.samples.pictures(entry, range(entry.frames))
        return torch.cat(
            [self.encode_pictures(some[None].to(self.device))[0] for some in pictures.split(ENCODED_AT_ONCE)]
        )

    def hear(self, waveform: Tensor, total: int) -> Tensor:
        """A whole sample's sound (S,) -> rows (R, layers, D)."""
        assert self.audio_encoder is not None  # whoever has none hears nothing
        return audio_track(self.audio_encoder, Audio(waveform), total, self.config)

    @torch.no_grad()
    def encode(self, raw: RawBatch) -> Batch:
        on_device: Callable[[Tensor], Tensor] = partial(torch.Tensor.to, device=self.device)
        motion = self.samples.draw.motion_frames
        latents = self.encode_pictures(on_device(raw.pictures))
        union = on_device(raw.union)
        batch = Batch(
            latents=latents[:, motion:-1],
            motion=latents[:, :motion],
            motion_kept=on_device(raw.kept.motion),
            reference=latents[:, -1],
            reference_kept=on_device(raw.kept.reference),
            audio=self.encode_sound(raw).to(self.device),
            audio_kept=on_device(raw.kept.audio),
            mask=region_masks(union, on_device(raw.kept.region), self.config),
            speeds=on_device(raw.speeds),
        )
        if raw.acted is not None:
            shown = on_device(raw.pictures[:, motion:])
            return filmed_batch(batch, Acted(*map(on_device, raw.acted)), shown)
        if raw.cues is None:
            return batch
        return relative_batch(
            batch, ClipCues(*map(on_device, raw.cues)), on_device(raw.identity), self.config
        )

    def encode_pictures(self, pictures: Tensor) -> Tensor:
        """uint8 (B, N, 3, H, W) -> latents (B, N, C, h, w) float32, which those from a cache are already."""
        if pictures.is_floating_point():
            return pictures
        with torch.autocast(self.device.type, self.precision, enabled=self.precision is not None):
            pieces = [
                self.vae.encode(piece / 127.5 - 1).float()
                for piece in pictures.flatten(0, 1).split(ENCODED_AT_ONCE)
            ]
        return torch.cat(pieces).unflatten(0, pictures.shape[:2])

    def encode_sound(self, raw: RawBatch) -> Tensor:
        """(B, F, 2m+1, layers, D); (B, 0) in the image stage."""
        if self.audio_encoder is None:
            return torch.empty(len(raw.totals), 0)
        windows = []
        for waveform, total, frames in zip(raw.waveforms, raw.totals, raw.frames, strict=True):
            rows = waveform if self.samples.cache else self.hear(waveform, total)
            windows.append(context_windows(rows, self.config, frames))
        return torch.stack(windows)


def _keep(raw: Any) -> Any:  # without a batch size the loader hands over a RawBatch where it types a list
    return raw
