"""What is asked for by files, as options of a rendering."""

import numpy as np
import pytest
import torch
from PIL import Image

from emo_modules.cues.box import Box
from emo_modules.film import FaceOptions, write_video
from emo_modules.media.audio import Audio
from emo_modules.options import Options


def test_nothing_asked_for_leaves_the_defaults() -> None:
    assert FaceOptions().options({}) == Options()


def test_files_are_read_and_other_options_pass(tmp_path) -> None:
    Image.new("L", (6, 4), 255).save(tmp_path / "mask.png")
    np.save(tmp_path / "face.npy", np.arange(512.0))
    asked = FaceOptions((1, 2, 3, 4), tmp_path / "mask.png", 2, tmp_path / "face.npy")
    options = asked.options({"seed": 7, "guided_steps": (0.0, 0.5)})
    assert (options.box, options.face_index) == (Box(1, 2, 3, 4), 2)
    assert (options.seed, options.guided_steps) == (7, (0.0, 0.5))
    assert torch.equal(options.mask, torch.ones(4, 6))
    assert np.array_equal(options.identity, np.arange(512.0))


@pytest.mark.parametrize("content", [b"", b"no numbers", b"\x93NUMPY\x01\x00"])
def test_a_damaged_face_embedding_is_said(tmp_path, content) -> None:
    (tmp_path / "face.npy").write_bytes(content)
    with pytest.raises(ValueError, match=r"face\.npy is no \.npy of numbers: .* numpy\.save"):
        FaceOptions(identity=tmp_path / "face.npy").options({})


def test_frames_leave_the_gpu_as_bytes(tmp_path, tiny_pipeline, portrait, monkeypatch) -> None:
    """As floats they would be four times as much to copy."""
    animation = tiny_pipeline.animate(portrait, Audio(torch.zeros(3200)), Options(box=Box(20, 16, 50, 52)))
    copied, cpu = [], torch.Tensor.cpu

    def copy(tensor: torch.Tensor) -> torch.Tensor:
        if tensor.shape[-3:] == (64, 64, 3):
            copied.append((tensor.dtype, tensor.ndim))
        return cpu(tensor)

    monkeypatch.setattr(torch.Tensor, "cpu", copy)
    film = write_video(animation, tmp_path / "film.mp4", keep=5)
    assert {dtype for dtype, _ in copied} == {torch.uint8}
    assert [ndim for _, ndim in copied].count(4) == 2  # once for each clip
    assert (film.frames, film.kept.dtype, len(film.kept)) == (5, torch.uint8, 5)
