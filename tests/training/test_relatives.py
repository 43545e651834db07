"""EMO's relatives learn in their own structure: what their batches hold, and what a stage changes."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor

from emo_modules.checkpoints.adapter import AdapterUse
from emo_modules.checkpoints.store import load_checkpoint, save_checkpoint
from emo_modules.checkpoints.vae import build_vae
from emo_modules.config import EMOConfig
from emo_modules.cues.box import Box
from emo_modules.cues.landmarks import draw_kps, draw_landmarks, kps_of
from emo_modules.cues.masks import echomimic_region, level_sizes
from emo_modules.families.table import face_cues, family_of
from emo_modules.models.conditions import KeptConditions
from emo_modules.models.relatives.regions import batch_regions, read_regions
from emo_modules.schedule import alphas_cumprod
from emo_training.cli import main
from emo_training.footage.shards import ShardIndex
from emo_training.training.config_file import stage_draw
from emo_training.training.identities import Identities
from emo_training.training.loop import Trainer
from emo_training.training.relatives import RelativeBatch, clip_cues, known_points, learned_schedule
from emo_training.training.sample_set import Draw
from emo_training.training.shard_source import ShardSource
from emo_training.training.stages import part_of, select_parameters, stage_of
from emo_training.training.train_config import TrainConfig

from ..relatives import (
    FACE,
    RELEASED,
    Scene,
    copied,
    random_emo,
    shrink,
    small,
    write_encoder,
    write_release,
    write_vae,
)
from ..shards import SIZE, make_sample, write_shards

TRAINED = ("hallo", "joyhallo", "echomimic", "echomimic_pose", "v_express")
ALWAYS = {"first_clip": 0.0, "drop_reference": 0.0, "drop_audio": 0.0, "drop_both": 0.0}


@pytest.fixture(scope="module")
def meshes(tmp_path_factory) -> Path:
    """Shards with MediaPipe's landmarks."""
    return write_shards(tmp_path_factory.mktemp("meshes"), clips=4, landmarks=478)


def clips(config: EMOConfig, **changes) -> Draw:
    return replace(stage_draw("video", config), **{"batch": 2} | ALWAYS | changes)


def open_source(config: EMOConfig, shards: Path, draw: Draw, **options) -> ShardSource:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(1)
        vae, encoder = build_vae(config).eval(), family_of(config).hearing.build(config.audio).eval()
    return ShardSource(ShardIndex.load(shards), config, draw, 0, vae, encoder, workers=0, **options)


def batch_of(name: str, shards: Path, **changes) -> RelativeBatch:
    config = replace(small(name), fps=25.0)
    batch, _ = next(open_source(config, shards, clips(config, **changes)).stream([0]))
    assert isinstance(batch, RelativeBatch)
    return batch


# The model


@pytest.mark.parametrize("name", TRAINED)
def test_what_training_drops_is_guidances_other_half(name):
    """One clip with its conditions and one without them, side by side. Hallo's other half reads its past in
    another order (`IdentityConfig.tiled`), which training does not."""
    config = small(name)
    if config.quirks.identity:
        identity = replace(config.quirks.identity, tiled=False)
        config = replace(config, quirks=replace(config.quirks, identity=identity))
    model = random_emo(config)
    scene = Scene.random(model.config)
    conditions = scene.conditions(model)
    expected = [scene.predict(model, half) for half in (conditions, conditions.uncond())]

    def twice(value: Tensor | None) -> Tensor | None:
        return None if value is None else torch.cat([value, value])

    _, regions = face_cues(model.config, FACE, 64, 64)
    if regions is not None:
        masks = [torch.stack([full_mask(p, n) for p in at.parts]) for n, at in regions.items()]
        regions = batch_regions([twice(each[None]) for each in masks], 3)
    kept = torch.tensor([1.0, 0.0])
    found = model(
        twice(scene.noise[None]),
        torch.full((2, 3), 400),
        twice(scene.portrait),
        twice(scene.picture),
        twice(scene.audio),
        twice(scene.motion),
        kept=KeptConditions(kept, kept, torch.ones(2)),
        identity=twice(scene.identity),
        regions=regions,
        pictures=twice(scene.pictures),
    )
    for part, whole in zip(found, expected, strict=True):
        assert (part - whole).abs().max() < 1e-5 * whole.abs().max()
    assert (expected[0] - expected[1]).abs().max() > 1e-3 * expected[0].abs().max()


def full_mask(part, tokens: int) -> Tensor:
    return torch.zeros(tokens).index_put((part.places,), part.mask[:, 0])


