"""What is asked for by files, as options of a rendering."""

import numpy as np
import pytest
import torch
from PIL import Image

from emo_modules.cues.box import Box
from emo_modules.film import FaceOptions
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
