"""The demo's audio encoder: a small wav2vec2 taught phonemes, then frozen for the rest of the training."""

import time
from collections.abc import Callable
from pathlib import Path

import torch
import torch.nn.functional as F
from safetensors.torch import save_file
from torch import Tensor, nn

from emo_modules.config import AudioConfig
from emo_modules.media.audio import SAMPLE_RATE
from emo_modules.speech.wav2vec2 import AudioEncoder
from emo_modules.writing.partial import whole_file

from ..filming.samples import FEATURE_RATE, Sample
from ..speech.synthesis import PHONEMES


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
        predicted = head(
            encoder(encoder.normalize(torch.from_numpy(sample.waveform))[None])[0, :, -1]
        ).argmax(-1)
        labels = labels_at_features(encoder, torch.from_numpy(sample.phonemes), len(predicted))
        right, total = right + int((predicted == labels).sum()), total + len(labels)
    return right / total


def train_audio_encoder(
    config: AudioConfig,
    samples: list[Sample],
    held_out: list[Sample],
    folder: Path,
    minutes: float,
    *,
    lr: float = 2e-3,
    batch: int = 16,
    seconds: float = 2.0,
    log: Callable[[str], None] = print,
) -> AudioEncoder:
    """Phoneme cross-entropy at 50 Hz until the budget ends; writes `audio_encoder.safetensors`."""
    generator = torch.Generator().manual_seed(0)
    encoder = AudioEncoder(config.encoder, config.normalize)
    head = nn.Linear(config.feature_dim, len(PHONEMES))
    parameters = [*encoder.parameters(), *head.parameters()]
    optimizer = torch.optim.AdamW(parameters, lr=lr, betas=(0.9, 0.98), weight_decay=0.01)
    start, step, running = time.monotonic(), 0, 0.0
    while (progress := (time.monotonic() - start) / (minutes * 60)) < 1:
        for group in optimizer.param_groups:
            group["lr"] = lr * min(1, (step + 1) / 100) * max(0.02, 1 - progress)
        waveforms, labels = crop_batch(encoder, samples, batch, seconds, generator)
        loss = F.cross_entropy(head(encoder(waveforms)[:, :, -1]).flatten(0, 1), labels.flatten())
        loss.backward()
        nn.utils.clip_grad_norm_(parameters, 1.0)
        optimizer.step()
        optimizer.zero_grad()
        step, running = step + 1, running * 0.98 + float(loss.detach()) * 0.02
        if step % 200 == 0:
            log(
                f"audio encoder step {step} {progress:.0%} loss {running / (1 - 0.98**step):.3f} "
                f"accuracy {phoneme_accuracy(encoder, head, held_out):.3f} on unseen voices"
            )
    encoder.eval()
    accuracy = phoneme_accuracy(encoder, head, held_out)
    log(f"audio encoder done: {step} steps, accuracy {accuracy:.3f} on unseen voices")
    weights = {name: value.contiguous() for name, value in encoder.state_dict().items()}
    with whole_file(folder / "audio_encoder.safetensors") as partial:
        save_file(weights, partial)
    return encoder
