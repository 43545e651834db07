"""Trains the audio encoder on the phonemes of all languages, and measures what it hears."""

import math
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.nn.attention import SDPBackend, sdpa_kernel

from emo_modules.config import AudioConfig
from emo_modules.media.audio import SAMPLE_RATE, Audio
from emo_modules.models.precision import fast_autocast
from emo_modules.speech.wav2vec2 import AudioEncoder, encode_audio, standardize
from emo_modules.weights.reading import read_weights
from emo_modules.weights.rename import load_strict

from ..acting.visemes import VISEMES
from ..networks.fit import Log, WallClock, fit, write_weights
from ..speech.alphabet import PHONEMES
from ..speech.synthesis import FEATURE_RATE
from .sounds import STEP, Sound, read_sounds

_SHAPES = list(dict.fromkeys(VISEMES[symbol] for symbol in PHONEMES))
SHAPE_OF = torch.tensor([_SHAPES.index(VISEMES[symbol]) for symbol in PHONEMES])
FASTEST = 1.3  # of speech played faster or slower: as far as from a man's voice to a woman's and beyond
TAUGHT = ("sounds", "recorded")


@dataclass(frozen=True)
class Listening:
    """A step hears `batch` times `seconds` of speech; `seconds` has the lengths that take turns."""

    minutes: float
    lr: float = 3e-3
    heard: float = 16.0
    seconds: tuple[float, ...] = (2.0, 3.0, 2.0, 8.0)
    shapes: float = 0.5  # weight of the mouth shapes beside the phonemes
    smoothing: float = 0.0
    perturbed: float = 0.5
    tilted: float = 0.5
    noisy: float = 0.25


