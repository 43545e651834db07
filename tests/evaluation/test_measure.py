"""Pairs of videos whose difference is known, through the whole measurement."""

from dataclasses import replace
from fractions import Fraction
from types import SimpleNamespace

import av
import numpy as np
import pytest
import torch
from torch import Tensor, nn

from emo_modules.media.audio import Audio
from emo_modules.media.video import VideoWriter
from emo_training.evaluation.feature_nets import load_i3d, load_inception
from emo_training.evaluation.figures import all_figures
from emo_training.evaluation.instruments import Instruments
from emo_training.evaluation.measure import measure_pairs
from emo_training.evaluation.pairs import Video, find_pairs
from emo_training.perception.analyzers import FaceTrack
from emo_training.perception.mfcc import mfcc

SIDE, FRAMES, RATE = 64, 48, 16000
MOUTH = ("Lip distance", "Mouth width")


class MeanColour(nn.Module):
    def forward(self, pictures: Tensor, return_features: bool = False) -> Tensor:
        return pictures.float().mean(dim=(2, 3))


class MeanVideo(nn.Module):
    def forward(
        self, video: Tensor, rescale: bool = False, resize: bool = False, return_features: bool = False
    ) -> Tensor:
        return video.mean(dim=(2, 3, 4))


class Follower:
    """Knows how the head of these videos turns: yaw is in degrees what the picture is brighter than 100. The
    mouth opens with it."""

    name = "follower"

    def analyze(self, frames):
        levels = np.array([frame.mean() for frame in frames])
        boxes = np.tile(np.array([16, 16, 48, 48], np.float32), (len(levels), 1))
        boxes[levels < 40] = np.nan
        angles = np.stack([levels - 100, 0 * levels, 0 * levels], 1)
        angles[levels < 40] = np.nan
        openings = np.stack([levels, -levels, 0 * levels, 0 * levels], 1) / 100
        openings[levels < 40] = np.nan
        return FaceTrack((levels >= 40).astype(np.int64), boxes, angles, openings=openings)


class Mouthless(Follower):
    """Knows the pose alone."""

    name = "mouthless"

    def analyze(self, frames):
        return replace(super().analyze(frames), openings=None)


class Redness:
    """A face's embedding turns with how much redder than blue it is, a degree per level."""

    def embed(self, frames, boxes, landmarks):
        angle = np.radians(frames[..., 0].mean((1, 2)) - frames[..., 2].mean((1, 2)))
        return np.stack([np.cos(angle), np.sin(angle)], 1)


class Mouths:
    label, caveat, instrument = "mouths", "for this test only", "analyzer"

    def read(self, video, track):
        return np.stack([frame.mean((0, 1)) for frame in video.frames()]) / 255


def tone(volume: np.ndarray, frames: int) -> np.ndarray:
    time = np.arange(frames * 640) / 640
    return (0.05 * np.exp(volume) * np.sin(time * 251)).astype(np.float32)


class Loudness(nn.Module):
    """Whether the picture is brighter and the sound louder than on average, as points near -1 and 1."""

    def __init__(self) -> None:
        super().__init__()
        self.config = SimpleNamespace(side=16)
        self.anything = nn.Parameter(torch.zeros(()))

    def embed_lips(self, frames: Tensor) -> Tensor:
        return torch.tanh((frames[:, :, 2:-2].mean((1, 3, 4))[..., None] - 100) / 3)

    def embed_sound(self, cepstra: Tensor) -> Tensor:
        return torch.tanh(2 * (cepstra[:, 0, 0].mean(1)[:, None] - AVERAGE_ENERGY))


AVERAGE_ENERGY = float(mfcc(32768 * tone(np.zeros(1), 25)).mean(0)[0])


def write(path, swing: float, tint: int = 0, lighter: int = 0, late: int = 0, seed: int = 0) -> None:
    """Grey video whose brightness swings about 100, and sound that swells with it, `late` frames later."""
    rng = np.random.default_rng(seed)
    phase = rng.uniform(0, 6)
    curve = np.sin(phase + 2 * np.pi * np.arange(FRAMES + 40) / 24)
    levels = np.rint(100 + swing * curve[20 : 20 + FRAMES] + lighter).astype(int)
    time = np.arange(FRAMES * 640) / 640 - 0.5  # a frame's picture is that of its middle
    volume = np.interp(time - late + 20, np.arange(FRAMES + 40), curve)
    sound = torch.from_numpy(tone(volume, FRAMES))
    with VideoWriter(path, SIDE, SIDE, 25, Audio(sound), crf=1) as writer:
        for level in levels:
            frame = np.full((SIDE, SIDE, 3), level, np.uint8)
            frame[..., 0] += tint
            writer.write(frame)


