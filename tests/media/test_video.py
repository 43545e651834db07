import errno
import re
import subprocess
import sys
from contextlib import suppress
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest
import torch

from emo_modules.media import growing
from emo_modules.media.audio import Audio, load_audio, samples_in_frames
from emo_modules.media.growing import frames_in
from emo_modules.media.video import VideoWriter, read_video, soundtrack
from emo_modules.writing.partial import publish

from ..systems import needs_links

ROOT = Path(__file__).parents[2]
COLOURS = torch.tensor([[1, 0, 0], [0, 1, 0], [0, 0, 1], [1, 1, 1], [0, 0, 0], [0.8, 0.6, 0.4]])


def write_clip(path, width=64, height=48, fps=25, frames=10, audio=None):
    with VideoWriter(path, width, height, fps, audio=audio) as writer:
        for k in range(frames):
            writer.write(COLOURS[k % len(COLOURS)].expand(height, width, 3))


def names(folder):
    return sorted(path.name for path in folder.iterdir())


def frames_before_the_cut(path):
    count = 0
    with av.open(str(path)) as container, suppress(av.error.InvalidDataError):
        for _ in container.decode(video=0):
            count += 1
    return count


def chirp(samples, sample_rate):
    seconds = torch.arange(samples) / sample_rate
    return 0.4 * torch.sin(2 * torch.pi * (200 + 300 * seconds) * seconds)


@pytest.mark.parametrize("size", [(64, 48), (65, 47), (1, 1)])
def test_frames_come_back_in_order_with_their_colours(tmp_path, size):
    width, height = size
    write_clip(tmp_path / "a.mp4", width, height)
    frames, fps, waveform, sample_rate = read_video(tmp_path / "a.mp4")
    assert frames.shape == (10, height + height % 2, width + width % 2, 3) and frames.dtype == torch.uint8
    assert (fps, waveform, sample_rate) == (25, None, None)
    for k in range(10):
        expected = (COLOURS[k % len(COLOURS)] * 255).round()
        assert (frames[k].float() - expected).abs().max() <= 4


def test_a_picture_survives_compression_and_odd_edges_repeat(tmp_path):
    y, x = np.mgrid[0:61, 0:75]
    picture = np.stack([x * 3, y * 4, 255 - x * 2], axis=-1).astype(np.uint8)
    with VideoWriter(tmp_path / "p.mp4", 75, 61, 25, crf=10) as writer:
        for _ in range(3):
            writer.write(picture)
    frames = read_video(tmp_path / "p.mp4")[0].float()
    error = (frames[0, :61, :75] - torch.from_numpy(picture).float()).pow(2).mean()
    assert 10 * torch.log10(255**2 / error) > 35
    assert (frames[0, :61, 75] - frames[0, :61, 74]).abs().mean() < 6


@pytest.mark.parametrize(
    ("fps", "rational"),
    [(25, Fraction(25)), (30000 / 1001, Fraction(30000, 1001)), (12.5, Fraction(25, 2)), (24, Fraction(24))],
)
@pytest.mark.parametrize(("sample_rate", "channels"), [(16000, 1), (44100, 2), (8000, 1)])
def test_sound_keeps_its_length_and_its_place(tmp_path, fps, rational, sample_rate, channels):
    samples = samples_in_frames(20, sample_rate, fps)
    audio = chirp(samples, sample_rate).repeat(channels, 1)
    write_clip(tmp_path / "s.mp4", frames=20, fps=fps, audio=Audio(audio, sample_rate))
    frames, read_fps, waveform, rate = read_video(tmp_path / "s.mp4")
    assert (len(frames), read_fps, rate, len(waveform)) == (20, rational, sample_rate, channels)
    assert 0 <= waveform.shape[1] - samples < 1024
    with av.open(str(tmp_path / "s.mp4")) as container:
        stream = container.streams.audio[0]
        # The index of the file counts in milliseconds, so 8 kHz may be off by a few samples.
        assert abs(float(stream.duration * stream.time_base) - samples / sample_rate) < 1e-3
    middle = slice(1000, samples - 1000)
    both = torch.stack([waveform[0, middle], audio[0, middle]])
    assert torch.corrcoef(both)[0, 1] > 0.98


def test_sound_is_interleaved_with_the_picture(tmp_path):
    audio = chirp(48000 * 4, 48000)
    write_clip(tmp_path / "i.mp4", frames=100, audio=Audio(audio, 48000))
    with av.open(str(tmp_path / "i.mp4")) as container:
        times = [(p.stream.type, float(p.dts * p.time_base)) for p in container.demux() if p.size]
    assert max(abs(b[1] - a[1]) for a, b in zip(times, times[1:], strict=False)) < 0.5


