"""`convert`, then `animate`: from a relative's released files to a video."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch

from emo_modules.cli import main
from emo_modules.families.family import SD15_TERMS
from emo_modules.media.video import VideoWriter, read_video

from .relatives import random_emo, release, shrink, small, write, write_encoder, write_release, write_vae

BOX = ("--box", "20", "16", "50", "52")
FAST = (*BOX, "--steps", "1", "--cfg", "1")


@pytest.fixture(autouse=True)
def small_families(monkeypatch):
    shrink(monkeypatch)


@pytest.fixture
def files(tmp_path) -> Callable[[str], tuple[Path, Path, Path]]:
    """A family's released set, VAE and speech encoder."""

    def make(name: str) -> tuple[Path, Path, Path]:
        config = small(name)
        return (
            write_release(name, tmp_path / name),
            write_vae(config, tmp_path / "vae.safetensors"),
            write_encoder(config, tmp_path / "encoder.safetensors"),
        )

    return make


@pytest.fixture
def frames(monkeypatch) -> list[torch.Tensor]:
    """What was written to videos, before the codec: x264 does not always give the same bytes."""
    written: list[torch.Tensor] = []
    write_one = VideoWriter.write

    def spy(self: VideoWriter, frame: torch.Tensor) -> None:
        written.append(frame)
        write_one(self, frame)

    monkeypatch.setattr(VideoWriter, "write", spy)
    return written


def convert(*arguments: Path | str) -> int:
    return main(["convert", *map(str, arguments)])


@pytest.mark.parametrize(
    ("name", "count", "fps"), [("hallo", 17, 25), ("echomimic", 14, 24), ("v_express", 6, 30)]
)
def test_released_files_become_a_video(
    animate, files, frames, tmp_path, picture_file, sound_file, capsys, name, count, fps
):
    """Converted with everything inside, or as released with files of VAE and encoder: the same frames."""
    main_file, vae, encoder = files(name)
    converted = tmp_path / "converted.safetensors"
    assert convert(main_file, converted, "--vae", vae, "--audio-encoder", encoder) == 0
    said = capsys.readouterr().out
    assert str(converted) in said
    assert "Licence of the weights: " in said
    sound, videos = sound_file(count / fps), []
    for checkpoint, options in (
        (converted, ()),
        (converted, ("--low-memory",)),
        (main_file.parent, ("--vae", vae, "--audio-encoder", encoder)),
    ):
        frames.clear()
        status, output, errors = animate(picture_file, sound, *BOX, *options, checkpoint=checkpoint)
        assert status == 0, errors
        video, found_fps, _, _ = read_video(output)
        assert (video.shape, found_fps) == ((count, 64, 64, 3), fps)
        videos.append(torch.stack(frames) / 255)
    assert videos[0].std() > 0.01
    assert torch.equal(videos[0], videos[1])
    assert (videos[0] - videos[2]).abs().max() < 1.1 / 255  # weights lie otherwise in memory


def test_what_is_missing_is_named_with_its_option(animate, files, picture_file, sound_file):
    main_file, vae, encoder = files("hallo")
    given = (picture_file, sound_file(0.1), *FAST)
    for options, said in (
        ((), "net.pth has no vae and no audio_encoder; name files of them with --vae and --audio-encoder"),
        (("--vae", vae), "net.pth has no audio_encoder; name files of them with --audio-encoder"),
        (("--audio-encoder", encoder), "net.pth has no vae; name files of them with --vae"),
    ):
        status, output, errors = animate(*given, *options, checkpoint=main_file)
        assert (status, output.exists()) == (1, False)
        assert said in errors


def test_the_encoder_of_another_family(animate, files, tmp_path, picture_file, sound_file):
    main_file, vae, _ = files("echomimic")
    encoder = write_encoder(small("hallo"), tmp_path / "wav2vec2.safetensors")
    options = ("--vae", vae, "--audio-encoder", encoder)
    status, _, errors = animate(picture_file, sound_file(0.1), *FAST, *options, checkpoint=main_file)
    assert status == 1
    assert "wav2vec2.safetensors: expected whisper-tiny" in errors


