"""`python -m emo_modules animate`: from files to a video, and an exit status with one line when it cannot."""

import argparse
import signal
import subprocess
import sys
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path

import av
import pytest
import torch
from PIL import Image
from skimage import data

from emo_modules.cli import COMMANDS, MOVED, main
from emo_modules.cli import animate as command
from emo_modules.faults import LIBRARY_ERRORS
from emo_modules.media import formats
from emo_modules.media.audio import load_audio
from emo_modules.media.video import read_video
from emo_modules.pipeline import Pipeline
from emo_training.cli import main as inspect

from .adapters import random_lora

ROOT = Path(__file__).parents[1]
BOX = ("--box", "20", "16", "50", "52")
AAC_PADDING = 1024  # samples that the encoder may add at the end


def test_a_photograph_and_a_stereo_recording_become_a_video(animate, tmp_path, sound_file, caplog):
    photograph = tmp_path / "astronaut.png"
    Image.fromarray(data.astronaut()).save(photograph)
    status, output, errors = animate(photograph, sound_file(0.5, 44100, 2), "--sheet", tmp_path / "sheet.png")
    assert status == 0, errors
    assert "no face found" not in caplog.text
    frames, fps, sound, rate = read_video(output)
    assert frames.shape == (13, 64, 64, 3)
    assert (fps, rate) == (25, 44100)
    assert sound.shape[0] == 2
    assert 0 <= sound.shape[1] - 13 * 1764 <= AAC_PADDING
    assert (sound[0] - sound[1]).std() > 0.05
    assert [path.name for path in output.parent.iterdir()] == ["video.mp4"]
    with Image.open(tmp_path / "sheet.png") as sheet:
        assert sheet.size == ((5 + 2) * 70 + 6, 2 * 70 + 6 + 72)


def test_options_reach_the_rendering(animate, tmp_path, picture_file, sound_file, capsys):
    mask = Image.new("L", (84, 70))
    mask.paste(255, (20, 16, 50, 52))
    mask.save(tmp_path / "mask.png")
    sound, videos = sound_file(0.2), {}
    for name, options in {
        "box": BOX,
        "mask": ("--mask", tmp_path / "mask.png"),
        "seed": (*BOX, "--seed", "7"),
        "steps": (*BOX, "--steps", "3"),
        "cfg": (*BOX, "--cfg", "4"),
        "solver": (*BOX, "--solver", "euler", "--steps", "3"),
        "speed": (*BOX, "--head-speed", "50"),
        "precision": (*BOX, "--dtype", "bf16"),
    }.items():
        status, output, errors = animate(picture_file, sound, *options)
        assert status == 0, errors
        videos[name] = read_video(output)[0].float()
    assert torch.equal(videos["box"], videos["mask"])
    for name in videos.keys() - {"box", "mask"}:
        assert not torch.equal(videos[name], videos["box"]), name


def test_a_lora_changes_the_video_by_its_strength(
    animate, tmp_path, tiny_config, tiny_checkpoint, picture_file, sound_file
):
    lora, sound, videos = random_lora(tmp_path / "person.safetensors", tiny_config).path, sound_file(0.2), {}
    merged = tmp_path / "merged.safetensors"
    assert main(["convert", str(tiny_checkpoint), str(merged), "--lora", f"{lora}:0.5"]) == 0
    for name, options, checkpoint in (
        ("without", (), None),
        ("none of it", ("--lora", f"{lora}:0"), None),
        ("half", ("--lora", f"{lora}:0.5"), None),
        ("merged", (), merged),
        ("all", ("--lora", lora, "--low-memory"), None),
        ("there and back", ("--lora", f"{lora}:0.5", "--lora", f"{lora}:-0.5"), None),
    ):
        status, output, errors = animate(picture_file, sound, *BOX, *options, checkpoint=checkpoint)
        assert status == 0, errors
        videos[name] = read_video(output)[0].float()
    assert torch.equal(videos["none of it"], videos["without"])
    back, changed = ((videos[name] - videos["without"]).abs().max() for name in ("there and back", "all"))
    assert back < 0.02 < changed
    assert torch.equal(videos["merged"], videos["half"])
    assert len({videos[name].sum().item() for name in ("without", "half", "all")}) == 3


