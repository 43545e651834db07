"""The demo's audio encoder: a small wav2vec2 taught phonemes, then frozen for the rest of the training."""

from dataclasses import dataclass
from pathlib import Path

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from emo_modules.config import AudioConfig
from emo_modules.media.audio import SAMPLE_RATE
from emo_modules.speech.wav2vec2 import AudioEncoder

from ..filming.samples import FEATURE_RATE, Sample
from ..networks.fit import Log, WallClock, fit, write_weights
from ..speech.alphabet import ENGLISH_PHONEMES


def labels_at_features(encoder: AudioEncoder, phonemes: Tensor, features: int, start: int = 0) -> Tensor:
    """Phoneme ids (..., T50) at the features' centres, for a crop that begins at sample `start`."""
    centres = torch.arange(features) * encoder.stride + encoder.receptive_field // 2 + start
    indices = (centres * FEATURE_RATE // SAMPLE_RATE).clamp(max=phonemes.shape[-1] - 1)
    return phonemes[..., indices]


def crop_batch(
    encoder: AudioEncoder, samples: list[Sample], batch: int, seconds: float, generator: torch.Generator
) -> tuple[Tensor, Tensor]:
    """Random stretches of random sentences: waveforms (B, T) and their label sequences (B, T')."""
    length = round(seconds * SAMPLE_RATE)
    features = (length - encoder.receptive_field) // encoder.stride + 1
    waveforms, labels = [], []
    for pick in torch.randint(len(samples), (batch,), generator=generator).tolist():
        waveform, phonemes = (
            torch.from_numpy(samples[pick].waveform),
            torch.from_numpy(samples[pick].phonemes),
        )
        waveform = F.pad(waveform, (0, max(0, length - len(waveform))))
        start = int(torch.randint(len(waveform) - length + 1, (), generator=generator))
        waveforms.append(encoder.normalize(waveform[start : start + length]))
        labels.append(labels_at_features(encoder, phonemes, features, start))
    return torch.stack(waveforms), torch.stack(labels)


@torch.no_grad()
def phoneme_accuracy(encoder: AudioEncoder, head: nn.Linear, samples: list[Sample]) -> float:
    """Share of 50 Hz frames whose phoneme is read right, over whole sentences."""
    right = total = 0
    for sample in samples:
        features = encoder(encoder.normalize(torch.from_numpy(sample.waveform))[None])[0, :, -1]
        predicted = head(features).argmax(-1)
        labels = labels_at_features(encoder, torch.from_numpy(sample.phonemes), len(predicted))
        right, total = right + int((predicted == labels).sum()), total + len(labels)
    return right / total


@dataclass(frozen=True)
class AudioTraining:
    """A step sees `batch` stretches of so many seconds."""

    minutes: float
    lr: float = 2e-3
    batch: int = 16
    seconds: float = 2.0


def train_audio_encoder(
    config: AudioConfig,
    samples: list[Sample],
    held_out: list[Sample],
    file: Path,
    training: AudioTraining,
    log: Log = print,
) -> AudioEncoder:
    """Phoneme cross-entropy at 50 Hz; logs the accuracy on `held_out` and writes `file` at the end."""
    generator = torch.Generator().manual_seed(0)
    encoder = AudioEncoder(config.encoder, config.normalize)
    head = nn.Linear(config.feature_dim, len(ENGLISH_PHONEMES))

    def loss() -> dict[str, Tensor]:
        waveforms, labels = crop_batch(encoder, samples, training.batch, training.seconds, generator)
        read = head(encoder(waveforms)[:, :, -1])
        return {"loss": F.cross_entropy(read.flatten(0, 1), labels.flatten())}

    def check() -> str:
        return f"accuracy {phoneme_accuracy(encoder, head, held_out):.3f} on unseen voices"

    pace = WallClock(training.minutes, training.lr, warmup=100, weight_decay=0.01)
    fit(nn.ModuleList([encoder, head]), loss, pace, "audio encoder", log, check)
    write_weights(encoder, file)
    return encoder
