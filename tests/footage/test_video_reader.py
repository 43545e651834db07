from fractions import Fraction

import av
import numpy as np
import pytest

from emo_training.footage.sound import level, read_sound
from emo_training.footage.video_reader import VideoReader, probe

from .films import portrait, speech, talking, write_film

BITS, WIDE = 10, 6


def numbered(count, side=64):
    """Pictures that show their own number, as black and white stripes."""
    for k in range(count):
        row = np.pad(np.repeat([255 * (k >> bit & 1) for bit in range(BITS)], WIDE), (0, side - BITS * WIDE))
        yield np.broadcast_to(row[None, :, None], (side, side, 3)).astype(np.uint8)


def number_of(picture):
    return sum(int(picture[32, bit * WIDE + WIDE // 2].mean() > 127) << bit for bit in range(BITS))


def read_all(path, side=640):
    with VideoReader(path, probe(path)) as pictures:
        return [(k, frame) for k, frame in pictures.all(side)]


def numbers(path):
    found = read_all(path)
    return [k for k, _ in found], [number_of(frame) for _, frame in found]


@pytest.mark.parametrize("name", ["a.mp4", "a.mkv", "a.mov", "a.ts"])
def test_a_film_at_25_fps_keeps_every_frame(tmp_path, name):
    path = write_film(tmp_path / name, numbered(60))
    places, shown = numbers(path)
    assert places == shown == list(range(60))


@pytest.mark.parametrize("fps", [24, 30, 50, 60])
def test_other_rates_show_the_nearest_frame(tmp_path, fps):
    path = write_film(tmp_path / "a.mkv", numbered(3 * fps), fps=fps)
    places, shown = numbers(path)
    assert places == list(range(75))
    late = np.array(shown) / fps - np.array(places) / 25
    assert np.abs(late).max() <= 0.5 / min(fps, 25) + 0.002
    assert fps % 25 or shown == list(range(0, 3 * fps, fps // 25))


def test_variable_frame_rate_follows_the_time_stamps(tmp_path):
    rng = np.random.default_rng(1)
    times = np.cumsum(rng.uniform(0.01, 0.09, 80))
    path = write_film(tmp_path / "a.mkv", numbered(80), times=times)
    places, shown = numbers(path)
    assert places == list(range(len(places)))
    wanted = times[0] + np.array(places) / 25
    distance = np.abs(times[shown] - wanted)
    assert len(places) == pytest.approx((times[-1] - times[0]) * 25, abs=1.5)
    assert distance.max() <= 0.07  # a frame stands until half a frame before the next
    assert distance.mean() < 0.025


def test_a_picture_that_stands_too_long_leaves_a_gap(tmp_path):
    times = [k / 25 + (3 if k >= 20 else 0) for k in range(40)]
    path = write_film(tmp_path / "a.mkv", numbered(40), times=times)
    places, shown = numbers(path)
    assert places == [*range(20), *range(95, 115)] and shown == list(range(40))


@pytest.mark.parametrize("rotation", [0, 90, 180, 270])
def test_rotated_film_is_read_upright(tmp_path, rotation):
    upright = portrait(side=128)[:96]
    path = write_film(tmp_path / "a.mp4", [np.rot90(upright, -rotation // 90)] * 5, rotation=rotation)
    assert (probe(path).width, probe(path).height) == (128, 96)
    frame = read_all(path)[2][1]
    assert frame.shape == (96, 128, 3) and np.abs(frame.astype(int) - upright).mean() < 6


@pytest.mark.parametrize(
    ("codec", "pixels"), [("ffv1", "yuv422p10le"), ("ffv1", "gray"), ("ffv1", "bgr0"), ("mpeg4", "yuv420p")]
)
def test_any_pixel_format_becomes_rgb(tmp_path, codec, pixels):
    picture = portrait(side=96)
    path = write_film(tmp_path / "a.mkv", [picture] * 5, codec=codec, pixels=pixels)
    frame = read_all(path)[2][1].astype(int)
    wanted = picture if pixels != "gray" else np.repeat(picture.mean(2, keepdims=True), 3, 2)
    assert frame.shape == picture.shape and np.abs(frame - wanted).mean() < 10


def test_odd_size_and_reduced_size(tmp_path):
    path = write_film(tmp_path / "a.mkv", [portrait(side=129)[:95]] * 3, codec="ffv1", pixels="yuv444p")
    assert read_all(path)[0][1].shape == (95, 129, 3)
    assert read_all(path, side=64)[0][1].shape == (47, 64, 3)


def test_pixels_that_are_not_square_are_stretched(tmp_path):
    path = tmp_path / "a.mp4"
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=25)
        stream.width, stream.height, stream.pix_fmt = 60, 64, "yuv420p"
        stream.codec_context.sample_aspect_ratio = Fraction(2)
        for k in range(3):
            frame = av.VideoFrame.from_ndarray(np.zeros((64, 60, 3), np.uint8), format="rgb24")
            frame.pts = k
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    assert (probe(path).width, probe(path).height) == (120, 64)
    assert read_all(path)[0][1].shape == (64, 120, 3)


@pytest.mark.parametrize("name", ["a.mp4", "a.ts"])
def test_clips_read_by_seeking_equal_those_read_in_order(tmp_path, name):
    path = write_film(tmp_path / name, numbered(500))
    for order in [(0, 30), (40, 60), (480, 500), (300, 310)], [(490, 500), (0, 10), (200, 230)]:
        with VideoReader(path, probe(path)) as pictures:
            for first, stop in order:
                frames, fresh = pictures.crop(first, stop, (0, 0, 64, 64), 64)
                assert [number_of(frame) for frame in frames] == list(range(first, stop))
                assert fresh == stop - first
            with pytest.raises(ValueError, match="frame 500 came once"):
                pictures.crop(495, 501, (0, 0, 64, 64), 64)


def test_damage_in_the_middle_leaves_a_gap_and_nothing_wrong(tmp_path):
    path = write_film(tmp_path / "a.mkv", talking(6, side=160))
    data = bytearray(path.read_bytes())
    middle = len(data) // 2
    data[middle : middle + 3000] = np.random.default_rng(0).bytes(3000)
    whole = dict(read_all(path))
    path.write_bytes(bytes(data))
    found = dict(read_all(path))
    assert 120 < len(found) < 150 and max(found) == 149
    assert all(np.array_equal(found[k], whole[k]) for k in found)


def test_a_truncated_film_is_read_as_far_as_it_goes(tmp_path):
    path = write_film(tmp_path / "a.mkv", talking(6, side=160))
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    places = [k for k, _ in read_all(path)]
    assert places == list(range(len(places))) and 40 < len(places) < 110


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("a.mp4", b"", "not a video"),
        ("a.mp4", b"words\n" * 99, "not a video"),
        ("a.txt", b"words\n" * 99, "not a video"),
        ("a.m3u8", b"#EXTM3U\n#EXT-X-TARGETDURATION:9\n#EXTINF:9,\nhttp://example.org/a.ts\n", "not a video"),
        ("a.ffconcat", b"ffconcat version 1.0\nfile good.mp4\n", "not a video"),
        ("a.wav", None, "not a video"),
        ("a.mka", None, "not a video: the file holds audio"),
        ("a.png", None, "not a video"),
    ],
)
def test_files_that_are_no_video_are_refused(tmp_path, name, content, message):
    path = tmp_path / name
    write_film(tmp_path / "good.mp4", numbered(5))
    if content is not None:
        path.write_bytes(content)
    elif name == "a.wav":
        import soundfile

        soundfile.write(path, speech(1), 48000)
    elif name == "a.mka":
        with av.open(str(path), "w", format="matroska") as container:
            stream = container.add_stream("flac", rate=48000, layout="mono")
            frame = av.AudioFrame.from_ndarray(np.zeros((1, 4096), np.int16), format="s16", layout="mono")
            frame.sample_rate = 48000
            container.mux(stream.encode(frame))
            container.mux(stream.encode(None))
    else:
        from PIL import Image

        Image.new("RGB", (64, 64)).save(path)
    with pytest.raises(ValueError, match=message):
        probe(path)


@pytest.mark.parametrize(
    ("name", "rate", "layout", "picture_start", "sound_start"),
    [
        ("a.mkv", 48000, "mono", 0.0, 0.0),
        ("a.mp4", 44100, "stereo", 0.0, 0.0),
        ("a.mp4", 16000, "mono", 0.0, 0.0),
        ("a.mkv", 8000, "mono", 0.0, 0.7),
        ("a.mkv", 48000, "stereo", 0.5, 0.0),
        ("a.mp4", 22050, "mono", 0.0, 0.4),
        ("a.ts", 32000, "stereo", 0.4, 0.2),
    ],
)
def test_sound_lies_where_the_pictures_say(tmp_path, name, rate, layout, picture_start, sound_start):
    """A click at 2 s of the file's clock lies at 2 s less the first picture's time."""
    times = np.arange(3 * rate) / rate
    sound = (0.5 * np.exp(-np.abs(times + sound_start - 2) * 300)).astype(np.float32)
    path = write_film(
        tmp_path / name, numbered(75), sound, rate=rate, layout=layout,
        picture_start=picture_start, sound_start=sound_start,
    )  # fmt: skip
    found = read_sound(path, probe(path).origin, tmp_path)
    assert np.abs(found.samples.astype(int)).argmax() / 16000 == pytest.approx(2 - picture_start, abs=0.003)
    assert found.begin / 16000 == pytest.approx(max(0, sound_start - picture_start), abs=0.07)
    assert found.end / 16000 == pytest.approx(3 + sound_start - picture_start, abs=0.15)
    assert list(tmp_path.glob("tmp*")) == []


def test_levels_are_in_decibels():
    tone = np.sin(np.arange(16000) / 10).astype(np.float32)
    assert level(tone) == pytest.approx(-3.01, abs=0.1)
    assert level((tone * 32767 * 0.01).astype(np.int16)) == pytest.approx(-43, abs=0.3)
    assert level(np.zeros(16000, np.int16)) == -120
