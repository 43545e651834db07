"""DeepCache on a MODEL: a patch like core's own, which stays with it through LoRAs and Torch Compile."""

from typing import Any

import comfy.model_patcher
import comfy.samplers
from torch import Tensor

from ...emo_modules.models.deep_cache import OFF, DeepCache

INTERVAL = "emo_deep_cache"  # among the MODEL's transformer options


def with_interval(model: comfy.model_patcher.ModelPatcher, interval: int) -> comfy.model_patcher.ModelPatcher:
    """A clone that computes the deep layers at every `interval`-th step."""
    model = model.clone()
    options = model.model_options["transformer_options"]
    options.pop(INTERVAL, None)  # of one that is off no name of a kept clip may tell
    if interval > OFF:
        options[INTERVAL] = interval
    return model


def interval_of(model: comfy.model_patcher.ModelPatcher) -> int:
    interval: int = model.model_options["transformer_options"].get(INTERVAL, OFF)
    return interval


class CachingGuider(comfy.samplers.CFGGuider):
    """CFGGuider for one clip.

    A step is what the sampler asks for. Some ask several times at one noise level, or go back to an earlier
    one: what is kept is never older than so many answers.
    """

    def __init__(self, model: comfy.model_patcher.ModelPatcher, cache: DeepCache):
        super().__init__(model)
        self.cache = cache

    def predict_noise(self, *given: Any, **named: Any) -> Tensor:
        self.cache.begin_step()
        return super().predict_noise(*given, **named)
