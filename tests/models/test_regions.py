"""Hallo's regional audio block: skipped places, absent sound and shared branches equal the plain formula."""

from dataclasses import replace

import pytest
import torch
from torch import Tensor, nn

from emo_modules.config import UNetConfig
from emo_modules.models.attention import Attention, Operations
from emo_modules.models.relatives.regions import (
    REGIONS,
    RegionalAudioBlock,
    RegionalAudioTransformer,
    Regions,
    batch_regions,
    read_regions,
)
from emo_modules.quirks import UNetQuirks

DIM, SOUND, PLACES, FRAMES = 16, 12, 10, 3
HALLO = UNetConfig(heads=2, norm_groups=4, audio_dim=SOUND, quirks=UNetQuirks(audio_branches=3))
MASKS = (
    torch.tensor([1.0, 1, 1, 0.5, 0.2, 0, 0, 0, 1, 1]),
    torch.tensor([0.0, 0, 0, 0.5, 0.8, 1, 1, 0, 0, 0]),
    torch.tensor([0.0, 0, 0, 0, 0, 0, 0.4, 1, 0, 0]),
)
WEIGHTS = (0.7, 1.0, 1.6)


def randomised(module: nn.Module) -> nn.Module:
    for parameter in module.parameters():
        parameter.copy_(0.3 * torch.randn(parameter.shape))
    return module


def block(branches: int = 3) -> RegionalAudioBlock:
    return randomised(RegionalAudioBlock(DIM, replace(HALLO, quirks=UNetQuirks(audio_branches=branches))))


def attended(attention: Attention, x: Tensor, tokens: Tensor) -> Tensor:
    heads = [
        t.unflatten(-1, (2, -1)).transpose(1, 2) for t in (attention.to_q(x), *attention.keys_values(tokens))
    ]
    query, key, value = heads
    weights = (query @ key.transpose(-1, -2) / query.shape[-1] ** 0.5).softmax(-1)
    return attention.to_out[0]((weights @ value).transpose(1, 2).flatten(2))


def plain(module: RegionalAudioBlock, x: Tensor, tokens: Tensor, shared: bool = False) -> Tensor:
    """Everywhere, then times the mask, then the last layer: as Hallo computes it."""
    x = x + attended(module.attn1, module.norm1(x), module.norm1(x))
    total = x
    for k, (name, mask) in enumerate(zip(REGIONS, MASKS, strict=True)):
        attention = module.attn2_0 if shared else getattr(module, f"attn2_{k}")
        heard = attended(attention, module.norm2(x), tokens) * mask[:, None]
        total = total + WEIGHTS[k] * getattr(module, f"zero_conv_{name}")(heard)
    return total + module.ff(module.norm3(total))


@pytest.fixture
def regions() -> Regions:
    return read_regions([MASKS], WEIGHTS)[PLACES]


@pytest.fixture
def x() -> Tensor:
    return torch.randn(FRAMES, PLACES, DIM)


@pytest.fixture
def tokens() -> Tensor:
    return torch.randn(FRAMES, 5, SOUND)


@pytest.mark.parametrize("branches", [3, 1])
def test_skipping_places_with_mask_zero_changes_nothing(x, tokens, regions, branches):
    module = block(branches)
    found = module(x, module.keys_values(tokens), regions)
    assert (found - plain(module, x, tokens, shared=branches == 1)).abs().max() < 1e-5 * found.abs().max()


def test_places_without_a_mask_are_not_computed(x, tokens, regions):
    lengths = []

    class Recording(Operations):
        @staticmethod
        def attend(query: Tensor, key: Tensor, value: Tensor, heads: int) -> Tensor:
            lengths.append(query.shape[1])
            return query

    module = randomised(RegionalAudioBlock(DIM, HALLO, Recording))
    module(x, module.keys_values(tokens), regions)
    assert lengths == [PLACES, *(int((mask > 0).sum()) for mask in MASKS)]


@pytest.mark.parametrize("branches", [3, 1])
def test_absent_sound_is_all_zero_tokens(x, tokens, regions, branches):
    module = block(branches)
    silent = module(x, module.keys_values(torch.zeros_like(tokens)), regions)
    assert (module(x, module.nothing(x), regions) - silent).abs().max() < 1e-5 * silent.abs().max()
    assert (plain(module, x, torch.zeros_like(tokens), branches == 1) - silent).abs().max() < 1e-4
    assert (module(x, module.keys_values(tokens), regions) - silent).abs().max() > 0.01


def test_joyhallos_regions_share_one_attention(tokens):
    names = {name for name, _ in block(1).named_children()}
    assert {f"zero_conv_{name}" for name in REGIONS} | {"attn2_0"} <= names
    assert not {"attn2_1", "attn2_2"} & names
    assert block(1).keys_values(tokens).keys[0].shape[-1] == DIM
    assert block(3).keys_values(tokens).keys[0].shape[-1] == 3 * DIM


