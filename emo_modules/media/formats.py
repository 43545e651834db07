"""The formats of films: which encoders each takes, what it holds, and where it can be written."""

import re
from collections.abc import Iterable
from dataclasses import dataclass, replace
from fractions import Fraction
from pathlib import Path

import av

from ..writing.partial import fitting
from ..writing.place import check_file_place, check_place, one_of
from .files import STANDARD

BEST_CRF, WORST_CRF = 1, 51  # H.264's scale, on which the quality of every format is given
SOUND_RATE = 48000  # where a format does not know the recording's own rate
SOUND_END = ".sound.wav"
PATTERN = re.compile(r"[^%]*%\d*d[^%]*")


@dataclass(frozen=True)
class SoundFormat:
    """How sound is held beside the picture; no `rates` means that it takes any."""

    name: str
    encoder: str
    rates: tuple[int, ...] = ()

    def rate(self, recorded: int) -> int:
        """The rate, in Hz, to which a recording has to be brought."""
        return recorded if recorded in self.rates or not self.rates else SOUND_RATE


@dataclass(frozen=True)
class Format:
    """One format of films, by libav's names of encoders and pixels.

    Without `sound` it holds none, and the sound gets a file of its own. `worst_crf` is the end of the
    encoder's own scale of quality, None where it has none. `fastest` is the most frames per second that
    players keep up with. Raises ValueError for numbered pictures with sound in them.
    """

    name: str
    suffixes: tuple[str, ...]
    encoder: str
    pixels: str
    sound: SoundFormat | None = None
    options: tuple[tuple[str, str], ...] = ()
    worst_crf: int | None = None
    fastest: int | None = None
    numbered: bool = False  # a folder of pictures instead of one file

    def __post_init__(self) -> None:
        if self.numbered and self.sound:
            raise ValueError(f"{self.name} is numbered pictures, which hold no sound, got {self.sound.name}")

    @property
    def yuv(self) -> bool:
        """Whether its pixels are luma and chroma, which need even sizes and say how they became that."""
        return self.pixels.startswith("yuv")

    @property
    def palette(self) -> bool:
        """Whether its pixels are numbers of 256 colours."""
        return self.pixels == "pal8"

    @property
    def encoders(self) -> tuple[str, ...]:
        return (self.encoder, self.sound.encoder) if self.sound else (self.encoder, WAV.encoder)

    def encoder_options(self, crf: int) -> dict[str, str]:
        """libav's, for a quality on H.264's scale. Raises ValueError for one that is not on it."""
        if not BEST_CRF <= crf <= WORST_CRF:
            raise ValueError(
                f"crf goes from {BEST_CRF}, the best, to {WORST_CRF}, got {crf}; 0 would be lossless H.264, "
                "which browsers and most players do not show"
            )
        quality = {} if self.worst_crf is None else {"crf": str(round(crf * self.worst_crf / WORST_CRF))}
        return dict(self.options) | quality

    def check_fps(self, fps: Fraction) -> None:
        """Raises ValueError for more frames per second than players show."""
        if self.fastest is not None and fps > self.fastest:
            raise ValueError(
                f"players show at most {self.fastest} frames per second of a {self.name}, "
                f"got {float(fps):g}: give fewer, or choose another format"
            )


AAC = SoundFormat(
    "AAC",
    "aac",
    (8000, 11025, 12000, 16000, 22050, 24000, 32000, 44100, 48000, 64000, 88200, 96000),
)
OPUS = SoundFormat("Opus", "libopus", (SOUND_RATE,))
PCM = SoundFormat("PCM", "pcm_s24le")
WAV = SoundFormat("PCM", "pcm_s16le")  # beside a film

