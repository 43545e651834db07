"""A film of sound that is still coming: begins before it has ended, and is that of the whole sound."""

import copy
import math
import signal
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import av
import pytest
import soundfile
import torch

from emo_modules.cli import main
from emo_modules.film import write_video
from emo_modules.live import animate_live, write_live
from emo_modules.media.audio import Audio, load_audio
from emo_modules.media.growing import frames_in
from emo_modules.media.live_sound import LiveSound
from emo_modules.media.video import read_video
from emo_modules.options import Options
from emo_modules.quirks import Quirks, WindowConfig

from .speakers import Speaker, deadline

ROOT = Path(__file__).parents[1]
FRAME = 640  # samples at 16 kHz
AT_ONCE = {"probesize": "32", "analyzeduration": "1"}  # or libav reads for seconds before the first frame
OPTIONS = Options(seed=3, head_speed=20.0)


@pytest.fixture(scope="module")
def near_sighted(make_pipeline, tiny_config, moving_config):
    """A pipeline whose encoder hears what its convolutions see and no more, so that no window matters."""

    def make(moving=False):
        config = replace(moving_config, motion_code=True) if moving else tiny_config
        pipeline = make_pipeline(replace(config, audio=replace(config.audio, normalize=False)))
        with torch.no_grad():
            pipeline.audio_encoder.encoder.pos_conv_embed.conv.parametrizations.weight.original0.zero_()
            for layer in pipeline.audio_encoder.encoder.layers:
                layer.attention.out_proj.weight.zero_()
        return pipeline

    return make


def spoken(waveform):
    """All of it at once, and the end."""
    speaker = Speaker(16000)
    speaker.say(waveform)
    speaker.end()
    return LiveSound(speaker.file, "a pipe", deadline())


@pytest.mark.parametrize(("frames", "moving"), [(1, False), (8, False), (9.5, False), (13, True)])
def test_the_film_is_that_of_the_whole_sound(near_sighted, portrait, tones, tmp_path, frames, moving):
    """4 frames are a clip. The sound ends within a frame, within a clip, and with one."""
    pipeline, waveform = near_sighted(moving), tones(frames / 25, 16000)
    soundfile.write(tmp_path / "sound.wav", waveform.T.numpy(), 16000, "PCM_16")
    animation = pipeline.animate(portrait, load_audio(tmp_path / "sound.wav"), OPTIONS)
    expected = torch.cat(list(animation.frames))
    with spoken(waveform) as sound:
        live = animate_live(pipeline, portrait, sound, OPTIONS)
        found = list(live.frames)
        count = write_live(replace(live, frames=iter(found)), tmp_path / "live.mp4")
    assert count == len(expected) == math.ceil(frames)
    assert (torch.cat(found) - expected).abs().max() < 1e-5
    write_video(replace(animation, frames=iter([expected])), tmp_path / "whole.mp4")
    films = {name: read_video(tmp_path / f"{name}.mp4") for name in ("live", "whole")}
    assert [(len(film[0]), film[1], film[3]) for film in films.values()] == [(count, 25, 16000)] * 2
    assert torch.equal(films["live"][2], films["whole"][2]), "in sync to the sample"


def test_frames_come_before_the_sound_has_ended_and_the_film_plays_meanwhile(
    near_sighted, portrait, tones, tmp_path
):
    """The first clip needs its own 4 frames of sound, 1 that it hears ahead and 1 for the convolutions."""
    speaker, waveform, path = Speaker(16000), tones(14 / 25, 16000), tmp_path / "live.mp4"
    speaker.say(waveform[:, : 6 * FRAME])
    seen = []

    def talk(clips):
        yield next(clips)
        speaker.say(waveform[:, 6 * FRAME : 10 * FRAME])
        yield next(clips)
        seen.append(frames_in(path))
        speaker.say(waveform[:, 10 * FRAME :])
        speaker.end()
        yield from clips

    with LiveSound(speaker.file, "a pipe", deadline()) as sound:
        animation = animate_live(near_sighted(), portrait, sound, OPTIONS)
        assert write_live(replace(animation, frames=talk(animation.frames)), path) == 14
    assert 6 <= seen[0] <= 8, "of two clips a muxer holds one or two frames back"
    assert len(read_video(path)[0]) == 14


