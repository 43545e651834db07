"""Videos that begin within a sound, and such as go on from others."""

from dataclasses import replace

import pytest
import torch
from torch import Tensor

from emo_modules.cues.face import Box
from emo_modules.media.audio import Audio
from emo_modules.media.ending import Ending, read_ending
from emo_modules.media.video import VideoWriter
from emo_modules.options import Options
from emo_modules.pipeline import Pipeline

CLIP, PAST = 4, 2
FRAMES = 24  # six clips
SOUND = Audio(torch.randn(FRAMES * 640, generator=torch.Generator().manual_seed(5)) * 0.1)
OPTIONS = Options(box=Box(16, 16, 48, 48), steps=1, cfg=1.0)


def rendered(pipeline: Pipeline, portrait: Tensor, sound: Audio = SOUND, **changes) -> Tensor:
    return torch.cat(list(pipeline.animate(portrait, sound, replace(OPTIONS, **changes)).frames))


def test_a_start_within_the_sound_is_heard_and_seen_from_there(tiny_pipeline, portrait):
    animation = tiny_pipeline.animate(portrait, SOUND, replace(OPTIONS, start=0.4))
    assert animation.count == FRAMES - 10
    assert torch.equal(animation.audio.waveform, SOUND.waveform[10 * 640 :])
    assert len(torch.cat(list(animation.frames))) == FRAMES - 10


def test_what_was_said_before_the_start_is_still_heard(tiny_pipeline, portrait, monkeypatch):
    given = []
    tokens = tiny_pipeline.model.audio_tokens
    monkeypatch.setattr(
        tiny_pipeline.model, "audio_tokens", lambda audio: given.append(audio) or tokens(audio)
    )
    rendered(tiny_pipeline, portrait)
    whole = torch.cat(given, dim=1)[:, :FRAMES]
    given.clear()
    rendered(tiny_pipeline, portrait, start=0.32)
    torch.testing.assert_close(torch.cat(given, dim=1)[:, : FRAMES - 8], whole[:, 8:])


def test_a_start_beyond_the_sound_is_refused(tiny_pipeline, portrait):
    with pytest.raises(ValueError, match=r"the sound ends after 0\.96 s, before the start at 2\.00 s"):
        rendered(tiny_pipeline, portrait, start=2.0)


def test_a_video_that_goes_on_sees_the_last_frames_of_the_one_before(tiny_pipeline, portrait, monkeypatch):
    seen = []
    past = tiny_pipeline.model.reference_net.past
    monkeypatch.setattr(
        tiny_pipeline.model.reference_net,
        "past",
        lambda motion, tokens: seen.append(motion) or past(motion, tokens),
    )
    whole = rendered(tiny_pipeline, portrait)
    first_clips = seen[2]  # what clip 4 was given
    seen.clear()
    before = Ending(12, whole[10:12])
    rest = rendered(tiny_pipeline, portrait, start=0.48, before=before)
    assert len(rest) == 12
    expected = tiny_pipeline.vae.encode(whole[10:12].movedim(-1, 1) * 2 - 1)[None]
    torch.testing.assert_close(seen[0], expected)
    assert seen[0].shape == first_clips.shape


def test_a_video_is_read_from_its_end(tmp_path):
    frames = torch.rand(40, 1, 1, 3).expand(40, 32, 48, 3)
    with VideoWriter(tmp_path / "film.mp4", 48, 32, 25, crf=1) as writer:
        for frame in frames:
            writer.write(frame)
    found = read_ending(tmp_path / "film.mp4")
    assert found.frames == 40
    torch.testing.assert_close(found.last, frames[-16:], atol=0.03, rtol=0)


def test_what_cannot_be_gone_on_from_is_said(tiny_pipeline, portrait, tmp_path):
    with pytest.raises(ValueError, match="goes on from the last 2 frames of a video, this one has 1"):
        rendered(tiny_pipeline, portrait, before=Ending(1, torch.rand(1, 64, 64, 3)))
    (tmp_path / "film.mp4").write_text("no film")
    with pytest.raises(ValueError, match=r"film\.mp4 cannot be read as video"):
        read_ending(tmp_path / "film.mp4")
    with pytest.raises(FileNotFoundError):
        read_ending(tmp_path / "absent.mp4")
