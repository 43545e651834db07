"""The patches whose principal components are a linear autoencoder's encoder."""

import torch
from torch import Tensor

from emo_modules.media.image import to_signed

SIDE = 8  # px of a patch
FROM_EACH = 120  # patches of a picture


def face_patches(pictures: Tensor, boxes: Tensor, seed: int = 0) -> Tensor:
    """Patches (M, 3, 8, 8) in -1..1 of uint8 pictures (N, S, S, 3), for `PatchVAE.start_from_components`.

    As many lie in the face, whose boxes (N, 4) are left, top, right and bottom in px, as anywhere; of both
    halves every second is seen in a mirror, so that a head may be turned either way.
    """
    count, limit = len(pictures), pictures.shape[1] - SIDE
    generator = torch.Generator(pictures.device).manual_seed(seed)
    low = boxes[:, None, :2].clamp(0, limit).repeat(1, FROM_EACH, 1)
    high = (boxes[:, None, 2:] - SIDE).clamp(0, limit).repeat(1, FROM_EACH, 1)
    low[:, : FROM_EACH // 2], high[:, : FROM_EACH // 2] = 0, limit
    places = torch.rand(low.shape, generator=generator, device=pictures.device)
    x, y = (low + places * (high + 1 - low)).long().clamp(0, limit)[..., None].unbind(2)
    steps = torch.arange(SIDE, device=pictures.device)
    picks = torch.arange(count, device=pictures.device)[:, None, None, None]
    patches = pictures[picks, (y + steps)[..., None], (x + steps)[:, :, None]]
    patches[:, ::2] = patches[:, ::2].flip(-2)
    return to_signed(patches.flatten(0, 1))
