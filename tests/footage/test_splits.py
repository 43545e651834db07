"""Who is held out: as a published list says, or the manifest, or the hash of the name; and never in both."""

from dataclasses import replace

import pytest

from emo_training.footage.config import PrepareConfig
from emo_training.footage.sources import split_of
from emo_training.footage.splits import assign_splits

CONFIG = PrepareConfig()
FILES = {
    "anna/day1.mp4": "anna",
    "anna/day2.mp4": "anna",
    "HDTF/RD_Radio34_002.mp4": "HDTF_34",
    "HDTF/RD_Radio35_000.mp4": "HDTF_35",
    "other/day1.mp4": "carl",
    "a b.c.mov": "dora",
}


def held_out(splits):
    return {who for who, split in splits.people.items() if split == "test"}


def by_list(tmp_path, text):
    path = tmp_path / "test.txt"
    path.write_text(text, encoding="utf-8")
    return assign_splits(FILES, {}, replace(CONFIG, split_list=str(path)))


@pytest.mark.parametrize(
    ("line", "people"),
    [
        ("RD_Radio34_002", {"HDTF_34"}),
        ("RD_Radio34_002.mp4", {"HDTF_34"}),
        ("/mnt/data/HDTF/video_fps/RD_Radio35_000.mp4", {"HDTF_35"}),
        ("C:\\data\\HDTF\\RD_Radio35_000.mp4", {"HDTF_35"}),
        ("RD_Radio35_000.mp4 00:20-01:35", {"HDTF_35"}),
        ("anna", {"anna"}),
        ("anna/day1", {"anna"}),  # not carl, whose file ends in the same way
        ("day1.mp4", {"anna", "carl"}),
        ("a b.c.mov", {"dora"}),
        ("# a remark\n\ncarl", {"carl"}),
    ],
)
def test_a_list_names_files_or_people(tmp_path, line, people):
    splits = by_list(tmp_path, line + "\n")
    assert held_out(splits) == people and splits.people.keys() == set(FILES.values())


def test_names_that_the_footage_lacks_are_told_and_a_list_of_nothing_else_is_refused(tmp_path):
    assert by_list(tmp_path, "anna\nRD_Radio99_000\n").unknown == ("RD_Radio99_000",)
    with pytest.raises(ValueError, match="none of its 2 lines names a file or person .* anna/day1.mp4"):
        by_list(tmp_path, "berta\nRD_Radio99_000\n")


def test_the_manifest_decides_for_all_files_of_a_person_and_the_hash_for_the_rest():
    manifest = {"anna/day2.mp4": {"split": "test"}, "other/day1.mp4": {"split": "train"}, "a b.c.mov": {}}
    splits = assign_splits(FILES, manifest, replace(CONFIG, test_share=1.0)).people
    assert (splits["anna"], splits["carl"], splits["dora"]) == ("test", "train", "test")
    by_hash = assign_splits(FILES, manifest, CONFIG).people
    assert by_hash["HDTF_34"] == split_of("HDTF_34", CONFIG.test_share)


def test_nobody_is_in_both_splits():
    manifest = {"anna/day1.mp4": {"split": "test"}, "anna/day2.mp4": {"split": "train"}}
    with pytest.raises(ValueError, match="puts anna into test with anna/day1.mp4 and into train with"):
        assign_splits(FILES, manifest, CONFIG)
