"""The command as it is launched: by several processes, and killed at any moment."""

import json
import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import torch
import yaml
from safetensors.torch import load_file

from emo_training.training.state import saved_weights

from ..systems import needs_signals

pytestmark = [pytest.mark.slow, needs_signals]  # so that a launch is killed with the processes it started

ALONE = [sys.executable, "-m", "emo_training"]
TORCHRUN = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2"]
PAIR = [*TORCHRUN, "-m", "emo_training"]
SETTINGS = {
    "stage": "video",
    "precision": "no",
    "lr": 1e-3,
    "warmup": 1,
    "log_every": 1,
    "save_every": 1,
    "sampling": {"batch": 1, "frames": 3, "motion_frames": 2},
    "loss": {"motion_noise": 0.2, "motion_patch_drop": 0.1, "min_snr": 5.0},
}


@pytest.fixture
def command(tmp_path, shards, tiny_checkpoint):
    """The arguments of one training in `tmp_path / name`."""
    config = tmp_path / "video.yaml"
    config.write_text(yaml.safe_dump(SETTINGS))

    def arguments(name: str, steps: int, *more: str) -> list[str]:
        given = {
            "--config": config, "--shards": shards, "--out": tmp_path / name, "--steps": steps,
            "--checkpoint": tiny_checkpoint, "--workers": 0,
        }  # fmt: skip
        return ["train", *(str(part) for pair in given.items() for part in pair), *more]

    return arguments


def start(launcher: list[str], arguments: list[str]) -> subprocess.Popen:
    environment = os.environ | {"OMP_NUM_THREADS": "1"}
    return subprocess.Popen(
        launcher + arguments, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
        start_new_session=True,
    )  # fmt: skip


def finish(process: subprocess.Popen) -> str:
    out, _ = process.communicate(timeout=240)
    assert process.returncode == 0, out
    return out


def log(folder: Path) -> list[dict[str, float]]:
    lines = (folder / "log.jsonl").read_text().splitlines()
    varying = ("seconds", "memory_gb", "clips_per_second", "hours_left")
    return [{k: v for k, v in json.loads(line).items() if k not in varying} for line in lines]


def test_two_processes_do_what_one_does_with_twice_the_accumulation(tmp_path, command):
    finish(start(ALONE, command("one", 3, "--accumulate", "2")))
    finish(start(PAIR, command("two", 3)))
    one, two = log(tmp_path / "one"), log(tmp_path / "two")
    assert [line["step"] for line in two] == [1, 1, 2, 2, 3, 3]  # of training, and of held-out samples
    for ours, theirs in zip(one, two, strict=True):
        assert ours == pytest.approx(theirs, rel=1e-3, abs=2e-4)  # the log has four digits
    first, second = (load_file(saved_weights(tmp_path / name)) for name in ("one", "two"))
    assert first.keys() == second.keys()
    largest = max(float((first[key] - second[key]).abs().max()) for key in first)
    assert largest < 1e-4


def test_a_killed_run_ends_like_one_that_was_not(tmp_path, command):
    finish(start(ALONE, command("whole", 4)))
    chance, kills = random.Random(0), 0
    while True:
        process = start(ALONE, command("killed", 4))
        progressed = wait_for_progress(process, tmp_path / "killed", kills)
        if kills < 2 and progressed:
            time.sleep(chance.uniform(0, 0.5))
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()
            kills += 1
        else:
            finish(process)
            break
    assert kills == 2
    whole, killed = (load_file(tmp_path / name / "checkpoint.safetensors") for name in ("whole", "killed"))
    assert all(torch.equal(whole[key], killed[key]) for key in whole)
    assert log(tmp_path / "whole") == log(tmp_path / "killed")


def wait_for_progress(process: subprocess.Popen, folder: Path, kills: int) -> bool:
    """Until the run has saved one more state than before it was last killed, or has ended."""
    path = folder / "log.jsonl"
    while process.poll() is None:
        if path.exists() and len(path.read_text().splitlines()) > 2 * kills:  # two a step
            return True
        time.sleep(0.02)
    return False
