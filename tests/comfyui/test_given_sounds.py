"""AUDIO and speech encoders as other packs hand them over: taken as meant, or refused in words."""

from collections.abc import Iterator, Mapping
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch

WAVE = 0.3 * torch.sin(torch.arange(3200) / 9)[None, None].repeat(1, 2, 1)
WAVE[:, 1] *= 0.5


class Lazy(Mapping):
    """VideoHelperSuite's audio is decoded when it is asked for."""

    def __getitem__(self, key: str) -> Any:
        return {"waveform": WAVE, "sample_rate": 16000}[key]

    def __iter__(self) -> Iterator[str]:
        return iter(("waveform", "sample_rate"))

    def __len__(self) -> int:
        return 2


def audio(waveform: Any = WAVE, rate: Any = 16000) -> dict[str, Any]:
    return {"waveform": waveform, "sample_rate": rate}


SAME_SOUNDS = {
    "plain": audio(),
    "mapping": Lazy(),
    "list of one": [audio()],
    "other keys": audio() | {"path": "x"},
    "no batch axis": audio(WAVE[0]),
    "array": audio(WAVE.numpy()),
    "double precision": audio(WAVE.double()),
    "half precision": audio(WAVE.half()),
    "gradient": audio(WAVE.clone().requires_grad_()),
    "time before channels": audio(WAVE.mT.contiguous()),
    "int16": audio((WAVE * 32767).round().short()),
    "int32": audio((WAVE.double() * (2**31 - 1)).round().int()),
    "bytes": audio((WAVE * 127 + 128).round().byte()),
    "int16's range": audio(WAVE * 32768),
    "float rate": audio(rate=16000.0),
    "numpy rate": audio(rate=np.int64(16000)),
    "numpy float rate": audio(rate=np.float32(16000)),
    "tensor rate": audio(rate=torch.tensor(16000)),
    "text rate": audio(rate="16000"),
}


@pytest.mark.parametrize("name", SAME_SOUNDS)
def test_sounds_of_any_form_are_the_same_sound(taken, name: str) -> None:
    found = taken("AUDIO", SAME_SOUNDS[name])
    assert found["sample_rate"] == 16000 and type(found["sample_rate"]) is int
    assert found["waveform"].shape == (1, 2, 3200) and found["waveform"].dtype == torch.float32
    assert not found["waveform"].requires_grad
    assert (found["waveform"] - WAVE).abs().max() < 0.009


def test_one_channel_without_axes_and_several_sounds(taken) -> None:
    assert torch.equal(taken("AUDIO", audio(WAVE[0, 0]))["waveform"], WAVE[:1, :1])
    assert taken("AUDIO", audio(WAVE.repeat(3, 1, 1)))["waveform"].shape == (3, 2, 3200)


def test_scaled_sound_is_said_and_loud_sound_stays_as_it_is(taken, caplog) -> None:
    assert torch.equal(taken("AUDIO", audio(WAVE * 30))["waveform"], WAVE * 30)
    assert not caplog.text
    taken("AUDIO", audio(WAVE * 32768))
    assert "divided by 32768" in caplog.text


@pytest.mark.parametrize(
    ("value", "message"),
    [
        (None, "the it is missing: the video or file it came from has no sound"),
        ((WAVE, 16000), "dictionary of waveform and sample_rate, got a list of 2"),
        ({"samples": WAVE, "sample_rate": 16000}, "got a dictionary of samples, sample_rate"),
        ({}, "got a dictionary of nothing"),
        (audio(rate=16000.5), "it's sample_rate must be a whole number from 1 to 10000000, got 16000.5"),
        (audio(rate=0), "sample_rate must be .* got 0"),
        (audio(rate=-1), "sample_rate must be .* got -1"),
        (audio(rate=float("nan")), "sample_rate must be .* got nan"),
        (audio(rate=None), "sample_rate must be .* got nothing"),
        (audio("speech.wav"), "waveform must be a tensor"),
        (audio(WAVE[None]), r"waveform must be a tensor .* got a tensor \(1, 1, 2, 3200\)"),
        (audio(torch.tensor(0.5)), "waveform must be a tensor"),
        (audio(WAVE.bool()), "waveform must be a tensor"),
        (audio(WAVE.long()), "waveform must be a tensor"),
        (audio(WAVE * 1j), "waveform must be a tensor"),
        (audio(torch.zeros(1, 3200, 300)), "at most 64 channels"),
        (audio(WAVE[..., :0]), "audio is empty"),
        (audio(WAVE[:0]), "audio is empty"),
        (audio(WAVE[:, :0]), "audio is empty"),
        (audio(WAVE * torch.nan), "6400 NaN or infinite samples of 6400"),
        (audio(WAVE * 1e7), "must lie between -1 and 1, got 3e"),
    ],
)
def test_what_is_no_sound_is_refused(taken, value, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        taken("AUDIO", value)


@pytest.mark.parametrize("name", ["no batch axis", "time before channels", "float rate", "array"])
def test_cores_encode_node_takes_any_form_with_our_encoder(scene, name: str) -> None:
    from comfy_extras.nodes_audio_encoder import AudioEncoderEncode as encode

    given = SAME_SOUNDS[name]
    found, expected = (
        encode.execute(audio_encoder=scene.encoder, audio=sound).args[0] for sound in (given, audio())
    )
    assert torch.equal(found["encoded_audio"], expected["encoded_audio"])
    with pytest.raises(ValueError, match="audio's sample_rate must be"):
        encode.execute(audio_encoder=scene.encoder, audio=audio(rate=0))


@pytest.mark.parametrize("given", [None, {}, {"encoded_audio_all_layers": (torch.zeros(1, 2, 3),)}])
def test_an_encoder_of_another_pack_that_gives_something_else_is_refused(scene, given) -> None:
    encoder = SimpleNamespace(encode_audio=lambda waveform, rate: given)
    with pytest.raises(ValueError, match="what the audio_encoder gives must be .* all layers"):
        scene.sample(0.04, audio_encoder=encoder)
