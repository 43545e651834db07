"""What a user may hand in by mistake: a result with a warning, or an error that says what to do."""

import logging
import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import soundfile
import torch
from PIL import Image
from safetensors.torch import save_file
from torch import Tensor

from emo_modules.checkpoints.store import save_checkpoint
from emo_modules.cli import animate as command
from emo_modules.cues.face import Box
from emo_modules.media.audio import Audio
from emo_modules.media.image import load_image
from emo_modules.media.video import read_video
from emo_modules.options import Options
from emo_modules.pipeline import Pipeline
from emo_modules.prepared import Prepared
from emo_modules.sampling.solver import Cancelled

FACE = Options(box=Box(20, 16, 50, 52))
BOX = ("--box", "20", "16", "50", "52")
ONE_STEP = Options(steps=1, cfg=1.0)
RNG = np.random.default_rng(0)


def noise(*shape: int) -> np.ndarray:
    return RNG.integers(0, 256, shape, dtype=np.uint8)


@pytest.fixture(autouse=True)
def all_that_is_said(caplog) -> None:
    caplog.set_level(logging.WARNING)


def said(caplog) -> str:
    return "\n".join(record.getMessage() for record in caplog.records)


# Pictures


def with_transparent_palette() -> Image.Image:
    picture = Image.fromarray(noise(40, 50)).convert("P")
    picture.info["transparency"] = 0
    return picture


PICTURES: dict[str, tuple[Callable[[], Image.Image], str]] = {
    "transparent": (lambda: Image.fromarray(noise(60, 50, 4)), "transparent, put on white"),
    "transparent palette": (with_transparent_palette, "transparent, put on white"),
    "grey": (lambda: Image.fromarray(noise(50, 60)), "mode L converted to RGB"),
    "16 bits": (lambda: Image.fromarray(noise(50, 60).astype(np.uint16) * 257), "mode I;16 scaled to 8 bits"),
    "one pixel": (lambda: Image.fromarray(noise(1, 1, 3)), ""),
    "tiny": (lambda: Image.fromarray(noise(3, 2, 3)), ""),
    "odd": (lambda: Image.fromarray(noise(33, 57, 3)), ""),
    "huge": (lambda: Image.fromarray(noise(40, 5000, 3)), "5000x40 made smaller to fit 4096 px"),
    "tall": (lambda: Image.fromarray(noise(300, 20, 3)), ""),
}


@pytest.mark.parametrize("name", PICTURES)
def test_pictures_of_any_kind_are_converted_and_it_is_said(name, tmp_path, tiny_pipeline, tones, caplog):
    make, message = PICTURES[name]
    make().save(tmp_path / "picture.png")
    picture = load_image(tmp_path / "picture.png")
    assert message in said(caplog)
    animation = tiny_pipeline.animate(picture, Audio(tones(0.04, 16000)), ONE_STEP)
    (frames,) = animation.frames
    assert frames.shape == (1, 64, 64, 3)
    assert frames.isfinite().all()
    assert "no face found in the" in said(caplog)
    crop = animation.prepared.crop.box
    assert crop.width >= picture.shape[1]
    assert crop.height >= picture.shape[0]


def test_without_a_face_the_whole_picture_is_used_and_the_video_is_made(
    animate, picture_file, sound_file, caplog
):
    status, output, _ = animate(picture_file, sound_file())
    assert (status, output.exists()) == (0, True)
    assert "no face found in the 84x70 picture, using all of it: give a box or mask" in said(caplog)


def test_one_of_several_faces_is_chosen_by_its_size(
    animate, tiny_pipeline, picture_file, sound_file, monkeypatch
):
    faces = [Box(40, 20, 70, 60), Box(5, 5, 20, 25)]
    monkeypatch.setattr("emo_modules.cues.face.search_faces", lambda image: faces)
    picture = load_image(picture_file)
    for index, face in enumerate(faces):
        found = Prepared.from_portrait(picture, Options(face_index=index), tiny_pipeline.config)
        assert found.crop == Prepared.from_portrait(picture, Options(box=face), tiny_pipeline.config).crop
    status, output, errors = animate(picture_file, sound_file(), "--face", "2")
    assert (status, output.exists()) == (1, False)
    assert "error: face index 2, but found 2: give 0 (largest) to 1" in errors


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (("--box", "90", "10", "99", "20"), "has no area inside the 84x70 picture: draw it around the face"),
        (("--mask", "nowhere.png"), "nowhere.png"),
    ],
)
def test_a_face_that_is_not_there(animate, picture_file, sound_file, options, message):
    status, output, errors = animate(picture_file, sound_file(), *options)
    assert (status, output.exists()) == (1, False)
    assert "error: " in errors
    assert message in errors