def test_a_lora_of_another_family_is_one_line(animate, tmp_path, tiny_config, picture_file, sound_file):
    lora = random_lora(tmp_path / "person.safetensors", tiny_config, family="hallo").path
    status, output, errors = animate(picture_file, sound_file(0.2), "--lora", lora)
    assert status == 1
    assert f"error: {lora} is a LoRA for the family hallo, the model is of emo" in errors
    assert not output.exists()


def test_the_papers_preset_goes_through_the_same_command(
    animate, tmp_path, make_pipeline, paper_config, save_pipeline, picture_file, sound_file
):
    checkpoint = save_pipeline(make_pipeline(paper_config), tmp_path / "paper.safetensors")
    sound = sound_file(0.2, 44100, 2)
    status, output, errors = animate(picture_file, sound, *BOX, "--steps", "2", checkpoint=checkpoint)
    assert status == 0, errors
    assert read_video(output)[0].shape == (5, 96, 64, 3)


@pytest.mark.parametrize(
    ("rate", "channels", "written"),
    [(8000, 1, (8000, 1)), (192_000, 2, (48_000, 2)), (22_255, 1, (48_000, 1)), (48_000, 6, (48_000, 2))],
)
def test_sound_is_written_as_a_video_can_hold_it(animate, picture_file, sound_file, rate, channels, written):
    status, output, errors = animate(picture_file, sound_file(0.2, rate, channels), *BOX, "--steps", "1")
    assert status == 0, errors
    frames, _, sound, found = read_video(output)
    assert (found, len(sound)) == written
    assert len(frames) == 5
    assert 0 <= sound.shape[1] - found // 5 <= AAC_PADDING
    assert sound.std() > 0.02


@pytest.mark.parametrize(
    ("name", "options", "codecs", "heard"),
    [
        ("v.mov", (), ["h264", "aac"], "v.mov"),
        ("v.mov", ("--format", "prores"), ["prores", "pcm_s24le"], "v.mov"),
        ("v.webm", (), ["vp9", "opus"], "v.webm"),
        ("v.gif", (), ["gif"], "v.sound.wav"),
        ("v/%05d.png", (), ["png"], "v.sound.wav"),
    ],
)
def test_the_suffix_chooses_the_format(
    animate, tmp_path, picture_file, sound_file, caplog, name, options, codecs, heard
):
    caplog.set_level("INFO")
    output, sound = tmp_path / "films" / name, sound_file(0.2)
    status, _, errors = animate(picture_file, sound, *BOX, "--steps", "1", "-o", output, *options)
    assert status == 0, errors
    with av.open(str(output)) as container:
        assert [stream.codec_context.name for stream in container.streams] == codecs
        assert sum(1 for _ in container.decode(video=0)) == 5
    heard = tmp_path / "films" / heard
    track = load_audio(heard)
    assert 0 <= track.waveform.shape[-1] - track.sample_rate // 5 <= AAC_PADDING
    given = load_audio(sound).mono
    middle = slice(500, len(given) - 500)
    assert torch.corrcoef(torch.stack([track.mono[: len(given)][middle], given[middle]]))[0, 1] > 0.95
    beside = [f"the sound is in {heard}, because {output.suffix} files hold none"] * (len(codecs) == 1)
    assert [line for line in caplog.messages if "the sound is in" in line] == beside


