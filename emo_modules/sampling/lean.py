"""EMO in less memory: ReferenceNet is there only while it reads."""

from dataclasses import dataclass
from pathlib import Path
from typing import Self

import torch
from torch import Tensor

from ..checkpoints.store import read_checkpoint
from ..config import EMOConfig
from ..models.cpu import operations_for
from ..models.emo import Conditions, Denoiser, VideoConditions
from ..models.reference import ReferenceNet, first_motion
from ..models.relatives.regions import Regions


@dataclass
class LeanEMO:
    """Does what `EMO` does for the loop over clips. Weights are mapped from the checkpoint, so that loading
    ReferenceNet once more for a clip's motion frames costs a second at most, and nothing for weights
    without them."""

    denoiser: Denoiser
    path: Path
    device: torch.device
    dtype: torch.dtype | None
    config: EMOConfig
    keys: int  # tensors that the checkpoint has

    @classmethod
    def load(
        cls, path: Path | str, device: torch.device | str = "cpu", dtype: torch.dtype | None = None
    ) -> Self:
        """Raises as `load_checkpoint`."""
        found = read_checkpoint(path)
        with found.on_meta():
            denoiser = Denoiser(found.config, operations_for(device))
        found.load_into(dict(denoiser.named_children()), device, dtype)
        return cls(denoiser.eval(), Path(path), torch.device(device), dtype, found.config, len(found.tensors))

    def reference_net(self) -> ReferenceNet:
        found = read_checkpoint(self.path)
        with found.on_meta():
            net = ReferenceNet(found.config, operations_for(self.device))
        found.load_into({"reference_net": net}, self.device, self.dtype)
        return net.eval()

    def video_conditions(
        self,
        portrait: Tensor,
        mask: Tensor | None,
        identity: Tensor | None = None,
        regions: dict[int, Regions] | None = None,
    ) -> VideoConditions:
        """As `EMO.video_conditions`."""
        net = self.reference_net()
        tokens = net.identity_tokens(identity, portrait)
        written = net.portrait(portrait, tokens)
        del net
        return self.denoiser.read_portrait(portrait, written, mask, tokens, regions)

    def clip_conditions(
        self,
        video: VideoConditions,
        frames: int,
        audio: Tensor | None,
        motion: Tensor | None,
        speeds: Tensor | None,
        pictures: Tensor | None = None,
    ) -> Conditions:
        """As `EMO.clip_conditions`."""
        motion = first_motion(video.portrait, self.config) if motion is None else motion
        past = None if motion is None else self.reference_net().past(motion, video.tokens)
        return self.denoiser.read_clip(video, frames, audio, past, speeds, pictures)
