"""Speech features per video frame: every block of a wav2vec2, on the frame clock (EMO sec. 3.2)."""

import math
from collections.abc import Iterator
from fractions import Fraction

import torch
from torch import Tensor, nn
from torch.nn import functional

from ..config import AudioConfig
from .audio import SAMPLE_RATE, check_audio, exact_fps


class AudioEncoder(nn.Module):
    """A transformers `Wav2Vec2Model` that returns the outputs of all its blocks.

    Parameters have the names they have in `Wav2Vec2Model`, so its checkpoints load one to one. `config` holds
    `Wav2Vec2Config`'s fields. Layer drop and SpecAugment belong to transformers' own training and are left
    out: every call returns every block.
    """

    def __init__(self, config: dict, do_normalize: bool) -> None:
        from transformers import Wav2Vec2Config, Wav2Vec2Model

        super().__init__()
        model = Wav2Vec2Model(Wav2Vec2Config(**config))
        for name, child in model.named_children():
            self.add_module(name, child)
        for name, parameter in model.named_parameters(recurse=False):
            self.register_parameter(name, parameter)
        self.config = model.config
        self.do_normalize = do_normalize

    @property
    def stride(self) -> int:
        """Samples between successive features (320 for wav2vec2-base)."""
        return math.prod(self.config.conv_stride)

    @property
    def receptive_field(self) -> int:
        """Samples that one feature sees before the transformer (400 for wav2vec2-base)."""
        field, step = 1, 1
        for kernel, stride in zip(self.config.conv_kernel, self.config.conv_stride, strict=True):
            field += (kernel - 1) * step
            step *= stride
        return field

    def normalize(self, waveform: Tensor) -> Tensor:
        """waveform (..., T) with zero mean and unit variance over T if the encoder was trained so."""
        return standardized(waveform) if self.do_normalize else waveform

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
        encoder = self.encoder
        hidden, _ = self.feature_projection(features.transpose(1, 2))
        hidden = hidden + encoder.pos_conv_embed(hidden)
        stable = self.config.do_stable_layer_norm
        hidden = encoder.dropout(hidden if stable else encoder.layer_norm(hidden))
        outputs = [hidden]
        for layer in encoder.layers:
            output = layer(hidden)
            hidden = output[0] if isinstance(output, tuple) else output  # a tuple in transformers 4
            outputs.append(hidden)
        if stable:
            outputs[-1] = encoder.layer_norm(hidden)
        return outputs


def standardized(waveform: Tensor) -> Tensor:
    """waveform (..., T) with zero mean and unit variance over T, as transformers' feature extractor does."""
    variance, mean = torch.var_mean(waveform, dim=-1, correction=0, keepdim=True)
    return (waveform - mean) / (variance + 1e-7).sqrt()


@torch.no_grad()
def encode_audio(
    encoder: AudioEncoder,
    waveform: Tensor,
    frames: int,
    fps: float | Fraction,
    piece_seconds: float = 30.0,
    overlap_seconds: float = 5.0,
) -> Tensor:
    """Features (frames, layers, D) float32 of waveform (T,) at 16 kHz, interpolated at the frames' centres.

    Feature j of the encoder is centred at (j*stride + receptive_field/2)/16000 s, frame k at (k+0.5)/fps.
    Normalisation is over the whole clip. Audio longer than `piece_seconds` is encoded in pieces that see
    `overlap_seconds` more on each side, so the encoder's memory stays flat; the result is on the waveform's
    device. The convolutions' outputs equal those of one pass to rounding. Attention is global, so blocks
    differ by what lies beyond the overlap, and a group norm over time (`feat_extract_norm="group"`, as in
    wav2vec2-base) takes its statistics per piece: 0.1 % and 1 % rms in random encoders, 10 s pieces.
    Call it in eval mode.

    Raises ValueError for empty audio, NaN or infinite samples, or fewer than 1 frame.
    """
    if frames < 1:
        raise ValueError(f"encoding needs at least 1 frame, got {frames}")
    check_audio(waveform)
    config = encoder.config
    features = waveform.new_empty((frames, config.num_hidden_layers, config.hidden_size), dtype=torch.float32)
    start = 0
    for piece in _encoded_pieces(encoder, waveform, frames, exact_fps(fps), piece_seconds, overlap_seconds):
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
    # Zeros after normalisation stand for the clip's mean: silence.
    signal = encoder.normalize(waveform.float())
    signal = functional.pad(signal, (0, max(0, last * stride + field - len(signal))))

    context = math.ceil(overlap_seconds * SAMPLE_RATE / stride)
    for wanted in positions.split(max(1, round(piece_seconds * fps))):
        first = max(0, math.floor(wanted[0].item()) - context)
        final = min(last, math.ceil(wanted[-1].item()) + context)
        features = _encode_piece(encoder, signal[first * stride : final * stride + field])
        yield _interpolate(features, wanted - first).to(waveform.device)


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
    return _interpolate(features.float(), positions.clamp(max=len(features) - 1))


def _encode_piece(encoder: AudioEncoder, signal: Tensor) -> Tensor:
    parameter = next(encoder.parameters())
    return encoder(signal[None].to(parameter.device, parameter.dtype))[0].float()


def _interpolate(features: Tensor, positions: Tensor) -> Tensor:
    """Rows of features (T', layers, D) at fractional positions (F,)."""
    below = positions.floor().long()
    above = positions.ceil().long()
    weight = (positions - below).to(features)[:, None, None]
    return torch.lerp(features[below.to(features.device)], features[above.to(features.device)], weight)


def context_windows(features: Tensor, config: AudioConfig, frames: Tensor, fps: float) -> Tensor:
    """Each frame with its m neighbours on each side (EMO sec. 3.2).

    features (R, layers, D), frame numbers (F,) -> (F, (2m+1)*rows, layers, D). Only these frames' windows are
    built, so a chunk loop never holds all of them.
    """
    row = frames * config.rows if config.row_rate is None else frames.double() * config.row_rate / fps
    centres = row.floor().long().to(features.device)
    m, rows = config.context, config.rows
    places = centres[:, None] + torch.arange(-m * rows, (m + 1) * rows, device=features.device)
    windows = features[places.clamp(0, len(features) - 1)]
    if config.ends == "zeros":
        inside = (places >= 0) & (places < len(features))
        windows = windows * inside[..., None, None].to(windows)
    return windows