H264 = Format("h264", (".mp4", ".m4v", ".mov", ".mkv"), "libx264", "yuv420p", AAC, worst_crf=WORST_CRF)
# "b" 0 leaves the rate to the quality; "cpu-used" 4 takes a quarter less time at the same PSNR and size
VP9 = Format(
    "vp9",
    (".webm",),
    "libvpx-vp9",
    "yuv420p",
    OPUS,
    (("b", "0"), ("deadline", "good"), ("cpu-used", "4"), ("row-mt", "1")),
    worst_crf=63,
)
# profile 3 is HQ: older PyAV does not know the name; some editors insist on the vendor "apl0", Apple
PRORES = Format("prores", (".mov",), "prores_ks", "yuv422p10le", PCM, (("profile", "3"), ("vendor", "apl0")))
# The encoder leaves out what it takes for unchanged by numbers of colours; but those of the last frame were
# of another palette when this one's is that of the first again. Browsers show frames of 10 ms for 100 ms.
GIF = Format("gif", (".gif",), "gif", "pal8", options=(("gifflags", "0"),), fastest=50)
PNG = Format("png", (".png",), "png", "rgb24", numbered=True)
# each frame leaves the encoder before the next one comes
LIVE = replace(H264, name="h264 live", suffixes=(".mp4", ".m4v"), options=(("tune", "zerolatency"),))
FORMATS = {format.name: format for format in (H264, VP9, PRORES, GIF, PNG)}
# the first format with a suffix is meant by it
BY_SUFFIX = {suffix: format for format in reversed(FORMATS.values()) for suffix in format.suffixes}
SUFFIXES = tuple(dict.fromkeys(suffix for format in FORMATS.values() for suffix in format.suffixes))


def format_of(path: Path) -> Format:
    """What the suffix of a name means, .mov as H.264. Raises as `check_film` for one that means none."""
    check_file_place(path, SUFFIXES)
    return BY_SUFFIX[path.suffix.lower()]


def check_encoders(format: Format) -> None:
    """Raises ValueError when this build of PyAV lacks an encoder; it says which formats there are."""
    missing = [name for name in format.encoders if not has_encoder(name)]
    if missing:
        others = [other.name for other in FORMATS.values() if all(map(has_encoder, other.encoders))]
        raise ValueError(
            f"the format {format.name} needs the encoder {' and '.join(missing)}, which this build of PyAV "
            f"{av.__version__} lacks: choose {one_of(others)}, or install PyAV from PyPI"
        )


def has_encoder(name: str) -> bool:
    try:
        av.Codec(name, "w")
    except ValueError:
        return False
    return True


def check_film(path: Path, format: Format, inputs: Iterable[Path] = (), *, replace: bool = True) -> None:
    """Raises ValueError or WriteError, with the remedy, when no film of this format can be written there.

    One of the `inputs` is not overwritten. Without `replace` a folder of frames that is taken is no error:
    the writer makes another.
    """
    inputs = tuple(inputs)
    check_encoders(format)
    if format.numbered:
        _check_pattern(path, replace)
    else:
        check_file_place(path, format.suffixes, inputs)
    if format.sound is None:
        check_file_place(sound_beside(path, format), (".wav",), inputs)


def check_live(path: Path) -> None:
    """As `check_film`, for a film that is watched while it grows, on standard output where `path` is -."""
    check_encoders(LIVE)
    if path == STANDARD:
        return
    check_file_place(path, LIVE.suffixes)
    if path.exists():
        raise ValueError(
            f"{path} is there already, and a film that is watched while it grows replaces none: give it a "
            "new name, or remove that one"
        )


def _check_pattern(path: Path, replace: bool) -> None:
    if path.suffix.lower() not in PNG.suffixes or not PATTERN.fullmatch(path.name):
        raise ValueError(
            f"{path} names one picture where every frame needs a number: "
            f"name them {path.with_suffix('') / '%05d.png'}"
        )
    if path.parent.name in ("", ".."):
        raise ValueError(
            f"{path}: the frames need a folder of their own: name them {Path('talk') / path.name}"
        )
    check_place(path)
    if replace and path.parent.is_dir() and any(path.parent.iterdir()):
        raise ValueError(f"the folder {path.parent} is not empty: give the frames a new one, or empty it")


def sound_beside(film: Path, format: Format) -> Path:
    """Where the sound of a film goes that holds none: talk.gif and talk/%05d.png -> talk.sound.wav."""
    if format.numbered:
        return film.parent.with_name(fitting(film.parent.name, SOUND_END))
    return film.with_name(fitting(film.stem, SOUND_END))
