"""Languages by their probabilities: a choice holds, a doubtful chunk follows its neighbours, a sure switch stays."""

from dataclasses import replace
from importlib.resources import files
from pathlib import Path

import numpy as np
import pytest

from ossicle.audio.load import read_samples
from ossicle.errors import OptionError
from ossicle.options import DecodeOptions, SplitOptions, TranscribeOptions
from ossicle.pipeline.languages import Headers, find_languages, outside, read_headers, smooth, smooth_as_they_come, told
from ossicle.pipeline.transcribe import transcribe
from ossicle.results import Chunk
from ossicle.text.reply import NO_SPEECH

TINY = Path(str(files("ossicle") / "models" / "tiny"))
EN, DE, ZH = "English", "German", "Chinese"
TEN_SECONDS = TranscribeOptions(split=SplitOptions(max_seconds=10), decode=DecodeOptions(batch_size=2))


def chunk(language: str | None, *, seconds: float = 10.0, **chances: float) -> Chunk:
    """A chunk in a language; `de=0.6` is the probability of German."""
    names = {"en": EN, "de": DE, "zh": ZH}
    stopped_by = "silence" if language == "silence" else "eos"
    return Chunk(0, 0.0, seconds, "said", None if language == "silence" else language, stopped_by,
                 languages={names[code]: chance for code, chance in chances.items()})


SURE_EN, SURE_DE = chunk(EN, en=0.98), chunk(DE, de=0.97, en=0.02)
DOUBT = chunk(DE, de=0.55, en=0.4)
NOISE, SILENCE = chunk(None), chunk("silence")

LINES = {
    "one in doubt between two that are sure": ([SURE_EN, DOUBT, SURE_EN], [None, EN, None]),
    "a switch that it is sure of": ([SURE_EN, SURE_DE, SURE_EN], [None, None, None]),
    "neighbours that disagree": ([SURE_EN, DOUBT, chunk(ZH, zh=0.99)], [None, None, None]),
    "a neighbour in doubt": ([chunk(EN, en=0.7, de=0.3), DOUBT, SURE_EN], [None, None, None]),
    "two in doubt": ([SURE_EN, DOUBT, DOUBT, SURE_EN], [None, None, None, None]),
    "theirs is no possibility": ([SURE_EN, chunk(DE, de=0.6, zh=0.36, en=0.04), SURE_EN], [None, None, None]),
    "the first and the last": ([DOUBT, SURE_EN, DOUBT], [None, None, None]),
    "a short one that is nearly sure": ([SURE_EN, chunk(DE, seconds=1.5, de=0.85, en=0.15), SURE_EN], [None, EN, None]),
    "a long one that is nearly sure": ([SURE_EN, chunk(DE, de=0.85, en=0.15), SURE_EN], [None, None, None]),
    "a short one that is sure": ([SURE_EN, chunk(DE, seconds=1.5, de=0.97, en=0.03), SURE_EN], [None, None, None]),
    "silence and noise before it": ([SURE_EN, SILENCE, NOISE, DOUBT, SURE_EN], [None, None, None, EN, None]),
    "silence behind it": ([SURE_EN, DOUBT, SILENCE, SURE_EN], [None, EN, None, None]),
    "a forced language": ([chunk(EN), chunk(DE), chunk(EN)], [None, None, None]),
    "a name that was not to be heard": ([SURE_EN, chunk("Chinese,english", zh=0.6, en=0.4), SURE_EN], [None, None, None]),
    "each of two": ([SURE_EN, DOUBT, SURE_EN, DOUBT, SURE_EN], [None, EN, None, EN, None]),
}


@pytest.mark.parametrize(("chunks", "expected"), LINES.values(), ids=LINES)
def test_a_chunk_follows_its_neighbours_only_out_of_doubt(chunks, expected):
    assert smooth(chunks) == expected


@pytest.mark.parametrize(("chunks", "expected"), LINES.values(), ids=LINES)
def test_as_they_come_the_same_chunks_are_heard_again(chunks, expected):
    line = [replace(one, index=place) for place, one in enumerate(chunks)]
    asked = {}

    def again(one, language):
        asked[one.index] = language
        return replace(one, language=language)

    found = list(smooth_as_they_come(line, again))
    assert [one.index for one in found] == list(range(len(line)))
    assert asked == {place: language for place, language in enumerate(expected) if language}
    assert [one.language for one in found] == [language or one.language for language, one in zip(expected, line)]


def test_noise_behind_a_chunk_in_doubt_leaves_it_as_it_is():
    line = [SURE_EN, DOUBT, NOISE, SURE_EN]
    assert list(smooth_as_they_come(line, lambda one, language: pytest.fail("heard again"))) == line


