"""Picture files opened with Pillow, and what stands in those that it cannot open."""

import io
from importlib.util import find_spec
from pathlib import Path

from PIL import Image, ImageCms, UnidentifiedImageError

LARGEST = 178_956_970  # pixels; Pillow's own limit, which other programs in the process may have lifted
END_OF_JPEG = b"\xff\xd9"
JPEGS = ("JPEG", "MPO")
FARTHEST = 50  # pictures of an animation that are decoded to leave a fade-in behind
ORIENTATION = 0x0112
TURNS = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
SAVE = "save it as JPEG or PNG"
SWAPPED = "the portrait comes first, the sound second"
# What people take for a portrait: where its mark stands, the mark, what it is, what to do.
FOREIGN = (
    (4, b"ftyphei", "HEIC, a phone's format", f"{SAVE}, or pip install pillow-heif"),
    (4, b"ftyphev", "HEIC, a phone's format", f"{SAVE}, or pip install pillow-heif"),
    (4, b"ftypmif1", "HEIF, a phone's format", f"{SAVE}, or pip install pillow-heif"),
    (4, b"ftypavi", "AVIF", f"{SAVE}, or update Pillow"),
    (4, b"ftypcrx", "a camera's raw file", SAVE),
    (4, b"ftypM4A", "sound", SWAPPED),
    (4, b"ftyp", "a film", "take one picture out of it"),
    (0, b"\x1aE\xdf\xa3", "a film", "take one picture out of it"),
    (0, b"\xff\x0a", "JPEG XL", SAVE),
    (0, b"\0\0\0\x0cJXL ", "JPEG XL", SAVE),
    (0, b"v/1\x01", "OpenEXR", SAVE),
    (0, b"%PDF", "a PDF", "save its picture as JPEG or PNG"),
    (0, b"RIFF????WAVE", "sound", SWAPPED),
    (0, b"ID3", "sound", SWAPPED),
    (0, b"\xff\xfb", "sound", SWAPPED),
    (0, b"OggS", "sound", SWAPPED),
    (0, b"fLaC", "sound", SWAPPED),
)
TEXTS = (
    (b"<svg", "SVG, a drawing", "export it as PNG"),
    (b"<html", "a web page", "download the picture itself"),
    (b"<!doctype html", "a web page", "download the picture itself"),
)


def open_picture(path: Path, largest_side: int) -> tuple[Image.Image, list[str]]:
    """The picture, or one of an animation, loaded, and what had to be done to it.

    JPEGs much longer than `largest_side` are decoded smaller. Raises ValueError that says what the file
    holds, and what to do.
    """
    size = path.stat().st_size
    try:
        return _load(path, largest_side)
    # Pillow's decoders answer damaged data with any of these.
    except (OSError, SyntaxError, ValueError, EOFError, RuntimeError, Image.DecompressionBombError) as error:
        raise ValueError(_refusal(path, size, error)) from error


def _refusal(path: Path, size: int, error: Exception) -> str:
    if path.is_dir():
        return f"{path} cannot be read as a picture, found a folder"
    if isinstance(error, Image.DecompressionBombError):
        return f"{path} is larger than {LARGEST // 10**6} million pixels: make it smaller"
    with path.open("rb") as file:
        kind = _foreign_kind(file.read(1024))
    if kind and not _reads_heif(path):
        return f"{path} cannot be read as a picture, found {kind[0]}: {kind[1]}"
    remedy = "" if isinstance(error, UnidentifiedImageError) else "; download or save it again"
    return f"{path} cannot be read as a picture, found {size} bytes: {error}{remedy}"


def _foreign_kind(header: bytes) -> tuple[str, str] | None:
    """What a file is that is no picture to Pillow, and the remedy."""
    for offset, mark, name, remedy in FOREIGN:
        found = header[offset : offset + len(mark)]
        if len(found) == len(mark) and all(m in (f, ord("?")) for m, f in zip(mark, found, strict=True)):
            return name, remedy
    text = header.lower()
    return next(((name, remedy) for mark, name, remedy in TEXTS if mark in text), None)


