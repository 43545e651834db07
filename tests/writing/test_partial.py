"""Files are whole or not there, and no writer's file is lost to another's."""

import errno
import json
import os
import re
import time
from pathlib import Path

import pytest
from safetensors import SafetensorError

from emo_modules.writing.errors import WriteError
from emo_modules.writing.partial import (
    create_partial,
    create_partial_folder,
    leftovers,
    look_at,
    next_name,
    publish,
    publish_folder,
    remove_partials,
    whole_file,
    write_json,
)  # fmt: skip

from ..systems import needs_links


def names(folder):
    return sorted(path.name for path in folder.iterdir())


def test_a_file_appears_when_the_block_ends(tmp_path):
    with whole_file(tmp_path / "a.json") as partial:
        partial.write_text("new")
        assert re.fullmatch(r"a\.json\.[0-9a-f]{8}\.partial", partial.name)
        assert names(tmp_path) == [partial.name]
    assert names(tmp_path) == ["a.json"]
    assert (tmp_path / "a.json").read_text() == "new"


@pytest.mark.parametrize("error", [ValueError, KeyboardInterrupt])
def test_an_error_leaves_what_was_there_and_no_partial(tmp_path, error):
    (tmp_path / "a.json").write_text("old")
    with pytest.raises(error), whole_file(tmp_path / "a.json") as partial:
        partial.write_text("half")
        raise error
    assert names(tmp_path) == ["a.json"]
    assert (tmp_path / "a.json").read_text() == "old"


@needs_links
def test_a_link_leads_to_the_file_that_is_replaced(tmp_path):
    (tmp_path / "disk").mkdir()
    (tmp_path / "link.mp4").symlink_to(tmp_path / "disk" / "real.mp4")
    for text in ("new", "newer"):
        with whole_file(tmp_path / "link.mp4") as partial:
            partial.write_text(text)
        assert (tmp_path / "link.mp4").is_symlink()
        assert (tmp_path / "disk" / "real.mp4").read_text() == text
    assert names(tmp_path / "disk") == ["real.mp4"]


def test_writers_at_the_same_time_do_not_meet(tmp_path):
    with whole_file(tmp_path / "a") as one, whole_file(tmp_path / "a") as two:
        one.write_text("first")
        two.write_text("second")
    assert names(tmp_path) == ["a"]
    assert (tmp_path / "a").read_text() == "first"  # the last to end


def test_a_full_disk_is_an_error_that_names_the_file_and_says_what_to_do(tmp_path):
    with pytest.raises(WriteError) as full, whole_file(tmp_path / "a.tar"):
        raise OSError(errno.ENOSPC, "No space left on device")
    assert str(full.value) == (
        f"{tmp_path / 'a.tar'} cannot be written, no space left on device: "
        "free space there, or choose another disk"
    )
    assert full.value.errno == errno.ENOSPC
    assert names(tmp_path) == []


def test_errors_are_named_once(tmp_path):
    with (
        pytest.raises(WriteError, match=r"^\S+inner cannot be written"),
        whole_file(tmp_path / "outer"),
        whole_file(tmp_path / "inner"),
    ):
        raise OSError(errno.EDQUOT, "Disk quota exceeded")


def test_json_that_cannot_be_written_leaves_the_old_file_and_no_trace(tmp_path):
    write_json(tmp_path / "a.json", {"b": [1, 2]})
    with pytest.raises(TypeError, match="not JSON serializable"):
        write_json(tmp_path / "a.json", [object()])
    assert names(tmp_path) == ["a.json"]
    assert json.loads((tmp_path / "a.json").read_text()) == {"b": [1, 2]}


def test_partials_of_killed_runs_go_when_nobody_can_be_at_them_any_more(tmp_path):
    target = tmp_path / "model.safetensors"
    old, fresh, other = (create_partial(path) for path in (target, target, tmp_path / "another"))
    for path in (old, other):
        os.utime(path, (time.time() - 3700,) * 2)
    with whole_file(target):
        pass
    assert names(tmp_path) == sorted(["model.safetensors", fresh.name, other.name])
    assert leftovers(target) == [fresh]


def test_a_folder_of_ones_own_is_cleaned_whatever_the_age(tmp_path):
    for name in ("a.mp4", "b.tar"):
        create_partial(tmp_path / name, playable=name == "a.mp4")
    (tmp_path / "partial.txt").write_text("mine")
    remove_partials(tmp_path)
    assert names(tmp_path) == ["partial.txt"]


