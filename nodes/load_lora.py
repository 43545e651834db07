"""EMOLoadLora."""

from typing import Any

from comfy_api.latest import io

from ..emo_modules.checkpoints.adapter import AdapterUse
from .managed.files import lora_names, lora_path
from .managed.lora import apply_lora
from .managed.notices import show_on
from .managed.reference import ReferenceNet
from .schema import CATEGORY, ReferenceNetType, follows_schema, supported_keywords


@follows_schema
class EMOLoadLora(io.ComfyNode):
    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="EMOLoadLora",
            display_name="EMO Load LoRA",
            category=CATEGORY,
            description="Adds what was learned of one person or one language: changes the model and the "
            "ReferenceNet together. Several may follow each other.",
            inputs=[
                io.Model.Input("model", tooltip="From EMO Load Model."),
                ReferenceNetType.Input("reference_net", tooltip="From the same EMO Load Model."),
                io.Combo.Input(
                    "lora_name",
                    options=lora_names(),
                    tooltip="A file of models/loras that was trained on the loaded weights.",
                ),
                io.Float.Input(
                    "strength",
                    default=1.0,
                    min=-10.0,
                    max=10.0,
                    step=0.05,
                    tooltip="1 is as trained, 0 leaves both models as they were.",
                ),
            ],
            outputs=[
                io.Model.Output("MODEL", display_name="model", tooltip="To EMO Sampler."),
                ReferenceNetType.Output(
                    "REFERENCE_NET", display_name="reference_net", tooltip="To EMO Reference Net Encode."
                ),
            ],
            hidden=[io.Hidden.unique_id],
            **supported_keywords(io.Schema, search_aliases=["emo", "lora", "adapter"]),
        )

    @classmethod
    def execute(
        cls, model: Any, reference_net: ReferenceNet, lora_name: str, strength: float
    ) -> io.NodeOutput:
        with show_on(cls.hidden.unique_id) as log:
            changed = apply_lora(model, reference_net, AdapterUse(lora_path(lora_name), strength), log)
        return io.NodeOutput(*changed)