@pytest.fixture(scope="module")
def folders(tmp_path_factory):
    """True videos, a perfect copy of them, and ones that are wrong in every respect."""
    root = tmp_path_factory.mktemp("videos")
    for kind, changes in {"true": {}, "good": {}, "bad": {"tint": 30, "late": 6}}.items():
        (root / kind).mkdir()
        for k, swing in enumerate((6.0, 12.0, 18.0)):
            swung = swing if kind != "bad" else 24 - swing
            write(root / kind / f"clip{k}.mp4", swung, seed=k, **changes)
    return root


@pytest.fixture(scope="module")
def tools(tmp_path_factory) -> Instruments:
    folder = tmp_path_factory.mktemp("nets")
    for name, net in (("inception.pt", MeanColour()), ("i3d.pt", MeanVideo())):
        torch.jit.script(net).save(str(folder / name))
    names = ("inception", "i3d", "syncnet", "identity", "analyzer")
    return Instruments(
        Follower(),
        load_inception(folder / "inception.pt", features=3),
        load_i3d(folder / "i3d.pt", features=3),
        Loudness(),
        Redness(),
        Mouths(),
        dict.fromkeys(names, "a file"),
    )


def figures(pairs, tools):
    return {figure.metric: figure for figure in all_figures(*measure_pairs(pairs, tools, print), tools)}


@pytest.fixture(scope="module")
def good(folders, tools):
    return figures(find_pairs(folders / "good", folders / "true"), tools)


@pytest.fixture(scope="module")
def bad(folders, tools):
    return figures(find_pairs(folders / "bad", folders / "true"), tools)


def test_a_perfect_copy_gets_perfect_values(good):
    for name in ("FID", "FVD", "mouths", "Head speed, absolute difference", "Difference in length"):
        assert good[name].value == pytest.approx(0, abs=1e-6), name
    for name in ("LSE-C", "LSE-D", "Identity similarity (CSIM, F-SIM)", "Head speed", "Head trembling"):
        assert good[name].value == pytest.approx(good[name].true), name
    assert good["Identity similarity (CSIM, F-SIM)"].value == pytest.approx(1, abs=1e-3)
    assert good["Head speed, generated / true"].value == pytest.approx(1)
    for name in ("Head speed, rank correlation", *(f"{what}, correlation with the true" for what in MOUTH)):
        assert good[name].value == pytest.approx(1), name
    assert good["Lip offset, absolute"].value == 0 and good["Frames with a face"].value == 1


def test_every_fault_is_seen(good, bad):
    worse = {
        "LSE-D": 1, "Lip offset, absolute": 1, "FID": 1, "FVD": 1, "mouths": 1,
        "Head speed, absolute difference": 1,
        "Identity similarity (CSIM, F-SIM)": -1, "Head speed, rank correlation": -1,
    }  # fmt: skip
    for name, sign in worse.items():
        assert sign * bad[name].value > sign * good[name].value, name
    assert bad["Lip offset, absolute"].value == pytest.approx(6, abs=1)
    tint = bad["Identity similarity (CSIM, F-SIM)"].value
    assert tint == pytest.approx(np.cos(np.radians(30)), abs=0.02)
    assert bad["FID"].value > 29**2, "at least the squared shift of the mean colour"


def test_the_wrong_sound_lowers_the_confidence(good):
    assert good["LSE-C"].control < good["LSE-C"].value
    assert good["LSE-D"].control > good["LSE-D"].value


def test_figures_name_weights_and_counts(good):
    assert good["FID"].weights == "a file" and good["FID"].over == "144 true, 144 generated frames"
    assert good["FVD"].over == "9 true, 9 generated windows of 16 frames"
    assert good["LSE-C"].over == "3 of 3 clips"


def test_the_tables_figures_have_intervals(good, bad):
    for name in ("FID", "FVD", "mouths", "LSE-C", "Head speed, absolute difference"):
        low, high = bad[name].interval
        assert low < bad[name].value < high, name
    assert good["Head speed, absolute difference"].interval == pytest.approx((0, 0), abs=1e-6)


