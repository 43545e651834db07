"""EMO's relatives as whole models: every condition counts, and what guidance's other half goes without."""

import re
from dataclasses import fields, replace

import pytest
import torch
from torch import Tensor
from torch.utils._pytree import tree_leaves as leaves

from emo_modules.models.conditions import Conditions
from emo_modules.models.emo import EMO
from emo_modules.models.relatives.regions import Region, Regions

from ..relatives import NAMES, RELEASED, Scene, copied, random_emo, small

FAMILIES = ["echomimic", "echomimic_pose", "hallo", "joyhallo", "v_express"]


@pytest.fixture(scope="module", params=FAMILIES)
def model(request) -> EMO:
    return random_emo(small(request.param))


@pytest.fixture(scope="module")
def hallo() -> EMO:
    return random_emo(small("hallo"))


def differ(one: Tensor, two: Tensor) -> bool:
    return bool((one - two).abs().max() > 1e-4 * one.abs().max())


def fed(config: object) -> list[str]:
    """The inputs that a scene of this family has."""
    scene = Scene.random(config)
    names = [field.name for field in fields(Scene) if getattr(scene, field.name) is not None]
    return [name for name in names if name != "noise"]


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("echomimic", ["portrait", "picture", "audio"]),
        ("echomimic_pose", ["portrait", "audio", "pictures"]),
        ("hallo", ["portrait", "picture", "identity", "regions", "audio", "motion"]),
        ("v_express", ["portrait", "picture", "audio"]),
    ],
)
def test_what_a_family_is_fed_with(name, expected):
    assert fed(small(name)) == expected


def test_every_input_changes_the_prediction(model):
    scene = Scene.random(model.config)
    before = scene.predict(model)
    assert before.isfinite().all()
    for name in fed(model.config):
        value = getattr(scene, name)
        if name == "regions":
            changed = {count: Regions.of(at.parts[::-1], count) for count, at in value.items()}
        else:
            changed = 1 - value if name == "picture" else value.roll(1, dims=-1)
        assert differ(replace(scene, **{name: changed}).predict(model), before), name


def test_speed_has_no_effect(model):
    scene = Scene.random(model.config)
    conditioner = model.conditioner()
    video = conditioner.video(scene.portrait, scene.picture, scene.identity, scene.regions)
    speeds = torch.tensor([[0.0, 40, 5]])
    found = conditioner.clip(video, 3, scene.audio, speeds, scene.pictures, motion=scene.motion)
    assert torch.equal(scene.predict(model, found), scene.predict(model))
    assert not hasattr(model, "speed_encoder")


def silence(model: EMO, conditions: Conditions) -> Tensor:
    """Audio tokens that are all zero."""
    config = model.config
    tokens = config.audio.tokens if config.quirks.audio_projection != "none" else 50
    width = config.backbone.audio_dim
    return torch.zeros(conditions.frames, tokens, width)


def test_the_other_half_of_guidance(model):
    """No portrait, tokens of zeros for the sound, and nothing from the face locator."""
    scene = Scene.random(model.config)
    conditions = scene.conditions(model)
    without = conditions.uncond()
    assert without.face is None
    assert not without.portrait.any()
    reads = model.backbone.project(without.reads, audio=silence(model, conditions))
    if model.config.backbone.quirks.reference_join == "cross":  # V-Express: keys and values of zeros
        keys = [cond.reference and tuple(map(torch.zeros_like, cond.reference)) for cond in conditions.reads]
        reads = [replace(row, reference=zeros) for row, zeros in zip(reads, keys, strict=True)]
    zeros = replace(without, reads=reads, face=conditions.face * 0)
    expected = scene.predict(model, zeros)
    assert (scene.predict(model, without) - expected).abs().max() < 1e-5 * expected.abs().max()
    assert differ(scene.predict(model, conditions), expected)