def test_what_comes_to_nothing_keeps_the_first_reply():
    line = [SURE_EN, DOUBT, SURE_EN]
    assert list(smooth_as_they_come(line, lambda one, language: None)) == line


def test_only_a_chunk_in_doubt_waits_and_only_for_one_more():
    seen, given = [], []

    def coming():
        for one in (SURE_EN, SURE_DE, DOUBT, SURE_EN, DOUBT, SILENCE, SURE_EN):
            seen.append(one)
            yield one

    for _ in smooth_as_they_come(coming(), lambda one, language: None):
        given.append(len(seen))
    assert given == [1, 2, 3, 4, 7, 7, 7]


def test_all_headers_begin_alike_and_silence_is_the_last(tokenizer):
    headers = read_headers(tokenizer, (ZH, EN, DE))
    assert headers.names == (ZH, EN, DE, NO_SPEECH)
    assert headers.phrases.start == tuple(tokenizer.encode("language"))
    assert len(read_headers(tokenizer, ()).names) == 31


def test_what_others_have_is_shared_out_among_those_allowed_and_silence_keeps_its_own():
    headers = Headers((ZH, EN, DE, NO_SPEECH), None)
    chances = headers.chances(np.log([0.2, 0.5, 0.2, 0.1]), (DE, ZH))
    assert chances == pytest.approx({DE: 0.45, ZH: 0.45, NO_SPEECH: 0.1})
    assert next(iter(headers.chances(np.log([0.001, 0.96, 0.002, 0.037]), (DE, ZH)))) == DE       # no silence, though likelier by itself
    assert list(headers.chances(np.log([0.2, 0.5, 0.2, 0.1]))) == [EN, ZH, DE, NO_SPEECH]
    nothing = headers.chances(np.array([-np.inf, 0.0, -np.inf, -np.inf]), (DE, ZH))
    assert nothing == {DE: 0.5, ZH: 0.5, NO_SPEECH: 0.0}


def test_a_chunk_tells_what_is_likely_enough():
    assert told({EN: 0.87654, NO_SPEECH: 0.1, DE: 0.02, ZH: 0.00346}) == {EN: 0.8765, DE: 0.02}


def test_a_language_outside_the_choice_is_named_where_the_model_is_sure():
    said, = outside({EN: 0.97, DE: 0.02, NO_SPEECH: 0.01}, DE)
    assert said == "this sounds like English (0.97), which is not among the languages asked for; it was decoded as German"
    assert outside({EN: 0.8, DE: 0.2}, DE) == outside({EN: 0.97}, EN) == outside({NO_SPEECH: 0.97}, DE) == ()


def test_codes_and_names_are_understood_and_each_language_counts_once():
    assert find_languages(["en", "deutsch", "en-GB"], (ZH, EN, DE)) == (EN, DE)
    assert find_languages(["zh-HK", "pl"], ()) == ("Cantonese", "Polish")
    with pytest.raises(OptionError, match=r"got 'Englisch'.*did you mean English"):
        find_languages(["de", "Englisch"], (ZH, EN, DE))
    with pytest.raises(OptionError, match="one that this checkpoint knows"):
        find_languages(["fr"], (ZH, EN, DE))


def test_one_language_cannot_be_forced_and_several_be_chosen_from():
    with pytest.raises(OptionError, match=r"give one of them, got language 'en' and languages 'en, zh'"):
        TranscribeOptions(language="en", languages=("en", "zh"))
    with pytest.raises(OptionError, match=r"several names.*got 'en'"):
        TranscribeOptions(languages="en")


@pytest.fixture(scope="module")
def speech() -> np.ndarray:
    """Seven seconds and a half of talk, digital silence behind it."""
    talk = read_samples(TINY / "samples" / "english_joined.opus")[: round(7.5 * 16_000)]
    return np.concatenate([talk, np.zeros(8000, np.float32)])


def recording(speech: np.ndarray, gains: list[float]) -> tuple[np.ndarray, int]:
    """The same talk several times over, some louder; the network tells them apart by that."""
    return np.concatenate([speech * gain for gain in gains]).astype(np.float32), 16_000


def by_loudness(soft: dict[str, float], loud: dict[str, float], limit: float):
    return lambda heard: loud if heard.loudness > limit else soft


@pytest.fixture
def limit(listening_engine, speech) -> float:
    """A loudness between that of the talk as it is and that of the talk at a tenth."""
    engine = listening_engine(lambda heard: {EN: 1.0}, lambda heard, language: "Yes.")
    for gain in (0.1, 1.0):
        transcribe(engine, recording(speech, [gain]), TEN_SECONDS)
    soft, loud = (heard.loudness for heard in engine.parts.network.heard)
    assert soft < loud
    return (soft + loud) / 2


def said(heard, language) -> str:
    return {EN: "Good morning.", DE: "Guten Tag.", ZH: "你好"}.get(language, "")


