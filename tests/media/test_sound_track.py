"""Sound files that every player plays: damaged, joined, dubbed or oddly named ones."""

import io
import itertools
import os
import re

import av
import numpy as np
import pytest
import torch
from scipy.signal import correlate

from emo_modules.media.audio import decode_audio, resample
from emo_modules.media.sound_track import Loss
from emo_modules.media.video import VideoWriter

SECONDS = 2


def chirp(rate, channels=1, seconds=SECONDS):
    """(channels, T): a tone that rises, so that each moment can be told from the others."""
    time = np.arange(round(rate * seconds)) / rate
    return np.repeat(0.4 * np.sin(2 * np.pi * (200 + 400 * time) * time)[None], channels, axis=0)


def encoded(kind, codec, *takes):
    """A file with one sound track for each (samples, rate, layout); the last one is the default."""
    content = io.BytesIO()
    with av.open(content, "w", format=kind) as container:
        streams = [container.add_stream(codec, rate=rate, layout=layout) for _, rate, layout in takes]
        for stream in streams:
            stream.disposition = av.stream.Disposition(0)
        streams[-1].disposition = av.stream.Disposition.default
        for stream, (samples, rate, layout) in zip(streams, takes, strict=True):
            write(container, stream, samples, rate, layout)
    return content.getvalue()


def write(container, stream, samples, rate, layout):
    frame = av.AudioFrame.from_ndarray(samples.astype(np.float32), format="fltp", layout=layout)
    frame.sample_rate = rate
    container.mux([*stream.encode(frame), *stream.encode(None)])


def mp3(rate=44100, channels=1):
    layout = "stereo" if channels == 2 else "mono"
    return encoded("mp3", "libmp3lame", (chirp(rate, channels), rate, layout))


def read(tmp_path, content, name="take.mp3"):
    (tmp_path / name).write_bytes(content)
    return decode_audio(tmp_path / name)


def at(heard, rate, start, stop):
    """Where the chirp's piece between two moments is heard, in seconds. Fails when it is nowhere."""
    piece = chirp(rate)[0, round(start * rate) : round(stop * rate)]
    place = int(np.argmax(correlate(heard[0].numpy(), piece, "valid")))
    assert (
        np.corrcoef(heard[0, place : place + len(piece)].numpy(), piece)[0, 1] > 0.98
    )  # half a sample beside it
    return place / rate


def test_a_damaged_stretch_becomes_silence_of_its_length_and_the_rest_stays_in_its_place(tmp_path, caplog):
    content = bytearray(mp3())
    middle = len(content) // 2
    content[middle : middle + 600] = bytes(600)
    heard, rate = read(tmp_path, content)
    assert abs(heard.shape[1] / rate - SECONDS) < 0.03
    assert at(heard, rate, 0.1, 0.9) == pytest.approx(0.1, abs=0.001)
    assert at(heard, rate, 1.6, 1.9) == pytest.approx(1.6, abs=0.01)
    (message,) = [record.getMessage() for record in caplog.records]
    counted = re.fullmatch(r"take\.mp3: \d+ packets were damaged, (\d+) ms are silent", message)
    assert (heard == 0).sum() / rate * 1000 == pytest.approx(int(counted[1]), abs=5)


def test_lost_packets_of_a_film_leave_silence_by_its_time_stamps(tmp_path, caplog):
    content = io.BytesIO(encoded("matroska", "libopus", (chirp(48000), 48000, "mono")))
    thinned = io.BytesIO()
    with av.open(content) as source, av.open(thinned, "w", format="matroska") as target:
        stream = source.streams.audio[0]
        written = target.add_stream_from_template(stream)
        for packet in source.demux(stream):
            if packet.dts is not None and not 0.8 < packet.pts * packet.time_base < 1.2:
                packet.stream = written
                target.mux(packet)
    heard, rate = read(tmp_path, thinned.getvalue(), "film.mkv")
    assert abs(heard.shape[1] / rate - SECONDS) < 0.05
    assert at(heard, rate, 0.1, 0.7) == pytest.approx(0.1, abs=0.01)
    assert at(heard, rate, 1.3, 1.9) == pytest.approx(1.3, abs=0.01)
    assert "film.mkv: 380 ms between packets are silent" in caplog.text


@pytest.mark.parametrize("junk", [b"LYRICSBEGIN" + b"la " * 3000 + b"LYRICS200", bytes(5000)])
def test_what_stands_before_and_after_the_sound_is_passed_over(tmp_path, junk):
    whole, rate = read(tmp_path, mp3())
    heard, _ = read(tmp_path, bytes(2000) + mp3() + junk)
    assert abs(heard.shape[1] - whole.shape[1]) < 0.06 * rate
    assert at(heard, rate, 0.1, 1.8) == pytest.approx(0.1, abs=0.06)


def test_joined_takes_of_two_rates_are_heard_at_the_pace_of_each(tmp_path):
    heard, rate = read(tmp_path, mp3(22050) + mp3(44100))
    assert rate == 22050 and len(heard) == 1
    assert abs(heard.shape[1] / rate - 2 * SECONDS) < 0.2
    assert at(heard[:, : SECONDS * rate], rate, 0.1, 1.8) == pytest.approx(0.1, abs=0.01)
    assert at(heard[:, SECONDS * rate :], rate, 0.1, 1.8) == pytest.approx(0.1, abs=0.1)


