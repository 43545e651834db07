"""A picture and a waveform become frames with their sound, computed as they are asked for."""

import weakref
from dataclasses import replace

import pytest
import torch
from torch import Tensor, nn

from emo_modules import pipeline as rendering
from emo_modules.checkpoints.store import save_checkpoint
from emo_modules.cues.face import Box
from emo_modules.media.audio import Audio
from emo_modules.options import Options
from emo_modules.pipeline import Animation, Pipeline
from emo_modules.prepared import Prepared
from emo_modules.sampling.decode import decode_frames
from emo_modules.schedule import SOLVERS

FACE = Options(box=Box(20, 16, 50, 52))


def rendered(animation: Animation) -> Tensor:
    return torch.cat(list(animation.frames))


def test_frames_are_as_long_as_the_sound(tiny_pipeline, portrait, tones):
    animation = tiny_pipeline.animate(portrait, Audio(tones(0.3, 16000)[0]), FACE)
    clips = list(animation.frames)
    assert [len(clip) for clip in clips] == [4, 4]
    assert {tuple(clip.shape[1:]) for clip in clips} == {(64, 64, 3)}
    frames = torch.cat(clips)
    assert frames.dtype == torch.float32
    assert (frames.min(), frames.max()) >= (0, 0)
    assert frames.max() <= 1
    assert frames.std() > 0.01
    assert (animation.count, animation.fps) == (8, 25)
    assert animation.audio.waveform.shape == (8 * 640,)
    assert torch.equal(animation.audio.waveform[:4800], tones(0.3, 16000)[0])
    assert not animation.audio.waveform[4800:].any()


def test_nothing_is_rendered_before_it_is_asked_for(tiny_pipeline, portrait, tones, monkeypatch):
    backbone, passes = tiny_pipeline.model.backbone, []
    forward = backbone.forward
    monkeypatch.setattr(backbone, "forward", lambda *a, **k: passes.append(1) or forward(*a, **k))
    animation = tiny_pipeline.animate(portrait, Audio(tones(60, 16000)), replace(FACE, cfg=1.0))
    assert animation.count == 1500
    assert passes == []
    assert next(animation.frames).shape == (4, 64, 64, 3)
    assert len(passes) == 2


def test_stereo_at_44100_hz_keeps_its_channels_and_its_rate(tiny_pipeline, portrait, tones):
    sound = tones(0.3, 44100, 2)
    animation = tiny_pipeline.animate(portrait, Audio(sound, 44100), FACE)
    assert (animation.count, animation.audio.sample_rate) == (8, 44100)
    assert animation.audio.waveform.shape == (2, 8 * 1764)
    assert torch.equal(animation.audio.waveform[:, : sound.shape[1]], sound)
    mono = tiny_pipeline.animate(portrait, Audio(sound.mean(0), 44100), FACE)
    assert torch.equal(rendered(animation), rendered(mono))


@pytest.mark.parametrize(
    ("part", "message"),
    [("model", "the model's answer in clip 1 has NaN"), ("vae", "what the VAE decoded has")],
)
def test_weights_that_answer_nan_stop_with_the_remedy(
    make_pipeline, tiny_config, portrait, tones, part, message
):
    """As half precision does when it overflows; the video would be black."""
    pipeline = make_pipeline(tiny_config)
    weights = pipeline.model.backbone if part == "model" else pipeline.vae.decoder
    with torch.no_grad():
        [*weights.parameters()][-1].fill_(torch.nan)
    with pytest.raises(ValueError, match=f"{message}.* use fp32 or bf16 .* --dtype on the command line"):
        rendered(pipeline.animate(portrait, Audio(tones(0.1, 16000)), FACE))


def test_the_papers_preset_renders_pictures_that_are_not_square(make_pipeline, paper_config, portrait, tones):
    pipeline = make_pipeline(paper_config)
    animation = pipeline.animate(portrait, Audio(tones(0.6, 44100, 2), 44100), replace(FACE, steps=2))
    assert animation.prepared.picture.shape == (3, 96, 64)
    frames = rendered(animation)
    assert frames.shape == (15, 96, 64, 3)  # clips of 12 and 3
    assert frames.isfinite().all()


