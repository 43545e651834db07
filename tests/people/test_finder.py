import torch

from emo_modules.cues.finder import DRAWN_WIDTHS, FaceFinder
from emo_people.networks.finder import train_finder
from emo_people.networks.fit import write_weights


def test_a_trained_finder_is_read_back_and_stays_small(tmp_path):
    torch.set_num_threads(1)
    finder = train_finder(seed=3, people=2, views=2, steps=(1, 1, 1), log=lambda line: None)
    write_weights(finder, tmp_path / "finder.safetensors", torch.half)
    assert (tmp_path / "finder.safetensors").stat().st_size < 61_440
    again = FaceFinder.load(tmp_path / "finder.safetensors", DRAWN_WIDTHS)
    picture = torch.rand(1, 3, 64, 64)
    for one, other in zip(finder(picture), again(picture), strict=True):
        assert torch.allclose(one, other, rtol=0.02, atol=0.02)
