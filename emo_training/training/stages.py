"""The three training stages as a table (EMO sec. 3.3): what is trained, on what, under which conditions."""

from dataclasses import dataclass, replace

import torch
from torch import nn

from emo_modules.config import EMOConfig
from emo_modules.models.attention import Attention
from emo_modules.models.emo import EMO

PARTS = ("reference_net", "backbone", "face_locator", "audio_projection", "audio", "temporal", "speed")
# Of a model that moves portraits: the VAE's encoder, and what paints eyes and mouths
FROZEN, PAINTER = "portrait_encoder", "painter"


def part_of(parameter: str) -> str:
    """Which of `PARTS` a parameter of EMO belongs to, or `FROZEN` or `PAINTER`."""
    if parameter.startswith(
        ("reference_net.", "face_locator.", "audio_projection.", f"{FROZEN}.", f"{PAINTER}.")
    ):
        return parameter.split(".")[0]
    if parameter.startswith("speed_encoder.") or "_speed." in parameter:
        return "speed"
    if "_audio." in parameter or ".audio_modules." in parameter:
        return "audio"
    return "temporal" if ".motion_modules." in parameter else "backbone"


@dataclass(frozen=True)
class Stage:
    """`trains` lists the parts whose parameters change; the others stay bit for bit."""

    trains: tuple[str, ...]
    clips: bool  # clips with motion frames and sound, or single images
    speed: bool = False  # head speed is a condition
    heard: bool = False  # images have sound too

    @property
    def sound(self) -> bool:
        return self.clips or self.heard


# EMO sec. 3.3. The paper introduces the temporal and audio layers in the second stage without saying that the
# rest is frozen. It does say that audio layers stay out of the third, where speed would take over what sound
# should drive.
PAPER_STAGES = {
    "image": Stage(("reference_net", "backbone", "face_locator"), clips=False),
    "video": Stage(("temporal", "audio_projection", "audio"), clips=True),
    "speed": Stage(("temporal", "speed"), clips=True, speed=True),
}
# The built-in model starts from noise, not from Stable Diffusion 1.5, so its later stages train every part it
# has but the audio projection: that has learned from thousands of voices what mouths do, and with the voices
# of few clips it would only forget. Head speed is a condition as soon as there are clips, or the model would
# have to unlearn going without.
_ALL_BUT_HEARING = (*(part for part in PARTS if part != "audio_projection"), PAINTER)
DEMO_STAGES = {
    "image": replace(PAPER_STAGES["image"], trains=(*PAPER_STAGES["image"].trains, PAINTER)),
    "video": Stage(_ALL_BUT_HEARING, clips=True, speed=True),
    "speed": Stage(_ALL_BUT_HEARING, clips=True, speed=True),
}
_WHOLE = Stage(tuple(part for part in PARTS if part != "speed"), clips=True)
# What the relatives' own trainings change. Hallo: scripts/train_stage1.py and train_stage2.py, which are the
# paper's two. V-Express: train.py with training_configs/stage_1.yaml to stage_3.yaml; its pictures have
# sound, and its third stage trains everything. EchoMimic published no training code. Its paper (arXiv
# 2407.08136) is known here from summaries alone: single pictures without temporal modules, then clips of 12
# frames with them. That the first stage trains all of the rest, and hears, is this project's reading. `whole`
# is beyond the others' own.
_HEARD = replace(PAPER_STAGES["image"], heard=True)
RELATIVE_STAGES = {
    "hallo": {"image": PAPER_STAGES["image"], "video": PAPER_STAGES["video"], "whole": _WHOLE},
    "v_express": {"image": _HEARD, "video": PAPER_STAGES["video"], "whole": _WHOLE},
    "echomimic": {
        "image": replace(_HEARD, trains=(*_HEARD.trains, "audio")),
        "video": Stage(("temporal",), clips=True),
        "whole": _WHOLE,
    },
}
# Few steps (`distillation`), of every family. ReferenceNet and the audio projection run once a clip or less:
# there is nothing to gain from them, and core's LoRA loaders reach the rest.
DISTILL = "distill"
DISTILLING = Stage(("backbone", "audio", "temporal", "speed"), clips=True, speed=True)


def stage_of(config: EMOConfig, name: str, demo: bool = False) -> Stage:
    """A model's stage of that name. Raises ValueError when it has none."""
    if name == DISTILL:
        return DISTILLING
    table = RELATIVE_STAGES.get(config.family, DEMO_STAGES if demo else PAPER_STAGES)
    if name not in table:
        raise ValueError(f"{config.name} has the stages {', '.join(table)}, got {name}: name one of them")
    return table[name]


def select_parameters(model: EMO, stage: Stage) -> list[tuple[str, nn.Parameter]]:
    """Freeze all but the stage's parts; returns the parameters to train."""
    for name, parameter in model.named_parameters():
        parameter.requires_grad_(part_of(name) in stage.trains)
    return [(name, p) for name, p in model.named_parameters() if p.requires_grad]


@torch.no_grad()
def start_as_lookup(model: EMO) -> None:
    """Start every reference-attention as a look at the same place in the portrait (`reference_positions`).

    Queries and keys begin as the same projection, wide enough for the positions to decide. A model that
    starts from noise then copies the portrait within a few hundred steps instead of first having to find it.
    """
    for module in model.backbone.modules():
        attention = getattr(module, "attn_ref", None)
        if isinstance(attention, Attention):
            nn.init.normal_(attention.to_q.weight, std=attention.to_q.in_features**-0.5)
            attention.to_k.weight.copy_(attention.to_q.weight)
