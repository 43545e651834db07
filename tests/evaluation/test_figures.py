"""Every row of a report of invented measures, as it was when the rows were last looked at."""

import json
from dataclasses import asdict
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch

from emo_training.evaluation.figures import all_figures
from emo_training.evaluation.instruments import Instruments
from emo_training.evaluation.measure import Distances, MeasuredPair, MeasuredVideo
from emo_training.evaluation.motion import Blendshapes, FaceModel, Openings
from emo_training.perception.syncnet import Sync, SyncNetConfig

EXPECTED = Path(__file__).with_name("figures.json")
LABELS = {
    "analyzer": "face_landmarker.task (sha256 0123)",
    "inception": "inception.pt (sha256 1234)",
    "i3d": "i3d.pt (sha256 2345)",
    "syncnet": "syncnet_v2.model (sha256 3456)",
    "identity": "sface.onnx (sha256 4567)",
    "deep3d": "epoch_20.pth (sha256 5678)",
}
ALL = tuple(LABELS)


def instruments(*labels: str, expressions=None, syncnet=None, deep3d=None) -> Instruments:
    names = {"analyzer": "camera"} | {name: LABELS[name] for name in labels}
    return Instruments(SimpleNamespace(name="camera"), None, None, syncnet, None, expressions, names, deep3d)


def video(k: int, shaken: float = 1.0, **parts) -> MeasuredVideo:
    rng = np.random.default_rng(k)

    def sync() -> Sync:
        return Sync(
            int(rng.integers(-9, 9)), float(rng.uniform(1, 9)), float(rng.uniform(6, 9)), rng.random(31)
        )

    measured = {
        "frames": 50 + k % 7,
        "faces": 0.9 + 0.01 * (k % 5),
        "size": (512, 512),
        "sync": sync(),
        "foreign_sync": sync(),
        "identity": rng.random(20),
        "speed": np.append(rng.random(20) * 9, np.nan),
        "trembling": shaken * float(rng.uniform(0.01, 0.02)),
        "lips": float(rng.random()),
        "width": float(rng.random()),
        "blinks": float(rng.uniform(5, 20)),
    }
    return MeasuredVideo(**(measured | parts))


def distances(seed: int, features: int, count: int, clips: int) -> Distances:
    """Of `count` random features on either side, which come from so many clips."""
    generator, found = torch.Generator().manual_seed(seed), Distances()
    for distance in (found.fid, found.fvd, found.expressions, found.efid):
        for real in (True, False):
            for part in torch.randn(count, features, generator=generator).tensor_split(clips):
                distance.update(part, real)
    return found


def pairs(count: int, made: dict | None = None, true: dict | None = None, problems=()) -> list[MeasuredPair]:
    return [
        MeasuredPair(f"p{k}", video(k, **(made or {})), video(100 + k, **(true or {})), tuple(problems))
        for k in range(count)
    ]


NOTHING = dict.fromkeys(("sync", "foreign_sync", "identity", "speed", "trembling", "lips", "width", "blinks"))
CASES = {
    "everything": lambda: all_figures(
        pairs(5),
        distances(0, 3, 40, 5),
        instruments(
            *ALL,
            expressions=Blendshapes(),
            syncnet=SimpleNamespace(config=SyncNetConfig()),
            deep3d=FaceModel(None),
        ),
    ),
    "smaller videos": lambda: all_figures(
        [*pairs(3, {"size": (128, 128), "shaken": 9.0}), *pairs(1, NOTHING)],
        distances(1, 30, 8, 4),
        instruments(
            *ALL,
            expressions=Openings(),
            syncnet=SimpleNamespace(config=SyncNetConfig(side=96, window=96)),
        ),
    ),
    "no networks": lambda: all_figures(pairs(2, NOTHING, NOTHING), Distances(), instruments()),
    "nothing could be measured": lambda: all_figures(
        pairs(2, NOTHING, problems=["head speed of the generated video: no head pose was found"]),
        distances(2, 3, 1, 2),
        instruments(*ALL, expressions=Blendshapes()),
    ),
    "true videos without sound": lambda: all_figures(
        pairs(2, {"foreign_sync": None}, {"sync": None, "identity": None}),
        distances(3, 3, 5, 2),
        instruments(*ALL, expressions=Blendshapes()),
    ),
}


@pytest.mark.parametrize("case", CASES)
def test_every_row_is_as_it_was(case):
    def close(value):
        return pytest.approx(value, rel=1e-6, abs=1e-9)

    rows = json.loads(json.dumps([asdict(figure) for figure in CASES[case]()]))
    wanted = json.loads(EXPECTED.read_text(encoding="utf-8"))[case]
    assert [row["metric"] for row in rows] == [row["metric"] for row in wanted]
    for row, other in zip(rows, wanted, strict=True):
        # another processor rounds the roots of matrices differently
        assert row == {k: close(v) if isinstance(v, float | list) else v for k, v in other.items()}
