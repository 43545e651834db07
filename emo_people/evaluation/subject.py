"""What is measured: a generator of videos, seen from outside."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
from torch import Tensor

from emo_modules.cues.box import Box
from emo_modules.media.audio import Audio
from emo_modules.media.image import as_float_image, to_bytes, to_signed
from emo_modules.pipeline import Options, Pipeline
from emo_modules.sampling.decode import decode_frames
from emo_training.evaluation.metrics import psnr

from ..filming.cases import Case
from .framing import Framed, measure_framing

# portrait (128, 128, 3) uint8, waveform (T,) at 16 kHz, frames, head speed in degrees per second or None,
# seed -> frames (F, 128, 128, 3) uint8 and their latents (F, C, h, w). Nothing of the truth is handed over.
Generate = Callable[[np.ndarray, np.ndarray, int, float | None, int], tuple[np.ndarray, Tensor]]


@dataclass(frozen=True)
class Subject:
    """What is measured: the generator, and the VAE's parts that are compared with the truth.

    encode: frames (F, 128, 128, 3) uint8 -> latents; vae_psnr: frames -> dB after encoding and decoding;
    generate_without_speed: the same generator with its speed layers zeroed; frame: portrait and its true face
    in pixels -> how the generator crops it.
    """

    generate: Generate
    encode: Callable[[np.ndarray], Tensor]
    vae_psnr: Callable[[np.ndarray], float] | None = None
    generate_without_speed: Generate | None = None
    frame: Callable[[np.ndarray, Box], Framed] | None = None


def generate_case(generate: Generate, case: Case) -> tuple[np.ndarray, Tensor]:
    return generate(case.portrait, case.waveform, case.frames, case.head_speed, case.seed)


def pipeline_subject(pipeline: Pipeline, options: Options) -> Subject:
    """The pipeline behind the evaluation's view of a generator."""

    def generate(
        portrait: np.ndarray,
        waveform: np.ndarray,
        frames: int,
        head_speed: float | None,
        seed: int,
    ) -> tuple[np.ndarray, Tensor]:
        chosen = replace(options, seed=seed, head_speed=head_speed)
        prepared = pipeline.prepare(as_float_image(portrait), chosen)
        latents = torch.cat(
            list(pipeline.latents(prepared, Audio(torch.from_numpy(waveform)), frames, chosen))
        )
        return to_bytes(decode_frames(pipeline.vae, latents)).numpy(), latents

    def without_speed(*case: Any) -> tuple[np.ndarray, Tensor]:
        portrait, waveform, frames, _, seed = case
        return generate(portrait, waveform, frames, None, seed)

    def frame(portrait: np.ndarray, true_face: Box) -> Framed:
        prepared = pipeline.prepare(as_float_image(portrait), Options())
        return measure_framing(prepared.crop, prepared.found.found, true_face, pipeline.config.framing)

    def encode(frames: np.ndarray) -> Tensor:
        with torch.no_grad():
            return pipeline.vae.encode(to_signed(torch.from_numpy(frames)))

    def vae_psnr(frames: np.ndarray) -> float:
        return psnr(frames, to_bytes(decode_frames(pipeline.vae, encode(frames))).numpy())

    return Subject(generate, encode, vae_psnr, without_speed, frame)
