"""Where a recording is cut: all of it is there, in order, in pieces that fit, and the cuts lie in pauses."""

import json
from itertools import pairwise

import numpy as np
import pytest
import soundfile
from hypothesis import given, settings
from hypothesis import strategies as st

from ossicle.audio.recording import read_recording
from ossicle.audio.silero import FRAME
from ossicle.audio.split import best_cut, pack, quietest_cut, split_official
from ossicle.audio.vad import Speech
from ossicle.options import SplitOptions
from tests.audio.sounds import noise, speech_like

RATE = 16_000


def hold(samples):
    return read_recording((np.asarray(samples, np.float32), RATE))


def unheard(num_samples) -> Speech:
    """Nobody was asked, and all is decoded."""
    return Speech(num_samples, np.ones(-(-num_samples // FRAME), bool), None)


def heard(num_samples, silences=(), pauses=()) -> Speech:
    """All is speech but these stretches, in seconds; the silences are not decoded."""
    active, speech = (np.ones(-(-num_samples // FRAME), bool) for _ in range(2))
    for start, end in silences:
        active[round(start * RATE / FRAME) : round(end * RATE / FRAME)] = False
    for start, end in (*silences, *pauses):
        speech[round(start * RATE / FRAME) : round(end * RATE / FRAME)] = False
    return Speech(num_samples, active, speech)


def _check_cover(spans, num_samples):
    assert [span.start for span in spans] == [0, *(span.end for span in spans[:-1])] if spans else num_samples == 0
    assert not spans or spans[-1].end == num_samples
    assert all(span.start < span.end for span in spans)


@settings(max_examples=60, deadline=None)
@given(
    st.integers(0, 400_000), st.sampled_from([1.0, 1.7, 5.0, 12.0]), st.sampled_from([0.1, 0.9, 8.0, 60.0]),
    st.booleans(), st.integers(0, 1000),
)
def test_chunks_give_the_samples_back(num_samples, max_seconds, search_seconds, is_heard, seed):
    samples = np.tile(speech_like(7), 4)[:num_samples]
    options = SplitOptions(max_seconds=max_seconds, search_seconds=search_seconds)
    random, speech = np.random.default_rng(seed), unheard(num_samples)
    if is_heard:
        blocks = random.random((2, len(speech.active) // 20 + 1)) < 0.6
        active, voice = (np.repeat(block, 20)[: len(speech.active)] for block in blocks)
        speech = Speech(num_samples, active, active & voice)
    with hold(samples) as recording:
        spans = pack(recording, speech, options)
        joined = [recording.samples(span.start, span.end) for span in spans]
        assert np.array_equal(np.concatenate([np.zeros(0, np.float32), *joined]), samples)
    _check_cover(spans, num_samples)
    assert all(span.end - span.start <= round(max_seconds * RATE) for span in spans if span.is_active)
    if not is_heard:
        assert all(span.is_active for span in spans)
    decoded = np.zeros(num_samples, bool)
    for span in spans:
        decoded[span.start : span.end] = span.is_active
    assert decoded[np.repeat(speech.active, FRAME)[:num_samples]].all()         # what is worth it is decoded


@settings(max_examples=40, deadline=None)
@given(st.integers(160_001, 700_000))
def test_the_last_chunk_is_never_tiny(num_samples):
    with hold(np.tile(speech_like(7), 7)[:num_samples]) as recording:
        assert pack(recording, unheard(num_samples), SplitOptions(max_seconds=10))[-1].seconds >= 2.5


def test_a_cut_falls_into_the_pause():
    samples = speech_like(40) + 0.05
    samples[27 * RATE : 27 * RATE + 4800] = 0
    with hold(samples) as recording:
        first, _second = pack(recording, unheard(len(samples)))
    assert first.seconds == pytest.approx(27.15, abs=0.01)


def test_a_long_pause_is_better_than_a_quiet_place_in_a_word():
    samples = noise(40, 0.1)[0]
    samples[28 * RATE : 28 * RATE + 1600] = 0                  # a closed mouth: quieter than the pause
    with hold(samples) as recording:
        first, _second = pack(recording, heard(len(samples), pauses=[(25, 25.6), (29, 29.2)]))
    assert 25 < first.seconds < 25.6


def test_of_two_long_pauses_the_later_one_is_cut():
    with hold(noise(40)[0]) as recording:
        cut = best_cut(recording, heard(40 * RATE, pauses=[(23, 25), (28, 29.2)]), 22 * RATE, 30 * RATE)
    assert 28.1 < cut / RATE < 29.1


def test_a_cut_keeps_away_from_the_words_around_the_pause():
    samples = noise(10, 0.1)[0]
    samples[5 * RATE : 5 * RATE + 1600] = 0                    # its beginning is the quietest
    with hold(samples) as recording:
        cut = best_cut(recording, heard(len(samples), pauses=[(5, 6)]), 4 * RATE, 7 * RATE)
    assert 5.1 < cut / RATE < 5.9


def test_what_fits_is_one_chunk_and_nothing_is_none():
    with hold(speech_like(30)) as recording:
        assert len(pack(recording, unheard(len(recording)))) == 1
    with hold(np.zeros(0)) as recording:
        assert pack(recording, unheard(0)) == []


def test_silence_stands_between_chunks():
    with hold(speech_like(50)) as recording:
        spans = pack(recording, heard(len(recording), silences=[(0, 5), (20, 30)]))
    assert [(round(span.start_seconds), round(span.seconds), span.is_active) for span in spans] == [
        (0, 5, False), (5, 15, True), (20, 10, False), (30, 20, True)]


def test_a_word_on_its_own_is_decoded_with_its_neighbour():
    with hold(speech_like(60)) as recording:
        near = pack(recording, heard(len(recording), silences=[(10, 15), (16, 60)]))
        far = pack(recording, heard(len(recording), silences=[(10, 35), (36, 60)]))
        full = pack(recording, heard(len(recording), silences=[(28, 33), (34, 60)]))
    assert [span.is_active for span in near] == [True, False]
    assert near[0].seconds == pytest.approx(16, abs=0.1)
    assert [span.is_active for span in far] == [span.is_active for span in full] == [True, False, True, False]


def test_a_word_is_not_decoded_with_noise():
    with hold(speech_like(60)) as recording:
        spans = pack(recording, heard(len(recording), silences=[(10, 15), (16, 60)], pauses=[(0, 10)]))
    assert [span.is_active for span in spans] == [True, False, True, False]


def test_a_later_pause_that_saves_a_chunk_is_taken():
    long_pause, late_pauses = (23, 24), [(28.5, 28.8), (29.2, 29.6)]
    with hold(noise(58)[0]) as recording:
        few = pack(recording, heard(len(recording), pauses=[long_pause, *late_pauses]))
        many = pack(recording, heard(len(recording), pauses=[long_pause]))
    assert [round(span.seconds) for span in few] == [29, 29]
    assert len(many) == 3


def test_chunks_come_near_the_longest():
    pauses = [(at, at + 0.4) for at in range(3, 300, 4)]
    with hold(noise(300)[0]) as recording:
        spans = pack(recording, heard(len(recording), pauses=pauses))
    lengths = [span.seconds for span in spans[:-1]]
    assert min(lengths) >= 22
    assert np.mean(lengths) > 26
    assert all(any(start < one.end / RATE < end for start, end in pauses) for one, _ in pairwise(spans))


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 3000), st.integers(0, 3000), st.floats(0.01, 0.2))
def test_the_quietest_cut_is_the_quietest(one, other, quiet_seconds):
    samples = np.abs(np.random.default_rng(one).standard_normal(3000)).astype(np.float32)
    low, high = sorted((one, other))
    half = max(1, round(quiet_seconds * 16_000 / 2))
    cut = quietest_cut(samples, low, high, quiet_seconds)
    around = [samples[max(0, at - half):at + half].mean(dtype=np.float64) for at in range(low, high + 1)]
    assert low <= cut <= high
    assert around[cut - low] == pytest.approx(min(around), rel=1e-6)


def test_official_split_equals_the_goldens(shared):
    golden = json.loads((shared / "oracle/golden/text_cases.json").read_text())["split"]
    samples, _ = soundfile.read(shared / "audio" / golden["file"], dtype="float32")
    for case in golden["cases"]:
        spans = split_official(samples[:case["samples"]], case["max_sec"])
        assert [span.end - span.start for span in spans] == case["lengths"]
        assert [span.start_seconds for span in spans] == pytest.approx(case["offsets"])
    for case in golden["silence"]:
        spans = split_official(np.zeros(case["samples"], np.float32), case["max_sec"])
        assert [span.end - span.start for span in spans] == case["lengths"]
