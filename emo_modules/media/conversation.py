"""What several people say, as one sound for each of them and one of them all."""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

import torch
from torch import Tensor
from torch.nn import functional

from .audio import Audio, resample
from .downmix import to_stereo

PAUSE = 0.3  # seconds from one speaker's end to the next one's beginning
MOST_SPEAKERS = 16
CALM = 4.0  # degrees per second, of a head that listens
QUIET = 0.01  # of a voice's loudest frame, 40 dB below it
AROUND = 0.4  # seconds before and after speech in which a speaker still moves like one
TURN = re.compile(r"(\d+)\s*[:,;\s]\s*([\d.]+)\s*(?:[,;\s-]|to)\s*([\d.]+)")


@dataclass(frozen=True)
class Turn:
    """`speaker` (1 ..) speaks from `start` to `end`, in seconds. Raises ValueError for one that cannot be."""

    speaker: int
    start: float
    end: float

    def __post_init__(self) -> None:
        if not 1 <= self.speaker <= MOST_SPEAKERS:
            raise ValueError(f"speakers are numbered from 1 to {MOST_SPEAKERS}, got {self.speaker}")
        if self.end <= self.start:
            raise ValueError(
                f"speaker {self.speaker} begins at {self.start:g} s and ends at {self.end:g} s: "
                "a turn ends after it begins"
            )


@dataclass(frozen=True)
class Conversation:
    """All equally long: `voices`, silent while others speak, and `mixed`, what an audience hears."""

    voices: tuple[Audio, ...]
    mixed: Audio


def in_turn(sounds: Sequence[Audio], pause: float = PAUSE) -> Conversation:
    """One after the other, `pause` seconds between them; below 0 the next one cuts in before the end."""
    alike, rate = _alike(sounds)
    starts, at = [], 0
    for waveform in alike:
        starts.append(max(0, at))
        at = starts[-1] + waveform.shape[-1] + round(pause * rate)
    return _together(alike, starts, rate)


def at_once(sounds: Sequence[Audio]) -> Conversation:
    """All begin together: a duet, or recordings of one talk, a microphone for each speaker."""
    alike, rate = _alike(sounds)
    return _together(alike, [0] * len(alike), rate)


def by_turns(sound: Audio, turns: Sequence[Turn]) -> Conversation:
    """One recording of all of them, and who speaks when. What is in nobody's turn is in the mix alone.

    Raises ValueError without a turn, or for one that begins after the sound's end.
    """
    if not turns:
        raise ValueError("nobody speaks: give each turn a line with speaker, beginning and end in seconds")
    length = sound.waveform.shape[-1]
    voices = torch.zeros(max(turn.speaker for turn in turns), *sound.waveform.shape)
    for turn in turns:
        start, end = (round(time * sound.sample_rate) for time in (turn.start, turn.end))
        if start >= length:
            seconds = length / sound.sample_rate
            raise ValueError(
                f"speaker {turn.speaker} begins at {turn.start:g} s, the sound lasts {seconds:.2f} s"
            )
        voices[turn.speaker - 1, ..., start:end] = sound.waveform[..., start:end]
    return Conversation(tuple(replace(sound, waveform=voice) for voice in voices), sound)


def head_speeds(voice: Audio, fps: float, speaking: float) -> tuple[float, ...]:
    """Degrees per second for each frame: `speaking` around what the voice says, else at most CALM, since
    listeners keep still."""
    frames = voice.frame_count(fps)
    per_frame = voice.fit_to_frames(frames, fps).mono.tensor_split(frames)
    levels = torch.stack([piece.square().mean().sqrt() for piece in per_frame])
    loud = (levels > QUIET * levels.max()).float()
    reach = round(AROUND * fps)
    near = functional.max_pool1d(loud[None], 2 * reach + 1, 1, reach)[0]
    return tuple(speaking if each else min(speaking, CALM) for each in near.tolist())


def read_turns(text: str) -> list[Turn]:
    """Lines such as `1 0 3.2` or `2: 3.2-6`: speaker, beginning and end in seconds. Empty lines and what
    follows a # are left out. Raises ValueError that names the line."""
    lines = [(number, line.split("#")[0].strip()) for number, line in enumerate(text.splitlines(), 1)]
    return [_turn(number, line) for number, line in lines if line]


def _turn(number: int, line: str) -> Turn:
    found = TURN.fullmatch(line)
    try:
        if found is None:
            raise ValueError("write speaker, beginning and end in seconds, such as 1 0 3.2")
        return Turn(int(found[1]), float(found[2]), float(found[3]))
    except ValueError as error:
        raise ValueError(f"line {number} of the turns, {line!r}: {error}") from error


def _alike(sounds: Iterable[Audio]) -> tuple[list[Tensor], int]:
    """Waveforms (channels, T) of one rate and one number of channels, at most two, and that rate."""
    sounds = list(sounds)
    if not 1 <= len(sounds) <= MOST_SPEAKERS:
        raise ValueError(f"a conversation has from 1 to {MOST_SPEAKERS} sounds, got {len(sounds)}")
    rate = max(sound.sample_rate for sound in sounds)
    stereo = [to_stereo(torch.atleast_2d(sound.waveform)) for sound in sounds]
    channels = max(len(waveform) for waveform in stereo)
    return [
        resample(waveform, sound.sample_rate, rate).expand(channels, -1)
        for waveform, sound in zip(stereo, sounds, strict=True)
    ], rate


def _together(waveforms: Sequence[Tensor], starts: Sequence[int], rate: int) -> Conversation:
    """The mix is made quieter where it would exceed full scale; the voices stay as they came."""
    pairs = list(zip(waveforms, starts, strict=True))
    length = max(start + waveform.shape[-1] for waveform, start in pairs)
    voices = [
        functional.pad(waveform, (start, length - start - waveform.shape[-1])) for waveform, start in pairs
    ]
    total = torch.stack(voices).sum(0)
    loudest = max(1.0, float(total.abs().max()))
    return Conversation(tuple(Audio(voice, rate) for voice in voices), Audio(total / loudest, rate))
