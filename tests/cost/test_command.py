"""`animate --estimate`, the rates that a rendering leaves, and the time left on its progress bar."""

import json
import os
import re
from pathlib import Path

import pytest

from emo_modules.cli import main
from emo_modules.cost.rates import FILE
from emo_modules.film import write_video
from emo_modules.media.audio import Audio
from emo_modules.options import Options

BOX = ("--box", "20", "16", "50", "52")


def runs() -> list[dict[str, object]]:
    path = Path(os.environ["EMO_CLIPS"]) / FILE
    return json.loads(path.read_text()) if path.exists() else []


def test_an_estimate_renders_nothing_and_knows_the_time_once_it_was_done(
    animate, tmp_path, tiny_checkpoint, picture_file, sound_file, capsys
):
    sound = sound_file(0.5)
    asked = ["animate", picture_file, sound, "-o", tmp_path / "v.mp4", "--checkpoint", tiny_checkpoint]
    asked = [*map(str, asked), *BOX, "--estimate"]
    assert main(asked) == 0
    before = capsys.readouterr().out.splitlines()
    assert before[0] == "13 frames, 4 clips, 8 steps"
    assert before[1].startswith("the time is told after the first steps")
    assert re.fullmatch(r"memory: 0\.\d GB.*", before[2])
    assert not (tmp_path / "v.mp4").exists()
    assert animate(picture_file, sound, *BOX)[0] == 0
    capsys.readouterr()
    assert main(asked) == 0
    assert re.match(r"about \d+ ", capsys.readouterr().out.splitlines()[1])
    assert main([*asked, "--cfg", "1"]) == 0
    assert "the time is told" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (("--start", "9"), "the sound ends after 0.10 s"),
        (("--steps", "0"), "at least 1 step, got 0"),
        (("--size", "128"), "leave the size out"),
        (("--device", "cuda:99"), "cannot be used here"),
    ],
)
def test_what_cannot_be_rendered_is_refused_by_an_estimate_too(
    animate, picture_file, sound_file, options, said
):
    status, _, errors = animate(picture_file, sound_file(0.1), "--estimate", *options)
    assert status == 1
    assert said in errors


def test_clips_from_the_store_leave_no_rates(animate, picture_file, sound_file):
    sound = sound_file(0.5)
    assert animate(picture_file, sound, *BOX)[0] == 0
    assert len(runs()) == 1
    assert animate(picture_file, sound, *BOX)[0] == 0
    assert len(runs()) == 1


def test_the_bar_tells_the_time_left_of_the_whole_film(animate, picture_file, sound_file):
    _, _, errors = animate(picture_file, sound_file(0.5), *BOX)
    assert re.search(r"2/8 \[00:\d\d, \d+ s left\]", errors)
    assert re.search(r"8/8 \[00:\d\d, 1 s left\]", errors)


def test_a_library_rendering_needs_no_watch(tiny_pipeline, portrait, tones, tmp_path):
    animation = tiny_pipeline.animate(portrait, Audio(tones(0.1, 16000)), Options())
    assert write_video(animation, tmp_path / "v.mp4").frames == 3
