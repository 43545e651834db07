"""What is wrong with an output's place is said before anything is computed, and trying leaves no trace."""

import os
from pathlib import Path

import pytest

from emo_modules.writing.place import check_file_place, check_place, name_problem

from ..systems import WINDOWS, needs_links, needs_posix_errors, needs_proc

SUFFIXES = (".mp4", ".mov")


def refusal(path: Path) -> str:
    with pytest.raises((ValueError, OSError)) as refused:
        check_file_place(path, SUFFIXES)
    return str(refused.value)


@pytest.mark.parametrize("name", ["v.mp4", "V.MP4", "v.Mov", "a/b/v.mp4", "12:30.mp4", "n" * 251 + ".mp4"])
def test_a_place_that_will_do_is_left_as_it_was(tmp_path, name):
    check_file_place(tmp_path / name, SUFFIXES)
    assert list(tmp_path.iterdir()) == []


def test_a_file_that_is_there_may_be_written_again(tmp_path):
    (tmp_path / "v.mp4").write_text("old")
    check_file_place(tmp_path / "v.mp4", SUFFIXES)
    assert (tmp_path / "v.mp4").read_text() == "old"


def test_suffixes_are_named_as_people_write_them(tmp_path):
    assert refusal(tmp_path / "v.avi").endswith("v.avi should end in .mp4 or .mov, got .avi: name it v.mp4")
    assert refusal(tmp_path / "v").endswith("v should end in .mp4 or .mov, got no suffix: name it v.mp4")


def test_a_folder_is_no_file(tmp_path):
    example = tmp_path / "out.mp4"
    assert refusal(tmp_path) == f"{tmp_path} is a folder: give the name of a file in it, such as {example}"
    (tmp_path / "v.mp4").mkdir()
    assert "is a folder" in refusal(tmp_path / "v.mp4")


@needs_links
def test_an_input_is_not_overwritten(tmp_path):
    (tmp_path / "talk.mp4").write_text("sound")
    (tmp_path / "link.mp4").symlink_to(tmp_path / "talk.mp4")
    for name in ("talk.mp4", "link.mp4"):
        with pytest.raises(ValueError, match=f"{name} is read and would be overwritten"):
            check_file_place(tmp_path / name, SUFFIXES, [tmp_path / "no.png", tmp_path / "talk.mp4"])
    check_file_place(tmp_path / "new.mp4", SUFFIXES, [tmp_path / "talk.mp4"])


@needs_posix_errors
def test_a_way_through_a_file_is_no_folder(tmp_path):
    (tmp_path / "file").write_text("")
    for name in ("file/v.mp4", "file/deeper/v.mp4"):
        assert f"{name} cannot be written, not a directory: a part of the way to it is a file" in refusal(
            tmp_path / name
        )


@needs_posix_errors
@pytest.mark.parametrize("name", ["n" * 252 + ".mp4", "no/" + "n" * 252 + ".mp4", "n" * 256 + "/v.mp4"])
def test_too_long_a_name_is_said_even_below_folders_that_are_not_there(tmp_path, name):
    assert refusal(tmp_path / name).endswith("cannot be written, file name too long: give a shorter name")


@needs_proc  # nobody can write there
def test_a_folder_that_nobody_may_write_to():
    said = refusal(Path("/proc/v.mp4"))
    assert said.startswith("/proc/v.mp4 cannot be written, ")
    with pytest.raises(OSError, match="/proc/run cannot be written"):
        check_place(Path("/proc/run"))


@pytest.mark.skipif(WINDOWS or os.geteuid() == 0, reason="root may write anywhere")
def test_a_folder_without_permission(tmp_path):
    tmp_path.chmod(0o500)
    assert "permission denied: choose a folder that you may write to" in refusal(tmp_path / "v.mp4")


@pytest.mark.parametrize(
    "name",
    [
        "a:b", "a*b", "a?", 'say "hi"', "<x>", "a|b", "a\x00", "a\n",
        "CON", "nul.mp4", "Com1.tar.gz", "lpt9", "x.", "x ",
    ],
)  # fmt: skip
def test_names_that_windows_cannot_hold(name):
    assert name_problem(name) is not None


@pytest.mark.parametrize("name", ["CONTROL", "console.mp4", "写真", " x", ".hidden", "a%b", "a'b", "#1", "~"])
def test_names_that_it_can(name):
    assert name_problem(name) is None
