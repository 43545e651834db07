"""One run at a time in a folder, and none that a dead one could keep out."""

import errno
import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from emo_modules.writing.folder_lock import folder_in_use
from emo_modules.writing.partial import create_partial

from ..systems import WINDOWS, needs_posix_errors

ROOT = Path(__file__).parents[2]
HOLD = """
import sys
from pathlib import Path
from emo_modules.writing.folder_lock import folder_in_use
with folder_in_use(Path(sys.argv[1]), "train"):
    print("held", flush=True)
    sys.stdin.read()
"""


def refusal(folder: Path, share: str | None = None) -> str:
    with pytest.raises((ValueError, OSError)) as refused, folder_in_use(folder, "another", share):
        pytest.fail("two runs in one folder")
    return str(refused.value)


@pytest.fixture
def holder(tmp_path):
    command = [sys.executable, "-c", HOLD, tmp_path / "run"]
    process = subprocess.Popen(command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    assert process.stdout.readline() == b"held\n"
    yield process
    process.kill()
    process.communicate()


def test_a_second_run_is_told_who_is_there(tmp_path, holder):
    said, host = refusal(tmp_path / "run"), socket.gethostname()
    who = "another run" if WINDOWS else f"train, process {holder.pid} on {host} since "
    assert said.startswith(f"{tmp_path / 'run'} is in use by {who}")
    assert said.endswith("wait until it has ended, or choose another folder")


def test_a_killed_run_leaves_the_folder_free_and_its_partials_are_removed(tmp_path, holder):
    for name in ("ema.safetensors", "video.mp4"):
        create_partial(tmp_path / "run" / name, playable=name == "video.mp4")
    holder.kill()
    holder.wait()
    with folder_in_use(tmp_path / "run", "train"):
        assert [path.name for path in (tmp_path / "run").iterdir()] == [".in-use"]


def test_a_run_that_ended_leaves_the_folder_free(tmp_path):
    for _ in range(2):
        with folder_in_use(tmp_path / "run", "train"):
            (tmp_path / "run" / "log").write_text("")
    with pytest.raises(KeyboardInterrupt), folder_in_use(tmp_path / "run", "train"):
        raise KeyboardInterrupt
    with folder_in_use(tmp_path / "run", "train"):
        pass


def test_shares_of_one_work_go_together_but_not_twice_and_not_with_the_whole(tmp_path):
    with folder_in_use(tmp_path, "part 0", "0-of-2"), folder_in_use(tmp_path, "part 1", "1-of-2"):
        assert f"is in use by {'another run' if WINDOWS else 'part 1'}" in refusal(tmp_path, "1-of-2")
        assert f"is in use by {'another run' if WINDOWS else 'part '}" in refusal(tmp_path)
    with folder_in_use(tmp_path, "the whole"):
        assert f"is in use by {'another run' if WINDOWS else 'the whole'}" in refusal(tmp_path, "0-of-2")


@needs_posix_errors
def test_a_folder_that_cannot_be_is_named(tmp_path):
    (tmp_path / "file").write_text("")
    assert "file/.in-use cannot be written, not a directory" in refusal(tmp_path / "file")


@pytest.mark.skipif(WINDOWS, reason="Windows removes no locked file")
def test_a_folder_that_a_refused_run_made_goes_again(tmp_path):
    with pytest.raises(ValueError, match="bad input"), folder_in_use(tmp_path / "run", "train"):
        raise ValueError("bad input")
    assert list(tmp_path.iterdir()) == []
    (tmp_path / "mine").mkdir()
    with pytest.raises(ValueError, match="bad input"), folder_in_use(tmp_path / "mine", "train"):
        raise ValueError("bad input")
    assert [path.name for path in tmp_path.iterdir()] == ["mine"]


@pytest.mark.parametrize("missing", [errno.ENOLCK, errno.ENOTSUP])
def test_a_file_system_without_locks_gets_a_warning(tmp_path, monkeypatch, caplog, missing):
    fcntl = pytest.importorskip("fcntl", reason="Windows has other locks")

    def refuse(file: int, how: int) -> None:
        raise OSError(missing, "not implemented")

    monkeypatch.setattr(fcntl, "flock", refuse)
    with folder_in_use(tmp_path, "train"):
        assert f"{tmp_path} cannot be locked on this file system" in caplog.text


def test_where_only_a_marker_can_be_left_it_says_which_process_it_is(tmp_path, monkeypatch):
    fcntl = pytest.importorskip("fcntl", reason="Windows has other locks")

    def missing(file: int, how: int) -> None:
        raise OSError(errno.ENOSYS, "not implemented")

    monkeypatch.setattr(fcntl, "flock", missing)
    with pytest.warns(UserWarning), folder_in_use(tmp_path, "train"):
        assert str(os.getpid()) in (tmp_path / ".in-use").read_text(encoding="utf-8").split()