class SoundPool:
    """Sounds end to end, so that a stretch of any length can begin anywhere."""

    def __init__(self, folder: Path) -> None:
        self._folder, self._files = folder, list[Path]()
        self.waveform, self.phonemes = torch.zeros(0, dtype=torch.half), torch.zeros(0, dtype=torch.uint8)
        self.take_new()

    def take_new(self) -> None:
        """Adds what has been spoken since: speech goes on while the training has begun."""
        there = [path for name in TAUGHT for path in sorted(self._folder.glob(f"{name}-*.npz"))]
        new = [path for path in there if path not in self._files]
        self._files += new
        sounds = list(read_sounds(new))
        waveforms = (standardize(torch.from_numpy(sound.waveform).float()).half() for sound in sounds)
        self.waveform = torch.cat([self.waveform, *waveforms])
        self.phonemes = torch.cat([self.phonemes, *(torch.from_numpy(sound.phonemes) for sound in sounds)])

    def crops(
        self, encoder: AudioEncoder, seconds: float, training: Listening, generator: torch.Generator
    ) -> tuple[Tensor, Tensor]:
        """Random stretches (B, T) as the encoder takes them, and their labels (B, T')."""
        batch, length = max(1, round(training.heard / seconds)), round(seconds * SAMPLE_RATE)

        def uniform(low: float, high: float) -> Tensor:
            return low + (high - low) * torch.rand(batch, 1, generator=generator)

        tempo = torch.where(uniform(0, 1) < training.perturbed, uniform(1 / FASTEST, FASTEST), 1.0).double()
        # In double precision: an hour has more samples than float32 has whole numbers.
        start = uniform(0, 1).double().mul(len(self.waveform) - FASTEST * length - 1).floor()
        places = start + torch.arange(length) * tempo
        before = places.long()
        first, second = self.waveform[before].float(), self.waveform[before + 1].float()
        waveforms = torch.lerp(first, second, (places - before).float())
        centres = torch.arange((length - encoder.receptive_field) // encoder.stride + 1) * encoder.stride
        labels = self.phonemes[((start + (centres + encoder.receptive_field / 2) * tempo) / STEP).long()]
        waveforms = tilt(waveforms, uniform(-0.6, 0.9) * (uniform(0, 1) < training.tilted))
        noise = 10 ** uniform(-2, -0.5) * (uniform(0, 1) < training.noisy)
        waveforms += noise * torch.randn(waveforms.shape, generator=generator)
        return waveforms * 10 ** uniform(-0.2, 0.2), labels.long()


def tilt(waveforms: Tensor, slope: Tensor) -> Tensor:
    """Waveforms (B, T) with more treble (slope (B, 1) > 0) or bass at the same level, as throats differ."""
    tilted = waveforms - slope * F.pad(waveforms[:, :-1], (1, 0))
    level, before = (x.std(1, keepdim=True) for x in (tilted, waveforms))
    return tilted * before / level.clamp(min=1e-4)


def encode_layouted(encoder: AudioEncoder, waveform: Tensor) -> Tensor:
    """The encoder's last block (B, T', D) of waveform (B, T), in half the time that its own forward takes.

    Same numbers: convolutions whose kernels are twice their strides are matrix products of blocks of samples.
    """
    hidden = waveform[..., None]
    for layer in encoder.feature_extractor.conv_layers:
        hidden = F.gelu(layer.layer_norm(_strided(hidden, layer.conv)))
    return encoder.blocks(hidden.transpose(1, 2))[-1]


def _strided(hidden: Tensor, conv: nn.Conv1d) -> Tensor:
    (kernel,), (stride,) = conv.kernel_size, conv.stride
    if kernel != 2 * stride:
        raise ValueError(f"kernels of training are twice their strides, got {kernel} and {stride}")
    batch, length, channels = hidden.shape
    blocks = hidden[:, : length // stride * stride].reshape(batch, -1, stride * channels)
    halves = conv.weight.permute(2, 1, 0).reshape(2, stride * channels, -1)
    early, late = (blocks @ torch.cat([*halves], 1)).chunk(2, -1)
    joined = early[:, :-1] + late[:, 1:]
    return joined if conv.bias is None else joined + conv.bias


def hear_bands(encoder: AudioEncoder) -> None:
    """Makes the first convolution a bank of band-pass filters, four phases for each of mel-spaced bands.

    A training this short would not find them by itself.
    """
    weight = encoder.feature_extractor.conv_layers[0].conv.weight
    outputs, _, kernel = weight.shape
    mels = torch.linspace(1127 * math.log1p(80 / 700), 1127 * math.log1p(7600 / 700), outputs // 4)
    hertz = 700 * torch.expm1(mels / 1127)
    window = torch.hann_window(kernel + 2, periodic=False)[1:-1]
    turns = hertz[:, None, None] * (torch.arange(kernel) - (kernel - 1) / 2) / SAMPLE_RATE
    bank = torch.cos(2 * math.pi * turns + torch.arange(4)[:, None] * math.pi / 2) * window
    bank -= bank.mean(-1, keepdim=True) * window / window.mean()
    bank *= 0.3 * (1 + hertz[:, None, None] / 1000) / bank.norm(dim=-1, keepdim=True)  # treble is softer
    with torch.no_grad():
        weight.copy_(bank.reshape(weight.shape))


def heard_loss(scores: Tensor, labels: Tensor, training: Listening) -> dict[str, Tensor]:
    """Cross-entropies of scores (..., PHONEMES) against phonemes (...): theirs and their mouth shapes'."""
    scores, labels = scores.flatten(0, -2).float(), labels.flatten()
    loss = {"phoneme": F.cross_entropy(scores, labels, label_smoothing=training.smoothing)}
    if training.shapes:
        shapes = SHAPE_OF.to(labels.device)
        probability = scores.new_zeros(len(scores), len(_SHAPES)).index_add(1, shapes, scores.softmax(-1))
        shape = F.nll_loss(probability.clamp(min=1e-6).log(), shapes[labels])
        loss["shape"] = training.shapes * shape
    return loss


@torch.no_grad()
def read_phonemes(encoder: AudioEncoder, head: nn.Linear, waveform: np.ndarray) -> Tensor:
    """Phonemes (T,) of waveform (T * 320,) as inference hears it: whole, on a frame clock of 50 Hz."""
    sound = Audio(torch.from_numpy(waveform).float() / 32768)
    features = encode_audio(encoder, sound, len(waveform) // STEP, FEATURE_RATE)[:, -1]
    return head(features.to(head.weight.device)).argmax(-1).cpu()


@dataclass(frozen=True, eq=False)
class Hearing:
    """What was said and what was heard, both (T,) phonemes at 50 Hz."""

    said: Tensor
    heard: Tensor

    @classmethod
    def of(cls, encoder: AudioEncoder, head: nn.Linear, sounds: Iterable[Sound]) -> "Hearing":
        pairs = [
            (torch.from_numpy(s.phonemes).long(), read_phonemes(encoder, head, s.waveform)) for s in sounds
        ]
        return cls(torch.cat([said for said, _ in pairs]), torch.cat([heard for _, heard in pairs]))

    @property
    def accuracy(self) -> float:
        return float((self.said == self.heard).float().mean())

    @property
    def shape_accuracy(self) -> float:
        """Share of frames with the right mouth shape."""
        return float((SHAPE_OF[self.said] == SHAPE_OF[self.heard]).float().mean())

    def recall(self, *symbols: str) -> float:
        """Share of what was said of `symbols` that was heard as one of them; nan where none was."""
        said, heard = self._among(symbols)
        return float(heard[said].float().mean())

    def precision(self, *symbols: str) -> float:
        """Share of what was heard as one of `symbols` that was one; nan where none was."""
        said, heard = self._among(symbols)
        return float(said[heard].float().mean())

    def _among(self, symbols: tuple[str, ...]) -> tuple[Tensor, Tensor]:
        ids = torch.tensor([PHONEMES.index(symbol) for symbol in symbols])
        return torch.isin(self.said, ids), torch.isin(self.heard, ids)


def train_listening(
    config: AudioConfig,
    folder: Path,
    held_out: list[Sound],
    file: Path,
    training: Listening,
    log: Log = print,
    device: str = "cpu",
) -> tuple[AudioEncoder, nn.Linear]:
    """Encoder and the head that reads its phonemes, from the sounds that `folder` has and will have.

    Both are written as it goes, every hundred steps: the encoder to `file`, the head to its neighbour
    .head.safetensors. Where they are there already, training goes on from them. The log has the accuracy on
    `held_out`.
    """
    generator, pool = torch.Generator().manual_seed(0), SoundPool(folder)
    encoder = AudioEncoder(config.encoder, config.normalize)
    head = nn.Linear(config.feature_dim, len(PHONEMES))
    both = nn.ModuleList([encoder, head]).to(device)
    hear_bands(encoder)
    files = {file: encoder, file.with_suffix(".head.safetensors"): head}
    for path, part in files.items():
        if path.exists():
            load_strict(part, read_weights(path, "what an earlier run trained"), str(path))
    steps = 0

    def loss() -> dict[str, Tensor]:
        nonlocal steps
        steps += 1
        seconds = training.seconds[steps % len(training.seconds)]
        waveforms, labels = pool.crops(encoder, seconds, training, generator)
        # On CPUs the fused attention's gradient takes a third of a step in bfloat16.
        plain = sdpa_kernel(SDPBackend.MATH)
        with plain, fast_autocast(device):
            scores = head(encode_layouted(encoder, waveforms.to(device)))
        return heard_loss(scores, labels.to(device), training)

    def check() -> str:
        pool.take_new()
        for path, part in files.items():
            write_weights(part, path)
        hearing = Hearing.of(encoder, head, held_out)
        return f"accuracy {hearing.accuracy:.3f}, of mouth shapes {hearing.shape_accuracy:.3f}"

    pace = WallClock(training.minutes, training.lr, warmup=100, weight_decay=0.01)
    fit(both, loss, pace, "audio encoder", log, check)
    return encoder, head
