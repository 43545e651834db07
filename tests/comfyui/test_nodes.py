"""Each node on its own, and core's nodes with ours."""

from pathlib import Path

import av
import pytest
import torch
from safetensors.torch import save_file

from emo_modules.media.video import read_video

from .in_process import Pack
from .prompts import DEMO

NO_BOX = {"box_x": 0, "box_y": 0, "box_width": 0, "box_height": 0, "face_index": 0}
CROP = {"crop_width": 0, "crop_height": 0}
VIDEO = {"fps": 25.0, "save_output": True, "crf": 18}


def face_region(pack: Pack, image: torch.Tensor, **changes):
    return pack.run("FaceRegionMask", image=image, **(NO_BOX | CROP | changes))


# FaceRegionMask


def test_the_detected_face_stands_in_the_middle_of_the_crop(pack, photo):
    mask, crop, way_back = face_region(pack, photo)
    assert mask.shape == (1, 512, 512) and crop.shape == (1, 512, 512, 3)
    rows, columns = mask[0].nonzero(as_tuple=True)
    assert abs(rows.float().mean() - 256) < 12 and abs(columns.float().mean() - 256) < 12
    assert 0 < way_back.box.width < 512


def test_the_crop_has_the_models_size_or_the_one_asked_for(pack, photo, scene):
    assert face_region(pack, photo, model=scene.model)[1].shape == (1, 128, 128, 3)
    wide = face_region(pack, photo, model=scene.model, crop_width=192)
    assert wide[1].shape == (1, 128, 192, 3) and wide[0].shape == (1, 128, 192)


BOX = {"box_x": 300, "box_y": 200, "box_width": 60, "box_height": 80}
MASK = torch.zeros(1, 512, 512)
MASK[:, 200:280, 300:360] = 1
GIVEN = [
    BOX,
    {"mask": MASK},
    {"bounding_box": {"x": 300, "y": 200, "width": 60, "height": 80}},
    {
        "bounding_box": [
            [{"x": 0, "y": 0, "width": 9, "height": 9}, {"x": 300, "y": 200, "width": 60, "height": 80}]
        ]
    },
    {"face_landmarks": {"frames": [[{"bbox_xyxy": [300, 200, 360, 280]}]], "image_size": (512, 512)}},
]


@pytest.mark.parametrize("given", GIVEN, ids=["box", "mask", "bounding box", "several", "landmarks"])
def test_a_given_face_wins_over_detection(pack, photo, given):
    expected = face_region(pack, photo, **BOX)
    for one, other in zip(face_region(pack, photo, **given), expected, strict=True):
        assert torch.equal(one, other) if isinstance(one, torch.Tensor) else one == other
    assert expected[2] != face_region(pack, photo)[2]


def test_an_empty_mask_counts_as_none(pack, photo):
    """Core's Load Image gives one with every picture that is not transparent."""
    assert face_region(pack, photo, mask=torch.zeros(1, 64, 64))[2] == face_region(pack, photo)[2]


def shown(pack: Pack, image: torch.Tensor, **inputs) -> dict:
    node = pack.nodes.NODE_CLASS_MAPPINGS["FaceRegionMask"]
    node.GET_SCHEMA()
    output = node.PREPARE_CLASS_CLONE({}).execute(image=image, **(NO_BOX | CROP | inputs))
    assert len(output.ui["emo_face"]) == len(image)
    return output.ui["emo_face"][0]


@pytest.mark.parametrize(
    ("given", "source"),
    [*zip([*GIVEN, {}], ["drawn", "mask", "given", "given", "given", "detected"], strict=True)],
)
def test_the_node_shows_where_the_face_was_taken_from(pack, photo, given, source):
    told = shown(pack, photo, **given)
    assert (told["source"], told["found"]) == (source, True)
    if given:
        assert told["boxes"] == [[300, 200, 60, 80]]