def _load(path: Path, largest_side: int) -> tuple[Image.Image, list[str]]:
    if _reads_heif(path):
        from pillow_heif import open_heif

        heif = open_heif(path)
        _check_size(heif.size)
        return heif.to_pillow(), _size_note(heif.size, largest_side)
    with Image.open(path) as picture:
        notes = _size_note(picture.size, largest_side)
        try:
            decoded = _decoded(picture, largest_side)
            return decoded, notes + _show_picture_of(decoded)
        except OSError:
            if picture.format not in JPEGS:
                raise
    # Where the data end as a whole file does, libjpeg makes what is missing grey.
    with Image.open(io.BytesIO(path.read_bytes() + END_OF_JPEG)) as picture:
        return _decoded(picture, largest_side), [*notes, "cut short, what is missing is grey"]


def _reads_heif(path: Path) -> bool:
    with path.open("rb") as file:
        name, _ = _foreign_kind(file.read(16)) or ("", "")
    return name.startswith("HEI") and find_spec("pillow_heif") is not None


def _size_note(size: tuple[int, int], largest_side: int) -> list[str]:
    width, height = size
    return [] if max(size) <= largest_side else [f"{width}x{height} made smaller to fit {largest_side} px"]


def _check_size(size: tuple[int, int]) -> None:
    if size[0] * size[1] > LARGEST:
        raise Image.DecompressionBombError


def _show_picture_of(animation: Image.Image) -> list[str]:
    """Leaves an animation at its first picture, or in its middle where that has one colour: a fade-in."""
    if animation.format in JPEGS or not getattr(animation, "is_animated", False):
        return []
    index = 0
    if len(animation.convert("RGB").getcolors(2) or ()) == 1:
        index = min(getattr(animation, "n_frames", 1) // 2, FARTHEST)
        animation.seek(index)
        animation.load()
    return [f"several pictures, number {index + 1} is used"]


def _decoded(picture: Image.Image, largest_side: int) -> Image.Image:
    _check_size(picture.size)
    scale = largest_side / max(picture.size)
    picture.draft(None, (round(picture.width * scale), round(picture.height * scale)))
    picture.load()
    return picture


def turn_upright(picture: Image.Image) -> tuple[Image.Image, list[str]]:
    """The picture as its EXIF says that it was held, and what was done."""
    # ImageOps.exif_transpose also writes the EXIF anew, which fails on what some cameras put there
    try:
        turn = TURNS.get(picture.getexif().get(ORIENTATION, 1))
    except SyntaxError:
        return picture, ["its EXIF is damaged and ignored"]
    if turn is None:
        return picture, []
    return picture.transpose(turn), ["turned upright as its EXIF says"]


def to_srgb(picture: Image.Image) -> tuple[Image.Image, list[str]]:
    """The picture with the colours of its ICC profile as sRGB shows them, and what was done.

    Cameras and phones write Display P3 or Adobe RGB, in which the same numbers are other colours.
    """
    profile = picture.info.get("icc_profile")
    if not profile or picture.mode not in ("RGB", "RGBA", "CMYK"):
        return picture, []
    try:
        given = ImageCms.ImageCmsProfile(io.BytesIO(profile))
        name = ImageCms.getProfileDescription(given).strip()
        if "sRGB" in name:
            return picture, []
        mode = "RGBA" if picture.mode == "RGBA" else "RGB"
        transform = ImageCms.buildTransform(given, ImageCms.createProfile("sRGB"), picture.mode, mode)
        converted = transform.apply(picture)
    except (ImageCms.PyCMSError, OSError, ValueError):
        return picture, ["its colour profile does not fit and is ignored"]
    return converted, [f"its {name} colours brought to sRGB"]
