"""EMO in less memory: ReferenceNet is there only while it reads."""

from collections.abc import Sequence
from pathlib import Path

import torch

from ..checkpoints.adapter import AdapterUse
from ..checkpoints.store import read_checkpoint
from ..models.cpu import operations_for
from ..models.denoiser import Denoiser
from ..models.emo import Conditioner
from ..models.reference import ReferenceNet


def lean_conditioner(
    path: Path | str,
    device: torch.device | str = "cpu",
    dtype: torch.dtype | None = None,
    adapters: Sequence[AdapterUse] = (),
) -> Conditioner:
    """Does what `EMO.conditioner` does. Weights are mapped from the checkpoint, so that loading ReferenceNet
    once more for a clip's motion frames costs a second at most, and nothing for weights without them.

    Raises as `load_checkpoint`.
    """
    operations, found = operations_for(device), read_checkpoint(path, adapters)
    with found.on_meta():
        denoiser = Denoiser(found.config, operations)
    found.load_into(dict(denoiser.named_children()), device, dtype)

    def load_net() -> ReferenceNet:
        again = read_checkpoint(path, adapters)
        with again.on_meta():
            net = ReferenceNet(again.config, operations)
        again.load_into({"reference_net": net}, device, dtype)
        if torch.device(device).type != "cpu":
            net.fuse()  # as the one that stays: other products round otherwise
        return net.eval()

    return Conditioner(denoiser.eval(), load_net)
