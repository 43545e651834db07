"""The pack's nodes called directly, in the process of the tests."""

import sys
from dataclasses import dataclass
from types import ModuleType
from typing import Any

import torch
from torch import Tensor

from .prompts import FACE, SMALL

SAMPLING = {"steps": 0, "cfg": 0.0, "sampler_name": "euler", "scheduler": "as trained", "audio_scale": 1.0}
WHOLE_FACE = FACE | {"face_index": 0}


@dataclass(frozen=True)
class Pack:
    """ComfyUI's nodes by id, and the pack's own modules by name."""

    nodes: ModuleType

    def run(self, node_id: str, **inputs: Any) -> tuple[Any, ...]:
        """A node's outputs, one of each, as the executor would pass them on."""
        lists = self.run_lists(node_id, **{name: [value] for name, value in inputs.items()})
        assert {len(values) for values in lists} == {1} or not lists
        return tuple(values[0] for values in lists)

    def run_lists(self, node_id: str, **inputs: list[Any]) -> list[list[Any]]:
        """The lists of a node's outputs for lists of inputs, by the executor's own rules."""
        import execution

        node = self.nodes.NODE_CLASS_MAPPINGS[node_id]
        node.GET_SCHEMA()
        longest = max(map(len, inputs.values()), default=1)
        slices = (
            {name: values[min(i, len(values) - 1)] for name, values in inputs.items()} for i in range(longest)
        )
        with torch.no_grad():
            calls = [inputs] if node.INPUT_IS_LIST else slices
            results = [node.PREPARE_CLASS_CLONE({}).execute(**call).args for call in calls]
        return execution.merge_result_data(results, node)

    def module(self, name: str) -> ModuleType:
        """`nodes.managed.sampling` and the like, as ComfyUI imported them."""
        package = self.nodes.NODE_CLASS_MAPPINGS["EMOSampler"].__module__.removesuffix(".nodes.sampler")
        return sys.modules[f"{package}.{name}"]


@dataclass(frozen=True)
class Scene:
    """The graph of nodes up to the sampler."""

    pack: Pack
    model: Any
    net: Any
    vae: Any
    encoder: Any
    reference: Any
    mask: Tensor
    audio: dict[str, Any]

    def sample(self, seconds: float = 0.48, seed: int = 0, speed: Any = 12.0, **changes: Any) -> Tensor:
        """Latents (F, C, h, w) of the beginning of the speech; `changes` replace inputs of EMOSampler."""
        (latents,) = self.videos(seconds, seed, speed, **changes)[0]
        return latents["samples"]

    def videos(
        self, seconds: float = 0.48, seed: int = 0, speed: Any = 12.0, **changes: Any
    ) -> list[list[Any]]:
        """The lists that EMOSampler gives."""
        inputs = SAMPLING | {
            "model": self.model,
            "reference": self.reference,
            "audio": self.sound(seconds),
            "audio_encoder": self.encoder,
            "mask": self.mask,
            "preview": False,
            "seed": seed,
            "speed": speed,
        }
        wired = {name: [value] for name, value in (inputs | changes).items()}
        return self.pack.run_lists("EMOSampler", **wired)

    def sound(self, seconds: float) -> dict[str, Any]:
        rate = self.audio["sample_rate"]
        return {"waveform": self.audio["waveform"][..., : round(seconds * rate)], "sample_rate": rate}


def load_scene(pack: Pack, dtype: str = "auto", checkpoint: str = SMALL) -> Scene:
    """The sample, and a small model of the demo's structure."""
    image, audio, _ = pack.run("EMOExample")
    model, net, vae = pack.run("LoadEMOModel", checkpoint=checkpoint, dtype=dtype)
    (encoder,) = pack.run("LoadAudioEncoder", audio_encoder_name=f"emo/{checkpoint}", normalize=True)
    mask, crop, _ = pack.run(
        "FaceRegionMask", image=image, model=model, crop_width=0, crop_height=0, **WHOLE_FACE
    )
    (reference,) = pack.run("ReferenceNetEncode", reference_net=net, vae=vae, image=crop)
    return Scene(pack, model, net, vae, encoder, reference, mask, audio)