def test_without_a_face_the_run_goes_on_or_stops_as_asked(pack, caplog):
    blank = torch.full((1, 50, 70, 3), 0.5)
    assert shown(pack, blank)["found"] is False
    assert "no face found in the 70x50 picture" in caplog.text
    with pytest.raises(ValueError, match="no face found: draw a box"):
        shown(pack, blank, no_face="stop")


def test_the_mask_of_a_cut_outs_background_is_left_aside(pack, photo, caplog):
    mask = torch.ones(1, 512, 512)
    mask[:, 20:, 100:400] = 0
    assert face_region(pack, photo, mask=mask)[2] == face_region(pack, photo)[2]
    assert "white along the picture's edges" in caplog.text


def test_the_sample_portrait_is_kept_whole(pack, scene):
    image, *_ = pack.run("EMOExample")
    _, _, way_back = face_region(pack, image, model=scene.model)
    assert (way_back.box.width, way_back.box.height) == image.shape[2:0:-1]


def test_a_size_unknown_to_the_weights_is_told(scene, photo, caplog):
    def read(image):
        caplog.clear()
        scene.pack.run("ReferenceNetEncode", reference_net=scene.net, vae=scene.vae, image=image)
        return caplog.text

    assert read(photo[:, :128, 140:268]) == ""
    assert "trained at 128x128, the crop is 256x256" in read(photo[:, :256, :256])


def test_face_index_beyond_the_faces_is_refused(pack, photo):
    boxes = [{"x": 0, "y": 0, "width": 9, "height": 9}]
    with pytest.raises(ValueError, match="face index 3, but 1 were given"):
        face_region(pack, photo, bounding_box=boxes, face_index=3)


@pytest.mark.parametrize(
    "shape", [(1, 40, 30, 3), (1, 301, 455, 3), (1, 64, 64, 4), (1, 64, 64, 1), (1, 8, 8, 3)]
)
def test_pictures_without_a_face_are_used_whole(pack, shape):
    _, crop, way_back = face_region(pack, torch.full(shape, 0.5), crop_width=128, crop_height=128)
    assert crop.shape == (1, 128, 128, 3)
    assert way_back.box.width >= shape[2] and way_back.box.height >= shape[1]


# ReferenceNetEncode


def test_any_size_is_cut_to_multiples_of_16(scene):
    (reference,) = scene.pack.run(
        "ReferenceNetEncode", reference_net=scene.net, vae=scene.vae, image=torch.rand(1, 101, 207, 4)
    )
    assert reference.portrait.shape == (1, 8, 12, 24)
    latents = scene.sample(reference=reference)
    assert latents.shape == (12, 8, 12, 24) and latents.isfinite().all()


def test_wrong_parts_are_refused_by_name(pack, scene):
    image = torch.rand(1, 64, 64, 3)
    with pytest.raises(ValueError, match="small came without a VAE: connect Load VAE"):
        pack.run("ReferenceNetEncode", reference_net=scene.net, vae=None, image=image)
    with pytest.raises(ValueError, match="at least 16x16"):
        pack.run("ReferenceNetEncode", reference_net=scene.net, vae=scene.vae, image=image[:, :5])


def test_a_photo_as_it_comes_from_the_camera_is_refused_before_it_is_read(scene):
    with pytest.raises(ValueError, match="is 4000x3000 pixels, small was trained at 128x128: crop it with"):
        scene.pack.run(
            "ReferenceNetEncode", reference_net=scene.net, vae=scene.vae, image=torch.rand(1, 3000, 4000, 3)
        )


# EMOHeadSpeed


@pytest.mark.parametrize(
    ("mode", "speed"), [("calm", 4.0), ("normal", 12.0), ("active", 25.0), ("constant", 7.5)]
)
def test_modes_give_one_value(pack, mode, speed):
    assert pack.run("EMOHeadSpeed", mode=mode, speed=7.5, curve="", fps=25.0) == (speed,)


