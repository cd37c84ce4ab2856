import json

import numpy as np
import pytest
import soundfile
from hypothesis import given, settings
from hypothesis import strategies as st

from ossicle.audio.split import quietest_cut, split_at_quiet, split_official
from ossicle.options import SplitOptions
from tests.audio.sounds import speech_like


def _check_cover(spans, num_samples):
    assert [span.start for span in spans] == [0, *(span.end for span in spans[:-1])] if spans else num_samples == 0
    assert not spans or spans[-1].end == num_samples
    assert all(span.start < span.end for span in spans)


@settings(max_examples=60, deadline=None)
@given(
    st.integers(0, 400_000), st.sampled_from([1.0, 1.7, 5.0, 12.0]), st.sampled_from([0.1, 0.9, 8.0, 60.0]),
    st.booleans(),
)
def test_quiet_split_loses_no_sample_and_keeps_the_limit(num_samples, max_seconds, search_seconds, is_silence):
    samples = np.zeros(num_samples, np.float32) if is_silence else np.tile(speech_like(7), 4)[:num_samples]
    spans = split_at_quiet(samples, SplitOptions(max_seconds=max_seconds, search_seconds=search_seconds))
    _check_cover(spans, num_samples)
    assert all(span.end - span.start <= round(max_seconds * 16_000) for span in spans)


@settings(max_examples=40, deadline=None)
@given(st.integers(160_001, 700_000))
def test_the_last_chunk_is_never_tiny(num_samples):
    spans = split_at_quiet(np.tile(speech_like(7), 7)[:num_samples], SplitOptions(max_seconds=10))
    assert spans[-1].seconds >= 2.0


def test_a_cut_falls_into_the_pause():
    samples = speech_like(40) + 0.05
    samples[27 * 16_000:27 * 16_000 + 4800] = 0
    first, _second = split_at_quiet(samples)
    assert first.seconds == pytest.approx(27.15, abs=0.01)


def test_what_fits_is_one_chunk_and_nothing_is_none():
    assert len(split_at_quiet(speech_like(30))) == 1
    assert split_at_quiet(np.zeros(0, np.float32)) == []


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
