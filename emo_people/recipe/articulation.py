"""The audio projection learns what a mouth does with the sound, before any picture is drawn.

Not part of the paper. Lips are the last thing that a model of clips learns, since next to none of its loss is
about them; from speech alone, of which a second costs a hundredth of a rendered one, it takes minutes.
"""

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from emo_modules.config import EMOConfig
from emo_modules.media.audio import Audio
from emo_modules.models.conditioning import AudioProjection
from emo_modules.models.emo import EMO
from emo_modules.speech.wav2vec2 import AudioEncoder, encode_audio
from emo_modules.weights.reading import read_weights
from emo_modules.weights.rename import load_strict

from ..acting.face import ACTIONS
from ..acting.visemes import lip_parting
from ..networks.fit import Log, WallClock, fit, write_weights
from ..speech.alphabet import PHONEMES
from .spoken import Spoken

# Both sides of a mouth speak alike.
_ONE_SIDE = [k for k, name in enumerate(ACTIONS) if not name.endswith("Right")]
MEASURES = (*(ACTIONS[k] for k in _ONE_SIDE), "parting")
_STILL = 0.02  # deviation of a measure below which nothing is learned about it
_WIDEST = 3  # measures that vary most, which the figures tell of
OPEN, SHUT = 0.25, 0.08  # partings of the lips that a closed mouth is never, an open one hardly told as
_AT_ONCE = 2048  # frames without gradients


@dataclass(frozen=True)
class Articulation:
    """A step hears `batch` frames; `spread` is the weight of what `off_unit` says of the tokens."""

    minutes: float
    lr: float = 2e-3
    batch: int = 512
    spread: float = 0.03
    seed: int = 0


@dataclass(frozen=True, eq=False)
class HeardFrames:
    """Frames (F) of utterances (U) as inference hears them, and what the mouth does in them."""

    rows: Tensor  # (R, layers, D), the encoder's of all utterances, each with its ends repeated
    first: Tensor  # (F,) row with which a frame's window begins
    window: int  # rows of it
    measures: Tensor  # (F, len(MEASURES))
    phonemes: Tensor  # (F,)
    utterance: Tensor  # (F,) number
    held_out: Tensor  # (U,) bool
    unseen_language: Tensor  # (U,) bool

    @classmethod
    def of(cls, spoken: Iterable[Spoken], encoder: AudioEncoder, config: EMOConfig) -> "HeardFrames":
        """On the encoder's device."""
        device, context = next(encoder.parameters()).device, config.audio.context
        parts: dict[str, list[Tensor]] = defaultdict(list)
        for k, one in enumerate(spoken):
            frames = len(one.phonemes)
            before = k * 2 * context + sum(map(len, parts["first"]))
            parts["rows"].append(heard_rows(one, encoder, config))
            parts["first"].append(before + torch.arange(frames))
            parts["measures"].append(torch.from_numpy(measure(one.actions)))
            parts["phonemes"].append(torch.from_numpy(one.phonemes).long())
            parts["utterance"].append(torch.full((frames,), k))
            parts["held_out"].append(torch.tensor([one.held_out]))
            parts["unseen_language"].append(torch.tensor([one.unseen_language]))
        return cls(
            window=2 * context + 1, **{name: torch.cat(part).to(device) for name, part in parts.items()}
        )

    def __len__(self) -> int:
        return len(self.first)

    def windows(self, frames: Tensor) -> Tensor:
        """(N, 2m+1, layers, D) of frames (N,)."""
        return self.rows[self.first[frames, None] + torch.arange(self.window, device=frames.device)].float()


def heard_rows(spoken: Spoken, encoder: AudioEncoder, config: EMOConfig) -> Tensor:
    """(m+F+m, layers, D) half: beyond the ends nothing is heard but the first and the last frame."""
    frames, context = len(spoken.phonemes), config.audio.context
    sound = Audio(torch.from_numpy(spoken.waveform).float() / 32768)
    features = encode_audio(encoder, sound, frames, config.fps).half()
    return features[torch.arange(-context, frames + context).clamp(0, frames - 1)]


def measure(actions: np.ndarray) -> np.ndarray:
    """Actions (F, 52) -> (F, len(MEASURES)) float32: those of one side, and how far the lips part."""
    actions = actions.astype(np.float32)
    return np.c_[actions[:, _ONE_SIDE], lip_parting(actions)].astype(np.float32)