def test_a_black_mask_counts_as_none(animate, tmp_path, picture_file, sound_file, caplog):
    Image.new("L", (84, 70)).save(tmp_path / "mask.png")
    assert animate(picture_file, sound_file(), "--mask", tmp_path / "mask.png")[0] == 0
    assert "the face mask (70, 84) is empty, looking for a face instead" in said(caplog)


# Sound and files that are none: refused before a model is loaded


@pytest.fixture
def no_model(monkeypatch) -> None:
    def load(*given) -> None:
        raise AssertionError("a model was loaded")

    monkeypatch.setattr(Pipeline, "load", load)


def broken(value: float) -> Tensor:
    waveform = torch.zeros(1, 4000)
    waveform[0, 7:10] = value
    return waveform


@pytest.mark.parametrize(
    ("waveform", "message"),
    [
        (torch.zeros(1, 0), "has an audio stream without samples"),
        (broken(torch.nan), "audio has 3 NaN or infinite samples of 4000"),
        (broken(torch.inf), "audio has 3 NaN or infinite samples of 4000"),
    ],
    ids=["empty", "nan", "infinite"],
)
def test_sound_that_cannot_be_used(animate, picture_file, sound_file, no_model, waveform, message):
    status, output, errors = animate(picture_file, sound_file(waveform=waveform))
    assert (status, output.parent.exists()) == (1, False)
    assert "error: " in errors
    assert message in errors


