"""Word times through the whole pipeline, on sound whose words we know the times of: transcribing, and with a text in hand."""

import asyncio
import json
from importlib.util import find_spec
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest

import ossicle
from ossicle import (
    AudioError,
    AudioOptions,
    Cancelled,
    CancelToken,
    ChunkDone,
    Done,
    EngineOptions,
    ModelError,
    OptionError,
    Started,
    TranscribeOptions,
)
from ossicle.audio.load import read_samples
from ossicle.text.words import split_words

HELDOUT = Path(__file__).parent / "data" / "tiny_aligner_heldout"
CLIPS = json.loads((HELDOUT / "words.json").read_text("utf-8"))
RATE = 16_000

needs_mlx = pytest.mark.skipif(find_spec("mlx") is None, reason="MLX is not installed")


def some(engine):
    return CLIPS if engine == "cpu" else CLIPS[:12:3]       # MLX on a processor is slow


@pytest.fixture(scope="module", params=["cpu", pytest.param("mlx", marks=needs_mlx)])
def asr(request):
    with ossicle.load("tiny", EngineOptions(request.param, "float32")) as recognizer:
        yield recognizer


@pytest.fixture(scope="module")
def aligner():
    with ossicle.load("tiny-aligner", EngineOptions("cpu", "float32")) as recognizer:
        yield recognizer


def errors_of(transcript, clip) -> list[float]:
    """Seconds by which starts and ends are off; empty where the words are others."""
    if len(transcript.words) != len(clip["words"]):
        return []
    return [abs(got - true) for word, known in zip(transcript.words, clip["words"])
            for got, true in ((word.start, known["start"]), (word.end, known["end"]))]


def check_words(transcript, text):
    assert transcript.text == text
    assert "".join(word.text for word in transcript.words) == text
    assert all(one.start < one.end <= two.start for one, two in pairwise(transcript.words))
    assert transcript.words[0].start >= 0
    assert transcript.words[-1].end <= transcript.duration


def test_a_text_in_hand_is_found_in_its_recording(asr):
    errors = []
    for clip in some(asr.facts.engine):
        transcript = asr.align(HELDOUT / clip["file"], clip["text"], language=clip["language"])
        check_words(transcript, clip["text"])
        errors += errors_of(transcript, clip)
    assert len(errors) > 100 or asr.facts.engine == "mlx"
    assert np.median(errors) <= 0.060
    assert np.mean(np.array(errors) <= 0.08) > 0.85


def test_what_was_recognised_is_timed_as_well(asr):
    errors = []
    for clip in some(asr.facts.engine):
        transcript = asr.transcribe(HELDOUT / clip["file"], options=TranscribeOptions(words="auto"))
        if transcript.text == clip["text"]:
            check_words(transcript, clip["text"])
            errors += errors_of(transcript, clip)
    assert len(errors) > 50
    assert np.median(errors) <= 0.060


def test_an_aligner_needs_no_recogniser(aligner, asr):
    clip = CLIPS[0]
    alone = aligner.align(HELDOUT / clip["file"], clip["text"])
    beside = asr.align(HELDOUT / clip["file"], clip["text"])
    assert [word.text for word in alone.words] == [word.text for word in beside.words]
    assert [word.start for word in alone.words] == pytest.approx([word.start for word in beside.words], abs=0.081)
    assert alone.aligner.name == "tiny-aligner"
    assert (alone.model, alone.language) == (None, None)


def test_an_aligner_recognises_nothing(aligner):
    with pytest.raises(ModelError, match="forced aligner"):
        aligner.transcribe(HELDOUT / CLIPS[0]["file"])


def test_a_long_recording_is_aligned_window_by_window(aligner):
    """Joined clips of two languages, four minutes: eight times what the bundled aligner reads at once."""
    clips = [clip for clip in CLIPS if clip["seconds"] > 10 and clip["language"] != "Chinese"] * 2
    sounds, texts, truth, offset = [], [], [], 0.0
    for clip in clips:
        samples = read_samples(str(HELDOUT / clip["file"]))
        sounds += [samples, np.zeros(RATE // 2, np.float32)]
        texts.append(clip["text"])
        truth += [offset + word["start"] for word in clip["words"]]
        offset += len(samples) / RATE + 0.5
    assert offset > 200
    text, events = "\n".join(texts), []
    transcript = aligner.align((np.concatenate(sounds), RATE), text, on_event=events.append)
    check_words(transcript, text)
    errors = np.abs([word.start - start for word, start in zip(transcript.words, truth, strict=True)])
    assert np.median(errors) <= 0.060
    assert np.mean(errors <= 0.5) > 0.95                                # nowhere is it lost
    assert max(chunk.end - chunk.start for chunk in transcript.chunks) <= 32
    assert all(one.end == two.start for one, two in pairwise(transcript.chunks))
    assert isinstance(events[0], Started)
    assert isinstance(events[-1], Done)
    assert len([event for event in events if isinstance(event, ChunkDone)]) == len(transcript.chunks)
    assert transcript.coverage.ratio == 1
    assert max(segment.end - segment.start for segment in transcript.segments) < 32      # sentences, not windows


def test_text_comes_back_exactly(aligner):
    text = "  Emma — will arrive…on\tthe “fifth”\n\nof June.\n"
    check_words(aligner.align(HELDOUT / CLIPS[0]["file"], text), text)


def test_a_part_of_a_recording_keeps_its_times(aligner):
    clip = next(clip for clip in CLIPS if clip["seconds"] > 12)
    words = split_words(clip["text"])
    first = next(i for i, word in enumerate(clip["words"]) if word["start"] > 6)
    text = "".join(words[first:]).strip()
    begin = clip["words"][first]["start"] - 0.1
    transcript = aligner.align(HELDOUT / clip["file"], text, options=TranscribeOptions(audio=AudioOptions(start_seconds=begin)))
    starts = [word["start"] for word in clip["words"][first:]]
    assert np.median(np.abs(np.array([word.start for word in transcript.words]) - starts)) <= 0.06


def test_more_text_than_sound_is_told(aligner):
    text = CLIPS[0]["text"] + " and so on" * 60
    transcript = aligner.align(HELDOUT / CLIPS[0]["file"], text)
    check_words(transcript, text)
    assert any("could not be measured" in warning for warning in transcript.warnings)


def test_a_language_it_was_not_trained_on_is_told(aligner):
    transcript = aligner.align(HELDOUT / CLIPS[0]["file"], CLIPS[0]["text"], language="nl")
    assert transcript.language == "Dutch"
    assert "not on Dutch" in transcript.warnings[0]


@pytest.mark.parametrize(("source", "text", "error"), [
    ((np.zeros(RATE, np.float32), RATE), " \n", OptionError), ((np.zeros(0, np.float32), RATE), "hello", AudioError),
    ("nowhere.wav", "hello", AudioError),
])
def test_what_cannot_be_aligned_is_an_error_in_words(aligner, source, text, error):
    with pytest.raises(error):
        aligner.align(source, text)


def test_an_alignment_can_be_cancelled(aligner):
    cancel = CancelToken()
    cancel.cancel()
    with pytest.raises(Cancelled):
        aligner.align(HELDOUT / CLIPS[0]["file"], CLIPS[0]["text"], cancel=cancel)


def test_asyncio_may_align(aligner):
    transcript = asyncio.run(aligner.align_async(HELDOUT / CLIPS[0]["file"], CLIPS[0]["text"], language="en"))
    check_words(transcript, CLIPS[0]["text"])
