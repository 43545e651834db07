"""Drawn samples -> what the stages train on, encoded by the demo's frozen VAE and audio encoder."""

from collections.abc import Iterable, Iterator

import torch
from torch import Tensor

from emo_modules.checkpoints.vae import VAE
from emo_modules.config import EMOConfig
from emo_modules.media.audio import Audio
from emo_modules.media.image import to_signed
from emo_modules.models.precision import fast_autocast
from emo_modules.speech.wav2vec2 import AudioEncoder, context_windows, encode_audio
from emo_training.training.sample_set import SampleSet

from ..filming.samples import Sample


@torch.no_grad()
def encode_sample(sample: Sample, config: EMOConfig, vae: VAE, encoder: AudioEncoder) -> dict[str, Tensor]:
    """One sample's fields of `SampleSet`, without the leading K."""
    frames, m = len(sample.frames), config.audio.context
    features = encode_audio(encoder, Audio(torch.from_numpy(sample.waveform)), int(sample.total), config.fps)
    wanted = torch.arange(frames) + int(sample.start)
    # (F, 2m+1, layers, D): its middle column and both ends
    inner = context_windows(features, config, wanted)
    pictures = torch.cat([torch.from_numpy(sample.frames), torch.from_numpy(sample.portraits)])
    images = to_signed(pictures).contiguous(memory_format=torch.channels_last)
    with fast_autocast("cpu"):
        latents = vae.encode(images).half().contiguous()
    curves = torch.from_numpy(sample.curves)
    return {
        "latents": latents[:frames],
        "portraits": latents[frames:],
        "audio": torch.cat([inner[0, :m], inner[:, m], inner[-1, m + 1 :]]).half(),
        "boxes": torch.from_numpy(sample.boxes) / sample.frames.shape[1],
        "mouth": curves[:, :2].contiguous(),
        "speeds": curves[:, 5].contiguous(),
    }


def encode_samples(
    samples: Iterable[Sample], config: EMOConfig, vae: VAE, encoder: AudioEncoder
) -> SampleSet:
    def rows() -> Iterator[dict[str, Tensor]]:
        for sample in samples:
            yield encode_sample(sample, config, vae, encoder)

    return SampleSet.stack(rows())