def test_joined_takes_of_one_and_two_channels_become_stereo(tmp_path):
    heard, rate = read(tmp_path, mp3() + mp3(channels=2))
    assert (rate, len(heard)) == (44100, 2)
    assert abs(heard.shape[1] / rate - 2 * SECONDS) < 0.2
    assert torch.equal(heard[0, : rate * SECONDS], heard[1, : rate * SECONDS])
    assert at(heard[:, SECONDS * rate :], rate, 0.1, 1.8) == pytest.approx(0.1, abs=0.1)


def test_a_cover_picture_between_joined_takes_takes_no_time(tmp_path):
    cover = b"ID3\x04\x00\x00\x00\x00\x7f\x76" + bytes(16_374)
    heard, rate = read(tmp_path, mp3() + cover + mp3())
    assert abs(heard.shape[1] / rate - 2 * SECONDS) < 0.2


def test_a_recording_that_ends_too_early_is_used_and_said_so(tmp_path, caplog):
    content = encoded("flac", "flac", (chirp(16000, seconds=4), 16000, "mono"))
    heard, rate = read(tmp_path, content[: len(content) // 2], "cut.flac")
    assert 1 < heard.shape[1] / rate < 3
    assert f"the last {4 - heard.shape[1] / rate:.1f} s are missing" in caplog.text


def test_a_file_in_which_nothing_decodes_is_refused_with_a_remedy(tmp_path):
    content = io.BytesIO(encoded("matroska", "aac", (chirp(48000), 48000, "mono")))
    noise, broken = np.random.default_rng(0), io.BytesIO()
    with av.open(content) as source, av.open(broken, "w", format="matroska") as target:
        written = target.add_stream_from_template(source.streams.audio[0])
        for packet in itertools.islice(source.demux(), 20):
            packet.update(noise.bytes(packet.size))
            packet.stream = written
            target.mux(packet)
    with pytest.raises(
        ValueError,
        match=r"my take\.mkv .*cannot be read as audio.*ffmpeg -i 'my take\.mkv' 'my take-converted\.wav'",
    ):
        read(tmp_path, broken.getvalue(), "my take.mkv")


def test_a_folder_is_no_sound(tmp_path):
    with pytest.raises(ValueError, match="is a folder. Choose a file with sound"):
        decode_audio(tmp_path)


def test_the_default_sound_track_is_the_one_that_is_heard(tmp_path):
    silent, speech = np.zeros((1, 48000)), chirp(48000)
    takes = ((silent, 48000, "mono"), (speech, 48000, "mono"))
    heard, rate = read(tmp_path, encoded("mp4", "aac", *takes), "dubbed.mp4")
    assert at(heard, rate, 0.1, 1.8) == pytest.approx(0.1, abs=0.03)


def test_the_centre_of_a_surround_file_is_heard_in_both_ears(tmp_path):
    samples = np.zeros((6, 96000))
    samples[2] = chirp(48000)[0]
    heard, _ = read(tmp_path, encoded("wav", "pcm_s16le", (samples, 48000, "5.1")), "film.wav")
    assert heard.shape == (2, 96000)
    assert (heard - torch.from_numpy(samples[2]) * 0.5**0.5).abs().max() < 1e-3


@pytest.mark.parametrize(
    "name", ["12:30.mp3", "http:x.mp3", "Interview: part 1.mp3", "-dash.mp3", "a%03d.mp3"]
)
def test_file_names_are_no_addresses(tmp_path, monkeypatch, name):
    monkeypatch.chdir(tmp_path)
    (tmp_path / name).write_bytes(mp3())
    for path in (name, os.path.join(".", name), tmp_path / name):
        assert decode_audio(path)[0].shape[1] > 80_000
    video = name.replace(".mp3", ".mp4")
    with VideoWriter(video, 16, 16, 25) as writer:
        writer.write(torch.zeros(16, 16, 3))
    assert (tmp_path / video).stat().st_size > 0


def test_a_playlist_does_not_reach_the_network(tmp_path):
    playlist = b"#EXTM3U\n#EXT-X-TARGETDURATION:9\n#EXTINF:9,\nhttp://127.0.0.1:9/a.ts\n#EXT-X-ENDLIST\n"
    with pytest.raises(ValueError, match="cannot be read as audio"):
        read(tmp_path, playlist, "list.m3u8")


def test_tags_in_another_alphabet_do_not_matter(tmp_path):
    content = encoded("wav", "pcm_s16le", (chirp(16000), 16000, "mono"))
    info = b"LIST\x14\x00\x00\x00INFOINAM\x08\x00\x00\x00\xcf\xf0\xe8\xe2\xe5\xf2!\x00"
    place = content.index(b"data")
    assert read(tmp_path, content[:place] + info + content[place:], "a.wav")[0].shape == (1, 32000)


def test_resampling_to_the_same_rate_changes_nothing():
    waveform = torch.randn(2, 100)
    assert resample(waveform, 16000, 16000) is waveform
    assert resample(waveform, 16000, 8000).shape == (2, 50)


def test_losses_are_counted_in_words():
    assert str(Loss()) == ""
    assert str(Loss(3, 0.078)) == "3 packets were damaged, 78 ms are silent"
    assert str(Loss(1, 0, 2.5)) == "1 packet was damaged, the last 2.5 s are missing"
