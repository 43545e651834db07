"""The relatives' ways to the portrait: joined to self-attention, read twice, scaled; and identity tokens."""

from dataclasses import replace

import pytest
import torch
from torch import Tensor, nn

from emo_modules.config import EMOConfig, UNetConfig
from emo_modules.models.attention import Attention
from emo_modules.models.emo import EMO
from emo_modules.models.reads import Reads
from emo_modules.models.reference import ReferenceNet, first_motion
from emo_modules.models.relatives.joined import in_turn
from emo_modules.models.spatial import TransformerBlock
from emo_modules.quirks import UNetQuirks

from ..relatives import small

DIM, PLACES, FRAMES = 16, 6, 5
SHAPE = {"heads": 2, "norm_groups": 4}
JOINED = UNetConfig(quirks=UNetQuirks("concat"), **SHAPE)
SIZE = (2, 3)


def randomised(module: nn.Module) -> nn.Module:
    for parameter in module.parameters():
        parameter.copy_(0.3 * torch.randn(parameter.shape))
    return module


def attended(attention: Attention, x: Tensor, tokens: Tensor) -> Tensor:
    parts = (attention.to_q(x), attention.to_k(tokens), attention.to_v(tokens))
    query, key, value = (t.unflatten(-1, (2, -1)).transpose(1, 2) for t in parts)
    weights = (query @ key.transpose(-1, -2) / query.shape[-1] ** 0.5).softmax(-1)
    return attention.to_out[0]((weights @ value).transpose(1, 2).flatten(2))


def close(one: Tensor, two: Tensor) -> bool:
    return bool((one - two).abs().max() < 1e-5 * two.abs().max())


@pytest.mark.parametrize("readings", [1, 2])
@pytest.mark.parametrize("frames", [5, 4])
def test_joined_reference_is_more_tokens_for_keys_and_values(readings, frames):
    """Two clips. Frame f reads the portrait's reading (frames + f) % 2, where there are two."""
    module, clips = randomised(TransformerBlock(DIM, JOINED)), 2
    x, portrait = torch.randn(clips * frames, PLACES, DIM), torch.randn(clips, readings, PLACES, DIM)
    reads = Reads(reference=module.project_reference(portrait.flatten(0, 1).unflatten(1, SIZE)))
    module.ff.net[2].weight.zero_()
    module.ff.net[2].bias.zero_()
    found = module(x, reads, frames, SIZE)[0] - x
    for clip in range(clips):
        for f in range(frames):
            own = module.norm1(x[clip * frames + f])[None]
            both = torch.cat([own, portrait[clip, (frames + f) % readings][None]], dim=1)
            assert close(found[clip * frames + f], attended(module.attn1, own, both)[0])


def test_which_reading_a_frame_has():
    readings = torch.tensor([[[0.0]], [[1.0]], [[2.0]], [[3.0]]])  # two clips of two
    assert in_turn(readings, 2, 3).flatten(1).tolist() == [[1, 0, 1], [3, 2, 3]]
    assert in_turn(readings, 2, 4).flatten(1).tolist() == [[0, 1], [2, 3]]  # and again
    assert in_turn(readings[:2], 2, 3).flatten(1).tolist() == [[0], [1]]


def test_without_a_portrait_a_frame_looks_at_itself():
    module = randomised(TransformerBlock(DIM, JOINED))
    x = torch.randn(FRAMES, PLACES, DIM)
    module.ff.net[2].weight.zero_()
    module.ff.net[2].bias.zero_()
    normed = module.norm1(x)
    found = module(x, Reads(), FRAMES, SIZE)[0] - x
    assert close(found, attended(module.attn1, normed, normed))


def test_joined_reference_is_tapped_before_self_attention():
    module = randomised(TransformerBlock(DIM, replace(JOINED, role="writes")))
    x = torch.randn(1, PLACES, DIM)
    _, written = module(x, Reads(), 1, SIZE)
    assert torch.equal(written, module.norm1(x))
    assert not hasattr(module, "norm2")  # EchoMimic's ReferenceNet has none


@pytest.mark.parametrize(("reference_scale", "audio_scale"), [(0.95, 3.0), (1.0, 1.0), (0.0, 0.0)])
def test_a_block_adds_scaled_reference_and_sound(reference_scale, audio_scale):
    """V-Express's order and factors, in full."""
    quirks = UNetQuirks(reference_scale=reference_scale, audio_scale=audio_scale)
    module = randomised(TransformerBlock(DIM, UNetConfig(audio_dim=12, quirks=quirks, **SHAPE)))
    x, portrait, sound = (
        torch.randn(FRAMES, PLACES, DIM),
        torch.randn(1, PLACES, DIM),
        torch.randn(FRAMES, 5, 12),
    )
    keys = module.project_reference(portrait.unflatten(1, SIZE))
    reads = Reads(keys, audio=module.attn_audio.keys_values(sound))
    h = x + attended(module.attn1, module.norm1(x), module.norm1(x))
    seen = attended(module.attn_ref, module.norm_ref(h), portrait.expand(FRAMES, -1, -1))
    h = h + reference_scale * seen
    h = h + audio_scale * attended(module.attn_audio, module.norm_audio(h), sound)
    assert close(module(x, reads, FRAMES, SIZE)[0], h + module.ff(module.norm3(h)))