def test_sound_longer_or_shorter_than_the_picture_is_written_whole(tmp_path):
    for samples in (4000, 32000):
        write_clip(tmp_path / "l.mp4", frames=25, audio=Audio(chirp(samples, 16000)))
        assert len(read_video(tmp_path / "l.mp4")[0]) == 25
        assert 0 <= load_audio(tmp_path / "l.mp4").waveform.shape[1] - samples < 1024


@pytest.mark.parametrize(("when", "sample_rate"), [(3, 16000), (7, 16000), (7, 44100)])
def test_a_video_that_is_stopped_early_has_sound_as_far_as_its_last_frame(tmp_path, when, sample_rate):
    audio, path = chirp(2 * sample_rate, sample_rate), tmp_path / "v.mp4"
    with VideoWriter(path, 64, 48, 25, Audio(audio, sample_rate)) as writer:
        for k in range(7):
            if k == when:
                writer.end_sound_with_frames()
            writer.write(torch.zeros(48, 64, 3))
        writer.end_sound_with_frames()
    samples = samples_in_frames(7, sample_rate, 25)
    with av.open(str(path)) as container:
        picture, sound = container.streams
        assert picture.frames == 7 and picture.duration * picture.time_base == Fraction(7, 25)
        assert abs(sound.duration * sound.time_base - Fraction(samples, sample_rate)) < Fraction(1, 1000)
    heard = load_audio(path).waveform[0, 1000 : samples - 1000]
    assert torch.corrcoef(torch.stack([heard, audio[1000 : samples - 1000]]))[0, 1] > 0.98


def test_sound_that_is_shorter_than_a_video_stopped_early_stays_whole(tmp_path):
    with VideoWriter(tmp_path / "v.mp4", 64, 48, 25, Audio(chirp(4000, 16000))) as writer:
        for _ in range(25):
            writer.write(torch.zeros(48, 64, 3))
        writer.end_sound_with_frames()
    assert 0 <= load_audio(tmp_path / "v.mp4").waveform.shape[1] - 4000 < 1024


def test_sound_that_players_will_clip_is_said_so(caplog):
    soundtrack(Audio(chirp(16000, 16000)), 25, 25)
    soundtrack(Audio(2.8 * chirp(16000, 16000)), 25, 25)
    assert not caplog.records
    soundtrack(Audio(25 * chirp(16000, 16000)), 25, 25)
    assert "peaks 20 dB above full scale" in caplog.text


def test_bytes_and_floats_write_the_same_file(tmp_path):
    floats = COLOURS[5].expand(16, 16, 3)
    for name, frame in (("f", floats), ("u", (floats * 255).round().byte()), ("n", floats.numpy())):
        with VideoWriter(tmp_path / f"{name}.mp4", 16, 16, 25) as writer:
            writer.write(frame)
    assert (tmp_path / "f.mp4").read_bytes() == (tmp_path / "u.mp4").read_bytes()
    assert (tmp_path / "f.mp4").read_bytes() == (tmp_path / "n.mp4").read_bytes()


class Stopped(Exception):
    """What the caller raises when a user cancels."""


@pytest.mark.parametrize("error", [KeyboardInterrupt, Stopped])
def test_a_cancelled_video_leaves_the_finished_one_whole_and_nothing_else(tmp_path, error):
    path = tmp_path / "v.mp4"
    write_clip(path)
    finished = path.read_bytes()
    with pytest.raises(error), VideoWriter(path, 64, 48, 25, cancelled_by=(Stopped,)) as writer:
        writer.write(torch.zeros(48, 64, 3))
        raise error
    assert path.read_bytes() == finished
    assert names(tmp_path) == ["v.mp4"]


def test_an_error_keeps_the_frames_before_it_and_says_where(tmp_path, caplog):
    path, sound = tmp_path / "v.mp4", Audio(chirp(16000, 16000))
    write_clip(path)
    finished = path.read_bytes()
    for kept in ("v.part.mp4", "v.part-2.mp4"):
        with pytest.raises(MemoryError), VideoWriter(path, 64, 48, 25, sound) as writer:
            for _ in range(7):
                writer.write(torch.zeros(48, 64, 3))
            raise MemoryError
        frames, _, heard, _ = read_video(tmp_path / kept)
        assert len(frames) == 7
        assert 0 <= heard.shape[1] - samples_in_frames(7, 16000, 25) <= 2 * 1024  # the encoder's own padding
        assert f"the 7 frames (0.28 s) before the error are kept in {tmp_path / kept}" in caplog.text
    assert path.read_bytes() == finished
    assert names(tmp_path) == ["v.mp4", "v.part-2.mp4", "v.part.mp4"]


