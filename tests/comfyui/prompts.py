"""Prompts in ComfyUI's API form: the committed ones of the workflows, and small ones for a small model."""

import json
from pathlib import Path
from typing import Any

from .harness import Prompt

API = Path(__file__).parent / "api"
FACE = {"box_x": 134, "box_y": 84, "box_width": 246, "box_height": 272}
DEMO = "demo (built in)"
SMALL = "small.safetensors"  # of the demo's structure; in models/emo


def api_prompt(name: str) -> Prompt:
    return json.loads((API / f"{name}.json").read_text(encoding="utf-8"))


def node(kind: str, **inputs: Any) -> dict[str, Any]:
    return {"class_type": kind, "inputs": inputs}


def only(prompt: Prompt, kind: str) -> dict[str, Any]:
    """The inputs of the one node of this kind."""
    (found,) = [entry["inputs"] for entry in prompt.values() if entry["class_type"] == kind]
    return found


def with_own_files(prompt: Prompt, picture: str, sound: str) -> Prompt:
    """The workflow after its user has chosen two files and drawn the wires from Load Image and Load Audio."""
    kinds = {entry["class_type"]: key for key, entry in prompt.items()}
    chosen = {"LoadImage": {"image": picture}, "LoadAudio": {"audio": sound}}
    wires = [[kinds["LoadImage"], 0], [kinds["LoadAudio"], 0]]  # in the order of EMOExample's outputs
    changed = {}
    for key, entry in prompt.items():
        inputs = {
            name: wires[value[1]] if isinstance(value, list) and value[0] == kinds["EMOExample"] else value
            for name, value in entry["inputs"].items()
        }
        changed[key] = entry | {"inputs": inputs | chosen.get(entry["class_type"], {})}
    return changed


def with_small_model(prompt: Prompt) -> Prompt:
    """The workflow with a model of the demo's structure that takes a fraction of its time."""
    chosen = {
        "LoadEMOModel": {"checkpoint": SMALL},
        "LoadAudioEncoder": {"audio_encoder_name": f"emo/{SMALL}"},
    }
    return {
        key: entry | {"inputs": entry["inputs"] | chosen.get(entry["class_type"], {})}
        for key, entry in prompt.items()
    }


def talking(seconds: float = 1.0, **sampler: Any) -> Prompt:
    """A small model speaks the first `seconds` of the sample; `sampler` are inputs of EMOSampler."""
    settings = {
        "seed": 1, "steps": 0, "cfg": 0.0, "sampler_name": "euler", "scheduler": "as trained",
        "speed": 12.0, "audio_scale": 1.0, "preview": True,
    }  # fmt: skip
    return {
        "example": node("EMOExample"),
        "audio": node("TrimAudioDuration", audio=["example", 1], start_index=0.0, duration=seconds),
        "model": node("LoadEMOModel", checkpoint=SMALL, dtype="auto"),
        "encoder": node("LoadAudioEncoder", audio_encoder_name=f"emo/{SMALL}", normalize=True),
        "face": node(
            "FaceRegionMask", image=["example", 0], model=["model", 0], face_index=0, crop_width=0,
            crop_height=0, **FACE,
        ),  # fmt: skip
        "reference": node(
            "ReferenceNetEncode", reference_net=["model", 1], vae=["model", 2], image=["face", 1]
        ),
        "sampler": node(
            "EMOSampler", model=["model", 0], reference=["reference", 0], audio=["audio", 0],
            audio_encoder=["encoder", 0], mask=["face", 0], **(settings | sampler),
        ),  # fmt: skip
        "video": node(
            "FramesToVideo", samples=["sampler", 0], vae=["model", 2], audio=["sampler", 1],
            fps=["sampler", 2], filename_prefix="video/EMO", save_output=True, crf=18,
        ),  # fmt: skip
    }  # fmt: skip
