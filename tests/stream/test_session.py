"""A session as callers use it: what it tells of real speech, and what it does when it is used in odd ways."""

import asyncio
import threading
from dataclasses import replace
from difflib import SequenceMatcher
from itertools import pairwise

import numpy as np
import pytest

from ossicle import EndpointOptions, OptionError, PolicyOptions, StreamError, StreamOptions
from ossicle.stream.window import WindowOptions
from tests.stream.conftest import RATE, bare, of_kind, sample, silence, tell

EXACT = StreamOptions(coalesce=False)
MANUAL = StreamOptions(coalesce=False, endpoint=EndpointOptions(mode="manual"))


def test_an_utterance_from_its_onset_to_its_text(asr, henry):
    events = tell(asr.stream(EXACT), henry)
    kinds = [event.kind for event in events]
    assert (kinds[0], *kinds[-2:]) == ("speech_started", "endpoint", "final")
    assert set(kinds[1:-2]) == {"partial"}
    final = events[-1]
    assert final.text == "Henry saw a small tree near Berlin."
    assert final.text == asr.transcribe((henry, RATE)).text
    assert (final.language, final.reason, final.stopped_by) == ("English", "silence", "eos")
    assert 0.1 <= events[0].start <= 0.5
    assert final.start == events[0].start
    assert events[-2].end == pytest.approx(2.46, abs=0.15)
    assert [event.revision for event in events] == list(range(1, len(events) + 1))
    assert {event.item_id for event in events} == {"item_00001"}


def test_committed_text_is_what_the_deltas_say_and_only_grows(told):
    events = told
    assert len(of_kind(events, "final")) == 3
    said = {}
    for event in events:
        if event.kind in ("partial", "final"):
            said[event.item_id] = said.get(event.item_id, "") + event.committed_delta
            assert "".join(word.text for word in event.words) == (event.committed_delta if event.kind == "partial" else event.text)
        if event.kind == "partial":
            assert event.committed_text == said[event.item_id]
        if event.kind == "final":
            assert event.text == said[event.item_id]
    assert sum(len(event.committed_delta) > 0 for event in of_kind(events, "partial")) >= 5     # and not all at the end


def test_committed_words_carry_times_in_order(told):
    for final in of_kind(told, "final"):
        assert all(final.start <= word.start < word.end <= final.end + 1e-6 for word in final.words), final
        assert all(one.end <= next_.start + 1e-6 for one, next_ in pairwise(final.words))
        assert all(0 < word.confidence <= 1 for word in final.words)


@pytest.mark.parametrize("sizes", [[160], [1600], [16_000], [37, 4099, 1, 512, 20_000]], ids=["10 ms", "100 ms", "1 s", "odd"])
def test_chopping_does_not_matter(asr, talk, told, sizes):
    assert bare(tell(asr.stream(EXACT), talk, sizes)) == bare(told)


def test_caches_and_drafts_change_no_event(asr):
    sound = np.concatenate([silence(0.5), sample("english_joined.opus"), silence(1.0)])

    def told(**changes):
        plain = bare(tell(asr.stream(replace(EXACT, **changes)), sound))
        for entry in plain:
            entry.pop("usage", None)
            for word in [*entry.get("words", ()), *entry.get("pending_words", ())]:
                word["confidence"] = round(word["confidence"], 4)
            entry["languages"] = {name: round(chance, 4) for name, chance in entry.get("languages", {}).items()}
            if entry.get("confidence"):
                entry["confidence"] = round(entry["confidence"], 4)
        return plain

    assert told() == told(caches=False, drafts=False)


def test_the_second_utterance_knows_nothing_of_the_first(asr):
    """vLLM 51374: the second utterance began with the text of the first."""
    sound = np.concatenate([silence(0.5), sample("english.wav"), silence(1.0), sample("german.flac"), silence(1.0)])
    english, german = of_kind(tell(asr.stream(EXACT), sound), "final")
    alone, = of_kind(tell(asr.stream(EXACT), np.concatenate([silence(0.5), sample("german.flac"), silence(1.0)])), "final")
    assert (german.text, german.language) == (alone.text, "German")
    assert english.language == "English"
    assert "Henry" not in german.text


@pytest.mark.parametrize("loudness", [0.0, 0.002])
def test_half_a_minute_without_speech_is_not_heard_at_all(asr, loudness):
    """vLLM 51376: silence came back as the last utterance's text."""
    noise = (np.random.default_rng(1).standard_normal(30 * RATE) * loudness).astype(np.float32)
    with asr.stream(EXACT) as session:
        session.feed(np.concatenate([silence(0.5), sample("english.wav"), silence(1.0)]))
        session.feed(noise)
        session.close()
        finals = of_kind(list(session), "final")
    assert [final.text for final in finals] == ["Henry saw a small tree near Berlin."]


