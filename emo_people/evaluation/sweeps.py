"""Head speed that was asked for against head speed that is seen, and identity over long sound."""

from collections.abc import Sequence
from statistics import fmean
from typing import Any

import numpy as np
import torch
from torch import Tensor

from emo_training.evaluation.metrics import nearest, running_mean, spearman
from emo_training.perception.avatar_reader import AvatarReader, AvatarReading, read_frames
from emo_training.perception.pose import head_speed

from ..filming.cases import Case
from ..filming.people import FPS
from ..networks.fit import Log
from .subject import Generate, generate_case

SPAN = 2.0  # seconds at the start and at the end of long sound


def read_speed(reading: AvatarReading) -> float:
    """Mean head speed in degrees per second; poses are smoothed over 3 frames against the reader's noise."""
    yaw, pitch, roll = (running_mean(a.numpy()) for a in (reading.yaw, reading.pitch, reading.roll))
    return float(head_speed(yaw, pitch, roll, FPS).mean())


def measure_speed(
    generate: Generate, reader: AvatarReader, cases: Sequence[Case], speeds: Sequence[float], log: Log
) -> dict[str, Any]:
    """Every case at every speed: the speeds seen, and their rank correlation with those asked for."""
    measured = []
    for case in cases:
        row = []
        for speed in speeds:
            given = (case.portrait, case.waveform, case.frames, speed, case.seed)
            row.append(read_speed(read_frames(reader, generate(*given)[0])))
        log(f"head speed: asked {list(speeds)}, seen {[round(speed, 1) for speed in row]}")
        measured.append(row)
    return {
        "requested": list(speeds),
        "measured": measured,
        "mean_measured": np.mean(measured, 0).tolist(),
        "spearman": spearman(np.tile(speeds, len(cases)), np.ravel(measured)),
    }


def measure_long(
    generate: Generate, reader: AvatarReader, cases: Sequence[Case], strangers: Tensor, log: Log
) -> dict[str, Any]:
    """Identity in the first and in the last two seconds of long cases; `loss_points` is the drop of the share
    of frames that are nearest to their own portrait, in percent."""
    ends: dict[str, list[dict[str, float]]] = {"first": [], "last": []}
    count = round(SPAN * FPS)
    for case in cases:
        frames, _ = generate_case(generate, case)
        own = read_frames(reader, case.portrait[None]).identity
        for name, part in (("first", frames[:count]), ("last", frames[-count:])):
            ends[name].append(_likeness(read_frames(reader, part).identity, own, strangers))
        log(f"long audio: {len(frames)} frames, identity {ends['first'][-1]} -> {ends['last'][-1]}")
    means = {name: {key: fmean(row[key] for row in rows) for key in rows[0]} for name, rows in ends.items()}
    return {
        "seconds": cases[0].frames / FPS,
        "cases": len(cases),
        **means,
        "loss_points": 100 * (means["first"]["top1"] - means["last"]["top1"]),
    }


def _likeness(identity: Tensor, own: Tensor, strangers: Tensor) -> dict[str, float]:
    first = nearest(identity, torch.cat([own, strangers])) == 0
    return {"top1": float(first.float().mean()), "similarity": float((identity @ own.T).mean())}
