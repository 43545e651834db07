"""The commands `evaluate videos` and `evaluate shards`, and what lies in their reports."""

import json
import re
import sys

import av
import numpy as np
import pytest
import torch
from torch import Tensor, nn

from emo_modules.media.audio import Audio
from emo_modules.media.video import VideoWriter
from emo_people.networks import syncnet
from emo_training.cli import main
from emo_training.evaluation.caveats import caveats
from emo_training.evaluation.figures import Figure
from emo_training.evaluation.frechet import FrechetDistance
from emo_training.evaluation.measure import MeasuredPair
from emo_training.evaluation.page import number
from emo_training.evaluation.pairs import Video
from emo_training.evaluation.plots import all_plots

from ..shards import FRAMES, level, make_sample, write_shards

NAME = "a & <b>"


class Wide(nn.Module):
    """As many features as Inception's, of which three say something."""

    def forward(self, pictures: Tensor, return_features: bool = False) -> Tensor:
        means = pictures.float().mean(dim=(2, 3))
        return torch.cat([means, torch.zeros(means.shape[0], 2045)], 1)


@pytest.fixture(scope="module")
def folders(tmp_path_factory):
    root = tmp_path_factory.mktemp("pairs")
    rng = np.random.default_rng(0)
    for kind, size in (("generated", 64), ("true", 96)):
        (root / kind).mkdir()
        for name in (NAME, "clip"):
            sound = torch.from_numpy(0.1 * rng.standard_normal(36 * 640).astype(np.float32))
            with VideoWriter(root / kind / f"{name}.mp4", size, size, 25, Audio(sound)) as writer:
                for _ in range(36):
                    writer.write(rng.integers(0, 255, (size, size, 3), dtype=np.uint8))
    torch.jit.script(Wide()).save(str(root / "wide.pt"))
    return root


@pytest.fixture(scope="module")
def report(folders):
    """The folder of a report by the networks that come here, on noise."""
    out = folders / "report"
    arguments = ["--syncnet", str(syncnet.WEIGHTS)]
    arguments += ["--inception", str(folders / "wide.pt"), "--out", str(out)]
    status = main(["evaluate", "videos", str(folders / "generated"), str(folders / "true"), *arguments])
    assert status == 0
    return out


def test_the_report_has_every_number_with_its_weights(report):
    content = json.loads((report / "report.json").read_text())
    figures = {figure["metric"]: figure for figure in content["figures"]}
    assert re.fullmatch(r"wide.pt \(sha256 [0-9a-f]{12}\)", figures["FID"]["weights"])
    assert figures["FID"]["value"] >= 0 and "64 x 64 against true 96 x 96" in figures["FID"]["note"]
    assert figures["FVD"] == figures["FVD"] | {"value": None, "note": "skipped: needs --i3d FILE"}
    assert {clip["name"] for clip in content["clips"]} == {NAME, "clip"}
    assert content["clips"][0]["generated"]["frames"] == 36
    assert content["settings"]["weights"]["inception"] == figures["FID"]["weights"]
    for figure in figures.values():
        assert figure["looked at"].startswith("pictures as stored, 25 frames")
        assert re.fullmatch(r"face_reader.safetensors \(sha256 [0-9a-f]{12}\)", figure["faces by"])


def test_the_page_shows_intervals_and_what_flatters(report):
    text = (report / "report.html").read_text()
    figures = json.loads((report / "report.json").read_text())["figures"]
    ends = next(figure["interval"] for figure in figures if figure["metric"] == "FID")
    assert f"<small>{number(ends[0])} to {number(ends[1])}</small>" in text
    assert "pictures as stored, 25 frames" in text and "With fewer than 10 they are too narrow." in text
    assert "If the portrait was the first frame of the true clip" in text


def test_caveats_say_what_the_model_was_given():
    found = [Figure(name, 1.0, "lower") for name in ("FVD", "Head speed")] + [Figure("LSE-C", None, "higher")]
    one, two = (MeasuredPair(name, None, None, (), "anna") for name in ("a", "b"))
    said = caveats(found, [one, two], generated_here=True)
    assert said[0].startswith("2 clips of one person") and "The portrait is the first frame" in said[1]
    assert "was told the mean head speed" in said[2] and "16 frames (0.64 s)" in said[3]
    assert not any("S3FD" in text for text in said), "of what was not measured nothing is said"
    many = [MeasuredPair(str(k), None, None, (), None) for k in range(12)]
    assert "12 such clips, each taken" in caveats(found, many, False)[0]


def test_the_page_stands_alone(report):
    text = (report / "report.html").read_text()
    assert "a &amp; &lt;b&gt;" in text and "<b>" not in text
    assert "skipped: needs --i3d FILE" in text
    assert "<script" not in text and not re.search(r'(src|href|poster)="(?!videos/)[^#]', text)
    named = re.findall(r'(?:src|poster)="([^"]+)"', text)
    files = {f"videos/{path.name}" for path in (report / "videos").iterdir()}
    assert {name.replace("%20", " ").replace("%26", "&").replace("%3C", "<").replace("%3E", ">")
            for name in named} == files  # fmt: skip
    assert len(named) == 4


