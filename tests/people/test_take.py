import json
import os
import subprocess
import sys

import numpy as np
import pytest
import soundfile
from PIL import Image

from emo_modules.media.video import read_video
from emo_people.filming.take import Direction, rehearse, write_take

from ..voices import needs_voices
from .gl import drawn as drawn

TEXT = "Emma found a silver spoon."


@pytest.fixture(scope="module")
def direction():
    return Direction(5, TEXT, "flite:slt", size=(160, 128), yaw=12)


@pytest.fixture(scope="module")
def take(direction):
    return rehearse(direction)


@pytest.fixture(scope="module")
def written(drawn, take, direction, tmp_path_factory):
    folder = tmp_path_factory.mktemp("take") / "new" / "folder"
    write_take(folder, direction, take, drawn)
    return folder, json.loads((folder / "truth.json").read_text())


@needs_voices
def test_all_files_agree(written):
    folder, told = written
    assert {path.name for path in folder.iterdir()} == {
        "portrait.png",
        "speech.wav",
        "truth.mp4",
        "truth.json",
    }
    frames, fps, _, sample_rate = read_video(folder / "truth.mp4")
    sound, rate = soundfile.read(folder / "speech.wav")
    assert told["fps"] == fps == 25 and rate == sample_rate == 16000
    assert len(told["frames"]) == len(frames) == len(sound) / 640
    assert Image.open(folder / "portrait.png").size == (160, 128) == frames.shape[2:0:-1]
    assert (told["seed"], told["text"]) == (5, TEXT)


@needs_voices
def test_the_first_frame_is_near_the_portrait(written):
    folder, told = written
    assert told["frames"][0]["yaw"] == pytest.approx(12, abs=1.5)
    portrait = np.array(Image.open(folder / "portrait.png").convert("RGB"))
    first, last = read_video(folder / "truth.mp4")[0].numpy()[[0, len(told["frames"]) // 2]]
    off = [np.abs(frame.astype(float) - portrait).mean() for frame in (first, last)]
    assert off[0] < off[1]


@needs_voices
def test_the_mouth_moves_and_closes(written):
    opening = np.array([row["mouth_open"] for row in written[1]["frames"]])
    assert opening.min() < 0.06 < 0.12 < opening.max()


@needs_voices
def test_a_take_is_the_same_again(take, direction):
    again = rehearse(direction)
    assert np.array_equal(take.performance.actions, again.performance.actions)
    assert np.array_equal(take.waveform, again.waveform)


@needs_voices
@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["--seed", "-1", "--text", "hello"], "seed must be in 0"),
        (["--seed", "1", "--text", " "], "no text"),
        (["--seed", "1", "--text", "hello", "--voice", "espeak:klingon"], "klingon"),
        (["--seed", "1", "--text", "hello", "--head-speed", "90"], "0..45"),
    ],
)
def test_what_cannot_be_filmed_is_said_in_one_sentence(options, words, tmp_path):
    command = [sys.executable, "-m", "emo_people", "person", *options, "--out", str(tmp_path / "out")]
    run = subprocess.run(command, capture_output=True, text=True)
    assert run.returncode != 0 and words in run.stderr and len(run.stderr.strip().splitlines()) == 1


def test_without_opengl_one_sentence_names_the_packages(tmp_path):
    command = [sys.executable, "-m", "emo_people", "sheets", "--out", str(tmp_path / "out")]
    nothing = {**os.environ, "__EGL_VENDOR_LIBRARY_FILENAMES": os.devnull}
    run = subprocess.run(command, capture_output=True, text=True, env=nothing)
    assert run.returncode != 0 and "apt-get install libegl1" in run.stderr
    assert len(run.stderr.strip().splitlines()) == 1