@pytest.mark.parametrize("branches", [3, 1])
def test_branches_as_one_hear_the_same(x, tokens, regions, branches):
    module = block(branches)
    heard, silent = module.keys_values(tokens), module.nothing(x)
    expected, quiet = module(x, heard, regions), module(x, silent, regions)
    state = {name: value.clone() for name, value in module.state_dict().items()}
    module.fuse()
    assert (module(x, heard, regions) - expected).abs().max() < 1e-5 * expected.abs().max()
    assert (module(x, silent, regions) - quiet).abs().max() < 1e-5 * quiet.abs().max()
    assert all(torch.equal(value, state[name]) for name, value in module.state_dict().items())


def test_branches_as_one_read_masks_of_each_frame(x, tokens):
    module = block()
    each = batch_regions([torch.rand(FRAMES, 3, PLACES)], 1)[PLACES]
    expected = module(x, module.keys_values(tokens), each)
    module.fuse()
    found = module(x, module.keys_values(tokens), each)
    assert (found - expected).abs().max() < 1e-5 * expected.abs().max()


def test_branches_are_apart_again_once_others_are_loaded(x, tokens, regions):
    module, other = block(), block()
    module.fuse()
    module.load_state_dict(other.state_dict())
    expected = other(x, other.keys_values(tokens), regions)
    assert torch.equal(module(x, module.keys_values(tokens), regions), expected)


@pytest.mark.parametrize("silent", [False, True])
@pytest.mark.parametrize("k", range(3))
def test_a_region_that_weighs_nothing_leaves_no_trace(x, tokens, silent, k):
    weights = tuple(float(j != k) for j in range(3))
    without, module = read_regions([MASKS], weights)[PLACES], block()
    audio = module.nothing(x) if silent else module.keys_values(tokens)
    before = module(x, audio, without)
    for layer in (module.branch(k), getattr(module, f"zero_conv_{REGIONS[k]}")):
        randomised(layer)
    audio = module.nothing(x) if silent else module.keys_values(tokens)
    assert torch.equal(module(x, audio, without), before)
    assert not torch.equal(module(x, audio, read_regions([MASKS])[PLACES]), before)


def test_an_empty_region_leaves_only_the_last_layers_bias(x, tokens):
    module = block()
    empty = read_regions([(torch.ones(PLACES), torch.zeros(PLACES), torch.zeros(PLACES))])[PLACES]
    found = module.listen(x, module.keys_values(tokens), empty) - x
    heard = module.zero_conv_full(attended(module.attn2_0, module.norm2(x), tokens))
    expected = heard + module.zero_conv_face.bias + module.zero_conv_lip.bias
    assert (found - expected).abs().max() < 1e-5


def test_new_modules_start_as_if_there_were_no_sound(x, tokens, regions):
    module = RegionalAudioBlock(DIM, HALLO)
    assert torch.equal(module(x, module.keys_values(tokens), regions), module(x, module.nothing(x), regions))


def test_regions_are_found_by_the_number_of_tokens(tokens):
    """At sizes that are not square, and of another width inside."""
    module = randomised(RegionalAudioTransformer(8, DIM, HALLO))
    coarse = tuple(torch.rand(6) for _ in REGIONS)
    regions = read_regions([MASKS, coarse], WEIGHTS)
    assert set(regions) == {10, 6}
    audio = module.transformer_blocks[0].keys_values(tokens)
    for height, width in ((2, 5), (5, 2), (2, 3)):
        x = torch.randn(FRAMES, 8, height, width)
        inside = module.proj_in(module.norm(x)).flatten(2).transpose(1, 2)
        inside = module.transformer_blocks[0](inside, audio, regions[height * width])
        expected = x + module.proj_out(inside.transpose(1, 2).reshape(FRAMES, DIM, height, width))
        assert torch.equal(module(x, audio, regions), expected)


def test_regions_move_to_the_models_type():
    there = read_regions([MASKS], WEIGHTS)[PLACES].to(torch.device("meta"), torch.bfloat16)
    assert {part.mask.dtype for part in there.parts} | {there.shares.dtype} == {torch.bfloat16}
    assert {part.places.dtype for part in there.parts} == {torch.int64}
    assert {part.places.device.type for part in there.parts} == {"meta"}
    assert there.weights == WEIGHTS


def test_half_precision(x, tokens, regions):
    module = block()
    expected = module(x, module.keys_values(tokens), regions)
    half = regions.to(torch.device("cpu"), torch.bfloat16)
    module.bfloat16()
    found = module(x.bfloat16(), module.keys_values(tokens.bfloat16()), half)
    assert found.dtype == torch.bfloat16
    assert (found - expected).abs().max() < 0.1 * expected.abs().max()
