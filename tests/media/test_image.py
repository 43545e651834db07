import logging
import struct
import sys
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from PIL import Image, ImageCms, ImageFile, ImageOps

from emo_modules.media import image as image_module
from emo_modules.media import picture_file
from emo_modules.media.image import as_float_image, load_image, to_rgb


def saved(tmp_path, picture, name="p.png", **options):
    picture.save(tmp_path / name, **options)
    return tmp_path / name


def ramp(height=6, width=10):
    return np.linspace(0, 255, height * width * 3).reshape(height, width, 3).astype(np.uint8)


def test_rgb_is_read_exactly_and_silently(tmp_path, caplog):
    loaded = load_image(saved(tmp_path, Image.fromarray(ramp())))
    assert (loaded.shape, loaded.dtype) == ((6, 10, 3), torch.float32)
    assert torch.equal(loaded, torch.from_numpy(ramp()).float() / 255)
    assert not caplog.records


@pytest.mark.parametrize(
    ("mode", "colour", "expected", "said"),
    [
        ("RGBA", (255, 0, 0, 0), (1, 1, 1), "transparent"),
        ("RGBA", (255, 0, 0, 51), (1, 0.8, 0.8), "transparent"),
        ("LA", (0, 102), (0.6, 0.6, 0.6), "transparent"),
        ("L", 51, (0.2, 0.2, 0.2), "mode L converted"),
        ("1", 1, (1, 1, 1), "mode 1 converted"),
        ("I;16", 13107, (0.2, 0.2, 0.2), "mode I;16 scaled"),
    ],
)
def test_other_kinds_are_converted_and_said_so(tmp_path, caplog, mode, colour, expected, said):
    with caplog.at_level(logging.WARNING):
        loaded = load_image(saved(tmp_path, Image.new(mode, (4, 3), colour)))
    assert loaded.shape == (3, 4, 3)
    assert (loaded[1, 2] - torch.tensor(expected)).abs().max() < 0.003
    assert said in caplog.text and "p.png" in caplog.text


def test_16_bit_colour_palette_cmyk_and_float(tmp_path, caplog):
    palette = Image.new("RGB", (4, 4), (255, 0, 51)).convert("P", palette=Image.Palette.ADAPTIVE)
    assert (load_image(saved(tmp_path, palette))[0, 0] - torch.tensor([1, 0, 0.2])).abs().max() < 0.01
    see_through = Image.new("P", (4, 4), 0)
    see_through.putpalette([0, 0, 0])
    assert torch.equal(load_image(saved(tmp_path, see_through, transparency=0)), torch.ones(4, 4, 3))
    cmyk = Image.new("CMYK", (4, 4), (0, 255, 255, 0))
    assert (load_image(saved(tmp_path, cmyk, "c.tif"))[0, 0] - torch.tensor([1.0, 0, 0])).abs().max() < 0.02
    floats = Image.fromarray(np.array([[0.0, 0.5], [1.0, np.nan]], dtype=np.float32))
    grey = load_image(saved(tmp_path, floats, "f.tif"))[..., 0]
    assert (grey - torch.tensor([[0, 0.5], [1, 0]])).abs().max() < 0.003
    assert "mode F scaled" in caplog.text


def test_exif_rotation_is_undone(tmp_path, caplog):
    pixels = np.zeros((4, 8, 3), np.uint8)
    pixels[:, :4] = 255
    exif = Image.Exif()
    exif[0x0112] = 6  # stored on its side: show it turned by 90 degrees clockwise
    loaded = load_image(saved(tmp_path, Image.fromarray(pixels), exif=exif))
    assert loaded.shape == (8, 4, 3)
    assert loaded[:4].min() == 1 and loaded[4:].max() == 0
    assert "EXIF" in caplog.text


@pytest.mark.parametrize("orientation", range(1, 9))
def test_every_orientation_is_shown_as_it_was_taken(tmp_path, orientation):
    exif = Image.Exif()
    exif[0x0112] = orientation
    path = saved(tmp_path, Image.fromarray(ramp()), exif=exif)
    shown = ImageOps.exif_transpose(Image.open(path))
    assert torch.equal(load_image(path), torch.from_numpy(np.array(shown)).float() / 255)


