"""Speech with phoneme boundaries from the espeak-ng library, each utterance in a process of its own.

The library carries the phase of its oscillators from one utterance to the next, so that only a fresh process
gives the same samples for the same text. This file is that process's script too, hence nothing but the
standard library.
"""

import ctypes
import json
import math
import shutil
import subprocess
import sys

_SYNCHRONOUS = 2
_PHONEME_EVENTS, _DO_NOT_EXIT = 1, 0x8000
_RATE_PARAMETER, _PITCH_PARAMETER = 1, 3
_END_OF_LIST, _PHONEME = 0, 7
_UTF8 = 1
_WORDS_PER_MINUTE = 165
# Words a minute: espeak-ng 1.51 crashes at one sentence in some thousands, but not when it is said slower.
_SLOWER = range(0, 60, 10)


def speak(text: str, voice: str, rate: float, pitch: float) -> tuple[bytes, int, list[tuple[int, str]]]:
    """16-bit samples, their rate, and (first sample, espeak mnemonic) of each phoneme.

    `voice` is the library's file of a language, with + and a variant if wanted: `gmw/en-US+m3`. Raises
    FileNotFoundError naming the Debian package when espeak-ng is missing, RuntimeError with the library's
    complaint when it fails.
    """
    if shutil.which("espeak-ng") is None:
        raise FileNotFoundError(
            "espeak-ng is missing: install the Debian package espeak-ng (apt-get install espeak-ng)"
        )
    words_per_minute = round(_WORDS_PER_MINUTE * rate)
    # The library's pitch scale runs from half to double the voice's own pitch.
    pitch_percent = round(50 + 50 * math.log2(pitch))
    for slower in _SLOWER:
        finished = _speak_apart(text, voice, words_per_minute - slower, pitch_percent)
        if finished.returncode >= 0:
            break
    if finished.returncode:
        complaint = (finished.stderr.decode().strip() or f"it ended with {finished.returncode}").splitlines()
        raise RuntimeError(f"espeak-ng failed with voice {voice}: {complaint[-1]}; needs espeak-ng 1.51")
    header, samples = finished.stdout.split(b"\n", 1)
    sample_rate, marks = json.loads(header)
    return samples, sample_rate, [(start, mnemonic) for start, mnemonic in marks]


def _speak_apart(*request: str | int) -> "subprocess.CompletedProcess[bytes]":
    command = [sys.executable, "-I", "-S", __file__]
    return subprocess.run(command, input=json.dumps(request).encode(), capture_output=True)


class _Identity(ctypes.Union):
    _fields_ = [("number", ctypes.c_int), ("name", ctypes.c_char_p), ("string", ctypes.c_char * 8)]


class _Event(ctypes.Structure):
    _fields_ = [
        ("type", ctypes.c_int),
        ("unique_identifier", ctypes.c_uint),
        ("text_position", ctypes.c_int),
        ("length", ctypes.c_int),
        ("audio_position", ctypes.c_int),
        ("sample", ctypes.c_int),
        ("user_data", ctypes.c_void_p),
        ("id", _Identity),
    ]


_CALLBACK = ctypes.CFUNCTYPE(
    ctypes.c_int, ctypes.POINTER(ctypes.c_short), ctypes.c_int, ctypes.POINTER(_Event)
)


def _open(voice: str, words_per_minute: int, pitch_percent: int) -> tuple[ctypes.CDLL, int]:
    library = ctypes.CDLL("libespeak-ng.so.1")
    sample_rate = library.espeak_Initialize(_SYNCHRONOUS, 100, None, _PHONEME_EVENTS | _DO_NOT_EXIT)
    if sample_rate <= 0:
        sys.exit(f"espeak_Initialize answered {sample_rate}")
    if library.espeak_SetVoiceByName(voice.encode()) != 0:
        sys.exit(f"there is no voice {voice}")
    library.espeak_SetParameter(_RATE_PARAMETER, words_per_minute, 0)
    library.espeak_SetParameter(_PITCH_PARAMETER, pitch_percent, 0)
    return library, sample_rate


def _main() -> None:
    text, *settings = json.load(sys.stdin)
    library, sample_rate = _open(*settings)
    pieces: list[bytes] = []
    marks: list[tuple[int, str]] = []

    def receive(
        samples: "ctypes._Pointer[ctypes.c_short]", count: int, events: "ctypes._Pointer[_Event]"
    ) -> int:
        if count > 0:
            pieces.append(ctypes.string_at(samples, 2 * count))
        index = 0
        while events[index].type != _END_OF_LIST:
            if events[index].type == _PHONEME:
                marks.append((events[index].sample, events[index].id.string.decode()))
            index += 1
        return 0

    encoded = text.encode()
    callback = _CALLBACK(receive)  # kept until the library is done with it
    library.espeak_SetSynthCallback(callback)
    library.espeak_Synth(encoded, len(encoded) + 1, 0, 1, 0, _UTF8, None, None)
    library.espeak_Synchronize()
    sys.stdout.buffer.write(json.dumps([sample_rate, marks]).encode() + b"\n" + b"".join(pieces))


if __name__ == "__main__":
    _main()
