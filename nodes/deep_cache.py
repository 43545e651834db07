"""EMODeepCache."""

from typing import Any

from comfy_api.latest import io

from ..emo_modules.models.deep_cache import MOST_INTERVAL, OFF, check_deep_cache
from .managed.deep_cache import with_interval
from .managed.sampling import emo_config
from .schema import CATEGORY, follows_schema, supported_keywords


@follows_schema
class EMODeepCache(io.ComfyNode):
    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="EMODeepCache",
            display_name="EMO DeepCache",
            category=CATEGORY,
            description="Computes the model's deep layers only at every second or third step and reuses them "
            "in between: faster, but less exact. For Hallo, Hallo2, JoyHallo and EMO's own models; has no "
            "effect when a clip takes one step, as with the demo.",
            inputs=[
                io.Model.Input(
                    "model", tooltip="From EMO Load Model. LoRA nodes may come before or after this one."
                ),
                io.Int.Input(
                    "interval",
                    default=2,
                    min=OFF,
                    max=MOST_INTERVAL,
                    tooltip="The deep layers are computed at every second (2) or third (3) step: about 0.6 "
                    "or 0.5 of the operations. 1 is off.",
                ),
            ],
            outputs=[io.Model.Output("MODEL", display_name="model", tooltip="To EMO Sampler.")],
            **supported_keywords(io.Schema, search_aliases=["emo", "deepcache", "faster", "speed up"]),
        )

    @classmethod
    def execute(cls, model: Any, interval: int) -> io.NodeOutput:
        check_deep_cache(interval, emo_config(model))
        return io.NodeOutput(with_interval(model, interval))