@pytest.mark.parametrize("exif", [b"Exif\0\0XX\0*\0\0\0\x08", b"Exif\0\0MM\0*\0\0\0\xff"])
def test_a_damaged_exif_does_not_matter(tmp_path, exif):
    path = saved(tmp_path, Image.fromarray(ramp()), exif=exif)
    assert torch.equal(load_image(path), torch.from_numpy(ramp()).float() / 255)


@pytest.mark.parametrize("size", [(1, 1), (1, 7), (33, 21)])
def test_tiny_and_odd_sizes_are_kept(tmp_path, size):
    assert load_image(saved(tmp_path, Image.new("RGB", size))).shape == (size[1], size[0], 3)


def test_huge_pictures_are_made_smaller(tmp_path, caplog):
    loaded = load_image(saved(tmp_path, Image.new("RGB", (5000, 50), (0, 255, 0))))
    assert loaded.shape == (41, image_module.MAX_SIDE, 3)
    assert loaded[20, 2000].tolist() == [0, 1, 0]
    assert "5000x50 made smaller to fit 4096 px" in caplog.text


def test_what_is_not_a_picture_is_named_with_what_it_holds(tmp_path):
    text = tmp_path / "notes.png"
    text.write_text("not a picture")
    with pytest.raises(ValueError, match=r"notes\.png cannot be read as a picture, found 13 bytes"):
        load_image(text)
    with pytest.raises(ValueError, match="found a folder"):
        load_image(tmp_path)
    with pytest.raises(FileNotFoundError, match="absent"):
        load_image(tmp_path / "absent.png")


def noise(side=64):
    return Image.fromarray(np.random.default_rng(0).integers(0, 256, (side, side, 3), dtype=np.uint8))


@pytest.mark.parametrize("suffix", ["png", "jpg", "webp", "gif", "bmp"])
def test_truncated_downloads_are_refused(tmp_path, suffix):
    whole = saved(tmp_path, noise(), f"whole.{suffix}").read_bytes()
    cut = tmp_path / f"cut.{suffix}"
    for kept in (0, 10, *([] if suffix == "jpg" else [len(whole) // 2])):
        cut.write_bytes(whole[:kept])
        with pytest.raises(
            ValueError, match=rf"cut\.{suffix} cannot be read as a picture, found {kept} bytes"
        ):
            load_image(cut)


@pytest.mark.parametrize("progressive", [False, True])
def test_a_jpeg_that_was_cut_short_is_used_as_far_as_it_goes(tmp_path, caplog, progressive):
    before = ImageFile.LOAD_TRUNCATED_IMAGES
    ramp = Image.linear_gradient("L").convert("RGB")
    whole = saved(tmp_path, ramp, "whole.jpg", progressive=progressive)
    (tmp_path / "cut.jpg").write_bytes(whole.read_bytes()[:-200])
    loaded, true = load_image(tmp_path / "cut.jpg"), load_image(whole)
    assert loaded.shape == true.shape
    assert (loaded - true)[:64].abs().max() < 0.05
    assert "cut.jpg: cut short, what is missing is grey" in caplog.text
    assert before == ImageFile.LOAD_TRUNCATED_IMAGES


def test_a_damaged_png_is_refused_with_a_remedy(tmp_path):
    path = saved(tmp_path, noise())
    path.write_bytes(path.read_bytes()[:-100])
    with pytest.raises(ValueError, match=r"p\.png cannot be read .*truncated.*; download or save it again"):
        load_image(path)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"\0\0\0\x18ftypheic\0\0\0\0mif1heic", r"HEIC.*save it as JPEG or PNG, or pip install pillow-heif"),
        (b"\0\0\0\x18ftypmif1\0\0\0\0mif1heic", r"HEIF.*pillow-heif"),
        (b"\0\0\0\x1cftypavif\0\0\0\0avifmif1", r"AVIF: save it as JPEG or PNG, or update Pillow"),
        (b"\0\0\0\x18ftypisom\0\0\x02\0isomiso2", "a film: take one picture out of it"),
        (b"\xff\x0a" + bytes(40), "JPEG XL: save it as JPEG or PNG"),
        (
            b'<?xml version="1.0"?>\n<svg xmlns="http://www.w3.org/2000/svg"/>',
            "SVG, a drawing: export it as PNG",
        ),
        (b"<!DOCTYPE HTML><html>Not found</html>", "a web page: download the picture itself"),
        (b"RIFF\x24\0\0\0WAVEfmt ", "sound: the portrait comes first"),
        (b"ID3\x04" + bytes(40), "sound: the portrait comes first"),
        (b"\0\0\0\x1cftypM4A \0\0\x02\0", "sound: the portrait comes first"),
        (b"\xff\xfb\x90\xc4" + bytes(40), "sound: the portrait comes first"),
        (b"%PDF-1.7", "a PDF"),
    ],
)
def test_what_people_take_for_a_portrait_is_named_with_a_remedy(tmp_path, monkeypatch, content, message):
    monkeypatch.setattr(picture_file, "find_spec", lambda name: None)
    path = tmp_path / "phone.heic"
    path.write_bytes(content)
    with pytest.raises(ValueError, match=rf"phone\.heic cannot be read as a picture, found {message}"):
        load_image(path)


