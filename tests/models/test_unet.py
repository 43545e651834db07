"""The UNet is diffusers' UNet2DConditionModel, and its layers do what the conditions say."""

from dataclasses import replace

import diffusers
import pytest
import torch
from diffusers.models.unets.unet_motion_model import AnimateDiffTransformer3D
from torch import Tensor, nn
from torch._subclasses import FakeTensor, FakeTensorMode

from emo_modules.config import UNetConfig
from emo_modules.models.attention import attend
from emo_modules.models.reads import Reads, Written
from emo_modules.models.spatial import SpatialTransformer
from emo_modules.models.temporal import MotionTokens, TemporalBlock, TemporalTransformer, time_positions
from emo_modules.models.unet import UNet
from emo_modules.quirks import UNetQuirks

TINY = UNetConfig(
    block_out_channels=(16, 32), attention_levels=(True, False), layers_per_block=1, heads=2, norm_groups=8
)


def shapes(module: nn.Module) -> dict[str, tuple[int, ...]]:
    """Without temporal modules, which pictures that are no clip do not go through."""
    state = module.state_dict().items()
    return {key: tuple(value.shape) for key, value in state if ".motion_modules." not in key}


def still(rows: list[Reads]) -> list[Reads]:
    return [replace(row, still=True) for row in rows]


def randomise(module: nn.Module, scale: float = 0.3) -> None:
    for parameter in module.parameters():
        parameter.add_(torch.randn(parameter.shape) * scale)


def test_keys_and_shapes_are_those_of_stable_diffusion_15():
    with torch.device("meta"):
        theirs = diffusers.UNet2DConditionModel(
            sample_size=64,
            in_channels=4,
            out_channels=4,
            block_out_channels=(320, 640, 1280, 1280),
            layers_per_block=2,
            cross_attention_dim=768,
            attention_head_dim=8,
            norm_num_groups=32,
            down_block_types=("CrossAttnDownBlock2D",) * 3 + ("DownBlock2D",),
            up_block_types=("UpBlock2D",) + ("CrossAttnUpBlock2D",) * 3,
        )
        ours = UNet(UNetConfig(quirks=UNetQuirks("concat", context_dim=768)))
    assert shapes(ours) == shapes(theirs)
    assert len(shapes(ours)) == 686


@pytest.mark.parametrize("size", [(8, 8), (8, 11)])
def test_output_is_that_of_diffusers(size):
    theirs = diffusers.UNet2DConditionModel(
        block_out_channels=(16, 32, 32),
        layers_per_block=2,
        cross_attention_dim=12,
        attention_head_dim=2,
        norm_num_groups=8,
        down_block_types=("CrossAttnDownBlock2D", "CrossAttnDownBlock2D", "DownBlock2D"),
        up_block_types=("UpBlock2D", "CrossAttnUpBlock2D", "CrossAttnUpBlock2D"),
    ).eval()
    ours = UNet(
        UNetConfig(
            block_out_channels=(16, 32, 32),
            attention_levels=(True, True, False),
            heads=2,
            norm_groups=8,
            quirks=UNetQuirks("concat", context_dim=12),
        )
    ).eval()
    ours.load_state_dict(theirs.state_dict(), strict=False)
    x, steps, states = torch.randn(2, 4, *size), torch.tensor([7, 801]), torch.randn(2, 5, 12)
    expected = theirs(x, steps, states).sample
    assert (
        ours(x, steps, still(ours.project(ours.nothing(x), context=states))) - expected
    ).abs().max() < 1e-5
    assert expected.std() > 0.1


def test_cpu_training_attention_equals_the_fused_kernel():
    query, key, value = torch.randn(2, 9, 16), torch.randn(2, 5, 16), torch.randn(2, 5, 16)
    with torch.enable_grad():
        trained = attend(query, key, value, 2)
    assert (trained - attend(query, key, value, 2)).abs().max() < 1e-6


class PerFrame(nn.Module):
    """AnimateDiff normalises frame by frame; diffusers' copy takes (B, C, F, H, W) at once."""

    def __init__(self, norm: nn.Module):
        super().__init__()
        self.norm = norm

    def forward(self, x: Tensor) -> Tensor:
        frames = x.transpose(1, 2)
        return self.norm(frames.flatten(0, 1)).unflatten(0, frames.shape[:2]).transpose(1, 2)


def test_temporal_module_without_motion_frames_is_that_of_animatediff():
    theirs = AnimateDiffTransformer3D(
        num_attention_heads=2,
        attention_head_dim=8,
        in_channels=16,
        norm_num_groups=8,
        positional_embeddings="sinusoidal",
        num_positional_embeddings=32,
    ).eval()
    randomise(theirs)
    ours = TemporalTransformer(16, TINY)
    state = {key: value for key, value in theirs.state_dict().items() if "pos_embed" not in key}
    ours.load_state_dict(state)
    theirs.norm = PerFrame(theirs.norm)
    x = torch.randn(2 * 5, 16, 3, 4)
    change = ours(x, 5, None, None) - x
    assert (change - (theirs(x, num_frames=5) - x)).abs().max() < 1e-5
    assert change.std() > 0.1


