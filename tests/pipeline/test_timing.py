"""Which way the words of a chunk are timed, and what happens when one fails: worse times, one warning, never an error."""

import threading
from concurrent.futures import ThreadPoolExecutor
from importlib.resources import files
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest

import ossicle
from ossicle import (
    AudioOptions,
    EngineOptions,
    ModelError,
    OptionError,
    SourceOptions,
    SplitOptions,
    TranscribeOptions,
    Word,
)
from ossicle.audio.load import read_samples
from ossicle.pipeline import engine as room
from ossicle.pipeline.spans import Heard
from ossicle.pipeline.timing import split_for_words, with_times, word_timer
from ossicle.pipeline.transcribe import transcribe
from ossicle.progress import CancelToken, Done, Warned
from ossicle.results import Chunk
from ossicle.text.words import split_words
from tests import checkpoints

SAMPLES = Path(str(files("ossicle") / "models" / "tiny" / "samples"))
RATE = 16_000


@pytest.fixture(scope="module")
def tiny():
    with ossicle.load("tiny", EngineOptions("cpu", "float32")) as recognizer:
        yield recognizer


class Listening:
    """What a report hears."""

    def __init__(self):
        self.aligner, self.timings, self.warnings = None, {}, []

    def warn(self, message):
        self.warnings.append(message)


def chunk_of(text, language="English", start=10.0, seconds=4.0, **changes) -> Chunk:
    words = tuple(Word(word) for word in split_words(text))
    return Chunk(0, start, start + seconds, text, language, "eos", words=words, **changes)


def noise(seconds=4.0, level=0.1):
    return np.random.default_rng(0).normal(0, level, round(seconds * RATE)).astype(np.float32)


def time_chunk(recognizer, chunk, **options):
    listening = Listening()
    timer = word_timer(recognizer._engine, TranscribeOptions(**options), listening, CancelToken())
    return timer(chunk, noise(chunk.end - chunk.start)), listening


def check_times(transcript):
    """Every word has times, in order, inside its chunk; the text is whole."""
    assert "".join(word.text for word in transcript.words) == transcript.text
    words = [word for chunk in transcript.chunks for word in chunk.words]
    assert all(word.start < word.end for word in words)
    assert all(one.end <= two.start for one, two in pairwise(words))
    for chunk in transcript.chunks:
        assert all(chunk.start <= word.start and word.end <= chunk.end for word in chunk.words)
    return {word.timing for word in words}


@pytest.mark.parametrize(("words", "timings"), [
    ("auto", {"aligned", "interpolated"}), ("aligner", {"aligned", "interpolated"}),
    ("attention", {"attention", "interpolated"}), ("estimated", {"estimated"}),
])
def test_words_get_times_of_the_way_that_was_asked_for(tiny, words, timings):
    plain = tiny.transcribe(SAMPLES / "english_joined.opus")
    timed = tiny.transcribe(SAMPLES / "english_joined.opus", options=TranscribeOptions(words=words))
    assert check_times(timed) <= timings
    assert timings & check_times(timed)
    assert timed.text == plain.text
    assert [(word.text, word.confidence) for word in timed.words] == [(word.text, word.confidence) for word in plain.words]
    assert timed.warnings == ()
    assert timed.timings.align > 0
    assert (timed.aligner is not None) == (words in ("auto", "aligner"))


def test_without_being_asked_no_word_has_times(tiny):
    transcript = tiny.transcribe(SAMPLES / "english.wav")
    assert {word.timing for word in transcript.words} == {None}
    assert transcript.aligner is None


def test_several_languages_in_a_row_are_timed(tiny):
    for name in ("german.flac", "chinese.flac"):
        assert "aligned" in check_times(tiny.transcribe(SAMPLES / name, options=TranscribeOptions(words="auto")))