@pytest.mark.parametrize(
    ("name", "options", "message"),
    [
        ("v.mp4", ("--format", "prores"), "should end in .mov, got .mp4: name it v.mov"),
        ("v.png", (), "names one picture where every frame needs a number: name them"),
        ("v.webm", (), "needs the encoder libvpx-vp9, which this build of PyAV"),
    ],
)
def test_a_format_that_cannot_be_written_is_said_before_anything_is_read(
    animate, tmp_path, monkeypatch, name, options, message
):
    monkeypatch.setattr(formats, "has_encoder", lambda encoder: encoder != "libvpx-vp9")
    status, _, errors = animate(tmp_path / "no.png", tmp_path / "no.wav", "-o", tmp_path / name, *options)
    assert status == 1 and message in errors
    assert list(tmp_path.glob("v*")) == []


@pytest.mark.parametrize("suffix", [".avi", ""])
def test_an_output_of_another_kind_is_refused(animate, tmp_path, picture_file, sound_file, suffix):
    target = tmp_path / f"video{suffix}"
    status, _, errors = animate(picture_file, sound_file(), *BOX, "-o", target)
    assert status == 1
    assert "error: " in errors
    assert "should end in .mp4, .m4v, .mov, .mkv, .webm, .gif or .png" in errors
    assert not target.exists()


def test_an_output_that_cannot_be_written_is_an_error(animate, picture_file, sound_file):
    status, _, errors = animate(picture_file, sound_file(), *BOX, "-o", picture_file / "video.mp4")
    assert status == 1
    assert "error: " in errors


def test_steps_must_be_at_least_one(animate, picture_file, sound_file):
    status, output, errors = animate(picture_file, sound_file(), *BOX, "--steps", "0")
    assert (status, output.exists()) == (1, False)
    assert "error: denoising needs at least 1 step, got 0" in errors


def test_an_interrupted_rendering_leaves_finished_files_whole_and_no_other(
    animate, picture_file, sound_file, monkeypatch
):
    sound = sound_file(0.4)
    status, output, _ = animate(picture_file, sound, *BOX)
    before = output.read_bytes()

    def interrupt(bar, progress) -> None:
        if progress.clip == 2:
            raise KeyboardInterrupt

    monkeypatch.setattr(command.Bar, "step", interrupt)
    status, _, errors = animate(picture_file, sound, *BOX, "--seed", "1")
    assert status == 130
    assert errors.endswith("interrupted\n")
    assert output.read_bytes() == before
    assert [path.name for path in output.parent.iterdir()] == ["video.mp4"]


def test_too_little_memory_is_an_error_without_a_file(
    animate, picture_file, sound_file, tiny_pipeline, monkeypatch
):
    def full(latents) -> None:
        raise torch.OutOfMemoryError("CUDA out of memory.")

    monkeypatch.setattr(tiny_pipeline.vae, "decode", full)
    monkeypatch.setattr(Pipeline, "load", lambda *given: tiny_pipeline)
    status, output, errors = animate(picture_file, sound_file(), *BOX)
    assert status == 1
    assert "error: not enough memory to decode one frame of 64 x 64 pixels" in errors
    assert list(output.parent.iterdir()) == []


def test_the_program_itself_fails_in_one_line(tmp_path):
    missing = tmp_path / "nobody.png"
    done = subprocess.run(
        [sys.executable, "-m", "emo_modules", "animate", missing, missing, "-o", tmp_path / "video.mp4"],
        cwd=ROOT, capture_output=True, text=True,
    )  # fmt: skip
    assert done.returncode == 1
    assert done.stderr.startswith("error: ")
    assert str(missing) in done.stderr
    assert "Traceback" not in done.stderr
    assert done.stdout == ""


def test_help_lists_the_commands_without_loading_them(capsys):
    with pytest.raises(SystemExit) as left:
        main(["--help"])
    assert left.value.code == 0
    text = capsys.readouterr().out
    assert all(f"    {name}" in text for name in COMMANDS)


