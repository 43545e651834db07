"""Core's nodes before and after ours: loaders, encoders, decoders, upscalers, video nodes."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from PIL import Image
from safetensors.torch import save_file

from .files import Inputs
from .harness import Server
from .prompts import node, talking

FRAMES = 5


@pytest.fixture(scope="module")
def wav2vec2_base(server: Server, tiny_config, make_pipeline, save_pipeline) -> str:
    """Random weights under the names of wav2vec2-base, and a tiny EMO checkpoint that listens to it."""
    from transformers import Wav2Vec2Config, Wav2Vec2Model

    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        state = Wav2Vec2Model(Wav2Vec2Config()).state_dict()
    names = {"parametrizations.weight.original0": "weight_g", "parametrizations.weight.original1": "weight_v"}
    half = {}
    for name, value in state.items():
        for new, old in names.items():
            name = name.replace(new, old)
        half[f"wav2vec2.{name}"] = value.half().contiguous()
    save_file(half, server.base / "models/audio_encoders/wav2vec2-base.safetensors")
    encoder = tiny_config.audio.encoder | {"num_hidden_layers": 12, "hidden_size": 768}
    # as core encodes
    audio = replace(tiny_config.audio, encoder=encoder, layers=12, feature_dim=768, normalize=False)
    pipeline = make_pipeline(replace(tiny_config, name="hears768", audio=audio))
    save_pipeline(pipeline, server.base / "models/emo/hears768.safetensors")
    return "wav2vec2-base.safetensors"


def hears768(seconds: float = 0.2) -> dict:
    prompt = talking(seconds)
    prompt["model"]["inputs"]["checkpoint"] = "hears768.safetensors"
    return prompt


def frames_of(server: Server, prompt: dict) -> np.ndarray:
    run = server.run(prompt)
    assert (run.status, run.error) == ("success", "")
    return server.clip(run.video).frames


def test_a_picture_and_a_sound_from_files(server: Server, stand_ins: Inputs) -> None:
    prompt = talking()
    prompt["example"] = node("LoadImage", image="photo.png")
    prompt["audio"] = node("LoadAudio", audio="speech.wav")
    prompt["face"]["inputs"] |= {"box_width": 0, "box_height": 0}
    assert frames_of(server, prompt).shape == (25, 128, 128, 3)


def test_the_mask_of_load_image_stands_for_the_box(server: Server, stand_ins: Inputs) -> None:
    """LoadImage's mask is white where the picture is transparent."""
    picture = Image.open(stand_ins.folder / "photo.png").resize((270, 480)).convert("RGBA")
    hole = Image.new("L", picture.size, 255)
    hole.paste(0, (60, 100, 140, 200))
    picture.putalpha(hole)
    stand_ins.picture("hole.png", picture)
    prompt = talking(0.04)
    prompt["picture"] = node("LoadImage", image="hole.png")
    prompt["face"]["inputs"] |= {
        "image": ["picture", 0], "mask": ["picture", 1], "box_width": 0, "box_height": 0,
    }  # fmt: skip
    run = server.run(prompt)
    assert run.error == ""
    (shown,) = run.outputs["face"]["emo_face"]
    assert np.abs(np.array(shown["boxes"][0]) - [60, 100, 80, 100]).max() <= 1


def test_core_decodes_creates_and_saves_the_video(server: Server) -> None:
    """VAEDecode -> CreateVideo -> SaveVideo gives the frames of FramesToVideo, to the codec's loss."""
    prompt = talking(0.2)
    ours = frames_of(server, prompt)
    prompt.pop("video")
    prompt |= {
        "decoded": node("VAEDecode", samples=["sampler", 0], vae=["model", 2]),
        "made": node("CreateVideo", images=["decoded", 0], audio=["sampler", 1], fps=["sampler", 2]),
        "saved": node("SaveVideo", video=["made", 0], filename_prefix="core", format="mp4", codec="h264"),
    }
    run = server.run(prompt)
    assert run.error == ""
    clip = server.clip(run.video)
    assert clip.fps == 25
    assert clip.frames.shape == ours.shape == (FRAMES, 128, 128, 3)
    assert np.abs(clip.frames.astype(int) - ours).mean() < 6
    assert clip.sample_rate == 16000


def test_our_video_goes_on_into_core(server: Server) -> None:
    prompt = talking(0.2)
    prompt |= {
        "parts": node("GetVideoComponents", video=["video", 0]),
        "shown": node("PreviewImage", images=["parts", 0]),
        "saved": node("SaveVideo", video=["video", 0], filename_prefix="core", format="auto", codec="auto"),
    }
    run = server.run(prompt)
    assert run.error == ""
    assert len(run.outputs["shown"]["images"]) == FRAMES
    file = run.outputs["saved"]["images"][0]
    ours = server.clip(run.outputs["video"]["images"][0])
    again = server.clip(file)
    assert np.array_equal(again.frames, ours.frames)
    assert np.array_equal(again.sound, ours.sound)


def test_an_upscaler_makes_the_frames_larger(server: Server, stand_ins: Inputs) -> None:
    prompt = talking(0.2)
    prompt |= {
        "decoded": node("VAEDecode", samples=["sampler", 0], vae=["model", 2]),
        "upscaler": node("UpscaleModelLoader", model_name="RealESRGAN_x4plus.safetensors"),
        "large": node("ImageUpscaleWithModel", upscale_model=["upscaler", 0], image=["decoded", 0]),
    }
    small = frames_of(server, prompt)
    prompt["video"]["inputs"] |= {"images": ["large", 0]}
    del prompt["video"]["inputs"]["samples"], prompt["video"]["inputs"]["vae"]
    large = frames_of(server, prompt)
    assert large.shape == (FRAMES, 256, 256, 3)
    assert np.abs(large[:, ::2, ::2].astype(int) - small).mean() < 4


