import json
import os

import pytest

from emo_training.footage.sources import find_sources, has_refused, key_of, read_manifest, split_of

from ..systems import needs_links


def touch(folder, *names):
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(b"x")


def test_identity_is_the_manifest_s_or_the_folder_s_or_the_file_s(tmp_path):
    touch(tmp_path, "anna/day1/a.mp4", "anna/b.mp4", "carl.mp4", "dora.mp4")
    rows = [{"file": "dora.mp4", "identity": "d", "licence": "CC0", "consent": "signed", "sound": False}]
    (tmp_path / "manifest.jsonl").write_text("\n".join(map(json.dumps, rows)))
    found = {source.name: source for source in find_sources(tmp_path)}
    assert {name: source.identity for name, source in found.items()} == {
        "anna/day1/a.mp4": "anna",
        "anna/b.mp4": "anna",
        "carl.mp4": "carl",
        "dora.mp4": "d",
    }
    dora = found["dora.mp4"]
    assert (dora.licence, dora.consent, dora.sound) == ("CC0", "signed", False)
    assert found["carl.mp4"].sound and not has_refused(dora)


def test_csv_manifest_and_refusal(tmp_path):
    touch(tmp_path, "a.mp4", "b.mp4")
    (tmp_path / "manifest.csv").write_text(
        "file,identity,consent\na.mp4,ann,no\nb.mp4,,yes\nlost.mp4,c,yes\n"
    )
    found = {source.name: source for source in find_sources(tmp_path)}
    assert has_refused(found["a.mp4"]) and not has_refused(found["b.mp4"])
    assert found["b.mp4"].identity == "b"
    assert not found["lost.mp4"].path.exists()  # is reported as missing later


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ('{"identity": "a"}', "line 1: expected a row with `file`"),
        ('{"file": "a"}\n{"file": "a"}', "line 2: a was listed before"),
        ('{"file": "a", "license": "x"}', "unknown {'license'}"),
        ('{"file": "a", "split": "val"}', "line 1: split is 'val', expected is train or test"),
        ("{", "line 1 is no JSON"),
    ],
)
def test_manifests_with_mistakes_are_refused(tmp_path, content, message):
    (tmp_path / "manifest.jsonl").write_text(content)
    with pytest.raises(ValueError, match=message):
        read_manifest(tmp_path)


@needs_links
def test_links_loops_and_own_shards(tmp_path):
    touch(tmp_path / "footage", "a.mp4", "out/parts/x.tar")
    touch(tmp_path / "elsewhere", "b.mp4")
    os.symlink(tmp_path / "footage", tmp_path / "footage" / "loop")
    os.symlink(tmp_path / "elsewhere", tmp_path / "footage" / "link")
    names = [source.name for source in find_sources(tmp_path / "footage", tmp_path / "footage" / "out")]
    assert sorted(names) == ["a.mp4", "link/b.mp4"]


def test_folders_that_hold_nothing_are_refused(tmp_path):
    with pytest.raises(ValueError, match="has no file"):
        find_sources(tmp_path)
    with pytest.raises(ValueError, match="is no folder"):
        find_sources(tmp_path / "absent")


def test_keys_are_plain_and_unique():
    names = ["a b.mp4", "a_b.mp4", "a/b.mp4", "é.mov", "é.mkv", "x" * 300 + ".mp4"]
    keys = [key_of(name) for name in names]
    assert len(set(keys)) == len(names)
    assert all(key.replace("_", "").replace("-", "").isalnum() and len(key) < 80 for key in keys)


def test_the_split_depends_on_the_identity_alone():
    splits = [split_of(f"person {k}", 0.1) for k in range(4000)]
    assert 320 < splits.count("test") < 480
    assert all(split_of(f"person {k}", 0.2) == "test" for k in range(4000) if splits[k] == "test")
    assert split_of("a", 0.0) == "train" and split_of("a", 1.0) == "test"