def test_heic_is_read_where_pillow_heif_is_installed(tmp_path, monkeypatch):
    def open_heif(path):
        if path.name == "broken.heic":
            raise ValueError("Invalid input")
        return SimpleNamespace(size=(10, 6), to_pillow=lambda: Image.fromarray(ramp()))

    monkeypatch.setitem(sys.modules, "pillow_heif", SimpleNamespace(open_heif=open_heif))
    monkeypatch.setattr(picture_file, "find_spec", lambda name: name == "pillow_heif")
    for name in ("phone.heic", "broken.heic"):
        (tmp_path / name).write_bytes(b"\0\0\0\x18ftypheic\0\0\0\0mif1heic")
    assert torch.equal(load_image(tmp_path / "phone.heic"), torch.from_numpy(ramp()).float() / 255)
    with pytest.raises(ValueError, match="found 24 bytes: Invalid input; download or save it again"):
        load_image(tmp_path / "broken.heic")


def test_pictures_of_too_many_pixels_are_refused_whatever_the_process_allows(tmp_path, monkeypatch):
    path = saved(tmp_path, Image.new("1", (20_000, 10_000)))
    for limit in (None, 10**6):
        monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", limit)
        with pytest.raises(ValueError, match=r"p\.png is larger than 178 million pixels: make it smaller"):
            load_image(path)


def test_large_jpegs_are_decoded_at_a_smaller_scale(tmp_path, caplog):
    path = saved(tmp_path, Image.linear_gradient("L").resize((9000, 40)).convert("RGB"), "wide.jpg")
    picture, _ = picture_file.open_picture(path, image_module.MAX_SIDE)
    assert picture.width == 4500
    assert load_image(path).shape == (18, 4096, 3)
    assert "9000x40 made smaller to fit 4096 px" in caplog.text


@pytest.mark.parametrize("suffix", ["gif", "png", "webp"])
def test_of_an_animation_the_first_picture_is_used_or_the_middle_when_it_fades_in(tmp_path, caplog, suffix):
    black, red, blue = (Image.new("RGB", (64, 64), colour) for colour in ("black", "red", "blue"))
    half = red.copy()
    half.paste("white", (0, 0, 64, 32))
    options = {"save_all": True, "lossless": True} if suffix == "webp" else {"save_all": True}
    path = saved(tmp_path, half, f"a.{suffix}", append_images=[black, blue], **options)
    assert load_image(path)[50, 30].tolist() == [1, 0, 0]
    assert "several pictures, number 1 is used" in caplog.text
    path = saved(tmp_path, black, f"fade.{suffix}", append_images=[half, blue], **options)
    assert load_image(path)[50, 30].tolist() == [1, 0, 0]
    assert "several pictures, number 2 is used" in caplog.text


