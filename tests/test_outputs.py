"""Where commands write is tried before anything is loaded, and no work is lost to another run."""

import importlib
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from emo_modules.media.video import read_video
from emo_modules.pipeline import Pipeline
from emo_modules.writing.folder_lock import folder_in_use

from .systems import WINDOWS, needs_posix_errors

ROOT = Path(__file__).parents[1]
BOX = ("--box", "20", "16", "50", "52")

# command line of each, with OUT where its output goes; the inputs do not exist
FILES = {
    "animate": (["emo_modules", "animate", "no.png", "no.wav", "-o", "OUT"], ".mp4"),
    "converse": (["emo_modules", "converse", "no.png", "a.wav", "b.wav", "-o", "OUT"], ".mp4"),
    "animate --sheet": (
        ["emo_modules", "animate", "no.png", "no.wav", "-o", "v.mp4", "--sheet", "OUT"],
        ".png",
    ),
    "convert": (["emo_modules", "convert", "no.pth", "OUT"], ".safetensors"),
    "evaluate": (["emo_people", "evaluate", "--json", "OUT"], ".json"),
    "inspect": (["emo_training", "inspect", "no.tar", "-o", "OUT"], ".png"),
    "adapt": (["emo_training", "adapt", "no.mp4", "--out", "OUT"], ".safetensors"),
    "distill": (
        ["emo_training", "distill", "--teacher", "no", "--shards", "no", "--out", "OUT"],
        ".safetensors",
    ),
    "train-articulation": (
        [
            *("emo_people", "train-articulation", "--audio-encoder", "no", "--spoken", "no"),
            *("--out", "OUT"),
        ],
        ".safetensors",
    ),
    "train-face-reader": (
        ["emo_people", "train-face-reader", "--pool", "no", "--out", "OUT"],
        ".safetensors",
    ),
    "train-faces": (["emo_people", "train-faces", "--pool", "no", "--out", "OUT"], ".safetensors"),
    "train-identity": (
        ["emo_people", "train-identity", "--pool", "no", "--out", "OUT"],
        ".safetensors",
    ),
    "train-audio-encoder": (
        ["emo_people", "train-audio-encoder", "--sounds", "no", "--out", "OUT"],
        ".safetensors",
    ),
    "train-vae": (["emo_people", "train-vae", "--pool", "no", "--out", "OUT"], ".safetensors"),
    "train-syncnet": (["emo_people", "train-syncnet", "--mouths", "no", "--out", "OUT"], ".safetensors"),
}
FOLDERS = {
    "evaluate shards": ["emo_training", "evaluate", "shards", "no", "--out", "OUT"],
    "evaluate videos": ["emo_training", "evaluate", "videos", "no", "no", "--out", "OUT"],
    "person": ["emo_people", "person", "--seed", "1", "--text", "Hi", "--out", "OUT"],
    "prepare": ["emo_training", "prepare", "no", "OUT"],
    "prepare --part": ["emo_training", "prepare", "no", "OUT", "--part", "0/2"],
    "prepare --pack": ["emo_training", "prepare", "no", "OUT", "--pack"],
    "render": ["emo_modules", "render", "no.csv", "--out", "OUT"],
    "render-pool": ["emo_people", "render-pool", "--out", "OUT"],
    "sheets": ["emo_people", "sheets", "--out", "OUT"],
    "render-mouths": ["emo_people", "render-mouths", "--out", "OUT"],
    "render-clips": ["emo_people", "render-clips", "--out", "OUT"],
    "train": ["emo_training", "train", "--stage", "image", "--samples", "no", "--out", "OUT"],
    "train-built-in": [
        *("emo_people", "train-built-in", "--clips", "no", "--held-out", "no", "--vae", "no"),
        *("--audio-encoder", "no", "--out", "OUT"),
    ],
}


@pytest.fixture
def errors(tmp_path, monkeypatch, capsys):
    """What a command says when it ends with status 1."""
    monkeypatch.chdir(tmp_path)

    def run(arguments: list[str], out: Path) -> str:
        package, *given = arguments
        main = importlib.import_module(f"{package}.cli").main
        assert main([str(out) if part == "OUT" else part for part in given]) == 1
        return capsys.readouterr().err

    return run


