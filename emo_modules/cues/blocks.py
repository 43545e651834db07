"""What the small networks that look at faces are made of."""

from itertools import pairwise

from torch import nn
from torch.nn.utils.fusion import fuse_conv_bn_eval


def conv_block(inputs: int, outputs: int, stride: int = 1) -> nn.Sequential:
    return nn.Sequential(
        nn.Conv2d(inputs, outputs, 3, stride, 1, bias=False),
        nn.BatchNorm2d(outputs),
        nn.SiLU(inplace=True),
    )


def fuse_norms(net: nn.Module) -> None:
    """Makes each normalisation part of the convolution before it: faster, but no more to be trained."""
    for block in [block for block in net.modules() if isinstance(block, nn.Sequential)]:
        for k, (conv, norm) in enumerate(pairwise(block)):
            if isinstance(conv, nn.Conv2d) and isinstance(norm, nn.BatchNorm2d):
                block[k], block[k + 1] = fuse_conv_bn_eval(conv, norm), nn.Identity()