def test_a_long_name_loses_its_end_in_the_partial_only(tmp_path):
    for name in ("写" * 85, "n" * 251 + ".mp4"):
        for playable in (False, True):
            assert create_partial(tmp_path / name, playable=playable).exists()


@pytest.mark.parametrize(
    ("name", "following"),
    [
        ("EMO_00001_.mp4", "EMO_00002_.mp4"),
        ("EMO_99999_.mp4", "EMO_100000_.mp4"),
        ("a_00009_.part.mp4", "a_00010_.part.mp4"),
        ("talk.mp4", "talk-2.mp4"),
        ("talk-2.mp4", "talk-3.mp4"),
        ("talk-9.part.mp4", "talk-9.part-2.mp4"),
    ],
)
def test_the_next_name(tmp_path, name, following):
    assert next_name(tmp_path / name) == tmp_path / following


def test_a_file_of_another_writer_is_never_replaced(tmp_path):
    path = tmp_path / "v.mp4"

    def publish_text(text, before):
        partial = create_partial(path)
        partial.write_text(text)
        return publish(partial, path, before).name

    assert publish_text("one", look_at(path)) == "v.mp4"
    before = look_at(path)
    assert publish_text("two", before) == "v.mp4"  # nobody else was there: the file is replaced
    assert publish_text("three", before) == "v-2.mp4"
    assert publish_text("four", None) == "v-3.mp4"
    assert [(tmp_path / name).read_text() for name in names(tmp_path)] == ["three", "four", "two"]


@pytest.mark.parametrize("links", [True, False])
def test_a_name_that_is_free_is_taken_in_one_step_where_the_disk_can(tmp_path, monkeypatch, links):
    """A process that is killed between two would leave an empty film."""
    seen = []

    def watched(source, target):
        seen.append(Path(target).exists())
        return real(source, target)

    def linkless(source, target):
        raise OSError(errno.EPERM, "no links here")

    real = os.link if links else os.replace
    if links:
        monkeypatch.setattr(os, "link", watched)
    else:
        monkeypatch.setattr(os, "link", linkless)
        monkeypatch.setattr(os, "replace", watched)
    partial = create_partial(tmp_path / "v.mp4", playable=True)
    partial.write_text("film")
    assert publish(partial, tmp_path / "v.mp4", None) == tmp_path / "v.mp4"
    assert [path.name for path in tmp_path.iterdir()] == ["v.mp4"]
    assert (tmp_path / "v.mp4").read_text() == "film"
    assert seen == [not links]


def test_safetensors_on_a_full_disk_are_an_error_like_any_other(tmp_path):
    with pytest.raises(WriteError, match="no space left on device: free"), whole_file(tmp_path / "model"):
        raise SafetensorError("Error while serializing: I/O error: No space left on device (os error 28)")
    with pytest.raises(SafetensorError, match="InvalidHeader"), whole_file(tmp_path / "model"):
        raise SafetensorError("InvalidHeader")  # nothing that the disk did
    assert names(tmp_path) == []


def test_a_folder_gets_its_name_when_it_is_complete(tmp_path):
    path = tmp_path / "frames"
    partial = create_partial_folder(path)
    (partial / "1.png").write_text("1")
    assert re.fullmatch(r"frames\.[0-9a-f]{8}\.partial", partial.name)
    assert leftovers(path) == [partial]
    path.mkdir()  # an empty one is in nobody's way
    assert publish_folder(partial, path) == path
    assert (names(tmp_path), names(path)) == (["frames"], ["1.png"])


@pytest.mark.parametrize("is_folder", [True, False])
def test_a_folder_takes_the_next_free_name_where_something_is(tmp_path, is_folder):
    path = tmp_path / "EMO_00009_"
    for taken in (path, tmp_path / "EMO_00010_"):
        if is_folder:
            taken.mkdir()
        (taken / "others.png" if is_folder else taken).write_text("theirs")
    partial = create_partial_folder(path)
    (partial / "1.png").write_text("ours")
    assert publish_folder(partial, path) == tmp_path / "EMO_00011_"
    assert (tmp_path / "EMO_00011_" / "1.png").read_text() == "ours"
    assert (path / "others.png" if is_folder else path).read_text() == "theirs"


def test_a_folder_that_cannot_be_renamed_says_why(tmp_path):
    partial = create_partial_folder(tmp_path / "frames")
    with pytest.raises(FileNotFoundError):
        publish_folder(partial, tmp_path / "gone" / "frames")
    assert names(tmp_path) == [partial.name]
