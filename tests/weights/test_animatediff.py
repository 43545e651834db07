"""AnimateDiff v2's motion module starts the temporal modules."""

import pytest
import torch
from diffusers.models.unets.unet_motion_model import MotionAdapter
from torch import Tensor

from emo_modules.config import EMOConfig
from emo_modules.models.emo import EMO
from emo_modules.weights.animatediff import animatediff_motion_modules, initialise_from_animatediff
from emo_modules.weights.rename import rename

TO_ANIMATEDIFF = [
    (r"\.pos_embed\.pe", ".attn1.pos_encoder.pe"),
    (r"(motion_modules\.\d+)\.", r"\1.temporal_transformer."),
    (r"\.attn1\.", ".attention_blocks.0."),
    (r"\.attn2\.", ".attention_blocks.1."),
    (r"\.norm1\.", ".norms.0."),
    (r"\.norm2\.", ".norms.1."),
    (r"\.norm3\.", ".ff_norm."),
]


@pytest.fixture
def adapter() -> MotionAdapter:
    return MotionAdapter(
        block_out_channels=(16, 32),
        motion_layers_per_block=1,
        motion_num_attention_heads=2,
        motion_norm_num_groups=8,
    )


@pytest.fixture
def state(adapter) -> dict[str, Tensor]:
    """The adapter's weights as AnimateDiff's own file has them."""
    state = rename(adapter.state_dict(), TO_ANIMATEDIFF)
    tables = {key: value for key, value in state.items() if key.endswith(".pe")}
    return state | {key.replace("blocks.0.pos", "blocks.1.pos"): value for key, value in tables.items()}


def test_names_are_those_of_the_public_file(state):
    for name in (
        "attention_blocks.0.to_q.weight",
        "attention_blocks.1.to_out.0.bias",
        "norms.0.weight",
        "ff.net.0.proj.weight",
        "ff.net.2.bias",
        "ff_norm.weight",
        "attention_blocks.1.pos_encoder.pe",
    ):
        assert f"down_blocks.0.motion_modules.0.temporal_transformer.transformer_blocks.0.{name}" in state
    assert "mid_block.motion_modules.0.temporal_transformer.proj_in.weight" in state
    assert state[
        "up_blocks.1.motion_modules.1.temporal_transformer.transformer_blocks.0."
        "attention_blocks.0.pos_encoder.pe"
    ].shape == (1, 32, 16)


@pytest.mark.parametrize("own_naming", [True, False])
def test_every_weight_arrives_and_the_speed_layers_stay(small_config, state, adapter, own_naming):
    model = EMO(small_config)
    left = initialise_from_animatediff(model, state if own_naming else adapter.state_dict(), "mm")
    weights = {key: value for key, value in adapter.state_dict().items() if "pos_embed" not in key}
    assert animatediff_motion_modules(state, "mm").keys() == weights.keys()
    loaded = model.backbone.state_dict()
    assert all(torch.equal(loaded[key], value) for key, value in weights.items())
    temporal = {f"backbone.{key}" for key in loaded if "motion_modules" in key}
    assert set(left) == temporal - {f"backbone.{key}" for key in weights}
    assert left
    assert all("_speed." in key for key in left)


def test_half_precision_tables_pass(small_config, state):
    initialise_from_animatediff(EMO(small_config), {key: value.half() for key, value in state.items()}, "mm")


def test_another_position_table_is_refused(small_config, state):
    key = next(key for key in state if key.endswith(".pe"))
    with pytest.raises(ValueError, match=r"mm\.ckpt: .*\.pe is not the sinusoidal table"):
        initialise_from_animatediff(EMO(small_config), state | {key: state[key].flip(1)}, "mm.ckpt")


def test_version_1_without_a_mid_block_is_refused(small_config, state):
    first = {key: value for key, value in state.items() if not key.startswith("mid_block")}
    with pytest.raises(ValueError, match="mm_sd_v15_v2") as caught:
        initialise_from_animatediff(EMO(small_config), first, "mm_sd_v15")
    assert "missing: mid_block.motion_modules.0" in str(caught.value)


def test_full_size_module_has_the_keys_of_the_paper_preset():
    with torch.device("meta"):
        own = EMO(EMOConfig.sd15()).backbone.state_dict()
        state = MotionAdapter().state_dict()
    weights = {key: value.shape for key, value in state.items() if "pos_embed" not in key}
    assert weights == {
        key: value.shape for key, value in own.items() if "motion_modules" in key and "_speed." not in key
    }
    assert len(weights) == 21 * 26