def test_a_curve_gives_one_value_for_each_frame_of_the_audio(pack):
    audio = {"waveform": torch.zeros(1, 2, 16000), "sample_rate": 8000}
    (speeds,) = pack.run(
        "EMOHeadSpeed", mode="curve", speed=0.0, curve="1.5:20, 0.5:10", fps=10.0, audio=audio
    )
    assert len(speeds) == 20
    assert speeds[0] == speeds[4] == 10 and speeds[-1] == 20
    assert speeds[10] == pytest.approx(10 + 10 * 0.55)


@pytest.mark.parametrize("curve", ["", "1", "a:b", "0:99", "-1:5", "0:nan", "1:2:3", "inf:3"])
def test_a_broken_curve_is_refused_with_an_example(pack, curve):
    with pytest.raises(ValueError, match="such as 0:4|from 0 to 60"):
        pack.run("EMOHeadSpeed", mode="curve", speed=0.0, curve=curve, fps=25.0)


@pytest.mark.parametrize(
    ("curve", "fps", "message"),
    [
        ("0:4, 2000000:20", 25.0, "'2000000:20' lies outside: seconds from 0 to 86400, values from 0 to 60"),
        ("0:4, 1e308:5", 25.0, "'1e308:5' lies outside"),
        ("0:4, 1e400:5", 25.0, "'1e400:5' lies outside"),
        ("0:4, infinity:5", 25.0, "lies outside"),
        ("0:4," * 10_001, 25.0, "the curve has 10001 points, it may have 10000"),
        ("0:4, 86400:20", 120.0, "the curve would have 10368001 values at 120 frames per second"),
        ("x" * 10**6, 25.0, "'x+...' is no point of a curve"),
    ],
)
def test_a_curve_has_bounds(pack, curve, fps, message):
    with pytest.raises(ValueError, match=message):
        pack.run("EMOHeadSpeed", mode="curve", speed=0.0, curve=curve, fps=fps)


def test_the_longest_curve_is_a_day(pack):
    (speeds,) = pack.run("EMOHeadSpeed", mode="curve", speed=0.0, curve="0:4, 86400:20", fps=25.0)
    assert len(speeds) == 24 * 3600 * 25 + 1 and speeds[-1] == 20


def test_a_long_recording_at_an_absurd_rate_makes_no_endless_curve(pack):
    audio = {"waveform": torch.zeros(1, 1, 100_000), "sample_rate": 1}
    with pytest.raises(ValueError, match="the curve would have 2499976 values .* shorten the audio"):
        pack.run("EMOHeadSpeed", mode="curve", speed=0.0, curve="0:4", fps=25.0, audio=audio)


def test_the_drawn_sound_is_as_loud_below_as_above(pack, comfy):
    """Its loudest sample of either sign and any channel in each of its parts."""
    waveform = torch.tensor([[[0.1, -0.8, 0.2, 0.0], [0.0, 0.3, -0.5, 0.0]]])
    node = comfy.NODE_CLASS_MAPPINGS["EMOHeadSpeed"].PREPARE_CLASS_CLONE({})
    shown = node.execute(
        mode="calm", speed=0.0, curve="", fps=25.0, audio={"waveform": waveform, "sample_rate": 4}
    ).ui
    assert shown["emo_waveform"] == pytest.approx([0.1, 0.8, 0.5, 0.0])
    assert shown["emo_duration"] == [1.0]


# FramesToVideo and EMOPasteBack


def written(video) -> tuple:
    return read_video(video.get_stream_source())


def test_latents_become_the_video_that_decoded_frames_become(scene, pack):
    latents = scene.sample(1.0)
    frames = scene.vae.decode(latents)
    (streamed,) = pack.run(
        "FramesToVideo", filename_prefix="a", samples={"samples": latents}, vae=scene.vae, **VIDEO
    )
    (whole,) = pack.run("FramesToVideo", filename_prefix="b", images=frames, **VIDEO)
    one, fps, sound, _ = written(streamed)
    assert one.shape == (25, 128, 128, 3) and fps == 25 and sound is None
    assert torch.equal(one, written(whole)[0])


