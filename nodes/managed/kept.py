"""Finished clips between runs: where ComfyUI keeps them, and what their names follow from."""

import os
from pathlib import Path
from typing import Any
from uuid import uuid4
from weakref import WeakKeyDictionary

import comfy.model_patcher
import comfyui_version
import folder_paths
from comfy.weight_adapter import WeightAdapterBase

from ... import emo_modules
from ...emo_modules.cues.locator import Cues
from ...emo_modules.sampling.clip_store import FOLDER, ClipStore
from ...emo_modules.sampling.clips import Kept
from ...emo_modules.writing.digest import code_digest, digest
from .reference import Reference

CODE = (Path(__file__).parents[1], Path(emo_modules.__path__[0]))
# what a ModelPatcher carries beside its weights; not all of it is there in ComfyUI 0.3.64
PATCHES = (
    "patches",
    "object_patches",
    "weight_wrapper_patches",
    "model_options",
    "wrappers",
    "injections",
    "hook_patches",
)
_tokens: "WeakKeyDictionary[Any, str]" = WeakKeyDictionary()


def clip_store() -> ClipStore:
    """Below ComfyUI's user folder: its temp folder is emptied at each start, and a crash ends in one."""
    named = os.environ.get(FOLDER)
    return ClipStore(
        Path(named) if named else Path(folder_paths.get_user_directory()) / "__emo_portrait" / "clips"
    )


def kept_clips(
    model: comfy.model_patcher.ModelPatcher, reference: Reference, cues: Cues, *sampling: Any
) -> Kept:
    """Of a video: the same only for the same weights with the same patches, portrait, place and sampling."""
    network = model.model
    video = digest(
        code_digest(*CODE),
        comfyui_version.__version__,
        network.diffusion_model.config,
        network.weights_digest,
        reference.net.weights_digest,
        str(model.load_device.type),
        network.get_dtype_inference(),
        [getattr(patcher, name, None) for patcher in (model, reference.net.patcher) for name in PATCHES],
        [reference.portrait, reference.tokens, reference.points, reference.pixels, reference.large],
        cues,
        sampling,
        unknown=_token,
    )
    return Kept(clip_store(), video)


def _token(value: Any) -> str:
    """Of what is no data: a LoRA's layer by its weights, code by the object, for as long as it lives."""
    if isinstance(value, WeightAdapterBase):
        return digest(type(value).__name__, value.weights, unknown=_token)
    try:
        return _tokens.setdefault(value, uuid4().hex)
    except TypeError:  # nothing that could be told from its successor: these clips are not found again
        return uuid4().hex
