"""Speech features per video frame: every block of a wav2vec2, on the frame clock (EMO sec. 3.2)."""

import math
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from fractions import Fraction
from typing import TYPE_CHECKING, Annotated, Any, Literal

import torch
from torch import Tensor, nn
from torch.nn import functional

from ..checked import Channels, Checked, Length, Range, Share, from_dict
from ..config import EMOConfig
from ..media.audio import SAMPLE_RATE, Audio, exact_fps
from ..writing.room import room_for

if TYPE_CHECKING:
    from transformers.models.wav2vec2.modeling_wav2vec2 import Wav2Vec2Encoder

ONLY_SHAPE = "only what shapes a network is taken from a file"


@dataclass(frozen=True)
class Wav2Vec2Settings(Checked):
    """The fields of transformers' `Wav2Vec2Config` that shape the encoder, with its defaults.

    No other field of a file reaches transformers: some name code, which newer versions get from the network.
    """

    hidden_size: Channels = 768
    num_hidden_layers: Annotated[int, Range(1, 64)] = 12
    num_attention_heads: Annotated[int, Range(1, 64)] = 12
    intermediate_size: Channels = 3072
    conv_dim: Annotated[tuple[Channels, ...], Length(1, 16)] = (512,) * 7
    conv_kernel: tuple[Annotated[int, Range(1, 64)], ...] = (10, 3, 3, 3, 3, 2, 2)
    conv_stride: tuple[Annotated[int, Range(1, 64)], ...] = (5, 2, 2, 2, 2, 2, 2)
    conv_bias: bool = False
    feat_extract_norm: Literal["group", "layer"] = "group"
    do_stable_layer_norm: bool = False
    num_conv_pos_embeddings: Annotated[int, Range(1, 1024)] = 128
    num_conv_pos_embedding_groups: Annotated[int, Range(1, 1024)] = 16
    num_feat_extract_layers: int | None = None  # what transformers writes; the number of convolutions
    # of its own training
    hidden_dropout: Share = 0.1
    attention_dropout: Share = 0.1
    activation_dropout: Share = 0.1
    feat_proj_dropout: Share = 0.0
    layerdrop: Share = 0.1
    mask_time_prob: Share = 0.05

    def impossible(self) -> Iterator[str]:
        lists = (self.conv_dim, self.conv_kernel, self.conv_stride)
        if len(set(map(len, lists))) > 1:
            yield f"conv_dim, conv_kernel and conv_stride are of one length, got {[len(x) for x in lists]}"
        if self.num_feat_extract_layers not in (None, len(self.conv_dim)):
            yield f"num_feat_extract_layers is {self.num_feat_extract_layers}, not {len(self.conv_dim)}"
        for name in ("num_attention_heads", "num_conv_pos_embedding_groups"):
            if self.hidden_size % getattr(self, name):
                yield f"hidden_size {self.hidden_size} is no multiple of {name} {getattr(self, name)}"
        if receptive_field(self) > SAMPLE_RATE:
            yield f"a feature would see {receptive_field(self)} samples, more than a second"


def receptive_field(config: Any) -> int:
    """Samples that one feature sees before the transformer (400 for wav2vec2-base)."""
    field, step = 1, 1
    for kernel, stride in zip(config.conv_kernel, config.conv_stride, strict=True):
        field += (kernel - 1) * step
        step *= stride
    return field


class AudioEncoder(nn.Module):
    """A transformers `Wav2Vec2Model` that returns the outputs of all its blocks.

    Parameters have the names they have in `Wav2Vec2Model`, so its checkpoints load one to one. `config` holds
    fields of `Wav2Vec2Settings`. Layer drop and SpecAugment belong to transformers' own training and are left
    out: every call returns every block. Raises ValueError for a field that it does not have.
    """

    feature_extractor: nn.Module
    feature_projection: nn.Module
    encoder: "Wav2Vec2Encoder"

    def __init__(self, config: dict[str, Any], do_normalize: bool) -> None:
        from transformers import Wav2Vec2Config, Wav2Vec2Model

        super().__init__()
        fields = asdict(from_dict(Wav2Vec2Settings, config, ONLY_SHAPE))
        del fields["num_feat_extract_layers"]
        model = Wav2Vec2Model(Wav2Vec2Config(**fields | {"attn_implementation": "sdpa"}))
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
