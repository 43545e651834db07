"""Stable Diffusion 1.5's UNet starts both of EMO's; no key is lost on the way."""

import re

import diffusers
import pytest
import torch
from torch import Tensor

from emo_modules.config import EMOConfig
from emo_modules.models.emo import EMO
from emo_training.training.sd15 import BACKBONE_DROPS, REFERENCE_DROPS, initialise_from_sd15, sd15_unets


@pytest.fixture
def state() -> dict[str, Tensor]:
    unet = diffusers.UNet2DConditionModel(
        block_out_channels=(16, 32),
        layers_per_block=1,
        cross_attention_dim=12,
        attention_head_dim=2,
        norm_num_groups=8,
        down_block_types=("CrossAttnDownBlock2D", "DownBlock2D"),
        up_block_types=("UpBlock2D", "CrossAttnUpBlock2D"),
    )
    for parameter in unet.parameters():
        parameter.add_(torch.randn(parameter.shape) * 0.1)
    return unet.state_dict()


def test_full_size_keys_all_have_a_place():
    with torch.device("meta"):
        state = diffusers.UNet2DConditionModel(cross_attention_dim=768).state_dict()
        model = EMO(EMOConfig.sd15())
    backbone, reference = sd15_unets(state)
    own = model.reference_net.state_dict()
    assert {k: v.shape for k, v in reference.items()} == {k: v.shape for k, v in own.items()}
    assert len(reference) == 686 - 16 * 5 - 4  # text attention and the output layers
    fresh = initialise_from_sd15(model, state, "sd15")
    assert len(fresh) + len(backbone) + len(reference) == len(model.state_dict())
    assert len(backbone) == 686


def test_every_key_is_used_or_dropped_by_name(state):
    backbone, reference = sd15_unets(state)
    used = {id(value) for part in (backbone, reference) for value in part.values()}
    lost = [key for key, value in state.items() if id(value) not in used]
    assert lost == [key for key in state if re.search(BACKBONE_DROPS, key)]
    assert all(re.search(REFERENCE_DROPS, key) for key in lost)
    assert len(lost) == 2 * 4


def test_text_attention_becomes_reference_attention(small_config, state):
    model = EMO(small_config)
    initialise_from_sd15(model, state, "x")
    path = "up_blocks.1.attentions.1.transformer_blocks.0."
    backbone, reference = model.backbone.state_dict(), model.reference_net.state_dict()
    for ours, theirs in (
        ("attn_ref.to_q", "attn2.to_q"),
        ("attn_ref.to_out.0", "attn2.to_out.0"),
        ("norm_ref", "norm2"),
        ("attn_ref.to_k", "attn1.to_k"),
        ("attn_ref.to_v", "attn1.to_v"),
        ("attn1.to_k", "attn1.to_k"),
        ("norm3", "norm3"),
    ):
        assert torch.equal(backbone[f"{path}{ours}.weight"], state[f"{path}{theirs}.weight"])
    assert torch.equal(reference[f"{path}norm2.weight"], state[f"{path}norm2.weight"])
    assert torch.equal(backbone["conv_out.bias"], state["conv_out.bias"])


def test_what_stays_fresh_is_returned_and_unchanged(small_config, state):
    model = EMO(small_config)
    before = {key: value.clone() for key, value in model.state_dict().items()}
    fresh = set(initialise_from_sd15(model, state, "x"))
    kinds = {"face_locator", "audio_projection", "speed_encoder", "motion_modules", "_audio"}
    assert all(any(kind in key for kind in kinds) for key in fresh)
    assert all(any(kind in key for key in fresh) for kind in kinds)
    after = model.state_dict()
    assert {key for key in before if torch.equal(before[key], after[key])} == fresh


def test_without_its_reference_the_backbone_is_stable_diffusion_without_text(small_config, state):
    model = EMO(small_config)
    initialise_from_sd15(model, state, "x")
    theirs = diffusers.UNet2DConditionModel(
        block_out_channels=(16, 32),
        layers_per_block=1,
        cross_attention_dim=12,
        attention_head_dim=2,
        norm_num_groups=8,
        down_block_types=("CrossAttnDownBlock2D", "DownBlock2D"),
        up_block_types=("UpBlock2D", "CrossAttnUpBlock2D"),
    ).eval()
    theirs.load_state_dict(state)
    x, steps = torch.randn(2, 4, 8, 8), torch.tensor([300, 300])
    expected = theirs(x, steps, torch.zeros(2, 1, 12)).sample
    found = model.backbone(x, steps, model.backbone.nothing(x), 2)
    assert (found - expected).abs().max() < 1e-5


def test_a_missing_key_changes_nothing(small_config, state):
    model = EMO(small_config)
    before = model.backbone.conv_in.weight.clone()
    del state["mid_block.resnets.1.norm2.bias"]
    with pytest.raises(ValueError, match="2 missing, 0 unexpected") as caught:
        initialise_from_sd15(model, state, "unet.safetensors")
    assert "backbone.mid_block.resnets.1.norm2.bias, reference_net.mid_block" in str(caught.value)
    assert str(caught.value).startswith("unet.safetensors does not fit EMO")
    assert torch.equal(model.backbone.conv_in.weight, before)


def test_single_file_naming_is_refused(small_config):
    with pytest.raises(ValueError, match="v1-5.ckpt is a single-file checkpoint.*in diffusers naming"):
        initialise_from_sd15(EMO(small_config), {"model.diffusion_model.x": torch.ones(1)}, "v1-5.ckpt")
