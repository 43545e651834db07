"""Films in every format, read back: picture, clock, sound, tags, and what is left after an error."""

import errno
import re
import subprocess
import sys
from contextlib import suppress
from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from typing import NamedTuple

import av
import numpy as np
import pytest
import torch
from PIL import Image
from torch import Tensor

from emo_modules.media import formats, video
from emo_modules.media.audio import Audio, load_audio, samples_in_frames
from emo_modules.media.formats import FORMATS, GIF, H264, PNG, PRORES, VP9, check_film, format_of
from emo_modules.media.video import VideoWriter, soundtrack

ROOT = Path(__file__).parents[2]
TAGS = {"workflow": '{"name": "写真"}', "prompt": "{}"}
RATE = 44100
FRAMES = 20


class Case(NamedTuple):
    name: str
    codec: str
    pixels: str
    sound: str  # codec, of the WAV beside where the film has none
    sound_rate: int
    longer: int  # samples that the sound codec may add at its end
    error: float  # of a colour, in 255ths


CASES = {
    "h264": Case("v.mp4", "h264", "yuv420p", "aac", RATE, 1023, 3),
    "vp9": Case("v.webm", "vp9", "yuv420p", "opus", 48000, 0, 3),
    "prores": Case("v.mov", "prores", "yuv422p10le", "pcm_s24le", RATE, 0, 4),
    "gif": Case("v.gif", "gif", "bgra", "pcm_s16le", RATE, 0, 6),
    "png": Case("v/%05d.png", "png", "rgb24", "pcm_s16le", RATE, 0, 0),
}
each_format = pytest.mark.parametrize("kind", CASES)


def chirp(samples: int, rate: int = RATE, channels: int = 1) -> Tensor:
    seconds = torch.arange(samples) / rate
    tone = 0.4 * torch.sin(2 * torch.pi * (200 + 300 * seconds) * seconds)
    return torch.stack([tone, 0.5 * tone.flip(0)])[:channels]