def profile(name, columns):
    """A colour profile of gamma 2.2 whose primaries are the columns, XYZ under D50."""
    number = [struct.pack(">i", round(value * 65536)) for value in columns]
    xyz = [b"XYZ \0\0\0\0" + b"".join(number[3 * k : 3 * k + 3]) for k in range(3)]
    white = b"XYZ \0\0\0\0" + b"".join(struct.pack(">i", round(v * 65536)) for v in (0.9642, 1, 0.8249))
    gamma = b"curv\0\0\0\0" + struct.pack(">IH", 1, round(2.2 * 256)) + b"\0\0"
    words = b"desc\0\0\0\0" + struct.pack(">I", len(name) + 1) + name.encode() + bytes(80)
    tags = dict(zip((b"rXYZ", b"gXYZ", b"bXYZ"), xyz, strict=True)) | {b"wtpt": white, b"desc": words}
    tags |= dict.fromkeys((b"rTRC", b"gTRC", b"bTRC"), gamma) | {b"cprt": b"text\0\0\0\0none\0"}
    place, table, data = 128 + 4 + 12 * len(tags), struct.pack(">I", len(tags)), b""
    for tag, value in tags.items():
        table += tag + struct.pack(">II", place + len(data), len(value))
        data += value + bytes(-len(value) % 4)
    header = struct.pack(">I4xI", place + len(data), 0x02400000) + b"mntrRGB XYZ " + bytes(12) + b"acsp"
    return header.ljust(128, b"\0") + table + data


DISPLAY_P3 = (0.5151, 0.2412, -0.0011, 0.2920, 0.6922, 0.0419, 0.1571, 0.0666, 0.7841)


def test_display_p3_is_brought_to_srgb(tmp_path, caplog):
    colour = Image.new("RGB", (4, 4), (200, 60, 60))
    loaded = load_image(saved(tmp_path, colour, icc_profile=profile("Display P3", DISPLAY_P3)))
    red, green, _ = (loaded[0, 0] * 255).tolist()
    assert red > 210 and green < 50
    assert "its Display P3 colours brought to sRGB" in caplog.text


@pytest.mark.parametrize(
    "given", [b"no profile", ImageCms.ImageCmsProfile(ImageCms.createProfile("LAB")).tobytes()]
)
def test_a_profile_that_does_not_fit_is_ignored(tmp_path, caplog, given):
    path = saved(tmp_path, Image.fromarray(ramp()), icc_profile=given)
    assert torch.equal(load_image(path), torch.from_numpy(ramp()).float() / 255)
    assert "its colour profile does not fit and is ignored" in caplog.text


def test_srgb_is_read_exactly_and_silently(tmp_path, caplog):
    srgb = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    path = saved(tmp_path, Image.fromarray(ramp()), icc_profile=srgb)
    assert torch.equal(load_image(path), torch.from_numpy(ramp()).float() / 255)
    assert not caplog.records


def test_to_rgb_takes_one_to_four_channels():
    assert torch.equal(to_rgb(torch.full((2, 4, 5, 1), 0.3)), torch.full((2, 4, 5, 3), 0.3))
    colour = torch.rand(2, 4, 5, 3, generator=torch.Generator().manual_seed(0))
    assert torch.equal(to_rgb(colour), colour)
    half = torch.cat([colour, torch.full((2, 4, 5, 1), 0.5)], dim=-1)
    assert (to_rgb(half) - (colour / 2 + 0.5)).abs().max() < 1e-6
    clear = torch.tensor([0.2, 0.0]).expand(3, 3, 2)
    assert torch.equal(to_rgb(clear), torch.ones(3, 3, 3))
    with pytest.raises(ValueError, match=r"1 to 4 channels on its last axis, got shape \(4, 4, 5\)"):
        to_rgb(torch.zeros(4, 4, 5))


def test_as_float_image_scales_bytes_and_clamps_floats():
    assert as_float_image(np.array([0, 51, 255], np.uint8)).tolist() == pytest.approx([0, 0.2, 1])
    assert as_float_image(torch.tensor([-1.0, 0.5, 2.0])).tolist() == [0, 0.5, 1]
