"""The measures on generators whose quality is known: the true renderer, a deaf one, a still one."""

import json
from functools import lru_cache

import numpy as np
import pytest
import torch

from emo_modules.cues.box import Box
from emo_modules.cues.face import Crop
from emo_people.drawing.performance import perform
from emo_people.evaluation.avatars import Extent, evaluate_avatars
from emo_people.evaluation.cases import measure_case
from emo_people.evaluation.framing import measure_framing
from emo_people.evaluation.subject import Subject
from emo_people.filming.cases import Case, make_case
from emo_people.filming.people import FPS, draw_frame
from emo_people.filming.seeds import EVALUATION
from emo_people.networks.reader import WEIGHTS
from emo_people.recipe.config import DRAWN_FRAMING
from emo_people.speech.voices import HELD_OUT_VOICES
from emo_training.perception.avatar_reader import load_reader, read_frames

from ..voices import needs_voices

EXTENT = Extent(
    portraits=30,
    speed_people=2,
    speeds=(3.0, 14.0, 28.0),
    speed_seconds=1.6,
    long_cases=1,
    long_seconds=4.2,
    reader_people=10,
)

pytestmark = needs_voices


@lru_cache
def case_of(seed: int, seconds: float | None = None) -> Case:
    return make_case(seed) if seconds is None else make_case(seed, seconds, seconds)


def encode(frames: np.ndarray) -> torch.Tensor:
    return torch.nn.functional.avg_pool2d(torch.from_numpy(frames).permute(0, 3, 1, 2) / 255, 8)


def draw(portrait, waveform, frames, head_speed, seed):
    """Knows everything: acts the very sentence at the speed asked for."""
    speech = next(
        case.speech
        for case in (case_of(seed), case_of(seed, EXTENT.speed_seconds), case_of(seed, EXTENT.long_seconds))
        if np.array_equal(case.waveform, waveform)
    )
    acted = perform(speech, frames, FPS, head_speed, np.random.default_rng(seed))
    pictures = np.stack([draw_frame(seed, acted, k, 128) for k in range(frames)])
    return pictures, encode(pictures)


def stand_still(portrait, waveform, frames, head_speed, seed):
    pictures = np.repeat(portrait[None], frames, 0)
    return pictures, encode(pictures)


def framed(portrait, true_face):
    crop = Crop(128, 128, Box(0, 0, 128, 128), 128, 128)
    return measure_framing(crop, True, true_face, DRAWN_FRAMING)


@pytest.fixture(scope="module")
def reader():
    torch.set_num_threads(1)
    return load_reader(WEIGHTS)


@pytest.fixture(scope="module")
def report(reader):
    lines = []
    subject = Subject(draw, encode, lambda frames: 40.0, stand_still, framed)
    result = evaluate_avatars(subject, reader, seed=7, cases=4, log=lines.append, extent=EXTENT)
    assert len(lines) >= 4 + 2 * EXTENT.speed_people + EXTENT.long_cases
    return result


def test_the_true_renderer_is_found_nearly_perfect(report):
    for group, cases in (("all", 4), ("training_voices", 2), ("held_out_voices", 2)):
        figures = report[group]
        assert figures["cases"] == cases == len(figures["lip_r_per_case"])
        assert figures["lip_r"] > 0.93 and figures["width_r"] > 0.8
        assert figures["lag_within_1"] == 1
        assert figures["latent_change_ratio"] == pytest.approx(1, abs=0.35), (
            "it moves unlike the truth, as much"
        )
        assert figures["identity_top1"] == 1 and figures["identity_top1_frames"] > 0.95
        assert figures["background_psnr"] > 60
        assert figures["region_iou"] > 0.75
        assert figures["vae_psnr"] == 40
        assert figures["framing"]["whole"] == figures["framing"]["as_trained"] == 1
    assert abs(report["all"]["lip_r_shuffled"]) < 0.35, "four short cases: their pauses may coincide"
    assert report["all"]["lip_r"] == pytest.approx(report["all"]["lip_r_of_truth"], abs=0.03)


def test_requested_speed_is_seen(report):
    assert report["speed"]["spearman"] > 0.9
    assert np.shape(report["speed"]["measured"]) == (2, 3)
    assert report["speed"]["mean_measured"][2] == pytest.approx(28, rel=0.35)


def test_a_still_head_has_no_speed(report):
    assert report["speed_without_layers"]["spearman"] == 0
    assert np.max(report["speed_without_layers"]["measured"]) == 0


def test_long_sound_keeps_the_face(report):
    long = report["long_audio"]
    assert long["seconds"] == EXTENT.long_seconds and long["cases"] == 1
    assert long["last"]["top1"] > 0.9 and long["last"]["similarity"] > 0.6
    assert abs(long["loss_points"]) < 10


def test_voices_are_told_apart(report):
    held_out = [row["voice"] in HELD_OUT_VOICES for row in report["per_case"]]
    assert held_out == [row["held_out_voice"] for row in report["per_case"]] == [False, True] * 2


def test_the_reader_is_checked_first(report):
    renders, acted = report["reader"]["renders"], report["reader"]["acted"]
    assert min(renders[f"r2_{name}"] for name in ("mouth_open", "yaw", "pitch", "roll")) > 0.9
    assert acted["r2_mouth_open"] > 0.9 and acted["identity_top1"] > 0.95


def test_the_report_is_json(report):
    assert json.loads(json.dumps(report, allow_nan=False))["cases"] == 4


def measure(generate, reader):
    strangers = read_frames(
        reader, np.stack([case_of(EVALUATION + k).portrait for k in (7002, 7003)])
    ).identity
    return measure_case(Subject(generate, encode), reader, case_of(EVALUATION + 7001), strangers)


def test_faults_are_seen(reader):
    case, other = case_of(EVALUATION + 7001), case_of(EVALUATION + 7002)

    def late(*given):
        pictures, _ = draw(*given)
        pictures = np.concatenate([pictures[:1].repeat(4, 0), pictures[:-4]])
        return pictures, encode(pictures)

    def impostor(*given):
        pictures = np.repeat(other.portrait[None], case.frames, 0)
        return pictures, encode(pictures)

    assert measure(late, reader).lag_frames == 4
    fake = measure(impostor, reader)
    assert not fake.identity_top1 and fake.background_psnr < 26
    assert fake.lip_r == 0 and fake.latent_change_ratio == 0


@pytest.mark.parametrize(("seed", "cases"), [(0, 1), (0, 501), (900, 4), (-1, 4)])
def test_seeds_of_others_are_refused(reader, seed, cases):
    with pytest.raises(ValueError, match="cases and a seed"):
        evaluate_avatars(Subject(draw, encode), reader, seed, cases, print)