def test_the_encoder_is_given_the_level_of_speech(tiny_pipeline, portrait, tones):
    """Silence before the first word is not made as loud as speech, nor is the encoder changed for others."""
    assert tiny_pipeline.audio_encoder.do_normalize
    heard = []
    encoder = copy.copy(tiny_pipeline.audio_encoder)
    forward = encoder.forward
    encoder.forward = lambda signal: heard.append(signal) or forward(signal)
    with spoken(torch.cat([torch.zeros(1, 16000), 0.5 * tones(0.2, 16000)], dim=1)) as sound:
        list(animate_live(replace(tiny_pipeline, audio_encoder=encoder), portrait, sound, OPTIONS).frames)
    assert heard[0].abs().max() < 0.1
    assert 0.5 < heard[-1][:, -FRAME * 4 :].std() < 3
    assert encoder.do_normalize


def test_whoever_stops_has_a_film_as_far_as_the_clip_at_hand(near_sighted, portrait, tones, tmp_path):
    speaker, given = Speaker(16000), []
    speaker.say(tones(9.5 / 25, 16000))  # and no end

    def stop():
        return bool(given)

    with LiveSound(speaker.file, "a pipe", stop) as sound:
        animation = animate_live(near_sighted(), portrait, sound, OPTIONS)

        def until_the_first(clips):
            for clip in clips:
                yield clip
                given.append(len(clip))

        animation = replace(animation, frames=until_the_first(animation.frames))
        assert write_live(animation, tmp_path / "live.mp4") == 4
    frames, _, heard, _ = read_video(tmp_path / "live.mp4")
    assert len(frames) == 4
    assert 0 <= heard.shape[1] - 4 * FRAME <= 1024
    speaker.end()


def test_an_error_leaves_the_film_as_far_as_it_got(near_sighted, portrait, tones, tmp_path, caplog):
    path = tmp_path / "live.mp4"

    def fail(clips):
        yield next(clips)
        raise ValueError("the network has no answer")

    with spoken(tones(8 / 25, 16000)) as sound:
        animation = animate_live(near_sighted(), portrait, sound, OPTIONS)
        with pytest.raises(ValueError, match="no answer"):
            write_live(replace(animation, frames=fail(animation.frames)), path)
    assert f"the 4 frames (0.16 s) before the error are kept in {path}" in caplog.text
    assert len(read_video(path)[0]) == 4


def test_an_error_before_the_first_frame_leaves_nothing_in_the_way(near_sighted, portrait, tones, tmp_path):
    path = tmp_path / "new" / "live.mp4"
    for options, count in ((Options(steps=0), None), (OPTIONS, 8)):
        with spoken(tones(8 / 25, 16000)) as sound:
            animation = animate_live(near_sighted(), portrait, sound, options)
            if count is None:
                with pytest.raises(ValueError, match="at least 1 step, got 0"):
                    write_live(animation, path)
                assert not path.exists()
            else:
                assert write_live(animation, path) == count


def test_the_tiny_decoder_decodes_and_the_speed_curve_is_followed(near_sighted, portrait, tones):
    class White:
        def decode(self, latents):
            return torch.ones(len(latents), 3, 64, 64)

    pipeline = replace(near_sighted(), tiny_decoder=White())
    made = []
    for curve in ((4.0,), (4.0, 60.0)):
        options = replace(OPTIONS, speed_curve=curve)
        with spoken(tones(8 / 25, 16000)) as sound:
            live = animate_live(pipeline, portrait, sound, options)
            assert all((frames == 1).all() for frames in live.frames)
        with spoken(tones(8 / 25, 16000)) as sound:
            live = animate_live(near_sighted(), portrait, sound, options)
            made.append(torch.cat(list(live.frames)))
    assert not torch.equal(*made)
    spoke = Audio(tones(0.1, 16000))
    assert all((frames == 1).all() for frames in pipeline.animate(portrait, spoke, OPTIONS).frames)


@pytest.mark.parametrize("options", [Options(start=1.0), Options(decode_beside=True)])
def test_options_of_whole_sounds_are_refused(near_sighted, portrait, options):
    with pytest.raises(ValueError, match="need what has not come yet: leave them out"):
        animate_live(near_sighted(), portrait, None, options)


