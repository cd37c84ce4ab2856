"""Chunks of several recordings side by side: full batches, results and events in order, one failure is one failure."""

import threading
from itertools import pairwise
from types import SimpleNamespace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ossicle.errors import AudioError, Cancelled, SpeechError
from ossicle.options import DecodeOptions, SplitOptions, TranscribeOptions
from ossicle.pipeline.pieces import Piece
from ossicle.pipeline.reading import ReadAhead
from ossicle.pipeline.schedule import Job, Schedule, _size
from ossicle.progress import CancelToken
from ossicle.recognizer import Recognizer
from ossicle.results import Transcript
from tests.audio.sounds import noise

RATE = 16_000


@pytest.fixture(autouse=True)
def patient(monkeypatch):
    """However busy the machine is, a batch waits for the recordings that would fill it."""
    monkeypatch.setattr("ossicle.pipeline.transcribe.READ_WAIT_SECONDS", 30)


def rows(engine) -> list[int]:
    return [len(call) for call in engine.parts.network.calls]


def test_short_recordings_share_batches(engine_of, ids):
    engine = engine_of(lambda tokens, _: ids("One."))
    results = Recognizer(engine).transcribe_many([noise(2 + number / 10) for number in range(17)])
    assert all(result.text == "One." for result in results)
    assert [round(result.duration, 1) for result in results] == [round(2 + number / 10, 1) for number in range(17)]
    assert sum(rows(engine)) == 17
    assert len(rows(engine)) <= 5                       # the first alone perhaps, as nothing else is read then
    assert max(rows(engine)) == 8


def test_the_tail_of_a_long_recording_is_filled_up_with_the_next(engine_of, ids):
    engine = engine_of(lambda tokens, _: ids("One."))
    options = TranscribeOptions(split=SplitOptions(max_seconds=10), decode=DecodeOptions(batch_size=4))
    one, two = Recognizer(engine).transcribe_many([noise(60), noise(60, seed=1)], options=options)
    assert one.is_complete
    assert two.is_complete
    assert sum(rows(engine)) == len(one.chunks) + len(two.chunks)
    assert rows(engine).count(4) == sum(rows(engine)) // 4


def test_pieces_of_like_length_ride_together():
    jobs = [Job(None, None, [Piece(0, seconds * RATE)], None) for seconds in [3, 20, 4, 19, 5, 18]]
    schedule = Schedule(None, None, TranscribeOptions(decode=DecodeOptions(batch_size=3)), None, lambda is_short: (jobs, False))
    assert [piece.seconds for _, piece in schedule._next_batch(jobs[0])] == [3, 4, 5]
    assert [piece.seconds for _, piece in schedule._next_batch(jobs[1])] == [20, 19, 18]
    assert not any(job.waiting for job in jobs)


def test_pieces_of_one_recording_ride_with_their_likes_and_none_waits_long():
    lengths = [30, 4, 29, 5, 28, 6, 27, 7, 26, 8, 25, 9, 24, 10, 23, 11]
    starts = [sum(lengths[:place]) * RATE for place in range(len(lengths) + 1)]
    job = Job(None, None, [Piece(start, end) for start, end in pairwise(starts)], SimpleNamespace(offset=0.0))
    schedule = Schedule(None, None, TranscribeOptions(decode=DecodeOptions(batch_size=4)), None, lambda is_short: ([job], False))
    batches = []
    while job.waiting:
        oldest = job.waiting[0]
        batch = [piece for _, piece in schedule._next_batch(job)]
        assert oldest in batch                              # so each batch brings the text on
        assert batch == sorted(batch, key=lambda piece: piece.start)
        batches.append([round(piece.seconds) for piece in batch])
    assert batches[0] == [30, 29, 28, 27]
    assert sum(len(batch) * max(batch) for batch in batches) < 1.25 * sum(lengths)


def test_all_events_of_one_recording_come_before_the_next(engine_of, ids):
    told = []
    engine = engine_of(lambda tokens, _: ids("One."))
    Recognizer(engine).transcribe_many([noise(2), noise(70), noise(3)], on_event=told.append)
    kinds = [event.kind for event in told]
    assert kinds.count("started") == kinds.count("done") == 3
    open_recordings = 0
    for kind in kinds:
        open_recordings += (kind == "started") - (kind == "done")
        assert 0 <= open_recordings <= 1


def test_results_come_as_soon_as_they_are_there(engine_of, ids):
    engine = engine_of(lambda tokens, _: ids("One."))
    each = Recognizer(engine).transcribe_each([noise(2), noise(400)])
    assert next(each).duration == 2
    before = sum(rows(engine))
    assert next(each).duration == 400
    assert before < sum(rows(engine))


def test_leaving_early_frees_the_engine(engine_of, ids):
    recognizer = Recognizer(engine_of(lambda tokens, _: ids("One.")))
    each = recognizer.transcribe_each([noise(2), noise(100), noise(100)])
    next(each)
    each.close()
    assert recognizer.transcribe(noise(2)).text == "One."


def test_a_recording_that_cannot_be_read_disturbs_no_other(engine_of, ids, tmp_path):
    (tmp_path / "notes.wav").write_text("no sound at all")
    recognizer = Recognizer(engine_of(lambda tokens, _: ids("One.")))
    one, error, two = recognizer.transcribe_many([noise(2), tmp_path / "notes.wav", noise(3)], return_errors=True)
    assert (one.text, two.text) == ("One.", "One.")
    assert isinstance(error, AudioError)


