"""Speech features per video frame: every block of a wav2vec2, on the frame clock (EMO sec. 3.2)."""

import math
from collections.abc import Iterator
from fractions import Fraction
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from ..checked import from_dict
from ..config import EMOConfig
from ..media.audio import SAMPLE_RATE, Audio, exact_fps
from ..writing.room import room_for
from .wav2vec2_layers import (
    FeatureExtractor,
    FeatureProjection,
    Transformer,
    Wav2Vec2Settings,
    receptive_field,
)

ONLY_SHAPE = "only what shapes a network is taken from a file"


class AudioEncoder(nn.Module):
    """A wav2vec2 that returns the outputs of all its blocks.

    Parameters have the names they have in transformers' `Wav2Vec2Model`, so its checkpoints load one to one.
    `config` holds fields of `Wav2Vec2Settings`. Raises ValueError for a field that it does not have.
    """

    def __init__(self, config: dict[str, Any], do_normalize: bool) -> None:
        super().__init__()
        self.config = from_dict(Wav2Vec2Settings, config, ONLY_SHAPE)
        self.do_normalize = do_normalize
        if self.config.mask_time_prob > 0:
            self.masked_spec_embed = nn.Parameter(torch.rand(self.config.hidden_size))
        self.feature_extractor = FeatureExtractor(self.config)
        self.feature_projection = FeatureProjection(self.config)
        self.encoder = Transformer(self.config)

    @property
    def stride(self) -> int:
        """Samples between successive features (320 for wav2vec2-base)."""
        return math.prod(self.config.conv_stride)

    @property
    def receptive_field(self) -> int:
        """Samples that one feature sees before the transformer (400 for wav2vec2-base)."""
        return receptive_field(self.config)

    def normalize(self, waveform: Tensor) -> Tensor:
        """waveform (..., T) with zero mean and unit variance over T if the encoder was trained so."""
        return standardize(waveform) if self.do_normalize else waveform

    def forward(self, waveform: Tensor) -> Tensor:
        """Block outputs (B, T', layers, D) of waveform (B, T) at 16 kHz, normalised beforehand.

        T is at least the receptive field.
        """
        return torch.stack(self.hidden_states(waveform)[1:], dim=2)

    def hidden_states(self, waveform: Tensor) -> list[Tensor]:
        """What goes into the first block, then every block's output: (B, T', D) each.

        These are transformers' hidden_states; with `do_stable_layer_norm` the last one is taken after the
        final layer norm, as transformers 4 and ComfyUI's own encoder do (transformers 5 takes it before).
        """
        return self.blocks(self.feature_extractor(waveform))

    def blocks(self, features: Tensor) -> list[Tensor]:
        """`hidden_states` from the convolutions' output (B, C, T')."""
        return self.encoder(self.feature_projection(features.transpose(1, 2)))


def standardize(waveform: Tensor) -> Tensor:
    """waveform (..., T) with zero mean and unit variance over T, as transformers' feature extractor does."""
    mean, deviation = mean_and_deviation(waveform)
    return (waveform - mean) / deviation


def mean_and_deviation(waveform: Tensor) -> tuple[Tensor, Tensor]:
    """(..., 1) each, of waveform (..., T); silence deviates by a little too."""
    variance, mean = torch.var_mean(waveform, dim=-1, correction=0, keepdim=True)
    return mean, (variance + 1e-7).sqrt()


@torch.no_grad()
def encode_audio(
    encoder: AudioEncoder,
    audio: Audio,
    frames: int,
    fps: float | Fraction,
    piece_seconds: float = 30.0,
    overlap_seconds: float = 5.0,
) -> Tensor:
    """Features (frames, layers, D) float32 of the audio, interpolated at the frames' centres.

    Feature j of the encoder is centred at (j*stride + receptive_field/2)/16000 s, frame k at (k+0.5)/fps.
    Normalisation is over the whole clip. Audio longer than `piece_seconds` is encoded in pieces that see
    `overlap_seconds` more on each side, so the encoder's memory stays flat. The convolutions' outputs equal
    those of one pass to rounding. Attention is global, so blocks differ by what lies beyond the overlap, and
    a group norm over time (`feat_extract_norm="group"`, as in wav2vec2-base) takes its statistics per piece:
    0.1 % and 1 % rms in random encoders, 10 s pieces. Call it in eval mode.

    Raises ValueError for fewer than 1 frame.
    """
    if frames < 1:
        raise ValueError(f"encoding needs at least 1 frame, got {frames}")
    config = encoder.config
    features = room_for((frames, config.num_hidden_layers, config.hidden_size))
    start = 0
    for piece in _encoded_pieces(encoder, audio.mono, frames, exact_fps(fps), piece_seconds, overlap_seconds):
        features[start : start + len(piece)] = piece
        start += len(piece)
    return features


