"""Files that the tests put where a user would: pictures, sounds, weights."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import soundfile
import torch
from PIL import Image
from safetensors.torch import save_file


@dataclass(frozen=True)
class Inputs:
    """Writes into the input folder; each method returns the name for LoadImage or LoadAudio."""

    folder: Path

    def picture(self, name: str, picture: Image.Image) -> str:
        picture.save(self.folder / name)
        return name

    def photo(self, name: str, faces: int = 1) -> str:
        """A photograph of a person, 512 x 512 pixels; with more faces the same person side by side."""
        from skimage import data

        return self.picture(name, Image.fromarray(np.concatenate([data.astronaut()] * faces, axis=1)))

    def phone_photo(self, name: str) -> str:
        """The same person as a phone takes it, upright: 1080 x 1920 pixels."""
        from skimage import data

        person = Image.fromarray(data.astronaut()).resize((1080, 1080), Image.Resampling.BICUBIC)
        picture = Image.new("RGB", (1080, 1920), (90, 120, 150))
        picture.paste(person, (0, 300))
        return self.picture(name, picture)

    def noise(self, name: str, width: int, height: int, mode: str = "RGB") -> str:
        """No face in it; mode RGB, RGBA (half of it transparent) or L."""
        channels = () if mode == "L" else (len(mode),)
        pixels = np.random.default_rng(0).integers(0, 256, (height, width, *channels), dtype=np.uint8)
        return self.picture(name, Image.fromarray(pixels))

    def sound(self, name: str, waveform: torch.Tensor, rate: int) -> str:
        """waveform (channels, T) as a WAV file of floats, which can hold NaN."""
        soundfile.write(self.folder / name, waveform.T.numpy(), rate, subtype="FLOAT")
        return name

    def size(self, name: str) -> tuple[int, int]:
        with Image.open(self.folder / name) as picture:
            return picture.size


def write_upscaler(path: Path, scale: int = 2) -> None:
    """The smallest network that spandrel knows (SRVGGNetCompact): makes each pixel a square of four."""
    last = torch.zeros(3 * scale**2, 3, 3, 3)
    weights = {
        "body.0.weight": torch.zeros(3, 3, 3, 3),
        "body.0.bias": torch.zeros(3),
        "body.1.weight": torch.full((3,), 0.25),
        "body.2.weight": last,
        "body.2.bias": torch.zeros(3 * scale**2),
    }
    save_file(weights, path)