def test_absent_reference_and_sound_are_keys_and_values_of_zeros():
    """V-Express's and EchoMimic's other half of guidance: the factors act on the bias too."""
    quirks = UNetQuirks(reference_scale=0.95, audio_scale=3.0)
    config = UNetConfig(audio_dim=12, quirks=quirks, **SHAPE)
    module = randomised(TransformerBlock(DIM, config))
    x = torch.randn(FRAMES, PLACES, DIM)
    zeros = Reads(
        module.attn_ref.keys_values(torch.zeros(1, PLACES, DIM)),
        audio=module.attn_audio.keys_values(torch.zeros(FRAMES, 5, 12)),
    )
    expected, _ = module(x, zeros, FRAMES, SIZE)
    assert close(module(x, module.nothing(x), FRAMES, SIZE)[0], expected)
    unscaled = TransformerBlock(DIM, replace(config, quirks=replace(quirks, audio_scale=1.0)))
    unscaled.load_state_dict(module.state_dict())
    assert not close(unscaled(x, unscaled.nothing(x), FRAMES, SIZE)[0], expected)


# ReferenceNet with identity tokens


@pytest.fixture
def net() -> ReferenceNet:
    return randomised(ReferenceNet(small("hallo")))


def test_no_face_known_is_an_embedding_of_zeros(net):
    portrait = torch.randn(2, 4, 8, 8)
    blank = net.identity_projection(torch.zeros(2, 512))
    unknown = net.identity_tokens(None, portrait)
    assert torch.equal(unknown.cond, blank)
    assert torch.equal(unknown.uncond, blank)
    known = net.identity_tokens(torch.randn(2, 512), portrait)
    assert torch.equal(known.uncond, blank)
    assert not torch.equal(known.cond, blank)
    assert known.cond.shape == (2, 4, net.config.quirks.context_dim)


def written(net: ReferenceNet, latent: Tensor, tokens: Tensor) -> list[Tensor | None]:
    return [layer.tokens for layer in net.write(latent, tokens)]


def same(found: list[Tensor | None], expected: list[Tensor | None]) -> bool:
    return all(a is b is None or close(a, b) for a, b in zip(found, expected, strict=True))


def test_the_portrait_is_read_with_no_face_and_with_the_face(net):
    portraits = torch.randn(2, 4, 8, 8)
    tokens = net.identity_tokens(torch.randn(2, 512), portraits)
    found = [layer.tokens for layer in net.portrait(portraits, tokens)]
    for clip in range(2):
        for reading, identity in enumerate((tokens.uncond, tokens.cond)):
            alone = written(net, portraits[clip : clip + 1], identity[clip : clip + 1])
            rows = [None if layer is None else layer[2 * clip + reading][None] for layer in found]
            assert same(rows, alone)


def test_motion_frames_alternate_between_no_face_and_the_face(net):
    """Rows (portrait, 1, 2) of both halves of guidance get no face, face, no face ... in turn."""
    motion = torch.randn(1, 2, 4, 8, 8)
    tokens = net.identity_tokens(torch.randn(1, 512), motion[:, 0])
    past = net.past(motion, tokens)
    for half, identities in (
        (past.uncond, (tokens.cond, tokens.uncond)),
        (past.cond, (tokens.uncond, tokens.cond)),
    ):
        for k, identity in enumerate(identities):
            rows = [None if layer.tokens is None else layer.tokens[k][None] for layer in half]
            assert same(rows, written(net, motion[:, k], identity))


def test_motion_features_are_the_references_and_missing_without_attention(net):
    layers = net.write(torch.randn(3, 4, 8, 8), torch.randn(3, 4, net.config.quirks.context_dim))
    assert [layer.tokens is None for layer in layers] == [not block.attentions for block, _ in net.places()]
    for layer in layers:
        if layer.tokens is None:
            assert layer.map is None
        else:
            assert torch.equal(layer.map.permute(0, 2, 3, 1), layer.tokens)
    assert {layer.map is None for layer in layers} == {True, False}


def test_identity_that_is_not_tiled_is_the_same_for_all():
    config = small("hallo")
    identity = replace(config.quirks.identity, tiled=False)
    plain = replace(config, quirks=replace(config.quirks, identity=identity))
    net = randomised(ReferenceNet(plain))
    motion = torch.randn(1, 2, 4, 8, 8)
    tokens = net.identity_tokens(torch.randn(1, 512), motion[:, 0])
    assert same(
        [layer.tokens for layer in net.portrait(motion[:, 0], tokens)],
        written(net, motion[:, 0], tokens.cond),
    )
    past = net.past(motion, tokens)
    assert past.cond is past.uncond
    assert same([layer.tokens for layer in past.cond], written(net, motion[0], tokens.cond.expand(2, -1, -1)))


def test_weights_without_identity_have_no_tokens():
    net = ReferenceNet(small("echomimic"))
    assert net.identity_tokens(torch.randn(1, 512), torch.randn(1, 4, 8, 8)) is None
    assert not hasattr(net, "identity_projection")


@pytest.mark.parametrize("tiled", [True, False])
def test_another_number_of_motion_frames_is_refused(tiled):
    config = small("hallo")
    identity = replace(config.quirks.identity, tiled=tiled)
    emo = EMO(replace(config, quirks=replace(config.quirks, identity=identity)))
    portrait = torch.randn(1, 4, 8, 8)
    video = emo.conditioner().video(portrait, torch.zeros(1, 3, 64, 64))
    with pytest.raises(ValueError, match="motion needs 2 frames, got 4"):
        emo.conditioner().clip(video, 3, None, motion=torch.randn(1, 4, 4, 8, 8))


def test_the_past_before_the_first_clip():
    portrait = torch.randn(2, 4, 8, 8)
    assert first_motion(portrait, EMOConfig()) is None
    assert first_motion(portrait, small("echomimic")) is None
    motion = first_motion(portrait, small("hallo"))
    assert motion.shape == (2, 2, 4, 8, 8)
    assert torch.equal(motion[1, 0], portrait[1])
    assert torch.equal(motion[1, 1], portrait[1])