def test_no_markup_anywhere_also_where_the_language_changes(asr):
    names = ("english.wav", "german.flac", "english_context.flac")
    sound = np.concatenate([part for name in names for part in (sample(name), silence(1.0))])
    for event in tell(asr.stream(EXACT), sound):
        told = str(event.to_dict())
        assert not any(mark in told for mark in ("<", "language E", "language G")), event


def test_ten_sessions_at_once_tell_what_each_tells_alone(asr, henry, talk):
    sounds = [np.concatenate([silence(0.13 * index), henry if index % 4 else talk]) for index in range(10)]
    languages = [None, "English", None, None, "en", None, None, "English", None, None]
    alone = [bare(tell(asr.stream(EXACT, language=language), sound)) for sound, language in zip(sounds, languages, strict=True)]
    sessions = [asr.stream(EXACT, language=language) for language in languages]
    for at in range(0, max(map(len, sounds)), 8000):            # as ten microphones would
        for session, sound in zip(sessions, sounds, strict=True):
            if at < len(sound):
                session.feed(sound[at : at + 8000])
    for session in sessions:
        session.close()
    together = [bare(list(session)) for session in sessions]
    for one, other in zip(together, alone, strict=True):
        assert _texts(one) == _texts(other)


def _texts(events):
    """What was told and when, without the digits of confidences: products over several rows round otherwise."""
    return [(entry["type"], entry["audio_seconds"], entry.get("committed_delta"), entry.get("pending_text"), entry.get("text"),
             entry.get("end"), entry.get("language")) for entry in events]


class Broken:
    """A window that cannot be heard."""

    options = WindowOptions("English")

    def __init__(self, origin, past):
        self.origin = origin

    def add(self, samples):
        pass

    def begin(self, ask, clock):
        raise RuntimeError("this window is broken")

    def forget(self):
        pass


def test_what_breaks_in_one_session_leaves_the_others_untouched(asr, henry):
    good, bad = asr.stream(EXACT), asr.stream(EXACT)
    expected = _texts(bare(tell(asr.stream(EXACT), henry)))
    settings = bad._lane.machine._settings

    bad._lane.machine._use(replace(settings, new_window=Broken))
    for at in range(0, len(henry), 1600):
        bad.feed(henry[at : at + 1600]) if not bad.is_closed else None
        good.feed(henry[at : at + 1600])
    good.close()
    assert _texts(bare(list(good))) == expected
    failure = list(bad)[-1]
    assert failure.kind == "error"
    assert (failure.code, failure.message) == ("RuntimeError", "this window is broken")
    with pytest.raises(StreamError):
        bad.feed(henry)


def test_commit_ends_an_utterance_at_once(asr, henry):
    session = asr.stream(MANUAL)
    session.feed(henry[: round(2.5 * RATE)])
    session.commit()
    session.feed(henry)
    session.close()
    finals = of_kind(list(session), "final")
    assert [(final.text, final.reason) for final in finals] == [("Henry saw a small tree near Berlin.", "commit"),
                                                               ("Henry saw a small tree near Berlin.", "close")]
    assert finals[0].end == pytest.approx(2.5, abs=0.001)


def test_without_commit_a_manual_session_has_one_utterance(asr):
    sound = np.concatenate([sample("english.wav"), silence(2.0), sample("english_unseen_speaker.flac"), silence(2.0)])
    events = tell(asr.stream(MANUAL), sound)
    final, = of_kind(events, "final")
    assert final.text.startswith("Henry saw a small tree near Berlin.")
    assert final.reason == "close"
    assert len(of_kind(events, "speech_started")) == 1


def test_an_empty_commit_is_answered(asr):
    session = asr.stream(EXACT)
    session.commit()                            # nothing was fed
    session.feed(silence(0.3))
    session.commit()                            # nothing was said
    session.close()
    warning, endpoint, final = list(session)
    assert (warning.kind, warning.code) == ("warning", "empty_commit")
    assert (endpoint.kind, endpoint.reason) == ("endpoint", "commit")
    assert (final.text, final.reason, final.stopped_by, final.words) == ("", "commit", "silence", ())