def test_a_video_that_cannot_get_its_name_is_kept_under_another(tmp_path, monkeypatch):
    def refuse(partial: Path, path: Path, before: object) -> Path:
        if path.name == "v.mp4":
            raise PermissionError(errno.EACCES, "Permission denied")
        return publish(partial, path, before)

    monkeypatch.setattr(growing, "publish", refuse)
    with pytest.raises(OSError, match=r"v\.mp4 cannot be written, permission denied: choose a folder"):
        write_clip(tmp_path / "v.mp4")
    assert names(tmp_path) == ["v.part.mp4"]
    assert len(read_video(tmp_path / "v.part.mp4")[0]) == 10


@pytest.mark.parametrize("before", [False, True])
def test_two_writers_of_one_name_both_keep_their_work(tmp_path, before):
    path = tmp_path / "v.mp4"
    if before:
        write_clip(path, frames=1)
    first, second = (VideoWriter(path, 64, 48, 25) for _ in range(2))
    with first, second:
        for k in range(60):
            first.write(torch.zeros(48, 64, 3))
            if k < 50:
                second.write(torch.ones(48, 64, 3))
    assert (first.path.name, second.path.name) == ("v-2.mp4", "v.mp4")
    assert [len(read_video(writer.path)[0]) for writer in (first, second)] == [60, 50]
    assert names(tmp_path) == ["v-2.mp4", "v.mp4"]


def test_what_was_there_before_is_replaced_unless_it_must_not(tmp_path):
    path = tmp_path / "v.mp4"
    for replace, name, frames in ((True, "v.mp4", 1), (True, "v.mp4", 2), (False, "v-2.mp4", 3)):
        with VideoWriter(path, 64, 48, 25, replace=replace) as writer:
            for _ in range(frames):
                writer.write(torch.zeros(48, 64, 3))
        assert writer.path.name == name
        assert len(read_video(writer.path)[0]) == frames
    assert len(read_video(path)[0]) == 2


@pytest.mark.parametrize("suffix", [".mp4", ".mov", ".mkv"])
def test_a_killed_video_plays_as_far_as_it_got_and_the_next_run_names_it(tmp_path, caplog, suffix):
    path = tmp_path / f"v{suffix}"
    script = (
        "import os, torch\nfrom emo_modules.media.audio import Audio\n"
        "from emo_modules.media.video import VideoWriter\n"
        f"with VideoWriter({str(path)!r}, 64, 48, 25, Audio(torch.zeros(160000))) as writer:\n"
        "    for _ in range(200):\n        writer.write(torch.rand(48, 64, 3))\n"
        "    os.kill(os.getpid(), 9)\n"
    )
    assert subprocess.run([sys.executable, "-c", script], cwd=ROOT).returncode in (-9, 9)
    (left,) = tmp_path.iterdir()
    assert re.fullmatch(rf"v\.[0-9a-f]{{8}}\.partial\{suffix}", left.name)
    assert frames_before_the_cut(left) >= 100
    write_clip(path)
    assert f"{left} is left from a run that was stopped, or still runs" in caplog.text
    assert len(read_video(path)[0]) == 10


@needs_links
def test_a_link_leads_to_the_video_that_is_replaced(tmp_path):
    (tmp_path / "disk").mkdir()
    write_clip(tmp_path / "disk" / "v.mp4", frames=1)
    (tmp_path / "link.mp4").symlink_to(tmp_path / "disk" / "v.mp4")
    write_clip(tmp_path / "link.mp4")
    assert (tmp_path / "link.mp4").is_symlink()
    assert len(read_video(tmp_path / "disk" / "v.mp4")[0]) == 10
    assert names(tmp_path / "disk") == ["v.mp4"]


@pytest.mark.parametrize("share", [0.0, 0.2, 0.5, 0.9])
def test_frames_of_a_video_that_was_cut_off_are_counted_as_players_show_them(tmp_path, share):
    cut = tmp_path / "cut.mp4"
    with VideoWriter(tmp_path / "v.mp4", 64, 48, 25) as writer:
        for k in range(200):
            writer.write(torch.rand(48, 64, 3, generator=torch.Generator().manual_seed(k)))
        (growing,) = tmp_path.glob("*.partial.mp4")
        content = growing.read_bytes()
        cut.write_bytes(content[: round(share * len(content))])
    with (
        suppress(av.error.InvalidDataError),
        av.open(str(cut), options={"fflags": "+discardcorrupt"}) as shown,
    ):
        assert frames_in(cut) == sum(1 for _ in shown.decode(video=0)) > 0
    assert (frames_in(cut) > 0) == (share > 0.1)


