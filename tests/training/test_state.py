"""A run's state is one that was saved whole, whatever the disk and kills do."""

import errno

import pytest
from safetensors import SafetensorError

from emo_modules.writing.errors import WriteError
from emo_training.training.state import find_state, keep_state, new_state, saved_states

FULL = OSError(errno.ENOSPC, "No space left on device")
SAFETENSORS = SafetensorError("Error while serializing: I/O error: No space left on device (os error 28)")
TORCH = RuntimeError("[enforce fail at inline_container.cc:672] . unexpected pos 1408 vs 1300")


def save(folder, text, step=1, keep_last=2):
    with new_state(folder) as partial:
        partial.mkdir(exist_ok=True)
        (partial / "model").write_text(text)
    keep_state(folder, step, keep_last)


@pytest.mark.parametrize(("error", "number"), [(FULL, 28), (SAFETENSORS, 28), (TORCH, errno.EIO)])
def test_a_state_that_does_not_fit_makes_room_again_and_keeps_the_one_before(tmp_path, error, number):
    save(tmp_path, "good")
    with pytest.raises(WriteError, match="state cannot be written") as full, new_state(tmp_path) as partial:
        partial.mkdir()
        (partial / "model").write_text("half")
        raise error
    assert full.value.errno == number
    assert [path.name for path in tmp_path.iterdir()] == ["state-000001"]
    assert (find_state(tmp_path) / "model").read_text() == "good"


def test_an_error_of_the_model_stays_what_it_is(tmp_path):
    with pytest.raises(RuntimeError, match="shapes"), new_state(tmp_path):
        raise RuntimeError("shapes do not fit")


@pytest.mark.parametrize(
    ("left", "found"),
    [
        (["state-000005"], "state-000005"),
        (["state-000005", "state.partial"], "state-000005"),  # while the new one was written
        (["state-000005", "state-000010", "state-000015"], "state-000015"),  # before the oldest was removed
        (["state-000005", "state-000010", "state.removed"], "state-000010"),  # while it was
        (["state-999999", "state-1000000"], "state-1000000"),
        (["state", "state-000005"], "state-000005"),  # of a run that was begun when one state was kept
        (["state", "state.partial"], "state"),
        (["state.previous", "state.partial"], "state.previous"),
        (["state.partial", "state-notes"], None),
        ([], None),
    ],
)
def test_after_a_kill_at_any_moment_a_whole_state_is_found_and_the_next_save_works(tmp_path, left, found):
    for name in left:
        (tmp_path / name).mkdir()
    assert find_state(tmp_path) == (found and tmp_path / found)
    save(tmp_path, "new", step=2_000_000, keep_last=1)
    assert [path.name for path in saved_states(tmp_path)] == ["state-2000000"]
    assert {path.name for path in tmp_path.iterdir()} <= {"state-2000000", "state-notes", "state.removed"}


def test_the_last_states_are_kept(tmp_path):
    for step in (5, 10, 15, 20):
        save(tmp_path, str(step), step, keep_last=3)
    assert [path.name for path in saved_states(tmp_path)] == ["state-000020", "state-000015", "state-000010"]
    assert [(path / "model").read_text() for path in saved_states(tmp_path)] == ["20", "15", "10"]
    save(tmp_path, "25", 25, keep_last=1)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["state-000025"]


def test_a_state_is_never_half_removed_under_its_name(tmp_path, monkeypatch):
    save(tmp_path, "1", 1)
    removed = []
    monkeypatch.setattr("shutil.rmtree", lambda path, ignore_errors: removed.append(path.name))
    save(tmp_path, "2", 2, keep_last=1)
    assert set(removed) == {"state.removed"}
    assert [path.name for path in saved_states(tmp_path)] == ["state-000002"]