def test_position_table_interleaves_sine_and_cosine():
    table = time_positions(torch.zeros(1, 3, 4), start=2)
    assert table.shape == (3, 4)
    expected = torch.tensor([2.0, 2.0, 0.02, 0.02])
    expected = torch.stack([expected[0].sin(), expected[1].cos(), expected[2].sin(), expected[3].cos()])
    assert torch.allclose(table[0], expected, atol=1e-6)


@pytest.mark.parametrize("real_first", [True, False])
def test_position_tables_do_not_pass_between_fake_and_real_tensors(real_first):
    length, x = 31 + real_first, torch.zeros(1, 31 + real_first, 4)  # tables that no other test has cached
    if real_first:
        time_positions(x)
    with FakeTensorMode():
        assert isinstance(time_positions(torch.zeros(1, length, 4)), FakeTensor)
    assert type(time_positions(x)) is Tensor


def whole_block(block: TemporalBlock, motion: Tensor, x: Tensor) -> Tensor:
    """Every token of motion and clip computed, then the motion tokens cut off."""
    both = torch.cat([motion, x], dim=1)
    for attention, norm in ((block.attn1, block.norm1), (block.attn2, block.norm2)):
        normed = norm(both) + time_positions(both)
        both = both + attention(normed, attention.keys_values(normed))
    both = both + block.ff(block.norm3(both))
    return both[:, motion.shape[1] :]


def tokens_of(block: TemporalBlock, motion: Tensor) -> MotionTokens:
    query = block.norm1(motion) + time_positions(motion)
    return MotionTokens(motion, block.attn1.project(query))


def test_motion_shortcut_equals_the_whole_computation():
    block = TemporalBlock(16, TINY)
    randomise(block)
    motion, x = torch.randn(6, 2, 16), torch.randn(6, 5, 16)
    result = block(x, tokens_of(block, motion), None)
    assert (result - whole_block(block, motion, x)).abs().max() < 1e-5
    assert (result - block(x, None, None)).abs().max() > 1e-2


def test_speed_reaches_every_pixel_alike():
    block = TemporalBlock(16, UNetConfig(heads=2, speed_dim=8))
    randomise(block)
    x, speed = torch.randn(2 * 6, 3, 16), block.attn_speed.keys_values(torch.randn(2, 3, 8))
    repeated = tuple(t.repeat_interleave(6, dim=0) for t in speed)
    expected = x + block.attn_speed(block.norm_speed(x), repeated)
    assert (x + block.attn_speed(block.norm_speed(x), speed) - expected).abs().max() < 1e-5


def test_the_order_of_speeds_within_a_clip_does_not_count():
    block = TemporalBlock(16, UNetConfig(heads=2, speed_dim=8))
    randomise(block)
    x, tokens = torch.randn(6, 5, 16), torch.randn(1, 5, 8)
    given, shuffled, other = (
        block.attn_speed(block.norm_speed(x), block.attn_speed.keys_values(each))
        for each in (tokens, tokens[:, [3, 0, 4, 2, 1]], tokens.clone().fill_(1.0))
    )
    assert (given - shuffled).abs().max() < 1e-5
    assert (given - other).abs().max() > 1e-3


@pytest.mark.parametrize("positions", [False, True])
def test_reference_keys_broadcast_over_the_frames_of_a_clip(positions):
    config = UNetConfig(heads=2, norm_groups=8, reference_positions=positions)
    net = SpatialTransformer(16, config)
    randomise(net)
    x = torch.randn(2 * 3, 16, 4, 5)
    keys = net.transformer_blocks[0].project_reference(torch.randn(2, 4, 5, 16))
    repeated = tuple(t.repeat_interleave(3, dim=0) for t in keys)
    clip, _ = net(x, Reads(reference=keys), 3)
    assert (clip - net(x, Reads(reference=repeated), 1)[0]).abs().max() < 1e-5


def test_still_frames_are_independent():
    net = UNet(TINY)
    tokens = {16: torch.randn(1, 8, 11, 16), 32: torch.randn(1, 4, 6, 32)}
    written = []
    for block, j in net.places():
        width = block.attentions[j].norm.num_channels if block.attentions else None
        written.append(Written(tokens.get(width), None))
    layers = still(net.project(net.nothing(written[0].tokens), reference=written))
    x, steps = torch.randn(3, 4, 8, 11), torch.tensor([5, 5, 5])
    one_by_one = torch.cat([net(x[k : k + 1], steps[k : k + 1], layers) for k in range(3)])
    clip = net(x, steps, layers, frames=3)
    assert clip.shape == (3, 4, 8, 11)
    assert (clip - one_by_one).abs().max() < 1e-5
