import json

import numpy as np
import pytest
import soundfile
from PIL import Image

from emo_modules.media.video import read_video
from emo_people.filming.cases import make_case, write_case
from emo_people.filming.seeds import HELD_OUT
from emo_people.speech.voices import HELD_OUT_VOICES, TRAINING_VOICES

from ..voices import needs_voices

pytestmark = needs_voices
TEXT = "Emma found a silver spoon."


@pytest.fixture(scope="module")
def written(tmp_path_factory):
    folder = tmp_path_factory.mktemp("avatar") / "new" / "folder"
    return folder, write_case(folder, 5, TEXT, "flite:slt")


def test_all_files_agree(written):
    folder, case = written
    assert sorted(p.name for p in folder.iterdir()) == [
        "portrait.png",
        "speech.wav",
        "truth.json",
        "truth.mp4",
    ]
    truth = json.loads((folder / "truth.json").read_text())
    frames, fps, _, sample_rate = read_video(folder / "truth.mp4")
    sound, rate = soundfile.read(folder / "speech.wav")
    assert truth["fps"] == fps == 25 and rate == sample_rate == 16000
    assert len(truth["frames"]) == len(frames) == case.frames == len(sound) / 640
    assert np.array_equal(np.array(Image.open(folder / "portrait.png")), case.portrait)
    assert np.abs(frames.numpy().astype(float) - case.truth()).mean() < 4


def test_truth_is_in_the_ranges_it_names(written):
    folder, case = written
    rows = json.loads((folder / "truth.json").read_text())["frames"]
    opening = np.array([row["mouth_open"] for row in rows])
    assert opening.min() < 0.1 and 0.4 < opening.max() <= 1
    assert np.allclose(opening, case.performance.mouth_open, atol=1e-4)
    assert all(abs(row["yaw"]) <= 20 and abs(row["pitch"]) <= 15 and abs(row["roll"]) <= 12 for row in rows)
    assert all(
        0 <= x0 < x1 <= 128 and 0 <= y0 < y1 <= 128 for x0, y0, x1, y1 in (r["face_box"] for r in rows)
    )


def test_equal_seeds_give_equal_avatars(written, tmp_path):
    folder, _ = written
    write_case(tmp_path, 5, TEXT, "flite:slt")
    assert (tmp_path / "truth.json").read_bytes() == (folder / "truth.json").read_bytes()
    assert (tmp_path / "portrait.png").read_bytes() == (folder / "portrait.png").read_bytes()


def test_bad_requests_are_refused(tmp_path):
    with pytest.raises(ValueError, match="seed must be in"):
        write_case(tmp_path, -1, TEXT, "flite:slt")
    with pytest.raises(ValueError, match="unknown voice"):
        write_case(tmp_path, 1, TEXT, "flite:nobody")
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("seed", [HELD_OUT + 50_000, HELD_OUT + 50_001])
def test_cases_are_held_out_and_fit_the_sound(seed):
    case = make_case(seed)
    assert case.voice in (HELD_OUT_VOICES if seed % 2 else TRAINING_VOICES)
    assert 60 <= case.frames <= 100
    assert len(case.waveform) == case.frames * 640
    again = make_case(seed)
    assert np.array_equal(case.waveform, again.waveform) and np.array_equal(case.portrait, again.portrait)


def test_long_cases_join_sentences():
    case = make_case(HELD_OUT + 50_001, 9, 9)
    assert case.frames == 225 and len(case.waveform) == 225 * 640
    ends = [phoneme.end for phoneme in case.speech.phonemes]
    assert ends == sorted(ends) and ends[-1] == pytest.approx(len(case.speech.waveform) / 16000)
    assert (case.performance.mouth_open[-60:] > 0.3).any(), "still speaking at the end"