def test_a_face_embedding_counts_and_a_warning_says_what_is_lost_without(
    animate, files, frames, tmp_path, picture_file, sound_file, caplog
):
    main_file, vae, encoder = files("hallo")
    np.save(tmp_path / "face.npy", np.random.default_rng(0).normal(size=512))
    np.save(tmp_path / "none.npy", np.zeros(512))
    videos = []
    for options in ((), ("--identity", tmp_path / "face.npy"), ("--identity", tmp_path / "none.npy")):
        parts = ("--vae", vae, "--audio-encoder", encoder)
        status, _, errors = animate(
            picture_file, sound_file(0.1), *FAST, *parts, *options, checkpoint=main_file
        )
        assert status == 0, errors
        assert ("hallo has no face embedding (identity)" in caplog.text) == (
            not options or "none" in str(options)
        )
        caplog.clear()
        videos.append(torch.stack(frames) / 255)
        frames.clear()
    assert not torch.equal(videos[0], videos[1])
    assert torch.equal(videos[0], videos[2])
    np.save(tmp_path / "short.npy", np.zeros(128))
    parts = ("--vae", vae, "--audio-encoder", encoder, "--identity", tmp_path / "short.npy")
    status, _, errors = animate(picture_file, sound_file(0.1), *FAST, *parts, checkpoint=main_file)
    assert status == 1
    assert "identity is a face embedding of 512 finite numbers, got 128" in errors


def test_landmark_weights_say_what_they_want(animate, files, picture_file, sound_file):
    main_file, vae, encoder = files("echomimic_pose")
    parts = ("--vae", vae, "--audio-encoder", encoder)
    status, _, errors = animate(picture_file, sound_file(0.5), *FAST, *parts, checkpoint=main_file)
    assert status == 1
    assert "echomimic-pose wants a landmark picture for each of 12 frames, got 0" in errors


def test_speed_is_ignored_with_a_warning(animate, files, frames, picture_file, sound_file, caplog):
    main_file, vae, encoder = files("echomimic")
    parts = ("--vae", vae, "--audio-encoder", encoder)
    videos = []
    for speed in ("4", "40"):
        status, _, errors = animate(
            picture_file, sound_file(0.1), *FAST, *parts, "--head-speed", speed, checkpoint=main_file
        )
        assert status == 0, errors
        assert f"echomimic has no speed layers: head speed {speed} is ignored" in caplog.text
        videos.append(torch.stack(frames) / 255)
        frames.clear()
    assert torch.equal(*videos)


def test_convert_prints_family_licence_and_source(files, tmp_path, capsys):
    output = tmp_path / "v-express.safetensors"
    assert convert(files("v_express")[0], output, "--dtype", "fp16") == 0
    assert capsys.readouterr().out == (
        f"{output}: V-Express. Licence of the weights: for non-commercial research only, as its README says. "
        "From https://huggingface.co/tk93/V-Express\n"
        f"They are {SD15_TERMS}\n"
    )


def test_convert_fails_in_one_line_without_a_file(tmp_path, capsys):
    output = tmp_path / "out.safetensors"
    assert convert(tmp_path / "net.pth", output) == 1
    assert f"error: {tmp_path / 'net.pth'}: nothing there; expected" in capsys.readouterr().err
    files = release("hallo", random_emo(small("hallo")).state_dict())
    del files["net.pth"]["imageproj.proj.weight"]
    assert convert(write(files, tmp_path / "set"), output) == 1
    errors = capsys.readouterr().err
    assert "missing: reference_net.identity_projection.proj.weight" in errors
    assert "Traceback" not in errors
    assert not output.exists()


def test_convert_into_a_folder_that_is_not_there(files, tmp_path, capsys):
    output = tmp_path / "nowhere" / "out.safetensors"
    status = convert(files("hallo")[0], output)
    assert output.exists() or (status == 1 and "nowhere" in capsys.readouterr().err)


def test_convert_writes_safetensors_only(files, tmp_path):
    assert convert(files("hallo")[0], tmp_path / "out.pth") == 1


@pytest.mark.parametrize("name", ["hallo", "echomimic", "v_express"])
def test_half_precision_renders_nearly_the_same(
    animate, files, frames, tmp_path, picture_file, sound_file, name
):
    """The default on a GPU, tried with the arithmetic of the CPU; fp16 takes minutes there."""
    main_file, vae, encoder = files(name)
    options, videos = (*FAST, "--vae", vae, "--audio-encoder", encoder), {}
    for precision in ("fp32", "bf16"):
        frames.clear()
        status, _, errors = animate(
            picture_file, sound_file(0.1), *options, "--dtype", precision, checkpoint=main_file.parent
        )
        assert status == 0, errors
        videos[precision] = torch.stack(frames) / 255
    assert videos["fp32"].std() > 0.01
    assert (videos["bf16"] - videos["fp32"]).abs().mean() < 0.02
