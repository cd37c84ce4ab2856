"""Sessions used as people do use them: buffers that are filled again, sessions nobody closes, readers that go away."""

import asyncio
import contextlib
import gc
import threading
import weakref
from dataclasses import replace

import numpy as np
import pytest
import soxr

from ossicle import EndpointOptions, PolicyOptions, StreamError, StreamOptions
from tests.stream.conftest import RATE, bare, of_kind, sample, silence, tell
from tests.stream.test_invariants import assert_sound, babble

EXACT = StreamOptions(coalesce=False)
HENRY = "Henry saw a small tree near Berlin."
SECONDS = 30                         # after which something hangs


def test_whoever_feeds_may_use_the_buffer_again(asr, henry):
    """As microphones do: what was fed is ours."""
    session, buffer = asr.stream(EXACT), np.zeros(1600, np.float32)
    for at in range(0, len(henry) - 1600, 1600):
        buffer[:] = henry[at : at + 1600]
        session.feed(buffer)
    buffer[:] = 1
    session.close()
    assert [final.text for final in of_kind(list(session), "final")] == [HENRY]


@pytest.mark.parametrize("command", ["commit", "clear"])
def test_half_a_sample_survives_a_command(asr, henry, command):
    """Else all bytes behind it would be noise."""
    pcm, session = (henry * 32767).astype("<i2").tobytes(), asr.stream(EXACT)
    session.feed(pcm[:1601])
    getattr(session, command)()
    session.feed(pcm[1601:])
    session.close()
    assert of_kind(list(session), "final")[-1].text == HENRY


def test_commands_and_bad_samples_hang_on_no_chop_at_another_rate(asr, henry):
    sound = soxr.resample(np.concatenate([henry, henry]), RATE, 44_100).astype(np.float32)
    sound[70_000], sound[70_001], sound[90_000], sound[90_001] = np.nan, np.inf, 9, 10

    def told(size):
        session, at = asr.stream(EXACT), 0
        for place, command in ((50_001, "commit"), (120_000, "update"), (200_000, "clear"), (len(sound), "close")):
            while at < place:
                session.feed(sound[at : min(place, at + size)], 44_100)
                at = min(place, at + size)
            session.update(step_seconds=0.4) if command == "update" else getattr(session, command)()
        return list(session)

    events = told(len(sound))
    assert_sound(events)
    warnings = [(event.code, round(event.audio_seconds, 1)) for event in of_kind(events, "warning")]
    assert warnings == [("bad_samples", 1.6), ("loud_samples", 2.1)]
    for size in (441, 7777):
        assert bare(told(size)) == bare(events)


def test_a_final_event_says_what_the_language_may_be(asr, henry):
    final, = of_kind(tell(asr.stream(EXACT), henry), "final")
    assert next(iter(final.languages)) == "English"
    assert final.languages["English"] > 0.9
    forced, = of_kind(tell(asr.stream(EXACT, language="en"), henry), "final")
    assert forced.languages == {}


def test_utterances_shorter_than_the_search_are_cut_in_their_second_half(asr):
    options = replace(EXACT, endpoint=EndpointOptions(max_utterance_seconds=2, search_seconds=6))
    finals = of_kind(tell(asr.stream(options), np.concatenate([silence(2), sample("english_long.wav")])), "final")
    assert len(finals) < 30                     # of 21 s; not one for each frame
    assert all(0.5 < final.end - final.start < 2.1 for final in finals[:-1])


def test_search_seconds_may_be_none(asr):
    options = replace(EXACT, endpoint=EndpointOptions(mode="energy", max_utterance_seconds=2, search_seconds=0))
    assert not of_kind(tell(asr.stream(options), np.concatenate([silence(0.1), babble(5, 1)])), "error")


def test_thresholds_count_at_once(asr, henry):
    """As the documentation of `update` says of endpoint options."""
    with asr.stream(EXACT) as session:
        session.feed(henry)
        session.update(endpoint=EndpointOptions(min_speech_seconds=5))      # nobody speaks so long
        session.feed(henry)
        session.update(endpoint=EndpointOptions())
        session.feed(henry)
    assert [final.text for final in of_kind(list(session), "final")] == [HENRY] * 2


def test_a_session_that_nobody_holds_ends(asr, henry):
    session = asr.stream(EXACT)
    session.feed(henry)
    lane, gone = session._lane, weakref.ref(session)
    assert lane in asr._scheduler._lanes
    del session
    gc.collect()
    assert gone() is None
    other = asr.stream(EXACT)                   # whose end shows that the scheduler has turned
    assert tell(other, henry)[-1].text == HENRY
    assert lane not in asr._scheduler._lanes


def test_a_closed_session_that_nobody_holds_is_heard_to_its_end(asr, henry, tmp_path):
    session = asr.stream(replace(EXACT, record=tmp_path))
    session.feed(henry)
    session.close()
    lane = session._lane
    del session
    gc.collect()
    assert tell(asr.stream(EXACT), np.concatenate([henry, henry]))[-1].text == HENRY
    assert lane.machine.is_closed
    folder, = tmp_path.iterdir()
    assert HENRY in (folder / "events.jsonl").read_text()