def test_times_count_from_the_start_of_the_recording(tiny):
    options = TranscribeOptions(words="attention", audio=AudioOptions(start_seconds=0.5))
    transcript = tiny.transcribe(SAMPLES / "english_joined.opus", options=options)
    check_times(transcript)
    assert transcript.words[0].start >= 0.5


def test_the_aligner_is_loaded_once_and_told_of(tiny):
    first = tiny.transcribe(SAMPLES / "english.wav", options=TranscribeOptions(words="auto"))
    again = tiny.transcribe(SAMPLES / "english.wav", options=TranscribeOptions(words="auto"))
    assert first.aligner is again.aligner
    assert first.aligner.name == "tiny-aligner"
    assert first.to_dict()["aligner"]["name"] == "tiny-aligner"


def test_a_language_that_the_aligner_does_not_know_is_timed_by_attention(tiny):
    chunk, listening = time_chunk(tiny, chunk_of("goedemorgen allemaal", "Dutch"), words="auto")
    assert {word.timing for word in chunk.words} <= {"attention", "interpolated"}
    assert listening.warnings == []
    assert listening.aligner is None


def test_the_aligner_may_be_tried_on_any_language(tiny):
    chunk, listening = time_chunk(tiny, chunk_of("goedemorgen allemaal, hoe gaat het", "Dutch"), words="aligner")
    assert listening.aligner is not None
    assert all(word.start is not None for word in chunk.words)


def test_a_missing_aligner_is_one_warning_for_all_chunks(tiny, tmp_path):
    listening = Listening()
    timer = word_timer(tiny._engine, TranscribeOptions(words="auto", aligner=str(tmp_path / "none")), listening, CancelToken())
    chunks = [timer(chunk_of("Three of them."), noise()) for _ in range(3)]
    assert [warning for warning in listening.warnings if "forced aligner" in warning] == listening.warnings[:1]
    assert all(word.timing in ("attention", "interpolated") for chunk in chunks for word in chunk.words)


def test_an_aligner_that_is_not_here_is_not_fetched_offline(tmp_path):
    with ossicle.load("tiny", EngineOptions("cpu"), SourceOptions(offline=True, cache_dir=str(tmp_path))) as recognizer:
        _, listening = time_chunk(recognizer, chunk_of("Three."), words="auto", aligner="aligner")
        assert len(listening.warnings) == 1
        assert "is not on this machine" in listening.warnings[0]


def test_a_recogniser_named_as_aligner_is_refused_in_words(tiny):
    _, listening = time_chunk(tiny, chunk_of("Three."), words="aligner", aligner="tiny")
    assert "tiny is a recogniser" in listening.warnings[0]


def test_where_nothing_is_known_times_are_estimated(engine_of, ids):
    events = []
    engine = engine_of(lambda tokens, _: ids("Three of them."))
    transcript = transcribe(engine, (noise(70), RATE), TranscribeOptions(words="attention"), events.append)
    assert check_times(transcript) == {"estimated"}
    assert len([event for event in events if isinstance(event, Warned)]) == 1
    assert isinstance(events[-1], Done)


def test_an_engine_that_fails_costs_times_not_text(tiny, monkeypatch):
    def fail(*_):
        raise RuntimeError("out of memory")

    monkeypatch.setattr("ossicle.pipeline.timing.align_units", fail)
    monkeypatch.setattr("ossicle.pipeline.timing.attend_words", fail)
    transcript = tiny.transcribe(SAMPLES / "english_joined.opus", options=TranscribeOptions(words="auto"))
    assert check_times(transcript) == {"estimated"}
    assert len(transcript.warnings) == 2
    assert "out of memory" in transcript.warnings[0]


def test_japanese_without_its_dictionary_is_a_warning(tiny, monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "nagisa", None)
    chunk, listening = time_chunk(tiny, chunk_of("東京タワーに行きたい。", "Japanese"), words="aligner")
    assert all(word.start is not None for word in chunk.words)
    assert "ossicle[ja]" in listening.warnings[0]


