"""Files that others wrote: every format that torch has had is read, and no code in them is run."""

from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file
from torch import Tensor, nn

from emo_modules.weights.reading import read_weights, what_is

STATE = {"a.weight": torch.arange(6.0).view(2, 3), "b": torch.ones(4, dtype=torch.float16)}


def assert_equal(found: dict[str, Tensor]) -> None:
    assert found.keys() == STATE.keys()
    assert all(torch.equal(found[key], value) for key, value in STATE.items())


def old_format(content: object, path: Path) -> None:
    torch.save(content, path, _use_new_zipfile_serialization=False)


@pytest.mark.parametrize(
    "content",
    [
        STATE,
        {"epoch": 3, "state_dict": STATE},
        {"dims": {"n_mels": 80}, "model_state_dict": STATE},
        {f"module.{key}": value for key, value in STATE.items()},
    ],
    ids=["plain", "a trainer's", "OpenAI's", "DataParallel's"],
)
@pytest.mark.parametrize("save", [torch.save, old_format])
def test_pickles_of_every_torch_are_read(tmp_path, content, save):
    save(content, tmp_path / "net.pth")
    assert_equal(read_weights(tmp_path / "net.pth", "weights"))


@pytest.mark.parametrize("name", ["net.safetensors", "net.ckpt"])
def test_safetensors_are_read_by_any_name(tmp_path, name):
    save_file(STATE, tmp_path / name)
    assert_equal(read_weights(tmp_path / name, "weights"))


def test_names_that_only_partly_begin_with_module_stay(tmp_path):
    save_file({"module.a": STATE["b"], "c": STATE["a.weight"]}, tmp_path / "net.safetensors")
    assert set(read_weights(tmp_path / "net.safetensors", "weights")) == {"module.a", "c"}


def shared(count: int) -> dict[str, Tensor]:
    one = torch.zeros(1000)
    return {str(k): one for k in range(count)}


@pytest.mark.parametrize(
    ("content", "found"),
    [
        ({"a": torch.zeros(1).expand(10**12)}, "bytes that say they were 4000000000000"),
        (shared(100), "bytes that say they were 400000"),
        ({"a": torch.eye(3).to_sparse()}, "a tensor of the kind torch.sparse_coo"),
        ({"a": torch.zeros(3, device="meta")}, "on meta"),
    ],
    ids=["expanded", "shared", "sparse", "meta"],
)
def test_pickles_that_grow_when_they_are_read_are_refused(tmp_path, content, found):
    torch.save(content, tmp_path / "net.pth")
    with pytest.raises(ValueError, match=found):
        read_weights(tmp_path / "net.pth", "weights")


def test_a_module_instead_of_its_tensors_is_not_unpickled(tmp_path):
    for save in (torch.save, old_format):
        save(nn.Linear(2, 2), tmp_path / "net.pth")
        with pytest.raises(ValueError, match="holds code, which was not run. Get the file again"):
            read_weights(tmp_path / "net.pth", "weights")


@pytest.mark.parametrize("save", [torch.save, old_format])
def test_a_pickle_with_any_byte_damaged_is_read_or_refused_in_words(tmp_path, save):
    path, generator = tmp_path / "net.pth", torch.Generator().manual_seed(0)
    save(STATE, path)
    whole = path.read_bytes()
    for place in torch.randint(len(whole), (300,), generator=generator).tolist():
        path.write_bytes(whole[:place] + bytes([whole[place] ^ 0x55]) + whole[place + 1 :])
        try:
            read_weights(path, "weights")
        except ValueError as error:
            assert str(error).startswith(f"{path}: expected weights; found ")


@pytest.mark.parametrize(
    ("low_byte", "never"), [(0x80, "a Python pickle"), (0x3C, "a web page"), (0x50, "a zip archive")]
)
def test_a_header_length_that_looks_like_another_format_is_not_taken_for_it(tmp_path, low_byte, never):
    path = tmp_path / "cut.safetensors"
    path.write_bytes((0x400 + low_byte).to_bytes(8, "little") + b'{"a":{"dtype":"F32"')
    assert (
        what_is(path) == f"a truncated safetensors file: 27 bytes, its header alone takes {0x408 + low_byte}"
    )
    assert never not in what_is(path)
