"""Several sounds for one sampler: a conversation, a batch, and a stop that counts for all of them."""

import pytest
import torch


def voices(pack, sounds, order="in turn", pause=0.5, turns=""):
    wired = {f"audio_{number}": [sound] for number, sound in enumerate(sounds, 1)}
    return pack.run_lists("EMOConversation", order=[order], pause=[pause], turns=[turns], **wired)


def test_a_conversation_gives_a_voice_to_each_and_the_sound_of_all(pack, scene):
    one, two = scene.sound(1.0), scene.sound(0.5)
    (first, second), (mixed,), (speeds, _) = voices(pack, [one, two])
    length = mixed["waveform"].shape[-1]
    assert length == 2 * mixed["sample_rate"]
    assert first["waveform"].shape[-1] == second["waveform"].shape[-1] == length
    said = length // 2
    assert not first["waveform"][..., said:].any() and not second["waveform"][..., :said].any()
    assert torch.equal(mixed["waveform"], first["waveform"] + second["waveform"])
    assert len(speeds) == 50 and (speeds[10], speeds[45]) == (12.0, 4.0)


def test_one_recording_is_taken_apart(pack, scene):
    (first, second), (mixed,), _ = voices(
        pack, [scene.sound(1.0)], "turns of one sound", turns="1 0 0.4\n2 0.4 1"
    )
    assert torch.equal(mixed["waveform"], first["waveform"] + second["waveform"])
    with pytest.raises(ValueError, match="2 sounds are connected"):
        voices(pack, [scene.sound(1.0)] * 2, "turns of one sound", turns="1 0 0.4")
    with pytest.raises(ValueError, match="line 1 of the turns, 'Anna'"):
        voices(pack, [scene.sound(1.0)], "turns of one sound", turns="Anna")


def test_a_batch_of_sounds_gives_one_video_each(pack, scene):
    first, second = scene.sound(0.4), scene.sound(0.4)
    second["waveform"] = second["waveform"].flip(-1)
    both = first | {"waveform": torch.cat([first["waveform"], second["waveform"]])}
    videos = [scene.sample(audio=audio) for audio in (first, second)]
    outputs = scene.videos(audio=both)
    assert [len(latents["samples"]) for latents in outputs[0]] == [10, 10]
    assert all(torch.equal(each["samples"], video) for each, video in zip(outputs[0], videos, strict=True))
    assert not torch.equal(*videos)
    assert [sound["waveform"].shape[0] for sound in outputs[1]] == [1, 1]


def test_a_stop_ends_all_speakers_at_the_same_frame(pack):
    stopping = pack.module("nodes.managed.stopping")
    stopping.begin("7")
    assert not stopping.stopped("7", 12)
    stopping.press("7")
    assert stopping.stopped("7", 24)
    assert [stopping.stopped("7", frames) for frames in (12, 24)] == [False, True]
    stopping.begin("7")
    assert not stopping.stopped("7", 24), "the next run is another one"