def test_one_flip_in_doubt_is_decoded_again_in_the_neighbours_language(listening_engine, speech, limit):
    engine = listening_engine(by_loudness({DE: 0.5, EN: 0.45, NO_SPEECH: 0.05}, {EN: 0.99, DE: 0.01}, limit), said)
    transcript = transcribe(engine, recording(speech, [1, 0.1, 1, 1]), TEN_SECONDS)
    assert len(transcript.chunks) == 4
    assert transcript.text == " ".join(["Good morning."] * 4)
    assert transcript.language == EN
    assert transcript.chunks[1].languages == {DE: 0.5, EN: 0.45}               # what was heard stays to be seen
    warning, = transcript.warnings
    assert "heard as German (0.50) between chunks in English; decoded again as English" in warning
    assert warning.startswith(f"{transcript.chunks[1].start:.2f} to")


def test_without_smoothing_the_flip_stays(listening_engine, speech, limit):
    engine = listening_engine(by_loudness({DE: 0.5, EN: 0.45, NO_SPEECH: 0.05}, {EN: 0.99, DE: 0.01}, limit), said)
    for options in (replace(TEN_SECONDS, smooth_languages=False), replace(TEN_SECONDS, reference=True, smooth_languages=True)):
        transcript = transcribe(engine, recording(speech, [1, 0.1, 1]), options)
        assert options.reference or transcript.language == "English,German,English"
        assert transcript.warnings == ()


def test_a_recording_in_two_languages_stays_so(listening_engine, speech, limit):
    engine = listening_engine(by_loudness({DE: 0.95, EN: 0.05}, {EN: 0.99, DE: 0.01}, limit), said)
    transcript = transcribe(engine, recording(speech, [1, 0.1, 1]), TEN_SECONDS)
    assert transcript.text == "Good morning. Guten Tag. Good morning."
    assert transcript.language == "English,German,English"


def test_a_reply_that_loops_in_the_other_language_is_not_taken(listening_engine, speech, limit):
    def looping(heard, language):
        is_forced = heard.ids and heard.loudness < limit and language == EN
        return "Good " * 200 if is_forced else said(heard, language)

    engine = listening_engine(by_loudness({DE: 0.5, EN: 0.45, NO_SPEECH: 0.05}, {EN: 0.99, DE: 0.01}, limit), looping)
    transcript = transcribe(engine, recording(speech, [1, 0.1, 1]), TEN_SECONDS)
    assert transcript.text == "Good morning. Guten Tag. Good morning."
    assert not transcript.truncated


def test_a_language_outside_the_choice_is_never_written(listening_engine, speech):
    engine = listening_engine(lambda heard: {ZH: 0.97, DE: 0.02, EN: 0.005, NO_SPEECH: 0.005}, said)
    transcript = transcribe(engine, recording(speech, [1, 1]), replace(TEN_SECONDS, languages=("en", "de")))
    assert transcript.language == DE
    assert transcript.text == "Guten Tag. Guten Tag."
    assert all("sounds like Chinese (0.97)" in warning for warning in transcript.warnings)
    assert len(transcript.warnings) == 2
    assert transcript.chunks[0].languages == {ZH: 0.97, DE: 0.02}


def test_a_choice_leaves_noise_without_text(listening_engine, speech):
    engine = listening_engine(lambda heard: {NO_SPEECH: 0.9, ZH: 0.06, EN: 0.03, DE: 0.01}, said)
    transcript = transcribe(engine, recording(speech, [1]), replace(TEN_SECONDS, languages=("en", "de")))
    assert (transcript.text, transcript.language) == ("", None)


def test_a_reply_that_names_a_language_with_another_token_is_held_to_the_choice(listening_engine, speech, tokenizer):
    """It writes "Language: ..." instead of its header: the choice makes it write one all the same."""
    engine = listening_engine(lambda heard: {EN: 0.6, DE: 0.4}, said)
    network, answer = engine.parts.network, engine.parts.network._answer

    def misbehave(heard):
        if heard.ids:
            return answer(heard)
        logits = np.full(network.config.decoder.vocab, -25.0, np.float32)
        logits[tokenizer.encode("The")[0]] = 0.0
        return logits

    network._answer = misbehave
    transcript = transcribe(engine, recording(speech, [1]), replace(TEN_SECONDS, languages=("en", "de")))
    assert (transcript.text, transcript.language) == ("Good morning.", EN)


def test_a_forced_language_is_not_asked_about(listening_engine, speech):
    engine = listening_engine(lambda heard: {EN: 1.0}, said)
    transcript = transcribe(engine, recording(speech, [1]), replace(TEN_SECONDS, language="de"))
    assert (transcript.text, transcript.language, transcript.chunks[0].languages) == ("Guten Tag.", DE, {})
