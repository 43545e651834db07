"""LoadEMOModel."""

import logging

from comfy_api.latest import io

from ..emo_modules.checkpoints.store import Checkpoint, read_checkpoint
from .managed.files import DEMO, checkpoint_names, checkpoint_path
from .managed.model import DTYPES, choose_dtypes, load_denoiser
from .managed.notices import show_on
from .managed.reference import load_reference_net
from .managed.vae import load_vae
from .schema import CATEGORY, ReferenceNetType, follows_schema, supported_keywords

SEARCHED = ["emo", "talking portrait", "lip sync", "echomimic", "hallo", "joyhallo", "v-express"]


@follows_schema
class LoadEMOModel(io.ComfyNode):
    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="LoadEMOModel",
            display_name="EMO Load Model",
            category=CATEGORY,
            description="Loads EMO, or the published weights of its relatives EchoMimic, Hallo, Hallo2, "
            "JoyHallo and V-Express: the model that makes the video, ReferenceNet that reads the portrait, "
            "and the VAE when the file has one.",
            inputs=[
                io.Combo.Input(
                    "checkpoint",
                    options=checkpoint_names(),
                    default=DEMO,
                    tooltip="The demo model comes with the pack: 256 x 256, runs on a CPU. "
                    "Others belong in models/emo, as they were released: net.pth of Hallo, Hallo2 or "
                    "JoyHallo; of EchoMimic or V-Express denoising_unet, which finds the set's other files "
                    "beside it.",
                ),
                io.Combo.Input(
                    "dtype",
                    options=["auto", *DTYPES],
                    default="auto",
                    tooltip="Precision of the weights. auto lets ComfyUI choose for this machine; fp16 and "
                    "bf16 take half the memory of fp32.",
                    **supported_keywords(io.Combo.Input, advanced=True),
                ),
            ],
            outputs=[
                io.Model.Output("MODEL", display_name="model"),
                ReferenceNetType.Output("REFERENCE_NET", display_name="reference_net"),
                io.Vae.Output(
                    "VAE",
                    display_name="vae",
                    tooltip="Empty when the checkpoint has no VAE, as the relatives' have none: use Load "
                    "VAE with vae-ft-mse-840000.",
                ),
            ],
            hidden=[io.Hidden.unique_id],
            **supported_keywords(io.Schema, search_aliases=SEARCHED),
        )

    @classmethod
    def execute(cls, checkpoint: str, dtype: str) -> io.NodeOutput:
        found = read_checkpoint(checkpoint_path(checkpoint))
        sample = next(iter(found.tensors.values()))
        parameters = sum(tensor.numel() for tensor in found.tensors.values())
        weights, arithmetic = choose_dtypes(dtype, parameters, sample.dtype)
        with show_on(cls.hidden.unique_id) as log:
            _introduce(found, log)
            return io.NodeOutput(
                load_denoiser(found, weights, arithmetic),
                load_reference_net(found, weights, arithmetic),
                load_vae(found),
            )


def _introduce(checkpoint: Checkpoint, log: logging.Logger) -> None:
    """Whose weights these are, under which licence, and what has to be loaded besides."""
    notes = checkpoint.notes
    if "licence" in notes:
        log.info(
            "%s. Licence of the weights: %s.", notes.get("title", checkpoint.path.name), notes["licence"]
        )
    if "terms" in notes:
        log.info("They are %s.", notes["terms"])
    if "source" in notes:
        log.info("From %s.", notes["source"])
    if not checkpoint.has("vae"):
        log.info("No VAE inside: use Load VAE, with vae-ft-mse-840000 for Stable Diffusion 1.5's size.")
