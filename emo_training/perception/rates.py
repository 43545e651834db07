"""The rates at which all footage is looked at and listened to."""

from emo_modules.media.audio import SAMPLE_RATE as SAMPLE_RATE

FPS = 25
SAMPLES = SAMPLE_RATE // FPS  # of sound in one frame
