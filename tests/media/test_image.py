import logging

import numpy as np
import pytest
import torch
from PIL import Image

from emo_modules.media import image as image_module
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


@pytest.mark.parametrize("suffix", ["png", "jpg", "webp", "gif", "bmp"])
def test_truncated_downloads_are_refused(tmp_path, suffix):
    noise = np.random.default_rng(0).integers(0, 256, (64, 64, 3), dtype=np.uint8)
    whole = saved(tmp_path, Image.fromarray(noise), f"whole.{suffix}").read_bytes()
    cut = tmp_path / f"cut.{suffix}"
    for kept in (0, 10, len(whole) // 2):
        cut.write_bytes(whole[:kept])
        with pytest.raises(
            ValueError, match=rf"cut\.{suffix} cannot be read as a picture, found {kept} bytes"
        ):
            load_image(cut)


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
