"""`adapt`: from videos to a LoRA and its page, on small prepared samples; and what it refuses."""

import hashlib
import logging
import os
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file

from emo_modules.checkpoints.adapter import AdapterInfo, AdapterUse, LowRank, read_adapter, write_adapter
from emo_modules.checkpoints.store import load_checkpoint
from emo_modules.config import EMOConfig
from emo_training.adapting import run
from emo_training.adapting.recipe import Adaptation
from emo_training.cli import main
from emo_training.perception.face_track import FaceTrack

from ..shards import write_shards

pytest.importorskip("peft", reason="peft is not installed: pip install 'emo-portrait[train]'")
DONE = (0, "")
SPOKEN = {"hours_out": 0.06, "dropped": {}}  # 216 s


class Nobody:
    """Sees no face."""

    name = "nobody"

    def analyze(self, frames: Iterable[np.ndarray]) -> FaceTrack:
        count = sum(1 for _ in frames)
        nowhere = np.full((count, 4), np.nan, np.float32)
        return FaceTrack(np.zeros(count, np.int64), nowhere, nowhere[:, :3], openings=nowhere)


@pytest.fixture(scope="session")
def moving_checkpoint(tmp_path_factory, make_pipeline, moving_config, save_pipeline) -> Path:
    return save_pipeline(
        make_pipeline(moving_config), tmp_path_factory.mktemp("moving") / "moving.safetensors"
    )


@pytest.fixture
def prepared(monkeypatch) -> dict[str, object]:
    """What `prepare` tells of the footage; its samples are small ones with landmarks, of no face at all."""
    told: dict[str, object] = dict(SPOKEN)

    def prepare(footage: Path, shards: Path, config: EMOConfig, analyzer: str, workers: int):
        write_shards(shards, clips=3, landmarks=68)
        return told

    monkeypatch.setattr(run, "prepare", prepare)
    monkeypatch.setattr(
        run, "load_analyzer", lambda spec: Nobody()
    )  # looking for faces takes most of the time
    return told


@pytest.fixture
def command(tmp_path, prepared, capsys):
    """Runs `adapt` on one video: exit status, and what was written to standard error, or DONE."""
    video = tmp_path / "anna.mp4"
    video.write_bytes(b"prepared otherwise")

    def adapt(checkpoint: Path, out: Path, *more: str, videos: tuple[Path, ...] = (video,)):
        given = [*videos, "--checkpoint", checkpoint, "--out", out, "--steps", "3", "--lora", "2", *more]
        status = main(["adapt", *map(str, given)])
        error = capsys.readouterr().err
        return DONE if status == 0 else (status, error)

    return adapt