def test_clear_drops_what_is_not_committed(asr, henry, talk):
    session = asr.stream(EXACT)
    session.feed(henry[: round(2.2 * RATE)])
    session.clear()
    session.feed(henry)
    session.close()
    events = list(session)
    cleared, final = of_kind(events, "final")
    committed = "".join(event.committed_delta for event in of_kind(events, "partial") if event.item_id == cleared.item_id)
    assert (cleared.text, cleared.reason) == (committed, "clear")
    assert len(committed) < 30
    assert final.text == "Henry saw a small tree near Berlin."


def test_closing_in_mid_word_finishes_what_was_fed(asr, henry):
    events = tell(asr.stream(EXACT), henry[: round(1.8 * RATE)])
    assert events[-1].kind == "final"
    assert events[-1].reason == "close"
    assert events[-1].text.startswith("Henry saw a small")


def test_closing_twice_and_using_a_closed_session(asr, henry):
    session = asr.stream(EXACT)
    session.feed(henry)
    session.close()
    session.close()
    assert len(of_kind(list(session), "final")) == 1
    assert list(session) == []
    for use in (lambda: session.feed(henry), session.commit, session.clear):
        with pytest.raises(StreamError, match="closed"):
            use()


def test_not_numbers_become_silence_and_are_told(asr, henry):
    broken = henry.copy()
    broken[100], broken[2000] = np.nan, np.inf
    events = tell(asr.stream(EXACT), broken, [1600])
    assert of_kind(events, "final")[0].text == "Henry saw a small tree near Berlin."
    assert [event.code for event in of_kind(events, "warning")] == ["bad_samples"]


@pytest.mark.parametrize("make", [
    lambda sound: (sound * 32767).astype(np.int16), lambda sound: (sound * 32767).astype("<i2").tobytes(),
    lambda sound: np.stack([sound, sound], axis=1), lambda sound: sound.astype(np.float64)], ids=["int16", "bytes", "stereo", "float64"])
def test_sound_of_any_kind(asr, henry, make):
    assert of_kind(tell_one(asr, make(henry)), "final")[0].text == "Henry saw a small tree near Berlin."


def tell_one(asr, sound):
    with asr.stream(EXACT) as session:
        session.feed(sound)
    return list(session)


def test_bytes_may_be_cut_inside_a_sample(asr, henry):
    pcm = (henry * 32767).astype("<i2").tobytes()
    session = asr.stream(EXACT)
    for at in range(0, len(pcm), 777):
        session.feed(pcm[at : at + 777])
    session.close()
    assert bare(list(session)) == bare(tell_one(asr, pcm))


def test_the_rate_may_change_and_chopping_another_rate_does_not_matter(asr, henry):
    at_48k = np.repeat(henry, 3)                # crude, but sound at that rate
    whole, chopped = asr.stream(EXACT), asr.stream(EXACT)
    whole.feed(at_48k, 48_000)
    for at in range(0, len(at_48k), 1234):
        chopped.feed(at_48k[at : at + 1234], 48_000)
    for session in (whole, chopped):
        session.feed(henry, 16_000)
        session.close()
    events = list(whole)
    assert bare(events) == bare(list(chopped))
    assert [final.text for final in of_kind(events, "final")] == ["Henry saw a small tree near Berlin."] * 2


@pytest.mark.parametrize(("sound", "rate"), [
    (np.zeros(10, bool), 16_000), (np.zeros((2, 2, 2)), 16_000), (np.zeros(4), 0), (np.zeros(4), 16_000.5), (np.array(["a"]), 16_000)])
def test_what_is_no_sound_is_refused_and_the_session_goes_on(asr, henry, sound, rate):
    with asr.stream(EXACT) as session:
        with pytest.raises(OptionError, match=r"samples|rate"):
            session.feed(sound, rate)
        session.feed(henry)
    assert of_kind(list(session), "final")[0].text == "Henry saw a small tree near Berlin."


def test_events_for_asyncio(asr, henry):
    async def listen():
        session = asr.stream(EXACT)
        threading.Thread(target=lambda: (session.feed(henry), session.close())).start()
        return [event async for event in session]

    assert bare(asyncio.run(listen())) == bare(tell(asr.stream(EXACT), henry))


def test_append_only_tells_nothing_that_may_change(asr, talk, told):
    events = tell(asr.stream(replace(EXACT, output="append_only")), talk)
    assert all(event.committed_delta and not event.pending_text and not event.pending_words for event in of_kind(events, "partial"))
    assert [final.text for final in of_kind(events, "final")] == [final.text for final in of_kind(told, "final")]