def test_nothing_is_skipped_silently(folders):
    tools = Instruments(Mouthless(), None, None, None, None, None, {"analyzer": "mouthless"})
    found = figures(find_pairs(folders / "good", folders / "true"), tools)
    for name, option in {
        "FID": "--inception", "FVD": "--i3d", "LSE-C": "--syncnet", "LSE-D": "--syncnet",
        "Identity similarity (CSIM, F-SIM)": "--identity", "E-FID": "--deep3d",
        "E-FID (blendshape)": "--analyzer mediapipe",
        "Lip distance, correlation with the true": "--analyzer faces",
    }.items():  # fmt: skip
        assert found[name].value is None
        assert found[name].note.startswith("skipped") and option in found[name].note


def test_a_video_without_a_face_is_noted_and_the_others_count(folders, tools, tmp_path):
    for k in range(2):
        (tmp_path / f"clip{k}.mp4").write_bytes((folders / "good" / f"clip{k}.mp4").read_bytes())
    write(tmp_path / "clip1.mp4", 6.0, lighter=-80)
    measured, distances = measure_pairs(find_pairs(tmp_path, folders / "true"), tools, print)
    assert measured[0].problems == () and measured[1].generated.faces == 0
    said = " ".join(measured[1].problems)
    assert all(f"{what} of the generated video" in said for what in ("lip sync", "identity", "head speed"))
    found = {figure.metric: figure for figure in all_figures(measured, distances, tools)}
    assert found["LSE-C"].over == "1 of 2 clips"
    blind = replace(measured[1], name="only")
    alone = {figure.metric: figure for figure in all_figures([blind], distances, tools)}
    mouth = "Lip distance, correlation with the true"
    for name in ("LSE-C", "Identity similarity (CSIM, F-SIM)", "Head speed", mouth):
        assert alone[name].value is None and "no clip" in alone[name].note


def test_other_sizes_are_told(folders, tools, tmp_path):
    with VideoWriter(tmp_path / "clip0.mp4", 32, 32, 25) as writer:
        for level in range(FRAMES):
            writer.write(np.full((32, 32, 3), 90 + level % 5, np.uint8))
    measured, distances = measure_pairs(find_pairs(tmp_path, folders / "true"), tools, print)
    found = {figure.metric: figure for figure in all_figures(measured, distances, tools)}
    assert "32 x 32 against true 64 x 64" in found["FID"].note
    assert measured[0].generated.sync is not None, "a silent video is heard with the true sound"


def test_pairs_go_by_name(folders, tmp_path):
    pairs = find_pairs(folders / "good", folders / "true")
    assert [pair.name for pair in pairs] == ["clip0", "clip1", "clip2"]
    with pytest.raises(ValueError, match="has no video"):
        find_pairs(tmp_path, folders / "true")
    (tmp_path / "stranger.mp4").touch()
    with pytest.raises(ValueError, match="the first is stranger"):
        find_pairs(tmp_path, folders / "true")
    with pytest.raises(ValueError, match="cannot be read as video"):
        list(Video(tmp_path / "stranger.mp4").frames())


@pytest.mark.parametrize("rate", [Fraction(50), Fraction(25), Fraction(30), Fraction(12)])
def test_any_rate_is_seen_at_25_fps(tmp_path, rate):
    with VideoWriter(tmp_path / "v.mp4", 32, 32, rate, crf=1) as writer:
        for k in range(int(rate)):
            writer.write(np.full((32, 32, 3), 5 * k, np.uint8))
    levels = [round(frame.mean() / 5) for frame in Video(tmp_path / "v.mp4").frames()]
    assert levels == [int(k * rate / 25) for k in range(25)]


def test_sound_alone_is_no_video(tmp_path):
    with av.open(str(tmp_path / "v.mp4"), "w") as container:
        stream = container.add_stream("aac", rate=RATE, layout="mono")
        frame = av.AudioFrame.from_ndarray(np.zeros((1, RATE), np.float32), format="fltp", layout="mono")
        frame.sample_rate = RATE
        container.mux([*stream.encode(frame), *stream.encode(None)])
    with pytest.raises(ValueError, match="no video stream, found: audio"):
        list(Video(tmp_path / "v.mp4").frames())