def test_a_damaged_recording_is_rendered_at_its_full_length(animate, tmp_path, picture_file, tones, caplog):
    recording = tmp_path / "12:30.mp3"
    soundfile.write(recording, tones(1, 44100).T.numpy(), 44100, format="MP3")
    content = bytearray(recording.read_bytes())
    content[len(content) // 2 : len(content) // 2 + 600] = bytes(600)
    recording.write_bytes(content)
    status, output, errors = animate(picture_file, recording, *BOX, "--steps", "1")
    assert status == 0, errors
    assert len(read_video(output)[0]) == pytest.approx(26, abs=2)
    assert re.search(r"12:30\.mp3: \d+ packets? w\w+ damaged, \d+ ms are silent", caplog.text)


@pytest.mark.parametrize("content", [b"", b"no sound in here", b"RIFF\x24\x00\x00\x00WAVEfmt "])
def test_files_that_are_neither_sound_nor_picture(
    animate, tmp_path, picture_file, sound_file, no_model, content
):
    other = tmp_path / "other.bin"
    other.write_bytes(content)
    for given, kind in (((picture_file, other), "audio"), ((other, sound_file()), "a picture")):
        status, _, errors = animate(*given)
        assert status == 1
        assert f"error: {other}" in errors
        assert f"cannot be read as {kind}" in errors


def test_a_picture_is_no_sound(animate, picture_file, no_model):
    status, _, errors = animate(picture_file, picture_file)
    assert status == 1
    assert f"error: {picture_file} has no audio stream, found: video. Choose a file with sound." in errors


def test_the_library_refuses_them_too():
    with pytest.raises(ValueError, match=r"audio is empty: shape \(0,\)"):
        Audio(torch.zeros(0))
    with pytest.raises(ValueError, match="audio has 3 NaN or infinite samples"):
        Audio(broken(torch.nan))


# Sound that is unusual


@pytest.mark.parametrize(
    ("samples", "rate", "channels", "frames"),
    [(1, 16000, 1, 1), (100, 44100, 1, 1), (1000, 8000, 1, 4), (2000, 16000, 2, 4), (9600, 96000, 1, 3)],
)
def test_short_stereo_and_slow_sound_works(tiny_pipeline, portrait, tones, samples, rate, channels, frames):
    sound = tones(samples / rate, rate, channels)
    animation = tiny_pipeline.animate(portrait, Audio(sound, rate), FACE)
    found = torch.cat(list(animation.frames))
    assert len(found) == animation.count == frames
    assert found.isfinite().all()
    assert animation.audio.waveform.shape == (channels, round(frames * rate / 25))


def test_silence_works(tiny_pipeline, portrait):
    animation = tiny_pipeline.animate(portrait, Audio(torch.zeros(3200)), FACE)
    found = torch.cat(list(animation.frames))
    assert found.shape == (5, 64, 64, 3)
    assert found.isfinite().all()


# Checkpoints


def wav2vec2(path: Path, whole: bytes) -> None:
    save_file({"wav2vec2.feature_extractor.conv_layers.0.conv.weight": torch.zeros(1)}, path)


def stable_diffusion(path: Path, whole: bytes) -> None:
    save_file({"model.diffusion_model.input_blocks.0.0.weight": torch.zeros(1)}, path)


CHECKPOINTS: dict[str, tuple[Callable[[Path, bytes], object], str]] = {
    "text": (
        lambda path, whole: path.write_bytes(b"not a checkpoint"),
        "16 bytes that are no safetensors file",
    ),
    "pickle": (lambda path, whole: torch.save({"a": 1}, path), "a zip archive, as torch.save writes them"),
    "web page": (lambda path, whole: path.write_bytes(b"<html>log in</html>"), "a web page"),
    "truncated": (lambda path, whole: path.write_bytes(whole[:-5000]), "a damaged safetensors file"),
    "cut early": (
        lambda path, whole: path.write_bytes(whole[:300]),
        "a truncated safetensors file: 300 bytes",
    ),
    "speech encoder": (wav2vec2, "found a wav2vec2 speech encoder. The demo model comes with this project"),
    "picture model": (
        stable_diffusion,
        "found a single-file Stable Diffusion checkpoint. The demo model comes",
    ),
    "missing": (lambda path, whole: None, "nothing there; expected a .safetensors file or a folder of them"),
}


@pytest.mark.parametrize("name", CHECKPOINTS)
def test_files_that_are_no_checkpoint(name, animate, tmp_path, tiny_checkpoint, picture_file, sound_file):
    write, message = CHECKPOINTS[name]
    path = tmp_path / "other.safetensors"
    write(path, tiny_checkpoint.read_bytes())
    status, output, errors = animate(picture_file, sound_file(), checkpoint=path)
    assert (status, output.exists()) == (1, False)
    assert f"error: {path}" in errors
    assert message in errors


def test_a_checkpoint_without_its_vae(animate, tmp_path, tiny_pipeline, picture_file, sound_file):
    path = tmp_path / "bare.safetensors"
    parts = dict(tiny_pipeline.model.named_children()) | {"audio_encoder": tiny_pipeline.audio_encoder}
    save_checkpoint(path, tiny_pipeline.config, parts)
    status, _, errors = animate(picture_file, sound_file(), checkpoint=path)
    assert status == 1
    assert f"error: {path} has no vae; name files of them with --vae" in errors


def test_weights_without_speed_layers_ignore_the_speed_and_say_so(
    animate,
    tmp_path,
    make_pipeline,
    save_pipeline,
    tiny_config,
    portrait,
    picture_file,
    sound_file,
    tones,
    caplog,
):
    config = replace(tiny_config, name="still", backbone=replace(tiny_config.backbone, speed_dim=None))
    pipeline = make_pipeline(config)
    assert not any("speed" in name for name, _ in pipeline.model.named_parameters())
    path = save_pipeline(pipeline, tmp_path / "still.safetensors")
    status, output, errors = animate(picture_file, sound_file(), *BOX, "--head-speed", "30", checkpoint=path)
    assert (status, output.exists()) == (0, True), errors
    assert "still has no speed layers: head speed 30 is ignored" in said(caplog)
    caplog.clear()
    sound = tones(0.1, 16000)
    asked, not_asked = (
        torch.cat(
            list(Pipeline.load(path).animate(portrait, Audio(sound), replace(FACE, head_speed=speed)).frames)
        )
        for speed in (30.0, None)
    )
    assert torch.equal(asked, not_asked)
    assert len(caplog.records) == 1


# Cancelling


def test_cancelling_leaves_no_partial_file_and_finished_files_whole(tiny_pipeline, tmp_path, portrait, tones):
    path, sound, steps = tmp_path / "video.mp4", tones(0.4, 16000), []

    def cancel(progress) -> None:
        steps.append(progress.step)
        if progress.clip == 2:
            raise Cancelled("stopped by the user")

    command.write_video(tiny_pipeline.animate(portrait, Audio(sound), FACE), path)
    before = path.read_bytes()
    with pytest.raises(Cancelled, match="stopped by the user"):
        command.write_video(tiny_pipeline.animate(portrait, Audio(sound), FACE, cancel), path)
    assert steps == [1, 2, 1]
    assert path.read_bytes() == before
    assert list(tmp_path.iterdir()) == [path]