def test_the_place_is_tried_before_the_first_frame(tmp_path):
    with pytest.raises(
        OSError, match=r"no/v\.mp4 cannot be written, no such file or directory: make the folder"
    ):
        VideoWriter(tmp_path / "no" / "v.mp4", 64, 48, 25).__enter__()
    assert names(tmp_path) == []


@pytest.mark.parametrize("name", ["V.MP4", "12:30 talk.mp4", "http:x.mp4", "n" * 251 + ".mp4", "a%03d.mov"])
def test_any_name_that_the_system_can_hold_is_written(tmp_path, monkeypatch, name):
    monkeypatch.chdir(tmp_path)
    write_clip(Path(name))
    assert names(tmp_path) == [name]
    assert len(read_video(tmp_path / name)[0]) == 10


def test_the_finished_file_is_what_one_pass_would_have_written(tmp_path):
    """The index stands in front, and no packet has moved."""
    path, tags = tmp_path / "v.mp4", {"workflow": '{"nodes": []}'}
    with VideoWriter(path, 64, 48, 25, Audio(chirp(16000, 16000)), metadata=tags) as writer:
        for k in range(25):
            writer.write(torch.full((48, 64, 3), k / 25))
    content = path.read_bytes()
    assert 0 < content.index(b"moov") < content.index(b"mdat")
    assert b"moof" not in content
    with av.open(str(path)) as container:
        assert container.metadata["workflow"] == tags["workflow"]
        assert [stream.start_time for stream in container.streams] == [0, 0]
        picture, sound = container.streams
        assert picture.duration * picture.time_base == sound.duration * sound.time_base == 1


def test_no_frame_and_wrong_frames_are_refused_without_a_trace(tmp_path):
    with (
        pytest.raises(ValueError, match=r"no frame was written to .*v\.mp4"),
        VideoWriter(tmp_path / "v.mp4", 8, 8, 25),
    ):
        pass
    with (
        pytest.raises(ValueError, match=r"takes frames \(8, 16, 3\), got \(16, 8, 3\)"),
        VideoWriter(tmp_path / "v.mp4", 16, 8, 25) as writer,
    ):
        writer.write(torch.zeros(16, 8, 3))
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"width": 0}, "at least 1x1, got 0x8"),
        ({"fps": 0}, "fps must be above 0, got 0"),
        ({"audio": Audio(torch.zeros(6, 100))}, "1 or 2 channels, got 6"),
        ({"audio": Audio(torch.zeros(100), 17000)}, "no sample rate 17000"),
        ({"crf": 0}, "crf goes from 1, the best, to 51, got 0"),
        ({"path": "v.avi"}, r"v\.avi should end in \.mp4, .* or \.png, got \.avi: name it v\.mp4"),
        ({"path": "v"}, r"v should end in .*, got no suffix: name it v\.mp4"),
        ({"path": "."}, "is a folder: give the name of a file in it"),
    ],
)
def test_impossible_videos_are_refused_before_anything_is_written(tmp_path, options, message):
    settings = {"path": "v.mp4", "width": 8, "height": 8, "fps": 25} | options
    settings["path"] = tmp_path / settings["path"]
    with pytest.raises(ValueError, match=message):
        VideoWriter(**settings)
    assert list(tmp_path.iterdir()) == []


def test_what_is_not_a_video_is_named_with_what_it_holds(tmp_path):
    text = tmp_path / "notes.mp4"
    text.write_text("no video here")
    with pytest.raises(ValueError, match=r"notes\.mp4 \(13 bytes\) cannot be read as video"):
        read_video(text)
    with pytest.raises(FileNotFoundError, match="absent"):
        read_video(tmp_path / "absent.mp4")
    whole = tmp_path / "whole.mp4"
    write_clip(whole)
    cut = tmp_path / "cut.mp4"
    cut.write_bytes(whole.read_bytes()[:400])
    with pytest.raises(ValueError, match=r"cut\.mp4"):
        read_video(cut)


def test_sound_only_is_not_a_video(tmp_path):
    path = tmp_path / "sound.m4a"
    with av.open(str(path), "w", format="mp4") as container:
        stream = container.add_stream("aac", rate=16000, layout="mono")
        frame = av.AudioFrame.from_ndarray(np.zeros((1, 2048), np.float32), format="fltp", layout="mono")
        frame.sample_rate = 16000
        container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    with pytest.raises(ValueError, match=r"sound\.m4a has no video stream, found: audio"):
        read_video(path)