@pytest.mark.parametrize("rate", [16000, 44100, 37000])
@pytest.mark.parametrize("channels", [1, 2, 6])
def test_sound_and_picture_have_the_same_length(pack, channels, rate):
    """To one sample, as the container's edit list says; AAC itself comes in blocks of 1024."""
    audio = {"waveform": torch.randn(1, channels, rate * 2) * 0.1, "sample_rate": rate}
    (video,) = pack.run(
        "FramesToVideo", filename_prefix="s", images=torch.rand(11, 33, 47, 3), audio=audio, **VIDEO
    )
    frames, fps, _, found_rate = written(video)
    assert frames.shape == (11, 34, 48, 3)
    with av.open(video.get_stream_source()) as container:
        stream = container.streams.audio[0]
        assert abs(float(stream.duration * stream.time_base) - 11 / 25) <= 1 / found_rate


def test_saved_below_output_or_in_temp(pack, comfy):
    import folder_paths

    frames = torch.rand(2, 16, 16, 3)
    for save, folder in (
        (True, folder_paths.get_output_directory()),
        (False, folder_paths.get_temp_directory()),
    ):
        settings = VIDEO | {"save_output": save, "filename_prefix": "sub/clip"}
        (video,) = pack.run("FramesToVideo", images=frames, **settings)
        assert Path(video.get_stream_source()).parent == Path(folder) / "sub"


@pytest.mark.parametrize(
    "inputs", [{}, {"images": torch.rand(1, 8, 8, 3), "samples": {"samples": torch.rand(1, 8, 1, 1)}}]
)
def test_one_source_of_frames_is_needed(pack, inputs):
    with pytest.raises(ValueError, match="either images or samples"):
        pack.run("FramesToVideo", filename_prefix="x", **VIDEO, **inputs)


def test_paste_back_touches_only_the_crop(pack):
    photo = torch.rand(1, 320, 180, 3)
    _, crop, way_back = face_region(
        pack, photo, box_x=60, box_y=80, box_width=50, box_height=60, crop_width=64, crop_height=64
    )
    frames = 1 - crop.repeat(3, 1, 1, 1)
    (pasted,) = pack.run("EMOPasteBack", images=frames, original=photo, crop=way_back, feather=4)
    assert pasted.shape == (3, 320, 180, 3) and pasted.dtype == torch.float32 and pasted.is_contiguous()
    box = way_back.box
    inside = torch.zeros(320, 180, dtype=torch.bool)
    inside[int(box.y0) : int(box.y1), int(box.x0) : int(box.x1)] = True
    assert torch.equal(pasted[:, ~inside], photo[:, ~inside].expand(3, -1, -1))
    assert (pasted[:, inside] - photo[:, inside]).abs().mean() > 0.1


# core's nodes


def test_core_encodes_and_decodes_with_the_demo_vae(pack, photo, comfy):
    vae = pack.run("LoadEMOModel", checkpoint=DEMO, dtype="auto")[2]
    latent = comfy.VAEEncode().encode(vae, photo[:, :256, :256])[0]
    (picture,) = comfy.VAEDecode().decode(vae, latent)
    assert (
        picture.shape == (1, 256, 256, 3) and picture.dtype == torch.float32 and picture.device.type == "cpu"
    )
    assert (picture - photo[:, :256, :256]).abs().mean() < 0.05


def test_cores_audio_encode_takes_our_encoder_and_the_sampler_takes_what_it_gives(scene):
    from comfy_extras.nodes_audio_encoder import AudioEncoderEncode as encode

    sound = scene.sound(0.96)
    output = encode.execute(audio_encoder=scene.encoder, audio=sound).args[0]
    assert [tuple(layer.shape[::2]) for layer in output["encoded_audio_all_layers"]] == [(1, 96)] * 4
    whole, straight = scene.sample(0.96, audio_encoder=output), scene.sample(0.96)
    assert (whole - straight).abs().mean() < 0.02  # ours hears silence after the end where core's stops


