"""Features of a wav2vec2 as Hallo and V-Express take them, which differ in where time is resampled."""

import math
from collections.abc import Iterator
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional

from ..media.audio import SAMPLE_RATE, Audio
from ..writing.room import room_for
from .wav2vec2 import AudioEncoder, interpolate_rows

# The originals take a whole file in one pass (Hallo2: cut at 60 s); attention memory grows with its length.
PIECE_SECONDS = 60
OVERLAP_SECONDS = 5


@dataclass(frozen=True)
class Piece:
    """Tokens first..last-1 go through the encoder together; of them start..stop-1 are kept."""

    first: int
    last: int
    start: int
    stop: int

    @property
    def kept(self) -> slice:
        return slice(self.start - self.first, self.stop - self.first)


@torch.no_grad()
def hallo_features(encoder: AudioEncoder, audio: Audio, frames: int, padding: int = 0) -> Tensor:
    """(frames, layers, D) float32 of T samples at 16 kHz: each frame's block outputs.

    The convolutions' output is interpolated to `frames`, first to first and last to last, and only then goes
    through the projection and the transformer. Hallo asks for ceil(T / 16000 * fps) frames, then rounds up to
    whole clips of n frames and appends, after normalisation, `padding` = 16000 // fps zeros per added frame.

    Equals the original up to 60 s. Longer audio is encoded in pieces of 60 s that share at least 10 s, of
    which each keeps its own half: attention and the group norm of wav2vec2-base then see the piece, not the
    file (a random encoder at 70 s: 5 % rms off one pass; with cuts at 60 s and no overlap, as in Hallo2,
    11 %). Call it in eval mode.

    Raises ValueError for fewer than 1 frame.
    Source: Hallo's `Wav2VecModel.forward` and `AudioProcessor.preprocess`.
    """
    signal = _signal(encoder, audio, frames, padding)
    positions = _corner_positions(_count(encoder, signal), frames)
    config = encoder.config
    features = room_for((frames, config.num_hidden_layers, config.hidden_size))
    for piece in _pieces(frames, len(signal)):
        hidden = _hidden_states(encoder, signal, positions[piece.first : piece.last])
        for layer, output in enumerate(hidden[1:]):
            features[piece.start : piece.stop, layer].copy_(output[0, piece.kept])
    return features


@torch.no_grad()
def v_express_features(encoder: AudioEncoder, audio: Audio, frames: int) -> Tensor:
    """(2 * frames, 1, D) float32: two rows for each frame.

    The last block's output, 50 rows a second, is interpolated to 2 * frames rows, edges to edges. Pieces,
    limits and errors are those of `hallo_features`. Source: V-Express' `prepare_audio_embeddings`.
    """
    signal = _signal(encoder, audio, frames)
    positions = torch.arange(_count(encoder, signal), dtype=torch.float32)
    tokens = torch.empty(len(positions), encoder.config.hidden_size)
    for piece in _pieces(len(tokens), len(signal)):
        hidden = _hidden_states(encoder, signal, positions[piece.first : piece.last])
        tokens[piece.start : piece.stop].copy_(hidden[-1][0, piece.kept])
    return functional.interpolate(tokens.T[None], size=2 * frames, mode="linear")[0].T[:, None]


def _signal(encoder: AudioEncoder, audio: Audio, frames: int, padding: int = 0) -> Tensor:
    """The audio as the encoder hears it, with at least one feature's samples."""
    if frames < 1:
        raise ValueError(f"encoding needs at least 1 frame, got {frames}")
    waveform = audio.mono
    samples = max(len(waveform) + padding, encoder.receptive_field)
    return functional.pad(encoder.normalize(waveform.float()), (0, samples - len(waveform)))


def _count(encoder: AudioEncoder, signal: Tensor) -> int:
    return (len(signal) - encoder.receptive_field) // encoder.stride + 1


def _corner_positions(count: int, frames: int) -> Tensor:
    """(frames,) positions among `count` features, corner to corner, in float32 as torch's interpolation."""
    step = torch.tensor((count - 1) / max(1, frames - 1), dtype=torch.float32)
    return (torch.arange(frames) * step).clamp(max=count - 1)


def _pieces(tokens: int, samples: int) -> Iterator[Piece]:
    """Cut `tokens` that last `samples`: one piece up to PIECE_SECONDS, else full pieces that overlap."""
    rate = tokens * SAMPLE_RATE / samples
    size, overlap = max(1, round(PIECE_SECONDS * rate)), round(OVERLAP_SECONDS * rate)
    start = 0
    while start < tokens:
        first = max(0, min(start - overlap, tokens - size))
        last = min(tokens, first + size)
        stop = tokens if last == tokens else last - overlap
        yield Piece(first, last, start, stop)
        start = stop


def _hidden_states(encoder: AudioEncoder, signal: Tensor, positions: Tensor) -> list[Tensor]:
    """`AudioEncoder.hidden_states`, (1, N, D) each, of features at positions (N,) of the whole signal's."""
    piece, low = signal, 0  # whole where it can be: a group norm counts every sample
    if len(signal) > PIECE_SECONDS * SAMPLE_RATE:
        low, high = math.floor(positions[0].item()), math.ceil(positions[-1].item())
        piece = signal[low * encoder.stride : high * encoder.stride + encoder.receptive_field]
    parameter = next(encoder.parameters())
    features = encoder.feature_extractor(piece[None].to(parameter.device, parameter.dtype))
    return encoder.blocks(interpolate_rows(features[0].T, positions - low).T[None])
