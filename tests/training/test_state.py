"""A run's state is one that was saved whole, whatever the disk and kills do."""

import errno

import pytest
from safetensors import SafetensorError

from emo_modules.writing.errors import WriteError
from emo_training.training.state import find_state, new_state, replace_state

FULL = OSError(errno.ENOSPC, "No space left on device")
SAFETENSORS = SafetensorError("Error while serializing: I/O error: No space left on device (os error 28)")
TORCH = RuntimeError("[enforce fail at inline_container.cc:672] . unexpected pos 1408 vs 1300")


def save(folder, text):
    with new_state(folder) as partial:
        partial.mkdir()
        (partial / "model").write_text(text)
    replace_state(folder)


@pytest.mark.parametrize(("error", "number"), [(FULL, 28), (SAFETENSORS, 28), (TORCH, errno.EIO)])
def test_a_state_that_does_not_fit_makes_room_again_and_keeps_the_one_before(tmp_path, error, number):
    save(tmp_path, "good")
    with pytest.raises(WriteError, match="state cannot be written") as full, new_state(tmp_path) as partial:
        partial.mkdir()
        (partial / "model").write_text("half")
        raise error
    assert full.value.errno == number
    assert [path.name for path in tmp_path.iterdir()] == ["state"]
    assert (find_state(tmp_path) / "model").read_text() == "good"


def test_an_error_of_the_model_stays_what_it_is(tmp_path):
    with pytest.raises(RuntimeError, match="shapes"), new_state(tmp_path):
        raise RuntimeError("shapes do not fit")


@pytest.mark.parametrize(
    ("left", "found"),
    [
        (["state"], "state"),
        (["state", "state.partial"], "state"),  # while the new one was written
        (["state.previous", "state.partial"], "state.previous"),  # between the two renames
        (["state", "state.previous"], "state"),  # before the old one was removed
        (["state.partial"], None),
        ([], None),
    ],
)
def test_after_a_kill_at_any_moment_a_whole_state_is_found_and_the_next_save_works(tmp_path, left, found):
    for name in left:
        (tmp_path / name).mkdir()
    assert find_state(tmp_path) == (found and tmp_path / found)
    with new_state(tmp_path) as partial:
        partial.mkdir(exist_ok=True)
    replace_state(tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["state"]
