"""The nodes' ids, inputs and outputs: saved workflows depend on every one of them."""

from types import ModuleType

import pytest

NAMES = {
    "LoadEMOModel": (
        {"checkpoint": "COMBO", "dtype": "COMBO"},
        {"model": "MODEL", "reference_net": "EMO_REFERENCE_NET", "vae": "VAE"},
    ),
    "EMOLoadLora": (
        {"model": "MODEL", "reference_net": "EMO_REFERENCE_NET", "lora_name": "COMBO", "strength": "FLOAT"},
        {"model": "MODEL", "reference_net": "EMO_REFERENCE_NET"},
    ),
    "EMODeepCache": ({"model": "MODEL", "interval": "INT"}, {"model": "MODEL"}),
    "LoadAudioEncoder": (
        {"audio_encoder_name": "COMBO", "normalize": "BOOLEAN"},
        {"audio_encoder": "AUDIO_ENCODER"},
    ),
    "FaceRegionMask": (
        {
            "image": "IMAGE",
            "box_x": "INT",
            "box_y": "INT",
            "box_width": "INT",
            "box_height": "INT",
            "face_index": "INT",
            "crop_width": "INT",
            "crop_height": "INT",
            "no_face": "COMBO?",
            "more_faces": "STRING?",
            "model": "MODEL?",
            "mask": "MASK?",
            "bounding_box": "BOUNDING_BOX?",
            "face_landmarks": "FACE_LANDMARKS?",
        },
        {"mask": "MASK", "image": "IMAGE", "crop": "EMO_CROP"},
    ),
    "ReferenceNetEncode": (
        {
            "reference_net": "EMO_REFERENCE_NET",
            "vae": "VAE",
            "image": "IMAGE",
            "identity": "FACE_EMBEDDING,FLOAT,FACEANALYSIS,INSIGHTFACE,INSIGHTFACE_APP,ANALYSIS_MODELS,"
            "FACE_MODEL,FACE_EMBED?",
        },
        {"reference": "EMO_REFERENCE"},
    ),
    "EMOHeadSpeed": (
        {"mode": "COMBO", "speed": "FLOAT", "curve": "STRING", "fps": "FLOAT", "audio": "AUDIO?"},
        {"speed": "FLOAT"},
    ),
    "EMOSampler": (
        {
            "model": "MODEL",
            "reference": "EMO_REFERENCE",
            "audio": "AUDIO",
            "audio_encoder": "AUDIO_ENCODER,AUDIO_ENCODER_OUTPUT",
            "seed": "INT",
            "steps": "INT",
            "cfg": "FLOAT",
            "sampler_name": "COMBO",
            "scheduler": "COMBO",
            "speed": "FLOAT",
            "audio_scale": "FLOAT",
            "mask": "MASK?",
            "landmark_pictures": "IMAGE?",
            "face_landmarks": "FACE_LANDMARKS?",
            "preview": "BOOLEAN?",
            "previous": "LATENT,VIDEO?",
            "start_time": "FLOAT?",
        },
        {"latent": "LATENT", "audio": "AUDIO", "fps": "FLOAT"},
    ),
    "FramesToVideo": (
        {
            "fps": "FLOAT",
            "filename_prefix": "STRING",
            "save_output": "BOOLEAN",
            "crf": "INT",
            "images": "IMAGE?",
            "samples": "LATENT?",
            "vae": "VAE?",
            "audio": "AUDIO?",
            "format": "COMBO?",
        },
        {"video": "VIDEO"},
    ),
    "EMOPasteBack": (
        {"images": "IMAGE", "original": "IMAGE", "crop": "EMO_CROP", "feather": "INT"},
        {"images": "IMAGE"},
    ),
    "EMOConversation": (
        {
            "audio_1": "AUDIO",
            "order": "COMBO",
            "pause": "FLOAT",
            "turns": "STRING",
            "audio_2": "AUDIO?",
            "audio_3": "AUDIO?",
            "audio_4": "AUDIO?",
        },
        {"voices": "AUDIO", "audio": "AUDIO", "speed": "FLOAT"},
    ),
    "EMOExample": ({"people": "COMBO?"}, {"image": "IMAGE", "audio": "AUDIO", "answer": "AUDIO"}),
}
DEFAULTS = {
    "LoadEMOModel": {"checkpoint": "demo (built in)", "dtype": "auto"},
    "EMOLoadLora": {"strength": 1.0},
    "EMODeepCache": {"interval": 2},
    "LoadAudioEncoder": {"audio_encoder_name": "demo (built in)", "normalize": True},
    "FaceRegionMask": {"box_width": 0, "face_index": 0, "crop_width": 0},
    "EMOHeadSpeed": {"mode": "normal", "speed": 12.0, "curve": "", "fps": 25.0},
    "EMOSampler": {"steps": 0, "cfg": 0.0, "sampler_name": "euler", "scheduler": "as trained", "speed": 12.0},
    "FramesToVideo": {
        "fps": 25.0,
        "filename_prefix": "video/EMO",
        "save_output": True,
        "crf": 18,
        "format": "mp4 (H.264)",
    },
    "EMOPasteBack": {"feather": 16},
}


def schema_of(comfy: ModuleType, node_id: str):
    return comfy.NODE_CLASS_MAPPINGS[node_id].GET_SCHEMA()


@pytest.mark.parametrize("node_id", NAMES)
def test_inputs_and_outputs_keep_their_names_types_and_order(comfy: ModuleType, node_id: str) -> None:
    schema = schema_of(comfy, node_id)
    inputs, outputs = NAMES[node_id]
    found = {given.id: str(given.get_io_type()) + "?" * bool(given.optional) for given in schema.inputs}
    assert list(found.items()) == list(inputs.items())
    shown = {given.display_name: str(given.get_io_type()) for given in schema.outputs}
    assert list(shown.items()) == list(outputs.items())
    assert schema.is_output_node == (node_id == "FramesToVideo")


@pytest.mark.parametrize("node_id", DEFAULTS)
def test_defaults(comfy: ModuleType, node_id: str) -> None:
    found = {given.id: getattr(given, "default", None) for given in schema_of(comfy, node_id).inputs}
    assert found | DEFAULTS[node_id] == found


def test_no_other_node_comes_with_the_pack(comfy: ModuleType) -> None:
    package = comfy.NODE_CLASS_MAPPINGS["EMOSampler"].__module__.removesuffix(".nodes.sampler")
    ours = {name for name, node in comfy.NODE_CLASS_MAPPINGS.items() if node.__module__.startswith(package)}
    assert ours == set(NAMES)
