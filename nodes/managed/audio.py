"""The audio encoder under a patcher, and speech features from ours, from core's, or computed before."""

import logging
from collections.abc import Mapping
from typing import Any

import comfy.model_management
import comfy.model_patcher
import torch
from torch import Tensor

from ... import emo_modules
from ...emo_modules.checkpoints.store import read_checkpoint
from ...emo_modules.config import EMOConfig
from ...emo_modules.families.family import SpeechEncoder
from ...emo_modules.families.table import audio_track, check_track, family_of
from ...emo_modules.media.audio import SAMPLE_RATE, Audio
from ...emo_modules.media.finite import check_finite
from ...emo_modules.speech.wav2vec2 import on_frame_clock, standardize
from ...emo_modules.speech.whisper import WhisperEncoder
from ...emo_modules.weights.reading import read_weights
from ...emo_modules.weights.wav2vec2 import build_wav2vec2
from ...emo_modules.weights.whisper import build_whisper
from ...emo_modules.writing.digest import digest, file_digest
from .files import DEMO, FOLDER, audio_encoder_path, checkpoint_path
from .sound import sound
from .values import as_tensor, describe

LAYERS = "encoded_audio_all_layers"
FIELD = "receptive_field"  # samples that one feature sees, in our own AUDIO_ENCODER_OUTPUT
CORES_FIELD = 400
STRIDE = 320  # samples between features, of every encoder that core knows
WHISPER = ("encoder.positional_embedding", "encoder.embed_positions.weight")  # OpenAI's and transformers'
SPEECH = "a speech encoder: wav2vec2-base-960h, chinese-wav2vec2-base or whisper-tiny"
_log = logging.getLogger(emo_modules.__name__)


class ManagedAudioEncoder:
    """AUDIO_ENCODER, in the form of core's own, so that core's Audio Encoder Encode takes it too."""

    model_sample_rate = SAMPLE_RATE

    def __init__(self, encoder: SpeechEncoder, weights_digest: str):
        self.model, self.weights_digest = encoder, weights_digest
        # transformers' layers cannot stay offloaded while they compute, which the dynamic patcher expects
        self.patcher = comfy.model_patcher.ModelPatcher(
            encoder,
            load_device=comfy.model_management.text_encoder_device(),
            offload_device=comfy.model_management.text_encoder_offload_device(),
        )

    def load(self) -> None:
        comfy.model_management.load_models_gpu([self.patcher], force_full_load=True)

    @torch.no_grad()
    def encode_audio(self, audio: Tensor, sample_rate: int) -> dict[str, Any]:
        """Waveform (B, channels, T) -> what core's encoders give: every block's output (B, T', D).

        Takes audio as `sound` does. Raises ValueError as it, and for whisper, whose features stand for other
        times than those that core's nodes expect.
        """
        if isinstance(self.model, WhisperEncoder):
            raise ValueError("this is whisper-tiny: connect EMO Load Audio Encoder to EMO Sampler")
        self.load()
        heard = sound("audio", {"waveform": audio, "sample_rate": sample_rate}, _log)
        mono = torch.stack([Audio(one, heard["sample_rate"]).mono for one in heard["waveform"]])
        states = self.model.hidden_states(self.model.normalize(mono).to(self.patcher.load_device))
        return {
            "encoded_audio": states[-1],
            LAYERS: tuple(states),
            "audio_samples": mono.shape[-1],
            FIELD: self.model.receptive_field,
        }

    def track(self, audio: Audio, frames: int, config: EMOConfig) -> Tensor:
        """(R, layers, D) on the CPU, in pieces: memory stays flat."""
        self.load()
        return audio_track(self.model, audio, frames, config)


def load_audio_encoder(name: str, normalize: bool) -> ManagedAudioEncoder:
    """By its name in the node's list. Raises ValueError when the file holds none, or another architecture."""
    if name == DEMO:
        return _from_checkpoint(DEMO)
    if name.startswith(f"{FOLDER}/"):
        return _from_checkpoint(name.removeprefix(f"{FOLDER}/"))
    path = audio_encoder_path(name)
    state, source = read_weights(path, SPEECH), digest(file_digest(path), normalize)
    if any(key.endswith(WHISPER) for key in state):
        return ManagedAudioEncoder(build_whisper(state, str(path)), source)
    return ManagedAudioEncoder(build_wav2vec2(state, normalize, str(path)), source)