def test_a_recording_that_the_engine_fails_on_disturbs_no_other(engine_of, ids):
    engine = engine_of(lambda tokens, _: ids("One."))
    network = engine.parts.network
    encode = network.encode

    def fail_on_long(mel):
        if mel.shape[1] > 1000:
            raise MemoryError("too long")
        return encode(mel)

    network.encode = fail_on_long
    one, error, two = Recognizer(engine).transcribe_many([noise(2), noise(12), noise(3)], return_errors=True)
    assert isinstance(one, Transcript)
    assert isinstance(two, Transcript)
    assert isinstance(error, SpeechError)
    assert "12 s" in str(error)


def test_stages_of_shared_batches_add_up_to_the_whole(engine_of, ids):
    import time

    engine = engine_of(lambda tokens, _: ids("One."))
    forward = engine.parts.network.forward
    taken = []

    def slow(*args, **kwargs):
        started = time.perf_counter()
        time.sleep(0.01)
        taken.append(time.perf_counter() - started)
        return forward(*args, **kwargs)

    engine.parts.network.forward = slow
    started = time.perf_counter()
    results = Recognizer(engine).transcribe_many([noise(2), noise(4), noise(6)])
    shared = sum(result.timings.prefill + result.timings.decode for result in results)
    assert sum(taken) <= shared <= time.perf_counter() - started
    assert all(result.timings.first_text >= 0 for result in results)


def test_recordings_read_ahead_are_few(engine_of, ids, monkeypatch):
    from ossicle.pipeline import transcribe

    in_hand, most = set(), []
    real_read = transcribe.read_recording

    def counting(*args, **kwargs):
        recording = real_read(*args, **kwargs)
        real_close = recording.close

        def close():
            in_hand.discard(id(recording))
            real_close()

        recording.close = close
        in_hand.add(id(recording))
        most.append(len(in_hand))
        return recording

    monkeypatch.setattr(transcribe, "read_recording", counting)
    options = TranscribeOptions(decode=DecodeOptions(batch_size=2))
    results = Recognizer(engine_of(lambda tokens, _: ids("One."))).transcribe_many([noise(1)] * 60, options=options)
    assert len(results) == 60
    assert max(most) <= 12                              # four batches that wait, and one that is being read
    assert not in_hand


def test_once_cancelled_what_was_read_ahead_is_given_back(engine_of, ids):
    cancel = CancelToken()
    recognizer = Recognizer(engine_of(lambda tokens, _: ids("One.")))
    results = list(recognizer.transcribe_each([noise(2)] * 5, cancel=cancel, on_event=lambda event: cancel.cancel()))
    assert isinstance(results[0], Transcript)
    assert all(isinstance(result, Cancelled) for result in results[1:])


@settings(max_examples=200, deadline=None)
@given(st.integers(1, 400), st.integers(1, 32))
def test_batches_take_all_and_never_more_than_fit(num_waiting, batch_size):
    sizes, left = [], num_waiting
    while left:
        sizes.append(_size(left, batch_size, is_first=not sizes))
        assert 1 <= sizes[-1] <= min(batch_size, left)
        left -= sizes[-1]
    assert len(sizes) <= -(-num_waiting // batch_size) + 1
    if num_waiting >= 8 * batch_size:
        assert sizes[0] <= max(1, batch_size // 4)


def test_reading_ahead_keeps_the_order_and_puts_errors_in_their_place():
    def prepare(number):
        if number == 3:
            raise AudioError("three")
        return number

    with ReadAhead(range(6), prepare, dispose=lambda _: None) as reader:
        for _ in range(4):
            reader.begin()
        found = [reader.take() for _ in range(6)]
        assert [str(one) for one in found] == ["0", "1", "2", "three", "4", "5"]
        assert reader.take() is None
        assert reader.is_exhausted


def test_a_slow_source_is_not_waited_for():
    gate = threading.Event()

    def prepare(number):
        if number:
            gate.wait(10)
        return number

    with ReadAhead(range(2), prepare, dispose=lambda _: None) as reader:
        assert reader.take() == 0
        assert reader.take(0.01) is None
        gate.set()
        assert reader.take(10) == 1


def test_what_was_read_for_nothing_is_disposed_of():
    disposed = []
    with ReadAhead(range(4), lambda number: number, disposed.append) as reader:
        for _ in range(3):
            reader.begin()
        assert reader.take() == 0
    assert set(disposed) <= {1, 2}


def test_another_error_than_ours_is_raised_when_its_turn_comes(engine_of, ids):
    def detector(samples, rate):
        if len(samples) == 3 * rate:
            raise ZeroDivisionError("a bug of the caller")
        return [(0.0, 2.0)]

    recognizer = Recognizer(engine_of(lambda tokens, _: ids("One.")))
    each = recognizer.transcribe_each([noise(2), noise(3), noise(4)], detector=detector)
    assert next(each).text == "One."
    with pytest.raises(ZeroDivisionError):
        next(each)
    assert recognizer.transcribe(noise(2)).text == "One."


def test_arrays_of_any_batch_give_what_they_give_alone(engine_of, ids):
    def answer(tokens, loudness):
        return ids("a b c d e f g h"[: 2 * (tokens % 8) + 1])

    sounds = [noise(1 + number / 3, seed=number) for number in range(11)]
    alone = [Recognizer(engine_of(answer)).transcribe(sound).text for sound in sounds]
    together = [result.text for result in Recognizer(engine_of(answer)).transcribe_many(sounds)]
    assert together == alone
    assert len(set(alone)) > 3