@pytest.mark.parametrize("name", ["auto", "none", "prefix", "agreement", "alignatt"])
def test_every_policy_ends_with_the_same_words(asr, talk, name):
    events = tell(asr.stream(replace(EXACT, policy=PolicyOptions(name))), talk)
    finals = of_kind(events, "final")
    offline = asr.transcribe((talk, RATE)).text
    assert " ".join(final.text for final in finals) == offline
    assert (name == "none") == (not any(event.committed_delta for event in of_kind(events, "partial")))


def test_long_speech_is_cut_softly_and_loses_nothing(asr):
    """No utterance is longer than was asked for, and what is said is what the recogniser hears offline."""
    sound = np.concatenate([silence(0.4), sample("english_long.wav"), silence(1.0)])
    options = replace(EXACT, endpoint=EndpointOptions(silence_seconds=5.0, max_utterance_seconds=6.0, search_seconds=3.0))
    finals = of_kind(tell(asr.stream(options), sound), "final")
    assert [final.reason for final in finals][:-1] == ["cut"] * (len(finals) - 1)
    assert len(finals) >= 4
    assert all(final.end - final.start <= 6.1 for final in finals)
    assert " ".join(final.text for final in finals) == asr.transcribe((sound, RATE)).text


def alike(text: str, other: str) -> float:
    """The share of words that two texts have in common, in order."""
    return SequenceMatcher(None, text.split(), other.split(), autojunk=False).ratio()


def test_late_steps_are_left_out_and_the_text_stays(asr, talk, told):
    every = told
    events = tell(asr.stream(StreamOptions()), talk)            # all at once: everything is late
    assert len(of_kind(events, "partial")) < len(of_kind(every, "partial"))
    for one, other in zip(of_kind(events, "final"), of_kind(every, "final"), strict=True):
        assert alike(one.text, other.text) >= 0.85      # the small model hears 20 s at once a little otherwise than step by step


def test_waiting_for_the_sound_to_be_heard(asr, talk):
    session = asr.stream(EXACT)
    session.feed(talk)
    assert session.audio_seconds == pytest.approx(len(talk) / RATE)
    assert session.wait(timeout=60)
    assert session.queued_seconds < 0.04
    session.close()
    assert len(of_kind(list(session), "final")) == 3


def test_the_past_is_context_only_where_that_is_asked_for(asr, talk):
    texts = []
    for past in ("no", "yes", "auto"):
        texts.append([final.text for final in of_kind(tell(asr.stream(replace(EXACT, past_text=past)), talk), "final")])
    assert texts[0] == texts[2]                                # nothing was cut in mid-speech
    assert len(texts[1]) == 3


def test_options_change_from_the_next_utterance_on(asr, henry):
    with asr.stream(EXACT) as session:
        session.feed(henry)
        session.update(language="German", output="append_only")
        session.feed(henry)
    events = list(session)
    assert [final.language for final in of_kind(events, "final")] == ["English", "German"]
    assert any(event.pending_text for event in of_kind(events, "partial") if event.item_id == "item_00001")
    assert not any(event.pending_text for event in of_kind(events, "partial") if event.item_id == "item_00002")


@pytest.mark.parametrize("changes", [
    {"language": "Klingon"}, {"record": "x"}, {"speed": 2}, {"endpoint": EndpointOptions(mode="manual")}, {"words": "aligner"},
    {"step_seconds": -1}])
def test_impossible_changes_are_refused(asr, henry, changes):
    with asr.stream(EXACT) as session:
        with pytest.raises(OptionError):
            session.update(**changes)
        session.feed(henry)
    assert of_kind(list(session), "final")[0].text == "Henry saw a small tree near Berlin."


def test_an_aligner_cannot_listen():
    import ossicle

    with ossicle.load("tiny-aligner") as aligner, pytest.raises(ossicle.ModelError, match="load a recogniser"):
        aligner.stream()


def test_a_closed_recogniser_opens_no_session(henry):
    import ossicle

    recognizer = ossicle.load("tiny")
    recognizer.close()
    with recognizer.stream() as session:
        assert list(session)[-1].kind == "error"


@pytest.mark.parametrize("options", [
    lambda: StreamOptions(step_seconds=0), lambda: StreamOptions(output="typed"), lambda: StreamOptions(language="en", languages=("de",)),
    lambda: EndpointOptions(threshold=0.3, stop_threshold=0.4), lambda: EndpointOptions(mode="loud"), lambda: PolicyOptions("hope"),
    lambda: PolicyOptions(agreements=0), lambda: PolicyOptions(sure=1.5), lambda: StreamOptions(past_text="maybe")])
def test_impossible_options_are_refused(options):
    with pytest.raises(OptionError):
        options()