class Articulator(nn.Module):
    """The projection, and a reader of what its tokens tell about the mouth.

    It reads the tokens' mean: what any attention that does not choose among them passes on.
    """

    def __init__(self, config: EMOConfig, measures: Tensor) -> None:
        """measures (F, len(MEASURES)): of the training, by which they are scaled."""
        super().__init__()
        deviation = measures.std(0)
        self.columns = deviation.gt(_STILL).nonzero().flatten().tolist()
        self.mean, self.deviation = measures[:, self.columns].mean(0), deviation[self.columns]
        self.audio_projection = AudioProjection(config)
        self.head = nn.Linear(config.audio_dim, len(self.columns))

    @property
    def names(self) -> list[str]:
        return [MEASURES[column] for column in self.columns]

    def forward(self, windows: Tensor) -> tuple[Tensor, Tensor]:
        """Windows (N, 2m+1, layers, D) -> tokens (N, L, audio_dim), scaled measures (N, names)."""
        tokens = self.audio_projection(windows[None])
        return tokens, self.head(tokens.mean(1))

    def scaled(self, measures: Tensor) -> Tensor:
        """(N, len(MEASURES)) -> (N, names)."""
        return (measures[:, self.columns] - self.mean) / self.deviation

    @torch.no_grad()
    def tell(self, heard: HeardFrames) -> Tensor:
        """Measures (F, names) of all frames."""
        every = torch.arange(len(heard), device=heard.first.device).split(_AT_ONCE)
        told = torch.cat([self(heard.windows(frames))[1] for frames in every])
        return told * self.deviation + self.mean


def train_articulation(
    config: EMOConfig, heard: HeardFrames, held_out: HeardFrames, training: Articulation, log: Log = print
) -> Articulator:
    """Logs the figures of `held_out`. Raises ValueError where `heard` has what is held out."""
    if heard.held_out.any():
        raise ValueError("some of the seeds to learn from are held out: they begin at 1000000")
    device = heard.first.device
    generator = torch.Generator(device).manual_seed(training.seed)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(training.seed)
        articulator = Articulator(config, heard.measures).to(device)

    def loss() -> dict[str, Tensor]:
        frames = torch.randint(len(heard), (training.batch,), generator=generator, device=device)
        tokens, told = articulator(heard.windows(frames))
        off = (told - articulator.scaled(heard.measures[frames])).square().mean()
        return {"mouth": off, "spread": training.spread * off_unit(tokens.flatten(1))}

    def check() -> str:
        return str(figures(articulator, held_out))

    pace = WallClock(training.minutes, training.lr, warmup=50, weight_decay=0.05)
    fit(articulator, loss, pace, "articulation", log, check)
    return articulator


def off_unit(values: Tensor) -> Tensor:
    """How far columns of (N, C) are from zero mean and unit deviation: then attention need not scale them."""
    return (values.mean(0).square() + (values.std(0) - 1).square()).mean()


def figures(articulator: Articulator, heard: HeardFrames) -> dict[str, float]:
    """Correlations of what is told with what the mouth does, their median over utterances, and shares of
    frames: lips told shut in silence, at b, m and p, and (which should be none) where they are wide open."""
    told = articulator.tell(heard)
    true = heard.measures[:, articulator.columns]
    names, known = articulator.names, ~heard.unseen_language
    r = correlations(told, true, heard.utterance)
    widest = articulator.deviation.argsort(descending=True).tolist()
    shown = dict.fromkeys(["jawOpen", *(names[k] for k in widest[:_WIDEST])])
    found = {f"r {name}": float(r[known, names.index(name)].nanmedian()) for name in shown if name in names}
    if heard.unseen_language.any():
        found["r jawOpen, unseen languages"] = float(r[~known, names.index("jawOpen")].nanmedian())
    parting, shut = (part[:, names.index("parting")] for part in (told, true))
    closed, silent = shut < SHUT / 2, heard.phonemes == PHONEMES.index("pau")
    lips = torch.isin(heard.phonemes, heard.phonemes.new_tensor([PHONEMES.index(p) for p in "bmp"]))
    places = {"silence": silent & closed, "b m p": lips & closed, "wide open": shut > OPEN}
    told_shut = (parting < SHUT).float()
    found |= {f"shut at {name}": float(told_shut[place].mean()) for name, place in places.items()}
    return {name: round(value, 3) for name, value in found.items()}


def correlations(told: Tensor, true: Tensor, group: Tensor) -> Tensor:
    """Of columns (N, C) within each of U groups, numbered in (N,): (U, C), nan where one does not vary."""
    count = int(group.max()) + 1

    def mean(values: Tensor) -> Tensor:
        sums = values.new_zeros(count, values.shape[1]).index_add(0, group, values)
        return sums / group.bincount(minlength=count)[:, None]

    told, true = (values - mean(values)[group] for values in (told, true))
    return mean(told * true) / (mean(told.square()) * mean(true.square())).sqrt()


def write_projection(articulator: Articulator, path: Path) -> None:
    """With the names that the projection's weights have in the model."""
    write_weights(nn.ModuleDict({"audio_projection": articulator.audio_projection}), path)


def load_projection(model: EMO, path: Path) -> None:
    """Takes what `write_projection` left as the model's own. Raises ValueError when it does not fit."""
    weights = read_weights(path, "the weights of an audio projection")
    load_strict(model, weights, str(path), may_miss=r"^(?!audio_projection\.)")