def bytes_of(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


@pytest.mark.parametrize("kind", ["moving_checkpoint", "tiny_checkpoint"])
def test_a_lora_that_loads_and_a_page_that_shows_it(command, tmp_path, request, caplog, kind):
    caplog.set_level(logging.INFO)
    checkpoint = request.getfixturevalue(kind)
    before, out = bytes_of(checkpoint), tmp_path / "anna.safetensors"
    assert command(checkpoint, out) == DONE
    found = read_adapter(out)
    assert found.info.rank == 2
    assert any(layer.up.abs().max() > 0 for layer in found.layers.values())
    load_checkpoint(checkpoint, adapters=[AdapterUse(out)])
    assert "Saving current state" not in caplog.text  # what accelerate says of each file
    assert bytes_of(checkpoint) == before
    page = out.with_suffix(".html").read_text(encoding="utf-8")
    for name in ("before", "after"):
        film = f"anna.adapt/films/beside/{name}.mp4"
        assert film in page
        assert (tmp_path / film).stat().st_size > 500
    assert "the last one, of 1.2 s, was held back" in page


@pytest.mark.slow
def test_what_was_stopped_ends_as_what_was_not(command, moving_checkpoint, tmp_path):
    whole, parts = tmp_path / "whole.safetensors", tmp_path / "parts.safetensors"
    assert command(moving_checkpoint, whole) == DONE
    assert command(moving_checkpoint, parts, "--minutes", "0") == DONE
    assert not parts.exists()
    assert (tmp_path / "parts.adapt" / "run" / "state-000001").exists()
    assert command(moving_checkpoint, parts) == DONE
    ended, unbroken = load_file(parts), load_file(whole)
    assert ended.keys() == unbroken.keys()
    assert all(torch.equal(value, unbroken[name]) for name, value in ended.items())


def lora_of(family: str, path: Path) -> Path:
    layer = LowRank(torch.zeros(2, 8), torch.zeros(8, 2), 2.0)
    write_adapter(path, AdapterInfo(family, 2, ("backbone",)), {"backbone.layer": layer})
    return path


def test_nothing_is_overwritten(command, tiny_checkpoint, tmp_path):
    for family, said in (("hallo", "is a LoRA for the family hallo"), ("emo", "was not made in")):
        out = lora_of(family, tmp_path / f"{family}.safetensors")
        before = bytes_of(out)
        status, error = command(tiny_checkpoint, out)
        assert (status, error.count("\n")) == (1, 1)
        assert said in error
        assert "name another --out" in error
        assert bytes_of(out) == before
        assert not out.with_suffix(".adapt").exists()


def test_a_run_goes_on_with_its_own_settings_and_videos(command, moving_checkpoint, tmp_path):
    out = tmp_path / "anna.safetensors"
    assert command(moving_checkpoint, out) == DONE
    before = bytes_of(out)
    status, error = command(moving_checkpoint, out, "--lora", "4")
    assert status == 1
    assert "was begun with lora 2, not 4: name another --out" in error
    (tmp_path / "other.mp4").write_bytes(b"")
    status, error = command(moving_checkpoint, out, videos=(tmp_path / "other.mp4",))
    assert status == 1
    assert "was begun with other videos" in error
    assert bytes_of(out) == before


def test_a_run_goes_on_where_the_same_weights_lie_elsewhere(moving_checkpoint, tmp_path):
    job = run.Job((), tmp_path / "anna.safetensors", moving_checkpoint, Adaptation())
    (moved := tmp_path / moving_checkpoint.name).write_bytes(moving_checkpoint.read_bytes())
    assert replace(job, checkpoint=moved).settings() == job.settings()
    with moved.open("r+b") as file:
        file.seek(-1, os.SEEK_END)
        last = file.read()
        file.seek(-1, os.SEEK_END)
        file.write(bytes([last[0] ^ 1]))
    assert replace(job, checkpoint=moved).settings()["weights"] != job.settings()["weights"]
    with_encoder = replace(job, audio_encoder=moved)
    assert with_encoder.settings() != job.settings()


@pytest.mark.parametrize(
    ("told", "said"),
    [
        (
            {"hours_out": 0.0, "dropped": {"faces: no face": {"spans": 1, "hours": 0.05}}},
            "have 0 s in which one person is seen and heard speaking, needed are 60 s; 3.0 min were left "
            "out because of 'no face': give footage that shows one person from the front or the side",
        ),
        (
            {"hours_out": 0.005, "dropped": {"faces: several faces": {"spans": 2, "hours": 0.05}}},
            "have 18 s in which one person is seen and heard speaking, needed are 60 s; 3.0 min were left "
            "out because of 'several faces': cut or crop the films so that one person is seen at a time",
        ),
        (
            {"hours_out": 0.0, "dropped": {"sound: silent": {"spans": 2, "hours": 0.05}}},
            "left out because of 'silent': give films with the sound of what is said",
        ),
        ({"hours_out": 0.012, "dropped": {}}, "have 43 s in which one person is seen and heard speaking, "
         "needed are 60 s: give more of this person"),
    ],
    ids=["no face", "two people", "silent", "short"],
)  # fmt: skip
def test_footage_of_which_nobody_can_be_learned(command, prepared, moving_checkpoint, tmp_path, told, said):
    prepared.update(told)
    out = tmp_path / "anna.safetensors"
    status, error = command(moving_checkpoint, out)
    assert (status, said in error) == (1, True), error
    assert not out.exists()


def test_a_minute_is_enough_to_try_also_after_too_little(command, prepared, moving_checkpoint, tmp_path):
    out = tmp_path / "anna.safetensors"
    prepared.update({"hours_out": 0.01})
    assert command(moving_checkpoint, out)[0] == 1
    prepared.update({"hours_out": 0.02})
    assert command(moving_checkpoint, out) == DONE
    assert "72 s in which one person is seen and heard speaking: enough to try" in out.with_suffix(
        ".html"
    ).read_text(encoding="utf-8")


@pytest.mark.parametrize(
    ("given", "said"),
    [
        (("--lora", "0"), "Adaptation.lora is 0; expected is a whole number from 1 to 4096"),
        (("--lr", "0"), "lr is above 0, got 0"),
        (("--own-motion", "2"), "Adaptation.own_motion is 2.0; expected is a number from 0 to 1"),
        (("--analyzer", "mediapipe:FILE"), "learns from the 68 landmarks of --analyzer faces, got mediapipe"),
    ],
)
def test_what_cannot_be_is_refused_before_anything_is_made(command, moving_checkpoint, tmp_path, given, said):
    status, error = command(moving_checkpoint, tmp_path / "anna.safetensors", *given)
    assert (status, said in error) == (1, True), error
    assert not (tmp_path / "anna.adapt").exists()


def test_a_video_that_is_not_there(command, moving_checkpoint, tmp_path):
    none = (tmp_path / "none.mp4",)
    status, error = command(moving_checkpoint, tmp_path / "anna.safetensors", videos=none)
    assert status == 1
    assert "none.mp4: no such file" in error
