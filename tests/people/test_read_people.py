"""The finder's boxes aside: what the reader in the package sees in people whom nobody trained on."""

import numpy as np
import pytest
import torch

from emo_modules.cues.face_reader import Reading, shared_reader
from emo_modules.cues.ibug import inter_ocular
from emo_modules.cues.squares import around_boxes
from emo_people.acting.face import Expression, Pose
from emo_people.people.person import random_person
from emo_people.rendering.framing import Framing
from emo_people.rendering.studio import Studio
from emo_people.rendering.truth import Truth

from .gl import drawn as drawn

PEOPLE = [4_000_000 + k for k in range(4)]
CLOSE = Framing(320, 320, 0.6, 0.5, 0.5, 20.0)


def read(studio: Studio, seed: int, expression: Expression, pose: Pose) -> tuple[Reading, Truth]:
    person = random_person(seed)
    picture = torch.from_numpy(studio.photograph(person, expression, pose, CLOSE).copy())
    truth = studio.truth(person, expression, pose, CLOSE)
    box = torch.from_numpy(truth.face_box[None]).float()
    return shared_reader().read(picture, around_boxes(box)), truth


def test_landmarks_are_near_the_truth(drawn):
    off = []
    for seed in PEOPLE:
        reading, truth = read(drawn, seed, Expression.of(), Pose(8.0, 3.0, 4.0))
        away = np.linalg.norm(reading.landmarks.numpy() - truth.landmarks, axis=1)
        off.append(away.mean() / inter_ocular(truth.landmarks))
    assert np.mean(off) < 0.1


def test_an_open_mouth_and_a_shut_eye_are_told(drawn):
    frontal = Pose()
    for seed in PEOPLE:
        closed, _ = read(drawn, seed, Expression.of(), frontal)
        spoken, truth = read(drawn, seed, Expression.of(jawOpen=0.7), frontal)
        shut, _ = read(drawn, seed, Expression.of(eyeBlinkLeft=1, eyeBlinkRight=1), frontal)
        assert spoken.mouth_open > closed.mouth_open + 0.3 * truth.mouth_open
        assert sum(shut.eye_open) < sum(closed.eye_open)


def test_a_head_that_turns_is_followed(drawn):
    for seed in PEOPLE[:2]:
        yaws, pitches, rolls = (
            [read(drawn, seed, Expression.of(), Pose(**{axis: degrees}))[0] for degrees in (-20.0, 20.0)]
            for axis in ("yaw", "pitch", "roll")
        )
        assert yaws[1].yaw - yaws[0].yaw > 20
        assert pitches[1].pitch - pitches[0].pitch > 10
        assert rolls[1].roll - rolls[0].roll == pytest.approx(40, abs=10)
