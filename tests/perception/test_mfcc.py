import numpy as np
import pytest

from emo_training.perception.mfcc import mfcc

# python_speech_features 0.6: mfcc(chirp(), 16000)[[0, 50, 98]]
KNOWN = [
    [17.7661084, 21.90315089, 12.60427679, 6.55265534, 0.28580465, -6.88081046, -13.12942962, -19.25559896,
     -23.17001014, -25.3228503, -24.12688973, -21.63528512, -17.76198464],
    [20.71157934, 7.50468386, -26.06556737, -34.9887113, -10.84660482, 20.50465031, 26.2215619, 0.7603997,
     -25.65379751, -25.5688019, -1.86646023, 16.54954856, 12.3343195],
    [21.57135111, 2.50982371, -35.87931661, -0.29908704, 31.46083549, -2.02079408, -31.07454159, 0.87734121,
     27.03332959, -3.1205506, -24.98582276, 1.04378913, 18.89872217],
]  # fmt: skip


def chirp() -> np.ndarray:
    """A second from 200 Hz upwards, as 16-bit integers."""
    n = np.arange(16000)
    return np.rint(8000 * np.sin(2 * np.pi * (200 * n + 0.05 * n * n) / 16000)).astype(np.int16)


def test_the_packages_values():
    found = mfcc(chirp())
    assert found.shape == (99, 13)
    np.testing.assert_allclose(found[[0, 50, 98]], KNOWN, rtol=1e-6)


def test_gain_moves_only_the_energy():
    """Twice the amplitude adds log 4 to coefficient 0 and nothing to the others: no logarithm has a floor."""
    noise = 100 * np.random.default_rng(0).standard_normal(4000)
    change = mfcc(2 * noise) - mfcc(noise)
    np.testing.assert_allclose(change, np.eye(13)[0] * np.log(4) * np.ones((len(change), 1)), atol=1e-9)


@pytest.mark.parametrize(
    ("samples", "windows"), [(1, 1), (400, 1), (401, 2), (560, 2), (561, 3), (16000, 99)]
)
def test_number_of_windows(samples, windows):
    assert mfcc(np.ones(samples)).shape == (windows, 13)


def test_digital_silence_is_finite():
    np.testing.assert_allclose(mfcc(np.zeros(1600))[:, 0], np.log(np.finfo(float).eps))