def frame(k: int, height: int = 48, width: int = 64) -> Tensor:
    """Flat colours that change with k, in two halves."""
    picture = torch.zeros(height, width, 3)
    picture[:, : width // 2] = torch.tensor([k / 32, 0.5, 1 - k / 32])
    picture[:, width // 2 :] = torch.tensor([0.2, k / 32, 0.6])
    return picture


def film(folder: Path, kind: str, frames: int = FRAMES, sound: Audio | None = None, **options) -> VideoWriter:
    path = folder / CASES[kind].name
    with VideoWriter(path, 64, 48, 25, sound, format=FORMATS[kind], **options) as writer:
        for k in range(frames):
            writer.write(frame(k))
    return writer


def opened(path: Path) -> av.container.InputContainer:
    return av.open(str(path.parent).replace("%", "%%") + f"/{path.name}")


def colours(path: Path) -> np.ndarray:
    """Frames (F, H, W, 3) uint8."""
    with opened(path) as container:
        return np.stack([shown.to_ndarray(format="rgb24") for shown in container.decode(video=0)])


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


@each_format
def test_picture_and_clock_come_back(tmp_path, kind):
    case = CASES[kind]
    path = film(tmp_path, kind).path
    assert path == tmp_path / case.name
    with opened(path) as container:
        (stream,) = container.streams
        assert (stream.codec_context.name, stream.average_rate) == (case.codec, 25)
        shown = list(container.decode(stream))
    assert {picture.format.name for picture in shown} == {case.pixels}
    assert [picture.pts * picture.time_base for picture in shown] == [Fraction(k, 25) for k in range(FRAMES)]
    expected = np.stack([(frame(k) * 255).round().numpy() for k in range(FRAMES)])
    # away from the edge between the halves, where chroma is shared
    flat = np.r_[0:28, 36:64]
    error = np.abs(colours(path).astype(float) - expected)[:, :, flat]
    assert error.max() <= case.error


@each_format
@pytest.mark.parametrize("channels", [1, 2])
def test_sound_is_kept_in_the_film_or_beside_it(tmp_path, kind, channels):
    case = CASES[kind]
    track = soundtrack(Audio(chirp(RATE, channels=channels), RATE), FRAMES, 25, FORMATS[kind])
    writer = film(tmp_path, kind, sound=track)
    assert (writer.sound_path is None) == (kind not in ("gif", "png"))
    heard = writer.sound_path or writer.path
    with av.open(str(heard)) as container:
        (stream,) = container.streams.audio
        assert (stream.codec_context.name, stream.sample_rate) == (case.sound, case.sound_rate)
    waveform = load_audio(heard).waveform
    samples = samples_in_frames(FRAMES, case.sound_rate, 25)
    assert len(waveform) == channels and 0 <= waveform.shape[1] - samples <= case.longer
    middle = slice(2000, samples - 2000)
    for given, found in zip(track.waveform, waveform, strict=True):
        assert torch.corrcoef(torch.stack([given[middle], found[middle]]))[0, 1] > 0.99


@each_format
@pytest.mark.parametrize("seconds", [0.2, 2.0])
def test_a_film_that_is_stopped_early_has_sound_as_far_as_its_last_frame(tmp_path, kind, seconds):
    case = CASES[kind]
    sound = Audio(chirp(round(seconds * case.sound_rate), case.sound_rate), case.sound_rate)
    with VideoWriter(tmp_path / case.name, 64, 48, 25, sound, format=FORMATS[kind]) as writer:
        for k in range(10):
            writer.write(frame(k))
        writer.end_sound_with_frames()
    samples = round(min(seconds, 0.4) * case.sound_rate)
    assert 0 <= load_audio(writer.sound_path or writer.path).waveform.shape[1] - samples <= case.longer
    assert len(colours(writer.path)) == 10


@pytest.mark.parametrize("name", ["v.webm", "v.gif", "v/%05d.png"])
def test_rates_that_players_round_keep_every_frame_in_its_place(tmp_path, name):
    fps = Fraction(30000, 1001)
    with VideoWriter(tmp_path / name, 64, 48, fps) as writer:
        for k in range(30):
            writer.write(frame(k))
    with opened(writer.path) as container:
        times = [picture.pts * picture.time_base for picture in container.decode(video=0)]
    smallest = {".webm": Fraction(1, 1000), ".gif": Fraction(1, 100), ".png": None}[writer.path.suffix]
    exact = [k / fps for k in range(30)] if smallest else [Fraction(k, 25) for k in range(30)]
    assert max(abs(a - b) for a, b in zip(times, exact, strict=True)) <= (smallest or 0) / 2


@pytest.mark.parametrize("kind", ["gif", "png"])
def test_odd_sizes_stay_where_the_format_has_them(tmp_path, kind):
    with VideoWriter(tmp_path / CASES[kind].name, 65, 47, 25) as writer:
        writer.write(frame(5, 47, 65))
    assert colours(writer.path).shape == (1, 47, 65, 3)


def test_a_gif_repeats_for_ever_with_colours_of_its_own_for_each_frame(tmp_path):
    y, x = np.mgrid[0:48, 0:64]
    ramps = [np.stack([x * 4, y * 5, x * 0], -1), np.stack([x * 0, 255 - y * 5, x * 4], -1)]
    with VideoWriter(tmp_path / "v.gif", 64, 48, 25) as writer:
        for ramp in ramps * 5:
            writer.write(ramp.astype(np.uint8))
    content = writer.path.read_bytes()
    assert content[content.index(b"NETSCAPE2.0") + 11 :][:5] == b"\x03\x01\x00\x00\x00"
    error = (np.stack(ramps * 5) - colours(writer.path).astype(float)) ** 2
    assert 10 * np.log10(255**2 / error.mean((1, 2, 3)).max()) > 30
    assert np.array_equal(error[2:], np.concatenate([error[:2]] * 4))
    with Image.open(writer.path) as picture:
        assert (picture.n_frames, picture.info["duration"]) == (10, 40)


def test_crf_is_brought_to_the_scale_of_the_encoder(tmp_path):
    assert H264.encoder_options(18) == {"crf": "18"}
    assert [VP9.encoder_options(crf)["crf"] for crf in (1, 18, 51)] == ["1", "22", "63"]
    assert "crf" not in PRORES.encoder_options(18) | GIF.encoder_options(18) | PNG.encoder_options(18)
    noise = torch.rand(10, 48, 64, 3, generator=torch.Generator().manual_seed(0))
    sizes = []
    for crf in (10, 40):
        with VideoWriter(tmp_path / "v.webm", 64, 48, 25, crf=crf) as writer:
            for picture in noise:
                writer.write(picture)
        sizes.append(writer.path.stat().st_size)
    assert sizes[1] < sizes[0] / 3


def test_prores_is_422_hq_and_says_its_colours(tmp_path):
    with opened(film(tmp_path, "prores").path) as container:
        context = container.streams.video[0].codec_context
        assert (context.profile, context.codec_tag) == ("HQ", "apch")
        assert (context.colorspace, context.color_primaries, context.color_trc) == (1, 1, 1)


@each_format
def test_tags_are_in_what_can_hold_them(tmp_path, kind):
    path = film(tmp_path, kind, metadata=TAGS).path
    if kind == "png":
        pictures = [Image.open(picture) for picture in sorted(path.parent.iterdir())]
        found = [{name: picture.info[name] for name in TAGS if name in picture.info} for picture in pictures]
        assert found == [TAGS, *[{}] * (FRAMES - 1)]
        assert np.array_equal(np.asarray(pictures[0]), (frame(0) * 255).round().byte().numpy())
        return
    with opened(path) as container:
        tags = {name.lower(): text for name, text in container.metadata.items()}
    assert {name: tags[name] for name in TAGS if name in tags} == ({} if kind == "gif" else TAGS)


@each_format
def test_a_film_grows_under_another_name_as_frames_come(tmp_path, kind):
    def written() -> int:
        return sum(path.stat().st_size for path in tmp_path.rglob("*") if path.is_file())

    seen, random = [], torch.Generator().manual_seed(0)
    with VideoWriter(tmp_path / CASES[kind].name, 96, 72, 25, format=FORMATS[kind]) as writer:
        for k in range(300):
            writer.write(torch.rand(72, 96, 3, generator=random))
            if k == 299:
                (partial,) = tmp_path.iterdir()
                assert ".partial" in partial.name
            seen.append(written())
    assert 0 < seen[150] < seen[299] and seen[299] > written() / 2
    assert names(tmp_path) == [CASES[kind].name.split("/")[0]]


class Stopped(Exception):
    """What the caller raises when a user cancels."""


@each_format
@pytest.mark.parametrize("error", [KeyboardInterrupt, Stopped])
def test_a_cancelled_film_leaves_nothing(tmp_path, kind, error):
    sound = soundtrack(Audio(chirp(RATE), RATE), FRAMES, 25, FORMATS[kind])
    path, options = tmp_path / CASES[kind].name, {"format": FORMATS[kind], "cancelled_by": (Stopped,)}
    with pytest.raises(error), VideoWriter(path, 64, 48, 25, sound, **options) as writer:
        writer.write(frame(0))
        raise error
    with pytest.raises(ValueError, match="no frame was written"), VideoWriter(path, 64, 48, 25, **options):
        pass
    assert names(tmp_path) == []


@each_format
def test_an_error_keeps_the_frames_before_it_with_their_sound(tmp_path, kind, caplog):
    case = CASES[kind]
    sound = soundtrack(Audio(chirp(RATE), RATE), FRAMES, 25, FORMATS[kind])
    path, format = tmp_path / case.name, FORMATS[kind]
    with pytest.raises(MemoryError), VideoWriter(path, 64, 48, 25, sound, format=format) as writer:
        for k in range(7):
            writer.write(frame(k))
        raise MemoryError
    kept = tmp_path / ("v.part/%05d.png" if kind == "png" else f"v.part{path.suffix}")
    assert f"the 7 frames (0.28 s) before the error are kept in {kept}" in caplog.text
    assert len(colours(kept)) == 7
    samples = samples_in_frames(7, case.sound_rate, 25)
    heard = load_audio(writer.sound_path or kept).waveform
    assert 0 <= heard.shape[1] - samples <= 2 * case.longer
    beside = [] if format.sound else ["v.part.sound.wav"]
    assert names(tmp_path) == sorted([kept.relative_to(tmp_path).parts[0], *beside])


@pytest.mark.parametrize("kind", ["vp9", "prores", "gif", "png"])
def test_a_killed_film_plays_as_far_as_it_got(tmp_path, kind, caplog):
    path = tmp_path / CASES[kind].name
    script = (
        "import os, torch\nfrom emo_modules.media.audio import Audio\n"
        "from emo_modules.media.formats import FORMATS\n"
        "from emo_modules.media.video import VideoWriter\n"
        f"sound = Audio(torch.zeros(480000), 48000)\n"
        f"with VideoWriter({str(path)!r}, 64, 48, 25, sound, format=FORMATS[{kind!r}]) as writer:\n"
        "    for _ in range(250):\n        writer.write(torch.rand(48, 64, 3))\n"
        "    os.kill(os.getpid(), 9)\n"
    )
    assert subprocess.run([sys.executable, "-c", script], cwd=ROOT).returncode in (-9, 9)
    (left,) = tmp_path.iterdir()
    assert re.fullmatch(r"v\.[0-9a-f]{8}\.partial(\.\w+)?", left.name)
    count = 0
    with (
        opened(left / path.name if left.is_dir() else left) as container,
        suppress(av.error.InvalidDataError, av.error.EOFError),
    ):
        for _ in container.decode(video=0):
            count += 1
    assert count >= 100
    film(tmp_path, kind)
    assert f"{left} is left from a run that was stopped, or still runs" in caplog.text


@pytest.mark.parametrize("kind", ["vp9", "gif", "png"])
def test_two_writers_of_one_name_both_keep_their_work(tmp_path, kind):
    path, sound = tmp_path / CASES[kind].name, Audio(chirp(48000, 48000), 48000)
    first, second = (VideoWriter(path, 64, 48, 25, sound, format=FORMATS[kind]) for _ in range(2))
    with first, second:
        for k in range(9):
            first.write(frame(k))
            if k < 5:
                second.write(frame(k))
    assert second.path == path
    assert first.path == (tmp_path / "v-2/%05d.png" if kind == "png" else path.with_stem("v-2"))
    assert [len(colours(writer.path)) for writer in (first, second)] == [9, 5]
    if not FORMATS[kind].sound:
        assert (first.sound_path.name, second.sound_path.name) == ("v-2.sound.wav", "v.sound.wav")


def test_the_sound_beside_is_replaced_with_its_film_and_never_elses(tmp_path):
    sound = Audio(chirp(RATE), RATE)
    for frames in (20, 10):
        film(tmp_path, "gif", frames, sound)
        assert names(tmp_path) == ["v.gif", "v.sound.wav"]
    shorter = replace(sound, waveform=sound.waveform[:, :100])
    with VideoWriter(tmp_path / "v.gif", 64, 48, 25, shorter) as writer:
        writer.write(frame(0))
        (tmp_path / "v.sound.wav").write_text("finished by somebody else in the meantime")
    assert writer.sound_path == tmp_path / "v.sound-2.wav"
    assert load_audio(writer.sound_path).waveform.shape == (1, 100)
    film(tmp_path, "gif", 1, sound, replace=False)
    assert names(tmp_path) == ["v-2.gif", "v-2.sound.wav", "v.gif", "v.sound-2.wav", "v.sound.wav"]


def test_frames_are_numbered_from_one_in_a_folder_that_was_empty(tmp_path):
    (tmp_path / "50%d of it").mkdir()
    with VideoWriter(tmp_path / "50%d of it" / "f_%03d.PNG", 64, 48, 25) as writer:
        for k in range(3):
            writer.write(frame(k))
    assert names(tmp_path / "50%d of it") == ["f_001.PNG", "f_002.PNG", "f_003.PNG"]
    assert len(colours(writer.path)) == 3
    (tmp_path / "file").write_text("")
    with VideoWriter(tmp_path / "w" / "%d.png", 64, 48, 25) as writer:
        writer.write(frame(0))
        (tmp_path / "w").write_text("a file of that name came in between")
    assert writer.path == tmp_path / "w-2" / "%d.png"


def test_a_folder_that_cannot_get_its_name_is_kept_under_another(tmp_path, monkeypatch):
    rename = Path.rename

    def refuse(self: Path, target: Path) -> Path:
        if target.name == "v":
            raise PermissionError(errno.EACCES, "Permission denied")
        return rename(self, target)

    monkeypatch.setattr(Path, "rename", refuse)
    with pytest.raises(OSError, match=r"cannot be written, permission denied: choose a folder"):
        film(tmp_path, "png")
    assert names(tmp_path) == ["v.part"]
    assert len(names(tmp_path / "v.part")) == FRAMES


def test_sound_that_cannot_be_written_beside_takes_nothing_from_the_film(tmp_path, monkeypatch):
    def refuse(*given: object) -> Path:
        raise PermissionError(errno.EACCES, "Permission denied")

    monkeypatch.setattr("emo_modules.media.sound_file.publish", refuse)
    with pytest.raises(OSError, match=r"v\.sound\.wav cannot be written, permission denied"):
        film(tmp_path, "gif", sound=Audio(chirp(RATE), RATE))
    assert names(tmp_path) == ["v.gif"]
    assert len(colours(tmp_path / "v.gif")) == FRAMES


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("v.png", r"names one picture where every frame needs a number: name them .*v/%05d\.png"),
        ("v/%s.png", "names one picture"),
        ("v/%d-%d.png", "names one picture"),
        ("full/%05d.png", r"the folder .*full is not empty: give the frames a new one, or empty it"),
        ("full/file/%05d.png", "a part of the way to it is a file; choose another folder"),
        ("v.gif", None),
        ("V.WEBM", None),
        ("v/%5d.png", None),
    ],
)
def test_names_of_films_are_checked_before_anything_is_written(tmp_path, name, message):
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "file").write_text("")
    if message is None:
        check_film(tmp_path / name, format_of(tmp_path / name))
    else:
        with pytest.raises((ValueError, OSError), match=message):
            check_film(tmp_path / name, format_of(tmp_path / name))
    assert names(tmp_path) == ["full"]