def test_regions_of_a_batch_are_those_of_each_clip():
    model = random_emo(small("hallo"))
    block = model.backbone.down_blocks[0].audio_modules[0].transformer_blocks[0]
    generator = torch.Generator().manual_seed(0)
    masks = torch.rand(2, 3, 16, generator=generator) * (torch.rand(2, 3, 16, generator=generator) > 0.5)
    x, tokens = torch.randn(6, 16, 16, generator=generator), torch.randn(6, 3, 24, generator=generator)
    both = batch_regions([masks], frames=3)[16]
    for audio in (block.keys_values(tokens), block.nothing(tokens)):
        found = block(x, audio, both)
        for k in range(2):
            rows = slice(3 * k, 3 * k + 3)
            own = audio.keys and tuple(t[rows] for t in audio.keys)
            alone = block(x[rows], audio._replace(keys=own), read_regions([tuple(masks[k])])[16])
            assert torch.allclose(found[rows], alone, atol=1e-5)


# Batches


def test_hallos_past_of_a_first_clip_is_the_portrait(meshes):
    begun, first = (batch_of("hallo", meshes, first_clip=share) for share in (0.0, 1.0))
    assert torch.equal(first.motion, first.reference[:, None].expand_as(first.motion))
    assert not torch.equal(begun.motion, first.motion)
    assert first.motion_kept.eq(1).all()


def test_v_express_sees_eyes_and_nose_of_each_frame(meshes):
    config = replace(small("v_express"), fps=25.0)
    source = open_source(config, meshes, clips(config))
    raw, entry = source.samples[0], source.samples.order[0]
    points = torch.from_numpy(source.samples.index.read(entry, landmarks=True).landmarks)
    batch = source.encode(raw)
    assert batch.pictures.shape == (2, 24, 3, 64, 64)
    assert not batch.mask.numel() and not batch.regions.numel()
    for k, frame in enumerate(raw.frames[0].tolist()):
        assert torch.allclose(batch.pictures[0, k], draw_kps(kps_of(points[frame]), 64, 64))


def test_echomimic_sees_a_region_or_a_mesh(meshes):
    batch = batch_of("echomimic", meshes)
    assert batch.mask.shape == (2, 1, 64, 64) and not batch.pictures.numel()
    config = replace(small("echomimic_pose"), fps=25.0, width=32, height=32)  # landmarks shrink along
    source = open_source(config, meshes, clips(config))
    raw, entry = source.samples[0], source.samples.order[0]
    points = torch.from_numpy(source.samples.index.read(entry, landmarks=True).landmarks)
    drawn = draw_landmarks(points[raw.frames[0, 5]] / 2, 32, 32)
    assert torch.allclose(source.encode(raw).pictures[0, 5], drawn, atol=1e-6)


def test_echomimics_region_is_around_all_faces_of_the_clip(meshes):
    config = replace(small("echomimic"), fps=25.0)
    source = open_source(config, meshes, clips(config))
    raw = source.samples[0]
    x0, y0, x1, y1 = (raw.union[0] * SIZE).tolist()
    assert torch.equal(source.encode(raw).mask[0], echomimic_region(Box(x0, y0, x1, y1), 64, 64))


def test_hallos_masks_are_those_of_inference(meshes):
    """A clip whose faces stand still has the masks that its portrait would have."""
    config = replace(small("hallo"), fps=25.0)
    source = open_source(config, meshes, clips(config))
    index = source.samples.index
    sample = index.read(source.samples.order[0], landmarks=True)
    cues = clip_cues(config, sample, torch.tensor([4] * 3))
    points = torch.from_numpy(sample.landmarks[4])
    picture, regions = face_cues(config, Box(*sample.arrays["boxes"][4].tolist()), 64, 64, points)
    assert torch.equal(cues.picture[None] / 255, picture)
    sizes = [h * w for h, w in level_sizes(8, 8)]
    for masks, (count, expected) in zip(cues.regions.split(sizes, dim=1), regions.items(), strict=True):
        assert masks.shape == (3, count)
        for mask, part in zip(masks, expected.parts, strict=True):
            assert torch.allclose(mask / 255, full_mask(part, count))


def test_frames_without_landmarks_have_those_between_their_neighbours():
    sample = make_sample(1, landmarks=68)
    whole = torch.from_numpy(sample.landmarks.copy())
    sample.landmarks[[3, 7]] = np.nan
    assert torch.allclose(known_points(small("hallo"), sample), whole, atol=1e-4)  # they move evenly


def test_face_embeddings_are_of_the_person(meshes, tmp_path):
    config = replace(small("hallo"), fps=25.0)
    np.save(tmp_path / "person0.npy", np.full(512, 2.0, np.float32))
    source = open_source(config, meshes, clips(config), identities=Identities(tmp_path, config))
    seen = set()
    for number in range(4):
        raw = source.samples[number]
        for row in range(2):
            person = source.samples.order[number * 2 + row].identity
            assert raw.identity[row].eq(2.0 if person == "person0" else 0.0).all()
            seen.add(person)
    assert seen == {"person0", "person1"}


