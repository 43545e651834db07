"""The sound as each family's weights were trained to hear it."""

from torch import Tensor

from ..config import EMOConfig
from ..media.audio import SAMPLE_RATE, Audio
from .relatives import hallo_features, v_express_features
from .wav2vec2 import AudioEncoder, encode_audio
from .whisper import WhisperEncoder, encode_whisper

SpeechEncoder = AudioEncoder | WhisperEncoder
NAMES = {
    "emo": "the wav2vec2 that the model was trained on",
    "hallo": "wav2vec2-base-960h (JoyHallo: chinese-wav2vec2-base)",
    "v_express": "wav2vec2-base-960h",
    "echomimic": "whisper-tiny",
}


def build_speech_encoder(config: EMOConfig) -> SpeechEncoder:
    """The encoder that the configuration names, with random weights."""
    if config.family == "echomimic":
        return WhisperEncoder(config.audio.encoder)
    return AudioEncoder(config.audio.encoder, config.audio.normalize)


def audio_track(encoder: SpeechEncoder, audio: Audio, frames: int, config: EMOConfig) -> Tensor:
    """Audio -> feature rows (R, layers, D), of which each frame reads a window.

    Hallo's last clip is filled up with silence, as the original does; for the others the last row stands for
    what lies beyond the end.

    Raises ValueError when the encoder is not the one that the weights need.
    """
    family = config.family
    if isinstance(encoder, WhisperEncoder) != (family == "echomimic"):
        raise ValueError(
            f"{config.name} was trained on {NAMES[family]}, this encoder is {type(encoder).__name__}: load "
            "the right one"
        )
    if family == "echomimic":
        rows = encode_whisper(encoder, audio)
    elif family == "hallo":
        rendered = config.whole_clips(frames)
        silence = (rendered - frames) * int(SAMPLE_RATE // config.fps)
        rows = hallo_features(encoder, audio, rendered, silence)
    elif family == "v_express":
        rows = v_express_features(encoder, audio, frames)
    else:
        rows = encode_audio(encoder, audio, frames, config.fps)
    return checked_track(rows, config)


def checked_track(rows: Tensor, config: EMOConfig) -> Tensor:
    """Raises ValueError when the rows are not of the encoder that the weights were trained on."""
    found, wanted = tuple(rows.shape[1:]), (config.audio.layers, config.audio.feature_dim)
    if found != wanted:
        raise ValueError(
            f"{config.name} was trained on an audio encoder with {wanted[0]} blocks of {wanted[1]} channels, "
            f"this one has {found[0]} of {found[1]}: choose {NAMES[config.family]}"
        )
    return rows