def _encoded_pieces(
    encoder: AudioEncoder,
    waveform: Tensor,
    frames: int,
    fps: Fraction,
    piece_seconds: float,
    overlap_seconds: float,
) -> Iterator[Tensor]:
    stride, field = encoder.stride, encoder.receptive_field
    positions = frame_positions(frames, fps, stride, field)
    last = max(math.ceil(positions[-1].item()), (len(waveform) - field) // stride)
    mean, deviation = mean_and_deviation(waveform) if encoder.do_normalize else (0.0, 1.0)
    context = math.ceil(overlap_seconds * SAMPLE_RATE / stride)
    for wanted in positions.split(max(1, round(piece_seconds * fps))):
        first = max(0, math.floor(wanted[0].item()) - context)
        final = min(last, math.ceil(wanted[-1].item()) + context)
        # piece by piece, or an hour of sound would be held twice
        signal = (waveform[first * stride : final * stride + field] - mean) / deviation
        # Zeros after normalisation stand for the clip's mean: silence.
        missing = (final - first) * stride + field - len(signal)
        features = _encode_piece(encoder, functional.pad(signal, (0, missing)))
        yield interpolate_rows(features, wanted - first).cpu()


def frame_positions(frames: int, fps: Fraction, stride: int, receptive_field: int) -> Tensor:
    """(frames,) where each frame's centre lies, counted in an encoder's features."""
    centres = (torch.arange(frames, dtype=torch.float64) + 0.5) * float(SAMPLE_RATE / fps)
    return ((centres - receptive_field / 2) / stride).clamp(min=0)


def on_frame_clock(
    features: Tensor, frames: int, fps: float | Fraction, stride: int = 320, receptive_field: int = 400
) -> Tensor:
    """Features (T', layers, D) of a whole clip at 16 kHz -> (frames, layers, D), as `encode_audio` gives.

    The defaults are wav2vec2's. The last feature is held where the frames go on beyond it.
    """
    positions = frame_positions(frames, exact_fps(fps), stride, receptive_field)
    return interpolate_rows(features.float(), positions.clamp(max=len(features) - 1))


def _encode_piece(encoder: AudioEncoder, signal: Tensor) -> Tensor:
    parameter = next(encoder.parameters())
    return encoder(signal[None].to(parameter.device, parameter.dtype))[0].float()


def interpolate_rows(features: Tensor, positions: Tensor) -> Tensor:
    """Rows of features (T', ...) at fractional positions (F,): (F, ...)."""
    below, above = (rows.long().to(features.device) for rows in (positions.floor(), positions.ceil()))
    weight = positions.frac().to(features).view(-1, *[1] * (features.ndim - 1))
    return torch.lerp(features[below], features[above], weight)


def context_windows(features: Tensor, config: EMOConfig, frames: Tensor) -> Tensor:
    """Each frame with its m neighbours on each side (EMO sec. 3.2).

    features (R, layers, D), frame numbers (F,) -> (F, (2m+1)*rows, layers, D). Only these frames' windows are
    built, so a loop over clips never holds all of them.
    """
    m, rows, rate = config.audio.context, config.quirks.audio_rows, config.quirks.audio_row_rate
    row = frames * rows if rate is None else frames.double() * rate / config.fps
    centres = row.floor().long().to(features.device)
    places = centres[:, None] + torch.arange(-m * rows, (m + 1) * rows, device=features.device)
    windows = features[places.clamp(0, len(features) - 1)]
    if config.quirks.audio_ends == "zeros":
        inside = (places >= 0) & (places < len(features))
        windows = windows * inside[..., None, None].to(windows)
    return windows