def _from_checkpoint(name: str) -> ManagedAudioEncoder:
    checkpoint = read_checkpoint(checkpoint_path(name))
    if not checkpoint.has("audio_encoder"):
        raise ValueError(
            f"{checkpoint.path} has no audio encoder: put the one it was trained with, "
            f"{family_of(checkpoint.config).hearing.name}, into models/audio_encoders and choose it here"
        )
    with checkpoint.on_meta():
        encoder = family_of(checkpoint.config).hearing.build(checkpoint.config.audio)
    device = comfy.model_management.text_encoder_offload_device()
    checkpoint.load_into({"audio_encoder": encoder}, device, torch.float32)
    return ManagedAudioEncoder(encoder.eval(), checkpoint.files_digest)


def encoded_layers(name: str, value: Any) -> list[Tensor]:
    """AUDIO_ENCODER_OUTPUT -> every block's output (B, T, D). Raises ValueError for all else, and NaN."""
    remedy = "connect EMO Load Audio Encoder"
    layers = value.get(LAYERS) if isinstance(value, Mapping) else None
    if not isinstance(layers, list | tuple) or len(layers) < 2:
        raise ValueError(
            f"{name} must be a speech encoder, or all layers of the encoded audio as core's Audio Encoder "
            f"Encode gives them, got {describe(value)}: {remedy}"
        )
    found: list[Tensor] = []
    for layer in layers:
        tensor = as_tensor(layer)
        if (
            tensor is None
            or not (tensor.is_floating_point() and tensor.ndim == 3 and tensor.numel())
            or tensor.shape != layers[0].shape
        ):
            raise ValueError(
                f"{name} must have layers (B, T, D) of one size, got {describe(layer)}: {remedy}"
            )
        check_finite(tensor, name)
        found.append(tensor)
    return found


@torch.no_grad()
def speech_features(source: Any, audio: Audio, frames: int, config: EMOConfig) -> Tensor:
    """Features (R, layers, D) of the audio, of which each frame reads a window.

    `source` is our AUDIO_ENCODER, core's, or an AUDIO_ENCODER_OUTPUT of the same audio. Core's encoders take
    the clip in one piece, so their memory grows with it. Raises ValueError when the features are not those
    the model was trained on, or end before the audio.
    """
    if isinstance(source, ManagedAudioEncoder):
        return source.track(audio, frames, config)
    hearing = family_of(config).hearing
    if not hearing.plain:
        raise ValueError(
            f"{config.name} reads {hearing.name} in a way of its own, which core's audio "
            "encoder nodes do not give: connect EMO Load Audio Encoder"
        )
    if not isinstance(source, Mapping):
        # core feeds wav2vec2-base the waveform as it is; models trained on normalised audio need more
        heard = standardize(audio.mono) if config.audio.normalize else audio.mono
        source = source.encode_audio(heard[None, None], SAMPLE_RATE)
    blocks = encoded_layers("what the audio_encoder gives", source)[1:]
    layers = torch.stack([block[0] for block in blocks], dim=1)
    field = source.get(FIELD, CORES_FIELD)
    seconds, encoded = len(audio.mono) / SAMPLE_RATE, ((len(layers) - 1) * STRIDE + field) / SAMPLE_RATE
    if encoded < seconds - 0.1:
        raise ValueError(
            f"the encoded audio ends after {encoded:.2f} s, the audio after {seconds:.2f} s: encode the same "
            "audio that is connected to the sampler"
        )
    return check_track(on_frame_clock(layers, frames, config.fps, STRIDE, field), config)


def traced(source: Any, audio: Audio) -> dict[str, Any]:
    """For `Driving`: what the features follow from, where that is known. Of another encoder's features it is
    not, and a clip has its name from them alone."""
    if isinstance(source, ManagedAudioEncoder):
        return {"sound": audio.mono, "encoder": source.weights_digest}
    return {}


def every_sound(audio: dict[str, Any]) -> list[Audio]:
    """Of AUDIO as `sound` gives it."""
    return [Audio(waveform, audio["sample_rate"]) for waveform in audio["waveform"]]


def first_sound(audio: dict[str, Any], log: logging.Logger) -> Audio:
    """Of AUDIO as `sound` gives it."""
    if len(audio["waveform"]) > 1:
        log.warning("%d sounds given, one is needed: the first is used", len(audio["waveform"]))
    return Audio(audio["waveform"][0], audio["sample_rate"])


def on_wire(audio: Audio) -> dict[str, Any]:
    """As AUDIO."""
    waveform = audio.waveform
    return {"waveform": waveform.reshape(1, -1, waveform.shape[-1]), "sample_rate": audio.sample_rate}