def test_a_session_that_cannot_be_told_leaves_the_others_untouched(asr, henry):
    def broken():
        raise RuntimeError("nobody listens")

    good, bad = asr.stream(EXACT), asr.stream(EXACT)
    bad._lane.told = broken
    for session in (bad, good):
        session.feed(henry)
        session.close()
    assert of_kind(list(good), "final")[0].text == HENRY
    assert bad._lane.machine.is_closed


def test_a_session_that_fails_says_so_once_and_ends_its_utterance(asr, henry):
    session = asr.stream(EXACT)
    session.feed(henry[: round(1.5 * RATE)])
    assert session.wait(timeout=SECONDS)
    with asr._scheduler._wake:                  # the scheduler rests meanwhile
        for _ in range(2):
            session._lane.machine.fail(ValueError("broken"))
        session._lane.tell()
    assert session.is_closed
    with pytest.raises(StreamError):
        session.feed(henry)
    *_, endpoint, final, failure = events = list(session)
    assert (endpoint.kind, final.kind, failure.kind) == ("endpoint", "final", "error")
    assert_sound(events)


def test_onsets_are_told_before_the_network_is_asked(asr, henry):
    hold, session = threading.Event(), asr.stream(EXACT)
    busy = asr._engine._worker.submit(hold.wait)
    try:
        session.feed(henry)
        first = []
        reader = threading.Thread(target=lambda: first.append(next(iter(session))))
        reader.start()
        reader.join(SECONDS)
        assert [event.kind for event in first] == ["speech_started"]
    finally:
        hold.set()
        busy.result()
        session.close()
        list(session)


def test_many_threads_feed_while_two_read_and_one_closes(asr, henry):
    session, read = asr.stream(EXACT), ([], [])

    def feed():
        for at in range(0, len(henry), 1600):
            try:
                session.feed(henry[at : at + 1600])
            except StreamError:
                return

    threads = [threading.Thread(target=feed) for _ in range(4)]
    threads += [threading.Thread(target=lambda into=into: into.extend(session)) for into in read]
    for thread in threads:
        thread.start()
    session.feed(henry)
    session.close()
    for thread in threads:
        thread.join(SECONDS)
        assert not thread.is_alive()
    assert_sound(sorted([*read[0], *read[1]], key=lambda event: (event.item_id, event.revision)))


def test_a_reader_that_was_cancelled_can_be_followed_by_another(asr, henry):
    async def listen():
        session, seen = asr.stream(EXACT), []

        async def read():
            async for event in session:
                seen.append(event)

        session.feed(henry[:30_000])
        first = asyncio.create_task(read())
        while not seen:
            await asyncio.sleep(0.01)
        first.cancel()
        await asyncio.gather(first, return_exceptions=True)
        session.feed(henry[30_000:])
        session.close()
        await asyncio.wait_for(read(), SECONDS)
        return seen

    assert bare(asyncio.run(listen())) == bare(tell(asr.stream(EXACT), henry))


def test_a_recogniser_closed_under_a_session_lets_it_go_on_to_its_end(henry):
    import ossicle

    with ossicle.load("tiny") as recognizer:
        session = recognizer.stream(EXACT)
        session.feed(henry[:20_000])
    with pytest.raises(ossicle.ModelError, match="closed"):
        recognizer.stream()
    session.feed(henry[20_000:])
    session.close()
    assert list(session)[-1].text == HENRY


def test_of_changes_made_at_once_none_is_lost(asr, monkeypatch):
    session, both = asr.stream(EXACT), threading.Barrier(2)
    settings_of = session._settings_of

    def slow(options):
        with contextlib.suppress(threading.BrokenBarrierError):
            both.wait(0.3)                      # until the other one is as far, if it gets there
        return settings_of(options)

    monkeypatch.setattr(session, "_settings_of", slow)
    threads = [threading.Thread(target=session.update, kwargs=changes) for changes in ({"language": "en"}, {"step_seconds": 1.0})]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(SECONDS)
    session.close()
    assert (session.options.language, session.options.step_seconds) == ("en", 1.0)


@pytest.mark.parametrize("asked", [{"words": "aligner"}, {"policy": PolicyOptions("aligner")}], ids=["words", "policy"])
def test_an_aligner_times_final_words_and_changes_no_text(asr, talk, told, asked):
    events = tell(asr.stream(replace(EXACT, aligner="tiny-aligner", **asked)), talk)
    assert_sound(events)
    finals = of_kind(events, "final")
    assert [final.text for final in finals] == [final.text for final in of_kind(told, "final")]
    assert all({word.timing for word in final.words} <= {"aligned", "interpolated"} for final in finals)


def test_chinese_grows_without_spaces_and_languages_are_a_choice(asr):
    sound = np.concatenate([silence(0.5), sample("chinese.flac"), silence(1.0)])
    events = tell(asr.stream(replace(EXACT, languages=("Chinese", "German"))), sound)
    assert_sound(events)
    assert not any(" " in event.committed_delta + event.pending_text for event in of_kind(events, "partial"))
    final, = of_kind(events, "final")
    assert (final.language, final.text, next(iter(final.languages))) == ("Chinese", "明天是星期五。", "Chinese")
    assert "None" not in final.languages