def test_an_aligner_that_places_nothing_gives_way(tmp_path):
    folder = checkpoints.build(tmp_path / "random", "aligner", num_classes=640)
    with ossicle.load("tiny", EngineOptions("cpu", "float32")) as recognizer:
        chunk, listening = time_chunk(recognizer, chunk_of("Turn on the light at ten, please."), words="aligner", aligner=str(folder))
    assert all(word.start < word.end for word in chunk.words)
    assert {word.timing for word in chunk.words} <= {"aligned", "interpolated", "attention"}
    assert len(listening.warnings) <= 1


def test_words_of_an_earlier_run_keep_their_times(tiny):
    timed, _ = time_chunk(tiny, chunk_of("Three of them."), words="estimated")
    assert time_chunk(tiny, timed, words="auto")[0] is timed


def test_a_cancelled_recording_still_has_times(tiny):
    cancel = CancelToken()
    cancel.cancel()
    timer = word_timer(tiny._engine, TranscribeOptions(words="auto"), Listening(), cancel)
    assert {word.timing for word in timer(chunk_of("Three of them."), noise()).words} == {"estimated"}


@pytest.mark.parametrize(("words", "seconds"), [("auto", 180), ("aligner", 180), ("attention", 180), ("estimated", 600), ("none", 600)])
def test_no_chunk_is_longer_than_an_aligner_reads(words, seconds):
    assert split_for_words(TranscribeOptions(words=words, split=SplitOptions(max_seconds=600))).max_seconds == seconds
    assert split_for_words(TranscribeOptions(words=words)).max_seconds == SplitOptions.max_seconds


def test_a_chunk_longer_than_the_aligner_reads_is_followed_window_by_window(tiny):
    sound = np.concatenate([read_samples(str(SAMPLES / "english_joined.opus")), np.zeros(RATE, np.float32)])
    samples = np.tile(sound, 6)
    whole = tiny.transcribe((sound, RATE)).text
    text, seconds = " ".join([whole] * 6), len(samples) / RATE
    assert seconds > 33                                     # more than the 32 s of the bundled aligner
    listening = Listening()
    timer = word_timer(tiny._engine, TranscribeOptions(words="aligner"), listening, CancelToken())
    chunk = timer(chunk_of(text, start=0.0, seconds=seconds), samples)
    count, period = len(split_words(whole)), len(sound) / RATE
    first, third = chunk.words[0], chunk.words[2 * count]
    assert third.start - first.start == pytest.approx(2 * period, abs=0.25)
    assert listening.warnings == []


def test_times_that_hundreds_share_are_not_rounded_away():
    words = [Word("a")] * 200
    heard = [Heard(i / 4000, (i + 1) / 4000, True) for i in range(200)]
    timed = with_times(words, heard, 1.0, 1.05, "aligned")
    assert all(1 <= word.start < word.end <= 1.05 for word in timed)


def test_options_name_what_is_possible():
    with pytest.raises(OptionError, match="none, auto, aligner, attention, estimated"):
        TranscribeOptions(words="yes")


def test_the_aligner_is_not_looked_for_where_the_recogniser_was_closed():
    recognizer = ossicle.load("tiny", EngineOptions("cpu"))
    recognizer.close()
    with pytest.raises(ModelError, match="closed"):
        recognizer._engine.aligner()


def test_the_aligner_lives_on_the_thread_of_the_recogniser_and_is_loaded_once(monkeypatch):
    load_network, threads = room.load_network, []

    def loading(*arguments):
        threads.append(threading.current_thread())
        return load_network(*arguments)

    monkeypatch.setattr(room, "load_network", loading)
    with ossicle.load("tiny", EngineOptions("cpu")) as recognizer, ThreadPoolExecutor(4) as pool:
        loaded = list(pool.map(lambda _: recognizer._engine.aligner(), range(4)))
    assert len(threads) == 2                                # the recogniser, and one aligner for four who asked at once
    assert threads[0] is threads[1]
    assert all(one is loaded[0] for one in loaded)