@pytest.mark.parametrize("command", MOVED)
def test_a_command_that_has_moved_says_where_to(command, capsys):
    assert main([command, "--out", "x"]) == 1
    said = capsys.readouterr().err
    assert said.startswith(f"error: {command} has moved: python -m emo_")
    package, name = said.split("python -m ")[-1].split(",")[0].split()
    assert "in a clone of the repository" in said, "the registry's archive has neither package"
    assert name in import_module(f"{package}.cli").COMMANDS


def test_help_lists_every_option_of_animate(capsys):
    with pytest.raises(SystemExit):
        main(["animate", "--help"])
    text = capsys.readouterr().out
    names = (
        "output checkpoint seed steps cfg guided-steps solver head-speed box mask face vae audio-encoder "
        "identity decode-beside compile low-memory device dtype sheet deep-cache tiny-decoder"
    )
    assert all(f"--{name} " in text for name in names.split())


def test_usage_errors_leave_with_two(capsys):
    with pytest.raises(SystemExit) as left:
        main(["animate", "portrait.png"])
    assert left.value.code == 2
    assert "required: audio, -o/--output" in capsys.readouterr().err


def test_an_unusable_device_is_named(animate, picture_file, sound_file):
    status, output, errors = animate(picture_file, sound_file(0.2), "--device", "cuda:7")
    assert (status, output.exists()) == (1, False)
    assert errors.startswith("error: device 'cuda:7' cannot be used here")


@pytest.mark.parametrize(("module", "name"), LIBRARY_ERRORS)
def test_errors_of_libraries_end_in_a_line(module, name, monkeypatch, capsys, tmp_path):
    kind = getattr(import_module(module), name)

    class Broken(kind):
        def __init__(self) -> None:
            Exception.__init__(self, "the file is broken")

        def __str__(self) -> str:
            return "the file is broken"

    def run(options: argparse.Namespace) -> None:
        raise Broken

    monkeypatch.setattr("emo_training.cli.inspect.run", run)
    assert inspect(["inspect", str(tmp_path), "-o", str(tmp_path / "x.png")]) == 1
    assert capsys.readouterr().err.startswith("error: the file is broken")


def test_a_fault_of_the_program_is_not_hidden(monkeypatch, tmp_path):
    def run(options: argparse.Namespace) -> None:
        raise RuntimeError("shapes do not fit")

    monkeypatch.setattr("emo_training.cli.inspect.run", run)
    with pytest.raises(RuntimeError, match="shapes do not fit"):
        inspect(["inspect", str(tmp_path), "-o", str(tmp_path / "x.png")])


def test_running_out_of_memory_is_said(monkeypatch, capsys, tmp_path):
    def run(options: argparse.Namespace) -> None:
        raise MemoryError

    monkeypatch.setattr("emo_training.cli.inspect.run", run)
    assert inspect(["inspect", str(tmp_path), "-o", str(tmp_path / "x.png")]) == 1
    assert "error: not enough memory" in capsys.readouterr().err


@pytest.fixture
def interruptible() -> Iterator[None]:
    """Shells start what runs in the background deaf to Ctrl-C."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.mark.parametrize("times", [1, 2])
def test_ctrl_c_ends_with_the_clip_and_the_second_one_at_once(
    animate, picture_file, sound_file, monkeypatch, interruptible, times
):
    """0.8 s are five clips; the film of two of them plays, with sound as far as its last frame."""
    sound, show = sound_file(0.8), command.Bar.step

    def pressing(bar, at) -> None:
        show(bar, at)
        if (at.clip, at.step) == (2, 1):
            for _ in range(times):
                signal.raise_signal(signal.SIGINT)

    monkeypatch.setattr(command.Bar, "step", pressing)
    status, output, errors = animate(picture_file, sound, *BOX)
    assert "stopping after this clip" in errors
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler
    if times == 2:
        assert (status, output.exists()) == (130, False)
        return
    assert status == 0
    frames, fps, heard, rate = read_video(output)
    assert len(frames) == 8
    assert heard.shape[1] / rate == pytest.approx(8 / 25, abs=0.03)