@needs_posix_errors
@pytest.mark.parametrize("name", FILES)
def test_a_file_that_cannot_be_is_refused_first(errors, tmp_path, name):
    arguments, suffix = FILES[name]
    (tmp_path / "file").write_text("")
    (tmp_path / f"folder{suffix}").mkdir()
    before = sorted(tmp_path.rglob("*"))
    for out, message in (
        (f"folder{suffix}", "is a folder: give the name of a file in it"),
        (f"file/x{suffix}", "a part of the way to it is a file"),
        ("n" * 260 + suffix, "file name too long: give a shorter name"),
        (f"no/{'n' * 260}{suffix}", "file name too long: give a shorter name"),
        ("x.doc", f"should end in {suffix}"),
        ("x", f"got no suffix: name it x{suffix}"),
    ):
        assert message in errors(arguments, tmp_path / out)
    assert sorted(tmp_path.rglob("*")) == before


@needs_posix_errors
@pytest.mark.parametrize("name", FOLDERS)
def test_a_folder_that_cannot_be_or_is_in_use_is_refused_first(errors, tmp_path, name):
    (tmp_path / "file").write_text("")
    assert "a part of the way to it is a file" in errors(FOLDERS[name], tmp_path / "file")
    with folder_in_use(tmp_path / "run", "another run"):
        said = errors(FOLDERS[name], tmp_path / "run")
    assert f"{tmp_path / 'run'} is in use by another run, process " in said


def test_every_command_that_writes_is_among_them():
    tried = {
        tuple(arguments[:2]) for arguments in [*(given for given, _ in FILES.values()), *FOLDERS.values()]
    }
    packages = ("emo_modules", "emo_training", "emo_people")
    writes_nothing = {("emo_modules", "clips")}
    assert tried | writes_nothing == {
        (p, name) for p in packages for name in importlib.import_module(f"{p}.cli").COMMANDS
    }


def test_shares_of_one_preparation_run_beside_each_other(errors, tmp_path):
    with folder_in_use(tmp_path / "run", "prepare --part 1/2", "1-of-2"):
        holder = "another run" if WINDOWS else "prepare --part 1/2"
        assert f"is in use by {holder}" in errors(FOLDERS["prepare"], tmp_path / "run")
        assert "in use" not in errors(FOLDERS["prepare --part"], tmp_path / "run")


@pytest.mark.parametrize("name", ["VIDEO.MP4", "talk 12:30.Mov", "new/folder/v.mp4"])
def test_names_as_cameras_and_windows_write_them(animate, tmp_path, picture_file, sound_file, name, capsys):
    status, _, errors = animate(picture_file, sound_file(), *BOX, "-o", tmp_path / "out" / name)
    assert (status, (tmp_path / "out" / name).exists()) == (0, True), errors


def test_two_processes_with_one_output_both_keep_their_video(
    tmp_path, picture_file, sound_file, tiny_checkpoint
):
    output = tmp_path / "out" / "video.mp4"
    given = [picture_file, sound_file(0.4), "-o", output, "--checkpoint", tiny_checkpoint, *BOX]
    command = [sys.executable, "-m", "emo_modules", "animate", *map(str, given)]
    both = [
        subprocess.Popen(
            [*command, "--seed", seed], cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        )
        for seed in ("1", "2")
    ]
    said = [process.communicate() for process in both]
    assert [process.returncode for process in both] == [0, 0], said
    written = {Path(out.split(": ")[0]).name for out, _ in said}
    assert written == {path.name for path in output.parent.iterdir()}
    if len(written) == 2:  # they met: one had not ended when the other began
        assert written == {"video.mp4", "video-2.mp4"}
        assert sum("another run wrote" in errors for _, errors in said) == 1
    assert all(len(read_video(path)[0]) == 10 for path in output.parent.iterdir())


def test_an_error_in_the_middle_keeps_what_was_rendered(
    animate, picture_file, sound_file, tiny_pipeline, monkeypatch, caplog
):
    decode, calls = tiny_pipeline.vae.decode, []

    def break_down(latents: torch.Tensor) -> torch.Tensor:
        calls.append(len(latents))
        if len(calls) == 2:
            raise ValueError("the model answered NaN")
        return decode(latents)

    monkeypatch.setattr(tiny_pipeline.vae, "decode", break_down)
    monkeypatch.setattr(Pipeline, "load", lambda *given: tiny_pipeline)
    status, output, errors = animate(picture_file, sound_file(0.4), *BOX)
    assert status == 1
    assert "error: the model answered NaN" in errors
    kept = output.with_name("video.part.mp4")
    assert list(output.parent.iterdir()) == [kept]
    assert len(read_video(kept)[0]) == calls[0]
    assert f"before the error are kept in {kept}" in caplog.text