@pytest.mark.parametrize("name", ["%05d.png", "../%05d.png"])
def test_frames_are_not_strewn_over_the_folder_one_is_in(tmp_path, monkeypatch, name):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ValueError, match="the frames need a folder of their own: name them talk/%05d.png"):
        check_film(Path(name), PNG)


@pytest.mark.parametrize(("name", "heard"), [("talk.gif", "talk.sound.wav"), ("a/%d.png", "a.sound.wav")])
def test_a_recording_is_not_overwritten_by_the_sound_beside(tmp_path, name, heard):
    recording = tmp_path / heard
    recording.write_text("a recording")
    path = tmp_path / name
    check_film(path, format_of(path), [tmp_path / "portrait.png"])
    with pytest.raises(ValueError, match=r"sound\.wav is read and would be overwritten: give the output"):
        check_film(path, format_of(path), [tmp_path / "portrait.png", recording])


def test_an_encoder_that_is_not_there_is_named_with_what_can_be_chosen(tmp_path, monkeypatch):
    assert formats.has_encoder("gif") and not formats.has_encoder("h264_of_nobody")
    monkeypatch.setattr(formats, "has_encoder", lambda name: name not in ("libvpx-vp9", "prores_ks"))
    with pytest.raises(
        ValueError,
        match=r"the format vp9 needs the encoder libvpx-vp9, which this build of PyAV [\d.]+ lacks: "
        r"choose h264, gif or png",
    ):
        VideoWriter(tmp_path / "v.webm", 64, 48, 25)
    assert names(tmp_path) == []


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"path": "v.gif", "fps": 50.1}, "players show at most 50 frames per second of a gif, got 50.1"),
        ({"path": "v.webm", "audio": Audio(torch.zeros(9), 44100)}, r"Opus has no .* 44100; .*\(48000,\)"),
        ({"path": "v.mp4", "format": PRORES}, r"v\.mp4 should end in \.mov, got \.mp4: name it v\.mov"),
        ({"path": "v.webm", "crf": 52}, "crf goes from 1, the best, to 51, got 52"),
    ],
)
def test_what_a_format_cannot_hold_is_refused(tmp_path, options, message):
    settings = {"width": 8, "height": 8, "fps": 25} | options
    with pytest.raises(ValueError, match=message):
        VideoWriter(**settings | {"path": tmp_path / settings["path"]})
    assert names(tmp_path) == []


def test_a_suffix_means_one_format_and_mov_stays_h264(tmp_path):
    meant = {
        suffix: format_of(tmp_path / f"v{suffix}").name for suffix in formats.SUFFIXES if suffix != ".png"
    }
    assert meant == {
        ".mp4": "h264",
        ".m4v": "h264",
        ".mov": "h264",
        ".mkv": "h264",
        ".webm": "vp9",
        ".gif": "gif",
    }
    assert format_of(tmp_path / "v" / "%d.png") is PNG and video.H264 is H264


def test_a_format_that_cannot_be_is_refused_where_it_is_made():
    with pytest.raises(ValueError, match="png is numbered pictures, which hold no sound, got AAC"):
        replace(PNG, sound=H264.sound)