def test_face_embeddings_for_others_are_refused(tmp_path):
    with pytest.raises(ValueError, match="echomimic reads no face embedding: leave --identities out"):
        Identities(tmp_path, small("echomimic"))
    with pytest.raises(ValueError, match="has no face embedding: expected is IDENTITY.npy of each person"):
        Identities(tmp_path, small("hallo"))


def test_noise_is_that_of_the_originals_training():
    schedules = {name: learned_schedule(RELEASED[name].config) for name in TRAINED}
    assert {name: schedule.beta_schedule for name, schedule in schedules.items()} == {
        "hallo": "scaled_linear",
        "joyhallo": "scaled_linear",
        "echomimic": "linear",
        "echomimic_pose": "linear",
        "v_express": "scaled_linear",
    }
    assert all(alphas_cumprod(schedule)[-1] == 0 for schedule in schedules.values())
    assert learned_schedule(EMOConfig.sd15()) == EMOConfig.sd15().schedule


# Training


class One:
    """The same batch under the same noise, again and again."""

    def __init__(self, batch: RelativeBatch) -> None:
        self.batch = batch

    def stream(self, microbatches):
        for _ in microbatches:
            yield self.batch, torch.Generator().manual_seed(7)

    def names(self, microbatch):
        return ["one"]


@pytest.mark.slow
@pytest.mark.parametrize("name", ["hallo", "echomimic", "v_express"])
def test_a_fixed_batch_is_learned(name, meshes, tmp_path):
    batch = batch_of(name, meshes, batch=1)
    model = copied(random_emo(replace(small(name), fps=25.0)))
    config = TrainConfig("whole", 30, lr=5e-3, warmup=2, ema=None, precision="no", log_every=1000,
                         save_every=1000)  # fmt: skip
    trainer = Trainer(model, One(batch), config, tmp_path, log=lambda line: None)
    before = loss_of(trainer)
    trainer.run()
    assert loss_of(trainer) < 0.5 * before


@torch.no_grad()
def loss_of(trainer: Trainer) -> float:
    noised = trainer.add_noise(*next(trainer.source.stream([0])))
    return float(trainer.objective.losses(trainer.model, noised)["denoise"])


@pytest.fixture
def small_families(monkeypatch):
    shrink(monkeypatch)


@pytest.fixture
def start(tmp_path):
    """Writes a checkpoint of a small family, with VAE and speech encoder."""

    def write(name: str) -> Path:
        config, path = small(name), tmp_path / f"{name}.safetensors"
        parts = dict(random_emo(config).named_children())
        encoder = family_of(config).hearing.build(config.audio)
        save_checkpoint(path, config, parts | {"vae": build_vae(config), "audio_encoder": encoder},
                        dict(RELEASED[name].notes))  # fmt: skip
        return path

    return write


@pytest.fixture
def train(tmp_path, capsys):
    def run(stage: str, checkpoint: Path, data: Path, *more: str | Path) -> tuple[int, str]:
        given = ["--stage", stage, "--steps", "2", "--batch", "1", "--workers", "0", "--precision", "no"]
        folders = ["--shards", data, "--out", tmp_path / stage, "--checkpoint", checkpoint]
        status = main(["train", *map(str, [*given, *folders, *more])])
        return status, capsys.readouterr().err

    return run


# What a stage's table names, of what the family has
CHANGES = {
    ("hallo", "image"): {"reference_net", "backbone", "face_locator"},
    ("hallo", "video"): {"temporal", "audio", "audio_projection"},
    ("echomimic", "image"): {"reference_net", "backbone", "face_locator", "audio"},
    ("echomimic", "video"): {"temporal"},
    ("echomimic_pose", "whole"): {"reference_net", "backbone", "face_locator", "audio", "temporal"},
    ("v_express", "image"): {"reference_net", "backbone", "face_locator"},
    ("v_express", "video"): {"temporal", "audio", "audio_projection"},
}


@pytest.mark.parametrize(("name", "stage"), CHANGES)
def test_a_stage_trains_what_its_table_names(name, stage):
    model = random_emo(small(name))
    selected = select_parameters(model, stage_of(model.config, stage))
    assert {part_of(key) for key, _ in selected} == CHANGES[name, stage]


