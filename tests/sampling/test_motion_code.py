"""Motion codes: a performance that follows from the seed, smooth and of unit size however long it is."""

from dataclasses import replace

import pytest
import torch

from emo_modules.media.audio import Audio
from emo_modules.models.conditioning import MOTION_CODE
from emo_modules.options import Options
from emo_modules.prepared import Prepared
from emo_modules.sampling.motion_code import BEGIN, SHUT, SHUTTING, EndlessCode, motion_code


@pytest.fixture(scope="module")
def performed(moving_config):
    return replace(moving_config, motion_code=True)


def test_a_seed_is_a_performance_of_any_length(performed):
    short, long, other = (
        motion_code(performed, frames, seed) for frames, seed in ((40, 3), (40, 3), (40, 4))
    )
    assert short.shape == (40, MOTION_CODE)
    assert torch.equal(short, long)
    assert (short - other).abs().mean() > 0.1


@pytest.mark.parametrize("frames", [1, 39, 99, 100, 101, 250, 999])
def test_a_longer_sound_and_a_video_that_goes_on_have_the_same_performance(performed, frames):
    """Bit for bit: clips that are kept are found by it."""
    whole = motion_code(performed, 1000, 3)
    assert torch.equal(motion_code(performed, frames, 3), whole[:frames])
    assert torch.equal(motion_code(performed, 1000 - frames, 3, frames), whole[frames:])


@pytest.mark.parametrize("earlier", [0, 250])
def test_a_video_whose_end_nobody_knows_has_the_same_performance_clip_by_clip(performed, earlier):
    whole, endless = motion_code(performed, 500, 3, earlier), EndlessCode(performed, 3, earlier)
    for clip in torch.arange(500).split(12):
        assert torch.equal(endless[clip], whole[clip])
    assert len(EndlessCode(performed, 3, frames=lambda: 7)) == 7


def test_the_largest_seed_of_comfyui_has_one_too(performed):
    assert motion_code(performed, 4, 2**64 - 1).isfinite().all()


def test_models_without_one_are_given_none(moving_config):
    assert motion_code(moving_config, 40, 0) is None


def test_heads_leave_the_portraits_pose_smoothly_and_keep_their_size(performed):
    code = motion_code(performed, 20_000, 0)
    later = code[round(BEGIN * performed.fps) :]
    torch.testing.assert_close(later[:, :3].std(0), torch.ones(3), atol=0.06, rtol=0)
    torch.testing.assert_close(later[:, :3].mean(0), torch.zeros(3), atol=0.06, rtol=0)
    assert (code[0, :3] == 0).all()
    assert code[:, :3].diff(dim=0).abs().max() < 1.5  # white noise jumps by 6


def test_lids_shut_about_as_often_as_those_of_people_who_speak(performed):
    lids = motion_code(performed, 25 * 600, 1)[:, 3]
    shut = lids > SHUTTING
    blinks = int((shut[1:] & ~shut[:-1]).sum())
    assert 150 < blinks < 450  # in ten minutes
    assert 0.07 < shut.float().mean() < 0.13
    half_way = shut & (lids < SHUT)
    assert half_way.float().mean() < 0.3 * shut.float().mean()


def test_without_its_code_a_video_is_another(performed, make_pipeline, portrait, tones):
    pipeline = make_pipeline(performed)
    prepared, sound = (
        Prepared.from_portrait(portrait, Options(), pipeline.config),
        Audio(tones(0.3, 16000)[0]),
    )

    def latents():
        return torch.cat(list(pipeline.latents(prepared, sound, 8, Options(steps=1))))

    coded = latents()
    assert torch.equal(coded, latents())
    for parameter in pipeline.model.motion_code_encoder.parameters():
        parameter.data.zero_()
    assert (coded - latents()).abs().mean() > 1e-3