def test_hallos_other_half_knows_no_face_but_the_past_and_the_regions(hallo):
    scene = Scene.random(hallo.config)
    conditions = scene.conditions(hallo)
    without = conditions.uncond()
    net = hallo.reference_net
    blank = net.identity_projection(torch.zeros(1, 512))
    rows = list(zip(without.reads, hallo.backbone.project(without.reads, context=blank), strict=True))
    assert all(a.context is b.context is None or all(map(torch.equal, a.context, b.context)) for a, b in rows)
    assert all(row.regions is scene.regions for row in without.reads)
    given = net.identity_projection(scene.identity)
    written = net.write(scene.motion[0], torch.cat([given, blank]))  # the first motion frame with the face
    expected = hallo.backbone.project(without.reads, past=written, motion_frames=2)
    for a, b in zip(without.reads, expected, strict=True):
        assert a.motion is b.motion is None or all(map(torch.equal, leaves(a.motion), leaves(b.motion)))
    pairs = zip(without.reads, conditions.reads, strict=True)
    same = [torch.equal(a.motion.hidden, b.motion.hidden) for a, b in pairs if a.motion is not None]
    assert same[:2] == [True, False]  # read before the first attn2


def test_hallo_reads_the_portrait_twice(hallo):
    scene = Scene.random(hallo.config)
    conditioner = hallo.conditioner()
    video = conditioner.video(scene.portrait, scene.picture, scene.identity, scene.regions)
    assert {len(row.reference[0]) for row in video.reads if row.reference} == {2}
    unknown = conditioner.video(scene.portrait, scene.picture, None, scene.regions)
    for keys, _ in (row.reference for row in unknown.reads if row.reference):
        assert (keys[0] - keys[1]).abs().max() < 1e-5


def test_hallo_begins_with_the_portrait_as_its_past(hallo):
    scene = Scene.random(hallo.config)
    repeated = replace(scene, motion=scene.portrait[:, None].repeat(1, 2, 1, 1, 1))
    assert torch.equal(replace(scene, motion=None).predict(hallo), repeated.predict(hallo))


def test_a_region_without_weight_hears_nothing(hallo):
    scene = Scene.random(hallo.config)
    deaf = {n: Regions.of(at.parts, n, (0.0, 0.0, 0.0)) for n, at in scene.regions.items()}
    other = replace(scene, regions=deaf)
    silence = replace(other, audio=scene.audio.roll(1, dims=2))
    assert torch.equal(other.predict(hallo), silence.predict(hallo))
    assert differ(other.predict(hallo), scene.predict(hallo))


def test_places_outside_all_regions_are_skipped_exactly(hallo):
    """Masks of zeros with every place listed give the same as none listed."""
    scene = Scene.random(hallo.config)
    everywhere = {}
    for count, at in scene.regions.items():
        parts = []
        for part in at.parts:
            mask = torch.zeros(count, 1).index_copy(0, part.places, part.mask)
            parts.append(Region(torch.arange(count), mask))
        everywhere[count] = Regions.of(tuple(parts), count)
    found, expected = scene.predict(hallo), replace(scene, regions=everywhere).predict(hallo)
    assert (found - expected).abs().max() < 1e-5 * expected.abs().max()


@pytest.mark.parametrize("scale", [0.0, 1.0, 2.0])
def test_the_sounds_influence_can_be_scaled(model, scale):
    scene = Scene.random(model.config)
    conditions = scene.conditions(model)
    found = scene.predict(model, conditions.scaled_audio(scale))
    if scale == 0:
        deaf = replace(conditions, reads=[
            replace(row, audio=silent.audio)
            for row, silent in zip(conditions.reads, conditions.uncond().reads, strict=True)
        ])  # fmt: skip
        deaf = scene.predict(model, deaf)
        assert (found - deaf).abs().max() < 1e-5 * deaf.abs().max()
    else:
        assert differ(found, scene.predict(model, conditions)) == (scale != 1)


def test_sizes_that_are_not_square_and_halve_unevenly(model):
    scene = Scene.random(model.config, size=(9, 13))
    found = scene.predict(model)
    assert found.shape == (3, 4, 9, 13)
    assert found.isfinite().all()