def test_odd_sizes_get_an_even_video(server: Server) -> None:
    picture = node("EmptyImage", width=33, height=57, batch_size=3, color=0x00FF00)
    video = node(
        "FramesToVideo", images=["picture", 0], fps=10.0, filename_prefix="odd", save_output=False, crf=18
    )
    run = server.run({"picture": picture, "video": video})
    assert run.error == ""
    assert run.video["type"] == "temp"
    clip = server.clip(run.video)
    assert clip.frames.shape == (3, 58, 34, 3)
    assert (clip.fps, clip.sound) == (10, None)
    assert clip.frames[..., 1].min() > 200


@pytest.mark.parametrize("encoder", ["AudioEncoderLoader", "LoadAudioEncoder"])
def test_wav2vec2_base_is_heard_through_core_and_through_ours(
    server: Server, wav2vec2_base: str, encoder: str
) -> None:
    """As AUDIO_ENCODER, and through AudioEncoderEncode as AUDIO_ENCODER_OUTPUT: nearly the same frames."""
    prompt = hears768()
    widgets = {"normalize": False} if encoder == "LoadAudioEncoder" else {}
    prompt["encoder"] = node(encoder, audio_encoder_name=wav2vec2_base, **widgets)
    direct = frames_of(server, prompt)
    prompt["encoded"] = node("AudioEncoderEncode", audio_encoder=["encoder", 0], audio=["audio", 0])
    prompt["sampler"]["inputs"]["audio_encoder"] = ["encoded", 0]
    through = frames_of(server, prompt)
    assert direct.shape == through.shape == (FRAMES, 64, 64, 3)
    assert np.abs(direct.astype(int) - through).mean() < 9
    prompt["silence"] = node("EmptyAudio", duration=0.2, sample_rate=16000, channels=1)
    prompt["encoded"]["inputs"]["audio"] = ["silence", 0]
    assert np.abs(frames_of(server, prompt).astype(int) - through).max() > 0


def test_encoded_audio_that_is_too_short_is_refused(server: Server, wav2vec2_base: str) -> None:
    prompt = hears768(0.6)
    prompt["encoder"] = node("AudioEncoderLoader", audio_encoder_name=wav2vec2_base)
    prompt["short"] = node("EmptyAudio", duration=0.2, sample_rate=16000, channels=1)
    prompt["encoded"] = node("AudioEncoderEncode", audio_encoder=["encoder", 0], audio=["short", 0])
    prompt["sampler"]["inputs"]["audio_encoder"] = ["encoded", 0]
    run = server.run(prompt)
    assert run.failed_node == "EMOSampler"
    assert "the encoded audio ends after" in run.error


def test_the_demos_encoder_works_in_core(server: Server) -> None:
    prompt = talking(0.2)
    direct = frames_of(server, prompt)
    prompt["encoded"] = node("AudioEncoderEncode", audio_encoder=["encoder", 0], audio=["audio", 0])
    prompt["sampler"]["inputs"]["audio_encoder"] = ["encoded", 0]
    assert np.abs(frames_of(server, prompt).astype(int) - direct).mean() < 2


def test_a_curve_of_head_speed_changes_the_frames(server: Server) -> None:
    prompt = talking(0.2)
    calm = frames_of(server, prompt)
    prompt["speed"] = node(
        "EMOHeadSpeed", mode="curve", speed=12.0, curve="0:4, 0.2:60", fps=25.0, audio=["audio", 0]
    )
    prompt["sampler"]["inputs"]["speed"] = ["speed", 0]
    run = server.run(prompt)
    assert run.error == ""
    assert np.abs(server.clip(run.video).frames.astype(int) - calm).max() > 0
    shown = run.outputs["speed"]
    assert 0 < len(shown["emo_waveform"]) <= 600
    assert min(shown["emo_waveform"]) >= 0 and max(shown["emo_waveform"]) <= 1
    assert shown["emo_duration"] == [pytest.approx(0.2)]


def test_pasting_back_keeps_the_rest_of_the_photo(server: Server, stand_ins: Inputs) -> None:
    """At 9:16 and 1080 x 1920: the photo's own crop, pasted back, leaves the photo as it was."""
    prompt = {
        "photo": node("LoadImage", image="photo.png"),
        "face": node(
            "FaceRegionMask", image=["photo", 0], box_x=350, box_y=420, box_width=220, box_height=240,
            face_index=0, crop_width=512, crop_height=512,
        ),
        "back": node(
            "EMOPasteBack", images=["face", 1], original=["photo", 0], crop=["face", 2], feather=16
        ),
        "shown": node("PreviewImage", images=["back", 0]),
    }  # fmt: skip
    run = server.run(prompt)
    assert run.error == ""
    status, body = server.fetch("/view", **run.outputs["shown"]["images"][0])
    assert status == 200
    (server.base / "back.png").write_bytes(body)
    back = np.asarray(Image.open(server.base / "back.png").convert("RGB")).astype(int)
    original = np.asarray(Image.open(stand_ins.folder / "photo.png")).astype(int)
    assert back.shape == (1920, 1080, 3)
    assert np.abs(back - original).mean() < 1
    assert np.array_equal(back[1500:], original[1500:])