def test_weights_that_see_the_whole_video_at_once_are_refused(portrait):
    config = SimpleNamespace(name="wide", quirks=Quirks(windows=WindowConfig()))
    with pytest.raises(
        ValueError, match="wide renders a whole video at once.*choose weights that go clip by"
    ):
        animate_live(SimpleNamespace(config=config), portrait, None)


def test_a_file_that_is_there_is_not_replaced(near_sighted, portrait, tones, tmp_path):
    (tmp_path / "live.mp4").write_bytes(b"precious")
    with spoken(tones(0.1, 16000)) as sound, pytest.raises(ValueError, match="is there already"):
        write_live(animate_live(near_sighted(), portrait, sound, OPTIONS), tmp_path / "live.mp4")
    assert (tmp_path / "live.mp4").read_bytes() == b"precious"


def command(picture, checkpoint, *options):
    return [sys.executable, "-m", "emo_modules", "animate", str(picture), "-", "--stream",
            "--checkpoint", str(checkpoint), *options]  # fmt: skip


def test_through_pipes_from_one_end_to_the_other(picture_file, sound_file, tiny_checkpoint):
    """The film comes while sound is missing. When its reader goes, the command ends well."""
    content = sound_file(2.0).read_bytes()
    with subprocess.Popen(
        command(picture_file, tiny_checkpoint, "-o", "-"),
        cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, bufsize=0,
    ) as film:  # fmt: skip
        film.stdin.write(content[: len(content) // 2])
        film.stdin.flush()
        with av.open(film.stdout, options=AT_ONCE) as container:
            assert [stream.codec_context.name for stream in container.streams] == ["h264", "aac"]
            packets = (packet for packet in container.demux(video=0) if packet.size)
            assert [next(packets).pts for _ in range(12)] == [512 * k for k in range(12)]
        film.stdout.close()
        film.stdin.write(content[len(content) // 2 :])
        film.stdin.close()
        errors = film.stderr.read().decode()
    assert film.returncode == 0, errors
    assert "whoever read the film has closed it" in errors


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has another Ctrl-C")
def test_ctrl_c_ends_a_film_that_waits_for_sound(picture_file, sound_file, tiny_checkpoint, tmp_path):
    path = tmp_path / "live.mp4"
    with subprocess.Popen(
        command(picture_file, tiny_checkpoint, "-o", str(path)),
        cwd=ROOT, stdin=subprocess.PIPE, stderr=subprocess.PIPE, text=False,
    ) as film:  # fmt: skip
        assert film.stderr.readline() == b"listening\n"
        film.stdin.write(sound_file(0.4).read_bytes())
        film.stdin.flush()
        while not (path.exists() and frames_in(path) >= 4):
            assert film.poll() is None
        film.send_signal(signal.SIGINT)
        errors = film.stderr.read().decode()
    assert film.returncode == 0, errors
    frames = len(read_video(path)[0])
    assert frames in (8, 10), "of the clip at hand, or of all that was said where that was waited for"
    assert f"{path}: {frames} frames at 25 per second" in errors


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (
            ("-", "-o", "v.mp4"),
            "- is standard input or output, which only a film takes that is made with --st",
        ),
        (("s.wav", "-o", "-"), "- is standard input or output"),
        (("-", "-o", "v.webm", "--stream"), "v.webm should end in .mp4 or .m4v, got .webm: name it v.mp4"),
        (("-", "-o", "-", "--stream", "--sheet", "s.png", "--start", "2"), "leave out --sheet and --start"),
        (("nobody.wav", "-o", "v.mp4", "--stream"), "nobody.wav"),
    ],
)
def test_what_cannot_be_is_said_in_a_line(
    tmp_path, monkeypatch, capsys, picture_file, tiny_checkpoint, options, message
):
    monkeypatch.chdir(tmp_path)
    assert main(["animate", str(picture_file), *options, "--checkpoint", str(tiny_checkpoint)]) == 1
    assert message in capsys.readouterr().err
    assert not (tmp_path / "v.mp4").exists()
