"""Palettes in linear light, (N, 3) each."""

from __future__ import annotations

import numpy as np


def linear(srgb: np.ndarray) -> np.ndarray:
    """sRGB 0..1 to linear light."""
    return np.where(srgb <= 0.04045, srgb / 12.92, ((srgb + 0.055) / 1.055) ** 2.4)


def _palette(*colours: str) -> np.ndarray:
    return linear(np.array([list(bytes.fromhex(colour)) for colour in colours]) / 255)


WALL = _palette(
    "e9e4da", "d8d2c4", "c9cdd0", "b9c4c4", "d9c8b4", "a9b3a2", "8f9aa6", "e3d3cf", "c7b69a", "6d7880"
)
PAPER = _palette(
    "808080", "4a4a4c", "b9b9bb", "262628", "5d6672", "746a60", "8b93a0", "51403a", "a39a8c", "35425a"
)
VIVID = _palette(
    "b3242b", "1f5fa8", "2f8f5b", "e0a526", "6f3f8f", "d9642c", "5fa9dc", "e58fa6", "163a5f", "98c257"
)
STONE = _palette("9a958c", "bdb7ad", "77746f", "d6d2ca", "5e5c5a", "c8bfae")
BRICK = _palette("8f4a37", "a65a43", "7a4034", "b58468", "6e5a50", "c9bfb2", "9c6b57")
WOOD = _palette("8a5a34", "a97c50", "5b3a24", "c79c6c", "6f4a2f", "b58a5c", "44301f", "9b8a78")
CLOTH = _palette(
    "7a1f28", "2c3e57", "d8cbb5", "44523f", "8c7a66", "b8b4ae", "3a2b3c", "b98d5b", "607d8b", "efe9df"
)
LEAF = _palette("3f6b2a", "587f34", "2c4f22", "7c9a44", "47703a", "95a852", "37603f")
AUTUMN = _palette("b5651d", "c98a2b", "8a3f1c", "d3a63c", "7d7a34")
BOOKS = _palette(
    "7b2d26",
    "1f3b57",
    "d9cfb8",
    "2e4a38",
    "a8763e",
    "3c3c3f",
    "c4432f",
    "e6e2d8",
    "54647c",
    "8d8a3f",
    "5a2a45",
)
FURNITURE = _palette("5b3a24", "e8e4dc", "3a3a3c", "8a5a34", "b58a5c", "707680", "2b3a4a", "a43d34", "5f7464")
NIGHT = _palette("ffb45e", "ffd9a0", "ff7a3c", "fff1dc", "7fb2ff", "ff4a4a", "5fe0a0", "ff9ad0", "c8dcff")
ASPHALT = _palette("5f6062", "77767a", "8b8781", "494b50")