def test_features_that_end_before_the_audio_are_refused(scene):
    from comfy_extras.nodes_audio_encoder import AudioEncoderEncode as encode

    output = encode.execute(audio_encoder=scene.encoder, audio=scene.sound(0.5)).args[0]
    with pytest.raises(ValueError, match="encoded audio ends after 0.[45]. s, the audio after 1.00 s"):
        scene.sample(1.0, audio_encoder=output)


def test_cores_wav2vec2_gives_the_features_of_ours(pack, comfy):
    """The same random weights in both; core computes in half precision."""
    import folder_paths
    from comfy_extras.nodes_audio_encoder import AudioEncoderLoader
    from transformers import Wav2Vec2Config, Wav2Vec2Model

    torch.manual_seed(0)
    folder = Path(folder_paths.get_folder_paths("audio_encoders")[0])
    folder.mkdir(parents=True, exist_ok=True)
    state = Wav2Vec2Model(Wav2Vec2Config()).state_dict()
    save_file({f"wav2vec2.{key}": value.half() for key, value in state.items()}, folder / "base.safetensors")
    (core,) = AudioEncoderLoader.execute(audio_encoder_name="base.safetensors").args
    (ours,) = pack.run("LoadAudioEncoder", audio_encoder_name="base.safetensors", normalize=True)
    config = pack.module("emo_modules.config").EMOConfig.sd15()
    noise = torch.randn(24000, generator=torch.Generator().manual_seed(0))
    audio = pack.module("emo_modules.media.audio").Audio(noise)
    features = pack.module("nodes.managed.audio").speech_features
    one, other = (features(encoder, audio, 37, config) for encoder in (core, ours))
    assert one.shape == other.shape == (37, 12, 768)
    assert (one - other).square().mean().sqrt() < 0.03 * other.std()


# what is not there, or not what is expected


def test_an_encoder_of_another_size_is_refused(scene, comfy):
    wrong = {"encoded_audio_all_layers": tuple(torch.rand(1, 200, 768) for _ in range(13))}
    with pytest.raises(ValueError, match="3 blocks of 96 channels, this one has 12 of 768: choose the "):
        scene.sample(audio_encoder=wrong)


@pytest.mark.parametrize(
    ("audio", "message"),
    [
        (None, "the audio is missing"),
        ({"waveform": torch.zeros(1, 1, 0), "sample_rate": 16000}, "audio is empty"),
        (
            {"waveform": torch.full((1, 1, 800), torch.nan), "sample_rate": 16000},
            "800 NaN or infinite samples",
        ),
    ],
)
def test_audio_that_is_none_is_refused_before_anything_is_computed(scene, audio, message):
    with pytest.raises(ValueError, match=message):
        scene.sample(audio=audio, audio_encoder=None)


@pytest.mark.parametrize(
    ("samples", "channels", "rate"), [(1, 1, 16000), (300, 1, 8000), (16000, 2, 48000), (9600, 6, 44100)]
)
def test_short_and_unusual_audio_works(scene, samples, channels, rate):
    audio = {"waveform": torch.zeros(1, channels, samples), "sample_rate": rate}
    latents = scene.sample(audio=audio)
    assert len(latents) == max(1, -(-samples * 25 // rate)) and latents.isfinite().all()


def test_a_model_that_is_not_emo_is_refused(scene):
    from types import SimpleNamespace

    with pytest.raises(ValueError, match="an EMO model is needed: connect EMO Load Model"):
        scene.sample(model=SimpleNamespace(model=torch.nn.Linear(1, 1)))


def test_ksampler_with_emo_says_which_node_to_use(scene, comfy):
    latent = {"samples": torch.zeros(2, 8, 16, 16)}
    with pytest.raises(ValueError, match="connect it to EMO Sampler"), torch.no_grad():
        comfy.KSampler().sample(
            scene.model, 0, 2, 1.0, "euler", "normal", [[None, {}]], [[None, {}]], latent, 1.0
        )