# A run takes half a minute: one with pictures, one with clips and landmarks
@pytest.mark.slow
@pytest.mark.parametrize(("name", "stage"), [("echomimic", "image"), ("v_express", "video")])
def test_a_run_changes_what_its_table_names(name, stage, start, train, meshes, tmp_path):
    checkpoint = start(name)
    status, error = train(stage, checkpoint, meshes)
    assert status == 0, error
    before, after = load_checkpoint(checkpoint), load_checkpoint(tmp_path / stage / "checkpoint.safetensors")
    assert after.config == replace(before.config, fps=25.0)
    assert after.notes["title"] == f"Trained from {RELEASED[name].title}"
    assert after.notes["licence"] == RELEASED[name].licence
    pairs = zip(before.model.named_parameters(), after.model.named_parameters(), strict=True)
    changed = {part_of(key) for (key, old), (_, new) in pairs if not torch.equal(old, new)}
    assert changed == CHANGES[name, stage]


def test_released_files_are_trained_as_they_are(small_families, train, meshes, tmp_path):
    config, folder = small("echomimic"), tmp_path / "set"
    named = write_release("echomimic", folder)
    vae, encoder = write_vae(config, folder / "vae.pt"), write_encoder(config, folder / "whisper.pt")
    status, error = train("video", named, meshes, "--vae", vae, "--audio-encoder", encoder)
    assert status == 0, error
    before, after = (load_checkpoint(path).model.state_dict()
                     for path in (named, tmp_path / "video" / "checkpoint.safetensors"))  # fmt: skip
    changed = {part_of(key) for key, value in after.items() if not torch.equal(value, before[key])}
    assert changed == {"temporal"}


@pytest.mark.slow
@pytest.mark.parametrize("name", ["echomimic", "hallo"])
def test_a_relative_is_distilled_to_few_steps_under_its_own_noise(name, start, meshes, tmp_path, capsys):
    checkpoint, out = start(name), tmp_path / "few.safetensors"
    given = ["--teacher", checkpoint, "--shards", meshes, "--out", out, "--steps", "2", "--updates", "2"]
    small = ["--workers", "0", "--precision", "no", "--lora", "2", "--lr", "0.5"]
    assert main(["distill", *map(str, [*given, *small])]) == 0, capsys.readouterr().err
    teacher, student = load_checkpoint(checkpoint), load_checkpoint(checkpoint, adapters=[AdapterUse(out)])
    theirs, its = teacher.config.schedule, student.config.schedule
    assert (its.steps, its.cfg, its.solver) == (2, 1.0, "lcm")
    assert alphas_cumprod(its).equal(alphas_cumprod(theirs))
    pairs = zip(teacher.model.named_parameters(), student.model.named_parameters(), strict=True)
    changed = {part_of(key) for (key, old), (_, new) in pairs if not torch.equal(old, new)}
    assert changed == {"backbone", "audio", "temporal"}


# What is refused


def test_footage_without_landmarks_is_refused(start, train, shards, meshes, tmp_path):
    for name in ("hallo", "v_express"):
        status, error = train("video", start(name), shards)
        assert status == 1
        assert f"has 0 landmarks, {small(name).name} reads 68 or more: prepare the footage with" in error
    few = write_shards(tmp_path / "few", clips=2, landmarks=68)
    status, error = train("video", start("echomimic_pose"), few)
    assert status == 1
    assert "has 68 landmarks, echomimic-pose reads 468 or more" in error
    assert "--analyzer mediapipe:FILE" in error


def test_distilled_weights_are_refused(start, train, tmp_path):
    status, error = train("video", start("echomimic_acc"), tmp_path / "nowhere")
    assert status == 1
    assert "echomimic-acc was distilled to 2 steps, which training would undo: train echomimic" in error


def test_a_stage_of_another_family_is_refused(start, train, meshes, tiny_checkpoint):
    status, error = train("speed", start("hallo"), meshes, "--keep-speed-buckets")
    assert status == 1
    assert error.endswith("hallo has the stages image, video, whole, got speed: name one of them\n")
    status, error = train("whole", tiny_checkpoint, meshes)
    assert status == 1
    assert "has the stages image, video, speed, got whole" in error


def test_other_initialisations_are_refused(start, train, meshes, tmp_path):
    status, error = train("video", start("hallo"), meshes, "--sd15", tmp_path / "unet.safetensors")
    assert status == 1
    assert "--sd15 initialise EMO's own structure, and --checkpoint is hallo, which has its weights" in error


def test_encoded_samples_are_refused(start, samples, tmp_path, capsys):
    samples.save(tmp_path / "samples.safetensors")
    given = ["--stage", "video", "--steps", "2", "--samples", tmp_path / "samples.safetensors"]
    status = main(["train", *map(str, [*given, "--out", tmp_path / "out", "--checkpoint", start("hallo")])])
    assert status == 1
    assert "encoded samples have what EMO reads only: train hallo on --shards" in capsys.readouterr().err