def test_a_loaded_checkpoint_renders_the_same(tiny_pipeline, tiny_checkpoint, portrait, tones):
    sound = tones(0.1, 16000)
    saved, loaded = (
        rendered(p.animate(portrait, Audio(sound), FACE))
        for p in (tiny_pipeline, Pipeline.load(tiny_checkpoint))
    )
    # a loaded model's linear layers are those for its device, which round otherwise
    assert torch.allclose(saved, loaded, atol=1e-4)


def fused_in(module: nn.Module) -> bool:
    return getattr(module, "joint", None) is not None


@pytest.mark.parametrize(
    ("device", "low_memory", "fused"), [("meta", False, 22), ("meta", True, 22), ("cpu", False, 0)]
)
def test_a_gpu_gets_one_product_of_queries_keys_and_values(tiny_checkpoint, device, low_memory, fused):
    """The meta device stands for one; of a CPU the weights stay mapped from the file."""
    pipeline = Pipeline.load(tiny_checkpoint, device=device, low_memory=low_memory)
    net = pipeline.conditioner.net()
    joint = {module for part in (pipeline.model, net) for module in part.modules() if fused_in(module)}
    assert len(joint) == fused


def test_latents_from_main_memory_are_decoded_where_the_model_is(
    make_pipeline, tiny_config, portrait, tones, monkeypatch
):
    """Kept clips and windows are there."""
    pipeline = make_pipeline(tiny_config)
    pipeline.model.to("meta")
    pipeline.vae.to("meta")
    monkeypatch.setattr(rendering, "render_clips", lambda *_: iter([torch.zeros(4, 4, 8, 8)]))
    prepared = Prepared.from_portrait(portrait, Options(), pipeline.config)
    (latents,) = pipeline.latents(prepared, Audio(tones(0.16, 16000)), 4, Options())
    assert latents.device.type == "meta"


def test_half_precision(tiny_checkpoint, tiny_pipeline, portrait, tones):
    pipeline = Pipeline.load(tiny_checkpoint, dtype=torch.bfloat16)
    frames, exact = (
        rendered(p.animate(portrait, Audio(tones(0.1, 16000)), FACE)) for p in (pipeline, tiny_pipeline)
    )
    assert frames.dtype == torch.float32
    assert (frames - exact).abs().mean() < 0.2 * exact.std()


def test_a_mask_is_as_good_as_its_box(tiny_pipeline, portrait):
    mask = torch.zeros(140, 168)  # of another size than the picture
    mask[32:104, 40:100] = 1
    one, two = (
        Prepared.from_portrait(portrait, options, tiny_pipeline.config)
        for options in (FACE, Options(mask=mask))
    )
    assert (one.face, one.crop) == (two.face, two.crop)
    assert torch.equal(one.picture, two.picture)


def test_the_box_says_where_the_face_stays(tiny_pipeline, portrait, tones):
    """Another box with the same crop: the whole picture is shown in both."""
    small, large = Options(box=Box(30, 20, 50, 50)), Options(box=Box(2, 2, 82, 68))
    prepared = [Prepared.from_portrait(portrait, options, tiny_pipeline.config) for options in (small, large)]
    moved = replace(prepared[1], face=Box(8, 8, 24, 24))
    sound = Audio(tones(0.1, 16000)[0])
    one, two = (torch.cat(list(tiny_pipeline.latents(p, sound, 3, large))) for p in (prepared[1], moved))
    assert (one - two).abs().max() > 1e-3


@pytest.mark.parametrize("speed", [None, 40.0])
def test_head_speed_steers(tiny_pipeline, portrait, tones, speed):
    sound = tones(0.1, 16000)
    calm, other = (
        rendered(tiny_pipeline.animate(portrait, Audio(sound), replace(FACE, head_speed=s)))
        for s in (4.0, speed)
    )
    assert (calm - other).abs().max() > 1e-3


def test_a_curve_of_speeds_acts_from_where_it_changes_on(tiny_pipeline, portrait, tones):
    sound = Audio(tones(0.6, 16000))
    level, held, later = (
        rendered(tiny_pipeline.animate(portrait, sound, replace(FACE, **asked)))
        for asked in (
            {"head_speed": 4.0},
            {"speed_curve": (4.0, 4.0)},
            {"speed_curve": (4.0,) * 12 + (40.0,)},
        )
    )
    torch.testing.assert_close(held, level)
    assert (later != level).any()


