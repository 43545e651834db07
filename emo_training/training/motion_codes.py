"""The motion codes of what was filmed: those that would have been drawn for it."""

import torch
from torch import Tensor

from emo_modules.sampling.motion_code import PAST, SHUT, SHUTTING, paths

from ..perception.rates import FPS

TURN = (0.145, 0.12, 0.1)  # standard deviations of yaw, pitch and roll, in degrees per degree per second
SLOWEST = 1.5  # degrees per second; below, heads have turns that no speed explains
GAIN, CHANGE = 0.7, 3  # of a speed that changes: the logarithm at most, and frames that it takes
OVERSHOOT = 0.5  # by how much a path goes on where lids are shut


def turn_code(turned: Tensor, speeds: Tensor) -> Tensor:
    """Degrees (B, F, 3) of yaw, pitch and roll from the portrait's, speeds (B, F) in degrees per second."""
    return turned / turned.new_tensor(TURN) / speeds.clamp(min=SLOWEST)[..., None]


def draw_gains(count: int, frames: int, generator: torch.Generator) -> Tensor:
    """Factors (B, F) of head speeds that change within a clip, half of them not at all: the same turns are
    those of a calmer head whose code goes farther, or the other way round."""

    def rand(*shape: int) -> Tensor:
        return torch.rand(*shape, generator=generator, device=generator.device)

    turned_up = GAIN * (2 * rand(count, 1) - 1) * (rand(count, 1) < 0.5)
    moment, frame = frames * rand(count, 1), torch.arange(frames, device=generator.device)
    return (turned_up * ((frame - moment) / CHANGE).clamp(0, 1)).exp()


def mirror_turn(code: Tensor) -> Tensor:
    """(B, F, 3) of the mirrored picture: yaw and roll go the other way."""
    return code * code.new_tensor((-1.0, 1.0, -1.0))


def lid_code(shut: Tensor, generator: torch.Generator) -> Tensor:
    """Shares (B, F) to which a blink shuts the lids -> (B, F). What is not told by them is drawn."""

    def normal(*shape: int) -> Tensor:
        return torch.randn(*shape, generator=generator, device=shut.device)

    count, frames = shut.shape
    free = paths(normal(count, 4, round(PAST * FPS) + frames), FPS)[..., 3]
    free = torch.where(free > SHUTTING, 2 * SHUTTING - free, free)
    beyond = OVERSHOOT * normal(count, 1).abs() * (shut > 0.95)
    return torch.where(shut > 0.02, SHUTTING + (SHUT - SHUTTING) * shut + beyond, free)
