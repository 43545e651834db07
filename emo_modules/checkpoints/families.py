"""EMO's open relatives: what their weights are made of, how they are used, and their licences.

Figures are those of the releases' own inference scripts. Hallo arXiv 2406.08801, Hallo2 2410.07718, JoyHallo
2409.13268, EchoMimic 2407.08136, V-Express 2406.02511.
"""

from dataclasses import dataclass, replace
from typing import Literal

from ..config import (
    AudioConfig,
    EMOConfig,
    IdentityConfig,
    Quirks,
    ScheduleConfig,
    UNetConfig,
    UNetQuirks,
    WindowConfig,
)
from ..speech.whisper import WHISPER_TINY

WIDE_LOCATOR = (16, 32, 96, 256)
# of Stable Diffusion 1.5 and all that is trained from it, whatever licence its publisher names besides
SD15_TERMS = (
    "derived from Stable Diffusion 1.5, whose CreativeML OpenRAIL-M licence forbids some uses (its "
    "attachment A) and binds derived weights too"
)


@dataclass(frozen=True)
class Family:
    """A published set of weights."""

    title: str
    licence: str  # of the weights
    source: str  # where they come from
    config: EMOConfig

    @property
    def remedy(self) -> str:
        return (
            f"Expected are the weights of {self.title} as released. The file is damaged, of another version, "
            f"or of several releases: get all of its files again from {self.source}"
        )

    @property
    def notes(self) -> dict[str, str]:
        return {"title": self.title, "licence": self.licence, "source": self.source, "terms": SD15_TERMS}


def _schedule(beta_schedule: Literal["linear", "scaled_linear"], steps: int, cfg: float) -> ScheduleConfig:
    return ScheduleConfig(
        "v_prediction",
        beta_schedule,
        zero_terminal_snr=True,
        solver="ddim-diffusers",
        steps=steps,
        cfg=cfg,
    )


def _hallo(name: str, branches: Literal[1, 3] = 3) -> EMOConfig:
    written = UNetQuirks("concat", context_dim=768)
    read = replace(written, audio_branches=branches, temporal_without_attention=False)
    return replace(
        EMOConfig.sd15(),
        name=name,
        family="hallo",
        clip_frames=16,
        motion_frames=2,
        backbone=UNetConfig(audio_dim=768, quirks=read),
        reference_net=UNetConfig("writes", quirks=written),
        schedule=_schedule("linear", 40, 3.5),
        face_locator_channels=(16, 32, 64, 128),
        quirks=Quirks(
            identity=IdentityConfig(tiled=True),
            first_motion="portrait",
            motion_pixels=True,
            locator_inputs=3,
            locator_convs=2,
            face_guided=True,
        ),
    )


def _echomimic(name: str, pose: bool = False, accelerated: bool = False) -> EMOConfig:
    steps, cfg = (6, 1.0) if accelerated else (30, 2.5)
    joined = UNetQuirks("concat")
    return replace(
        EMOConfig.sd15(),
        name=name,
        family="echomimic",
        fps=24.0,
        clip_frames=12,
        motion_frames=0,
        backbone=UNetConfig(audio_dim=384, quirks=replace(joined, audio_scale=3.0)),
        reference_net=UNetConfig("writes", quirks=joined),
        audio=AudioConfig(WHISPER_TINY, layers=5, feature_dim=384),
        schedule=_schedule("linear", steps, cfg),
        face_locator_channels=WIDE_LOCATOR,
        quirks=Quirks(
            audio_projection="none",
            audio_rows=2,
            audio_row_rate=50.0,
            windows=WindowConfig(frames=12, overlap=3, ends="wrap", shift=3 if pose else 2),
            locator_inputs=3 if pose else 1,
            locator_convs=2,
            locator_pictures=pose,
            face_guided=True,
            noise_limit=None if pose else 1.5,
        ),
    )


def _v_express() -> EMOConfig:
    return replace(
        EMOConfig.sd15(),
        name="v-express",
        family="v_express",
        fps=30.0,
        clip_frames=24,
        motion_frames=0,
        backbone=UNetConfig(audio_dim=768, quirks=UNetQuirks(reference_scale=0.95, audio_scale=3.0)),
        reference_net=UNetConfig("writes", quirks=UNetQuirks(context_dim=768)),
        audio=AudioConfig(layers=1, tokens=5),
        schedule=_schedule("scaled_linear", 25, 3.5),
        face_locator_channels=WIDE_LOCATOR,
        quirks=Quirks(
            audio_projection="perceiver",
            audio_rows=2,
            audio_ends="zeros",
            windows=WindowConfig(frames=24, overlap=4, ends="inside", shift=0),
            locator_inputs=3,
            locator_convs=2,
            face_guided=True,
        ),
    )


HALLO = "https://huggingface.co/fudan-generative-ai/hallo"
HALLO2 = "https://huggingface.co/fudan-generative-ai/hallo2"
JOYHALLO = "https://huggingface.co/jdh-algo/JoyHallo-v1"
ECHOMIMIC = "https://huggingface.co/BadToBest/EchoMimic"
V_EXPRESS = "https://huggingface.co/tk93/V-Express"

FAMILIES = {
    "hallo": Family("Hallo", "MIT", HALLO, _hallo("hallo")),
    "hallo2": Family("Hallo2", "MIT", HALLO2, _hallo("hallo2")),
    "joyhallo": Family("JoyHallo", "MIT", JOYHALLO, _hallo("joyhallo", branches=1)),
    "echomimic": Family("EchoMimic", "Apache-2.0", ECHOMIMIC, _echomimic("echomimic")),
    "echomimic_acc": Family(
        "EchoMimic, accelerated", "Apache-2.0", ECHOMIMIC, _echomimic("echomimic-acc", accelerated=True)
    ),
    "echomimic_pose": Family(
        "EchoMimic with landmarks", "Apache-2.0", ECHOMIMIC, _echomimic("echomimic-pose", pose=True)
    ),
    "echomimic_pose_acc": Family(
        "EchoMimic with landmarks, accelerated",
        "Apache-2.0",
        ECHOMIMIC,
        _echomimic("echomimic-pose-acc", pose=True, accelerated=True),
    ),
    "v_express": Family(
        "V-Express", "for non-commercial research only, as its README says", V_EXPRESS, _v_express()
    ),
}