def test_every_solver_renders(tiny_pipeline, portrait, tones):
    seen = {}
    for name in SOLVERS:
        options = replace(FACE, solver=name, steps=4)
        seen[name] = rendered(tiny_pipeline.animate(portrait, Audio(tones(0.04, 16000)), options))
    assert all(frames.isfinite().all() for frames in seen.values())
    assert (seen["ddim"] - seen["euler"]).abs().max() < 1e-3  # one method in two parametrisations
    assert (seen["ddim"] - seen["lcm"]).abs().max() > 1e-3


def test_a_checkpoint_without_all_parts_is_refused(tmp_path, tiny_pipeline, save_pipeline):
    path = save_pipeline(tiny_pipeline, tmp_path / "whole.safetensors")
    save_checkpoint(path, tiny_pipeline.config, dict(tiny_pipeline.model.named_children()))
    with pytest.raises(
        ValueError, match="whole.safetensors has no vae and no audio_encoder; name files of them with --vae"
    ):
        Pipeline.load(path)


class Hungry(nn.Module):
    """Decodes up to `limit` latents at a time; remembers what it held when it ran out."""

    def __init__(self, limit: int):
        super().__init__()
        self.limit, self.sizes, self.held = limit, [], []

    def decode(self, latents: Tensor) -> Tensor:
        assert all(held() is None for held in self.held), "the failed attempt still holds its memory"
        self.sizes.append(len(latents))
        activations = latents * 2
        if len(latents) > self.limit:
            self.held.append(weakref.ref(activations))
            raise torch.OutOfMemoryError("CUDA out of memory.")
        return activations[:, :3].repeat(1, 1, 8, 8)


def test_decoding_takes_smaller_batches_when_memory_is_short(caplog):
    latents = torch.randn(14, 4, 2, 3)
    vae = Hungry(3)
    frames = decode_frames(vae, latents, 12)
    assert torch.equal(frames, decode_frames(Hungry(99), latents))
    assert vae.sizes == [12, 6, 3, 3, 3, 3, 2]
    assert [r.getMessage() for r in caplog.records] == [
        "not enough memory to decode 12 frames at once, trying 6",
        "not enough memory to decode 6 frames at once, trying 3",
    ]


def test_decoding_that_never_fits_says_what_to_lower():
    with pytest.raises(
        MemoryError, match="one frame of 24 x 16 pixels; free memory, use half precision, or lower"
    ):
        decode_frames(Hungry(0), torch.randn(2, 4, 2, 3))


def test_denoising_that_does_not_fit_says_what_to_lower(tiny_pipeline, portrait, tones, monkeypatch):
    def full(*given) -> None:
        raise torch.OutOfMemoryError("CUDA out of memory.")

    monkeypatch.setattr(tiny_pipeline.model.backbone, "forward", full)
    animation = tiny_pipeline.animate(portrait, Audio(tones(0.1, 16000)), FACE)
    with pytest.raises(MemoryError, match="memory for 4 frames of 64 x 64 pixels; free memory, or use half"):
        next(animation.frames)


def test_decoding_beside_the_next_clip_gives_the_same_frames(tiny_pipeline, portrait, tones):
    sound = tones(0.4, 16000)
    beside = replace(FACE, decode_beside=True)
    frames, expected = (rendered(tiny_pipeline.animate(portrait, Audio(sound), o)) for o in (beside, FACE))
    assert len(frames) == 10
    assert torch.equal(frames, expected)


def test_guidance_in_an_interval_lies_between_none_and_all(tiny_pipeline, portrait, tones):
    def latents(**changes) -> torch.Tensor:
        options = replace(FACE, steps=4, cfg=3.0, **changes)
        prepared = Prepared.from_portrait(portrait, options, tiny_pipeline.config)
        return torch.cat(list(tiny_pipeline.latents(prepared, Audio(tones(0.1, 16000)[0]), 2, options)))

    everywhere, nowhere = latents(), latents(guided_steps=(0.0, 0.0))
    early, late = latents(guided_steps=(0.0, 0.5)), latents(guided_steps=(0.5, 1.0))
    distances = [(part - everywhere).abs().max() for part in (nowhere, early, late)]
    assert min(distances) > 1e-4
    assert not torch.equal(early, late)
    with pytest.raises(ValueError, match="guided steps"):
        latents(guided_steps=(0.8, 0.2))