def test_videos_stand_side_by_side_with_sound(report):
    with av.open(str(report / "videos" / "clip.mp4")) as container:
        stream = container.streams.video[0]
        assert (stream.width, stream.height) == (96 + 2 + 96, 96)
        assert sum(1 for _ in container.decode(stream)) == 36 and container.streams.audio


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"generated": "nowhere"}, "nowhere"),
        ({"generated": "report"}, "has no video"),
        ({"--inception": "generated/clip.mp4"}, "is no TorchScript file"),
        ({"--i3d": "wide.pt"}, "does not work as a feature network"),
        ({"--syncnet": "wide.pt"}, "wide.pt"),
        ({"--identity": "wide.pt"}, "wide.pt"),
        ({"--analyzer": "eyes"}, "unknown face analyzer 'eyes'"),
    ],
)
def test_wrong_input_is_refused_before_anything_is_measured(folders, capsys, tmp_path, change, message):
    options = {name: value for name, value in change.items() if name.startswith("--")}
    given = [
        item
        for name, value in options.items()
        for item in (name, value if name == "--analyzer" else str(folders / value))
    ]
    made = folders / change.get("generated", "generated")
    out = tmp_path / "report"
    assert main(["evaluate", "videos", str(made), str(folders / "true"), "--out", str(out), *given]) == 1
    error = capsys.readouterr().err
    assert error.startswith("error: ") and message in error
    assert not out.exists()


def test_missing_packages_name_the_extra(report, monkeypatch):
    monkeypatch.setitem(sys.modules, "torchmetrics.image.fid", None)
    with pytest.raises(ValueError, match=r"torchmetrics: pip install 'emo-portrait\[evaluate\]'"):
        FrechetDistance().update(torch.zeros(3, 2), real=True)
    monkeypatch.setitem(sys.modules, "matplotlib.figure", None)
    with pytest.raises(ValueError, match=r"matplotlib: pip install 'emo-portrait\[evaluate\]'"):
        all_plots([Spoken()])


class Spoken:
    """As much of a clip as decides which plots there are."""

    class generated:
        sync, speed, identity = object(), None, None


@pytest.mark.parametrize(
    ("value", "shown"),
    [(None, "–"), (0, "0"), (0.98211, "0.982"), (-3.5, "-3.50"), (123.456, "123"), (12345.6, "12300"),
     (9.996, "10.0"), (0.00034951, "0.000350"), (0.09996, "0.100"), (0.00001234, "1.23e-05")],
)  # fmt: skip
def test_numbers_have_three_significant_figures(value, shown):
    assert number(value) == shown


@pytest.fixture(scope="module")
def shards(tmp_path_factory):
    return write_shards(tmp_path_factory.mktemp("shards"), clips=2)


@pytest.fixture
def evaluate(shards, tiny_checkpoint, tmp_path):
    def run(*options: str) -> int:
        given = ["--checkpoint", str(tiny_checkpoint), "--out", str(tmp_path / "out"), *options]
        return main(["evaluate", "shards", str(shards), *given])

    return run


@pytest.mark.slow
def test_held_out_clips_are_generated_once(evaluate, tmp_path, capsys):
    assert evaluate("--clips", "1") == 0
    out = tmp_path / "out"
    first = out / "generated" / "clip002.mp4"
    assert [path.name for path in (out / "generated").iterdir()] == ["clip002.mp4"], "only of the test split"
    before = first.stat().st_mtime_ns
    assert evaluate() == 0
    assert first.stat().st_mtime_ns == before and (out / "generated" / "clip003.mp4").exists()
    assert "clip002 is there already" in capsys.readouterr().out
    clips = json.loads((out / "report.json").read_text())["clips"]
    assert [clip["person"] for clip in clips] == ["person1", "person1"]
    assert evaluate("--steps", "3") == 1
    assert "choose another --out" in capsys.readouterr().err


def test_true_and_generated_videos_are_alike_in_kind(evaluate, tmp_path):
    assert evaluate("--clips", "1") == 0
    for kind in ("true", "generated"):
        video = Video(tmp_path / "out" / kind / "clip002.mp4")
        assert video.size == (64, 64) and video.has_sound
        assert len(video.waveform()) == pytest.approx(FRAMES * 640, abs=1024)
        frames = list(video.frames())
        assert len(frames) == FRAMES
    true = [frame.mean() for frame in Video(tmp_path / "out" / "true" / "clip002.mp4").frames()]
    assert true == pytest.approx([level(2, k) for k in range(FRAMES)], abs=2), "the stored pictures"
    stored = np.random.default_rng(2).standard_normal(FRAMES * 640) * 0.1
    heard = Video(tmp_path / "out" / "true" / "clip002.mp4").waveform()[: FRAMES * 640]
    assert np.corrcoef(stored, heard)[0, 1] > 0.7, "in step with the pictures, but for AAC's losses"


def test_the_model_sees_the_whole_picture_and_the_first_face():
    from emo_training.evaluation.generate import first_frame, whole_picture

    sample = make_sample(0)
    picture = first_frame(sample)
    prepared = whole_picture(picture, sample.arrays["boxes"][0], 128, 128)
    assert prepared.picture.shape == (3, 128, 128)
    assert (prepared.face.x0, prepared.face.y0, prepared.face.x1, prepared.face.y1) == (32, 32, 80, 96)
    assert float(prepared.picture.mean()) == pytest.approx(level(0, 0) / 255, abs=0.01)
