"""Speech features of OpenAI's whisper encoder as EchoMimic takes them: 50 rows a second, every block."""

from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Annotated, Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from ..checked import Channels, Checked, Range, from_dict
from ..media.audio import SAMPLE_RATE, Audio
from .wav2vec2 import ONLY_SHAPE

if TYPE_CHECKING:
    from transformers.models.whisper.modeling_whisper import WhisperEncoderLayer

WHISPER_TINY = {
    "d_model": 384,
    "encoder_layers": 4,
    "encoder_attention_heads": 6,
    "encoder_ffn_dim": 1536,
    "num_mel_bins": 80,
    "max_source_positions": 1500,
}
N_FFT = 400
HOP = 160
ROW = 2 * HOP  # samples: the encoder's second convolution halves the spectrogram's rate
SPECTRUM_PIECE = 3000


@dataclass(frozen=True)
class WhisperSettings(Checked):
    """The fields of transformers' `WhisperConfig` that shape the encoder; no other of a file is read."""

    d_model: Channels = 384
    encoder_layers: Annotated[int, Range(1, 64)] = 4
    encoder_attention_heads: Annotated[int, Range(1, 64)] = 6
    encoder_ffn_dim: Channels = 1536
    num_mel_bins: Annotated[int, Range(1, 256)] = 80
    max_source_positions: Annotated[int, Range(1, 4096)] = 1500

    def impossible(self) -> Iterator[str]:
        if self.d_model % self.encoder_attention_heads:
            yield f"d_model {self.d_model} is no multiple of its {self.encoder_attention_heads} heads"


class WhisperEncoder(nn.Module):
    """The encoder of a transformers `WhisperModel` that returns what goes into its blocks and comes out.

    Parameters have the names they have below `WhisperModel.encoder`, the final norm among them though no
    feature passes it. `config` holds fields of `WhisperSettings`. Layer drop and dropout are left out. Raises
    ValueError for a field that it does not have.
    """

    conv1: nn.Conv1d
    conv2: nn.Conv1d
    embed_positions: nn.Embedding
    layers: "Iterable[WhisperEncoderLayer]"

    def __init__(self, config: dict[str, Any]) -> None:
        from transformers import WhisperConfig
        from transformers.models.whisper.modeling_whisper import WhisperEncoder as Original

        super().__init__()
        fields = asdict(from_dict(WhisperSettings, config, ONLY_SHAPE))
        original = Original(WhisperConfig(**fields | {"attn_implementation": "sdpa"}))
        for name, child in original.named_children():
            self.add_module(name, child)
        self.config = original.config

    def hidden_states(self, mel: Tensor) -> Tensor:
        """(B, R, layers + 1, D): convolutions with positions added, then each block, before the final norm.

        mel (B, mels, 2R), where R is the config's `max_source_positions`. Source: EchoMimic's
        `AudioEncoder.forward` with `include_embeddings`.
        """
        hidden = functional.gelu(self.conv2(functional.gelu(self.conv1(mel)))).transpose(1, 2)
        hidden = hidden + self.embed_positions.weight
        outputs = [hidden]
        for layer in self.layers:
            hidden = hidden + layer.self_attn(layer.self_attn_layer_norm(hidden))[0]
            hidden = hidden + layer.fc2(layer.activation_fn(layer.fc1(layer.final_layer_norm(hidden))))
            outputs.append(hidden)
        return torch.stack(outputs, dim=2)


def log_mel(waveform: Tensor, mels: int = 80) -> Tensor:
    """(mels, T // 160) whisper's spectrogram of waveform (T,) at 16 kHz: 100 columns a second.

    Decimal logarithm, cut 8 below the maximum of the whole clip, then (x + 4) / 4. T is at least 201. The
    spectrum is taken in pieces, so memory beyond the result and a copy of the waveform stays flat.
    Source: OpenAI's `log_mel_spectrogram`.
    """
    filters = _mel_filters(mels).to(waveform.device)
    window = torch.hann_window(N_FFT, device=waveform.device)
    signal = functional.pad(waveform.float()[None], (N_FFT // 2, N_FFT // 2), mode="reflect")[0]
    mel = signal.new_empty((mels, len(waveform) // HOP))
    for first in range(0, mel.shape[1], SPECTRUM_PIECE):
        columns = mel[:, first : first + SPECTRUM_PIECE]
        piece = signal[first * HOP : (first + columns.shape[1] - 1) * HOP + N_FFT]
        spectrum = torch.stft(piece, N_FFT, HOP, window=window, center=False, return_complex=True)
        columns.copy_(filters @ spectrum.abs().square())
    mel.clamp_(min=1e-10).log10_()
    return mel.clamp_(min=mel.max() - 8).add_(4).div_(4)


def _mel_filters(mels: int) -> Tensor:
    from transformers.audio_utils import mel_filter_bank

    bank = mel_filter_bank(N_FFT // 2 + 1, mels, 0, SAMPLE_RATE / 2, SAMPLE_RATE, "slaney", "slaney")
    return torch.from_numpy(bank).float().T


@torch.no_grad()
def encode_whisper(encoder: WhisperEncoder, audio: Audio) -> Tensor:
    """Features (R, layers + 1, D) float32 of T samples at 16 kHz, R = max(1, T // 320).

    Row j stands for samples 320j..320j+319. As in EchoMimic the encoder sees windows of 30 s that do not
    overlap, with the last one filled up by spectrogram zeros, which are not its silence. The spectrogram is
    float32 whatever the encoder's precision (the original: float16 on CUDA, float32 on the CPU). Beyond the
    spectrogram and the result memory does not grow with T. Call it in eval mode.

    Source: EchoMimic's `Audio2Feature.audio2feat`.
    """
    waveform = audio.mono
    mel = log_mel(functional.pad(waveform, (0, max(0, ROW - len(waveform)))), encoder.config.num_mel_bins)
    config, parameter = encoder.config, next(encoder.parameters())
    shape = (mel.shape[1] // 2, config.encoder_layers + 1, config.d_model)
    features = torch.empty(shape)
    window = config.max_source_positions
    for start in range(0, len(features), window):
        piece = mel[:, 2 * start : 2 * (start + window)]
        piece = functional.pad(piece, (0, 2 * window - piece.shape[1]))
        rows = features[start : start + window]
        rows.copy_(encoder.hidden_states(piece[None].to(parameter.device, parameter.dtype))[0, : len(rows)])
    return features
