"""Pictures on disk."""

from pathlib import Path

from PIL import Image

from .partial import whole_file

SUFFIXES = (".png", ".jpg", ".jpeg", ".webp")


def save_picture(path: Path, picture: Image.Image, **options: int) -> None:
    """Its suffix is one of SUFFIXES; `options` are Pillow's. Raises as `whole_file`."""
    with whole_file(path) as partial:
        picture.save(partial, Image.registered_extensions()[path.suffix.lower()], **options)
