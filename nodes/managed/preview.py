"""What the user sees while the sampler works: a picture at every step, and clips with their sound."""

import base64
import io
from typing import Any

import comfy.model_patcher
import comfy.utils
import latent_preview
import torch
from PIL import Image
from server import PromptServer
from torch import Tensor

from ...emo_modules.config import EMOConfig
from ...emo_modules.media.audio import SAMPLE_RATE, samples_in_frames
from ...emo_modules.media.image import to_bytes
from ...emo_modules.models.patch_vae import PatchVAE
from ...emo_modules.sampling.clips import clip_count
from .reference import Reference

EVENT = "emo.clip"
LONG_SIDE = 256
QUALITY = 80


class Preview:
    """Sketches of the demo's small VAE, else as ComfyUI previews other latents: TAESD if the user switched it
    on, a linear estimate otherwise."""

    def __init__(self, model: comfy.model_patcher.ModelPatcher, reference: Reference):
        self.latent_format, self.device = model.model.latent_format, model.load_device
        network = getattr(reference.vae, "first_stage_model", None)  # other packs' VAEs may have none
        self.vae = network if isinstance(network, PatchVAE) else None
        self.previewer = latent_preview.get_previewer(model.load_device, self.latent_format) or (
            latent_preview.Latent2RGBPreviewer(self.latent_format.latent_rgb_factors)
            if self.latent_format.latent_rgb_factors
            else None
        )

    def pictures(self, latents: Tensor) -> list[Image.Image]:
        """Latents (F, C, h, w) on the model's scale; none for latents that nothing can preview."""
        if self.vae is not None:
            own = self.latent_format.process_out(latents).to(self.vae.patch_out.weight)
            frames = (self.vae.sketch(own).movedim(1, -1) + 1) / 2
            return [Image.fromarray(frame) for frame in to_bytes(frames).cpu().numpy()]
        if self.previewer is None:
            return []
        return [self.previewer.decode_latent_to_preview(frame[None].to(self.device)) for frame in latents]


class Show:
    """One progress bar over the whole video, with pictures; after each clip an event for the page."""

    def __init__(self, preview: Preview | None, node_id: str | None, frames: int, config: EMOConfig):
        self.preview, self.node_id = preview, node_id
        self.solves, self.clips = clip_count(frames, config), -(-frames // config.clip_frames)
        self.bar: comfy.utils.ProgressBar | None = None

    def step(self, solve: int, done: int, total: int, estimate: Tensor) -> None:
        if self.bar is None:
            self.bar = comfy.utils.ProgressBar(self.solves * total, node_id=self.node_id)
        pictures = self.preview.pictures(estimate[:1]) if self.preview else []
        self.bar.update_absolute(
            solve * total + min(done, total),
            preview=("JPEG", pictures[0], latent_preview.MAX_PREVIEW_RESOLUTION) if pictures else None,
        )

    def clip(self, index: int, latents: Tensor, first: int, mono: Tensor, fps: float) -> None:
        """Latents (F, C, h, w) on the model's scale of frames first .. first+F-1; mono is all the sound."""
        server = getattr(PromptServer, "instance", None)
        if self.preview is None or server is None or server.client_id is None:
            return
        start, stop = (samples_in_frames(frame, SAMPLE_RATE, fps) for frame in (first, first + len(latents)))
        detail: dict[str, Any] = {
            "node": self.node_id,
            "clip": index,
            "clips": self.clips,
            "fps": fps,
            "sample_rate": SAMPLE_RATE,
            "frames": [_jpeg(picture) for picture in self.preview.pictures(latents)],
            "sound": _pcm(mono, start, stop),
        }
        server.send_sync(EVENT, detail, server.client_id)


def _jpeg(picture: Image.Image) -> str:
    picture.thumbnail((LONG_SIDE, LONG_SIDE))
    file = io.BytesIO()
    picture.save(file, "JPEG", quality=QUALITY)
    return base64.b64encode(file.getvalue()).decode()


def _pcm(mono: Tensor, start: int, stop: int) -> str:
    """Samples start .. stop-1 as 16-bit integers; silence beyond the end."""
    sound = torch.zeros(stop - start)
    heard = mono[start:stop]
    sound[: len(heard)] = heard
    samples = (sound.clamp(-1, 1) * 32767).round().numpy().astype("<i2")
    return base64.b64encode(samples.tobytes()).decode()