def test_clips_of_a_batch_do_not_touch_each_other(hallo):
    one = Scene.random(hallo.config)
    two = replace(
        one,
        portrait=one.portrait.flip(2),
        identity=-one.identity,
        audio=one.audio.flip(1),
        motion=one.motion.flip(3),
    )
    names = ("portrait", "identity", "audio", "motion")
    both = {name: torch.cat([getattr(one, name), getattr(two, name)]) for name in names}
    noise = torch.cat([one.noise, two.noise])
    conditioner, picture = hallo.conditioner(), one.picture.repeat(2, 1, 1, 1)
    video = conditioner.video(both["portrait"], picture, both["identity"], one.regions)
    conditions = conditioner.clip(video, 3, both["audio"], motion=both["motion"])
    for halves in (conditions, conditions.uncond()):
        found = hallo.predict(noise, torch.full((6,), 400), halves)
        for part, scene in zip(found.split(3), (one, two), strict=True):
            alone = scene.conditions(hallo)
            alone = alone if halves is conditions else alone.uncond()
            expected = scene.predict(hallo, alone)
            assert (part - expected).abs().max() < 1e-5 * expected.abs().max()


LAST = r"reference_net\.up_blocks\.3\.attentions\.1\."  # nothing is read after its tokens
UNREAD = {
    "emo": "$^",
    "echomimic": LAST,
    "echomimic_pose": LAST,
    "hallo": LAST,
    "joyhallo": LAST,
    # its ReferenceNet is told of no face: attn2 gives its bias alone
    "v_express": rf"{LAST}|reference_net\..*\.attn2\..*weight",
}


@pytest.mark.parametrize("family", UNREAD)
def test_every_family_can_be_trained_through_the_conditions_of_inference(family, small_config):
    """Gradients reach every parameter that counts, with guidance's other half."""
    model = copied(random_emo(small_config if family == "emo" else small(family)))
    scene = Scene.random(model.config, size=(16, 16))  # more than one place at the lowest resolution
    with torch.enable_grad():
        conditions = scene.conditions(model)
        halves = (scene.predict(model, half) for half in (conditions, conditions.uncond()))
        torch.stack([half.square().mean() for half in halves]).sum().backward()
    gradients = {name: parameter.grad for name, parameter in model.named_parameters()}
    assert all(gradient.isfinite().all() for gradient in gradients.values() if gradient is not None)
    without = [name for name, gradient in gradients.items() if gradient is None or not gradient.any()]
    assert [name for name in without if not re.match(UNREAD[family], name)] == []


@pytest.mark.parametrize("name", NAMES)
def test_full_sizes_build(name):
    with torch.device("meta"):
        model = EMO(RELEASED[name].config)
    places = [(block, j) for block, j in model.backbone.places()]
    assert len(places) == 21
    temporal = [bool(block.motion_modules) for block, _ in places]
    # Hallo never runs those of the lowest level
    assert temporal.count(True) == (16 if model.config.family == "hallo" else 21)
    assert sum(bool(block.audio_modules) for block, _ in places) == 16 * (model.config.family == "hallo")


def test_guidances_halves_in_one_batch_are_those_of_two_passes(model):
    scene = Scene.random(model.config)
    conditions = scene.conditions(model)
    halves = [scene.predict(model, half) for half in (conditions, conditions.uncond())]
    times = torch.full((2 * len(scene.noise),), 400)
    both = model.predict(torch.cat([scene.noise, scene.noise]), times, conditions.both)
    for found, expected in zip(both.chunk(2), halves, strict=True):
        assert (found - expected).abs().max() < 1e-5 * expected.abs().max()
    assert differ(*halves)


def test_fused_projections_give_the_same(model):
    scene, fused = Scene.random(model.config), copied(model)
    expected = scene.predict(fused)
    fused.fuse()
    joined = [module for module in fused.modules() if getattr(module, "joint", None) is not None]
    assert len(joined) >= 20
    found = scene.predict(fused)
    assert (found - expected).abs().max() < 1e-5 * expected.abs().max()
    state = model.state_dict()
    assert list(fused.state_dict()) == list(state)
    assert all(torch.equal(value, state[key]) for key, value in fused.state_dict().items())
