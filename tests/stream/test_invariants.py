"""What holds of any session, whatever is said and commanded: random talks over a scripted hearing, and over the bundled model."""

import re
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ossicle import EndpointOptions, PolicyOptions, StreamOptions
from ossicle.pipeline.recognize import StageClock
from ossicle.stream.endpoint import endpointer_of
from ossicle.stream.hypothesis import Hypothesis
from ossicle.stream.machine import Machine, Settings, Task
from ossicle.stream.policies import policy_of
from ossicle.stream.scheduler import _timed
from ossicle.stream.window import Window, WindowOptions
from tests.stream.conftest import RATE, bare, of_kind, sample, silence, tell

WORD_SECONDS = 0.3


@dataclass(frozen=True)
class Said:
    """One stretch of a talk: sound, and what is commanded behind it."""

    is_speech: bool
    seconds: float
    command: str | StreamOptions | None


def babble(seconds: float, seed: int) -> np.ndarray:
    """Noise that comes and goes four times a second, as syllables do."""
    time = np.arange(round(seconds * RATE)) / RATE
    noise = np.random.default_rng(seed).standard_normal(len(time))
    return (0.1 * noise * (0.02 + np.abs(np.sin(2 * np.pi * 4 * time)))).astype(np.float32)


def script(task: Task, tokenizer) -> Hypothesis:
    """What is heard: words counted by the clock, one every 0.3 s; the last one is not sure yet, nor is the language.

    Where there is a context, that is said back.
    """
    window = task.item.window
    committed = tuple(window.committed)
    done = [int(number) for number in re.findall(r"\d+", tokenizer.decode(committed))]
    first = done[-1] + 1 if done else -(-window.origin // round(WORD_SECONDS * RATE))
    last = -(-task.end // round(WORD_SECONDS * RATE))
    # Forced words are heard where they were; an uneven number of ids each, as of real words.
    ids, centres = list(committed), [window.origin / RATE] * len(committed)
    if window.options.context:                              # it says the text before it once more
        more = tokenizer.encode_plain(window.options.context)
        ids, centres, last = [*ids, *more], [*centres, *[window.origin / RATE] * len(more)], first
    for number in range(first, last):
        more = tokenizer.encode_plain(f"{' ' if ids else ''}{'go' if number == last - 1 and task.end % 2 else 'wait'}{number}")
        ids += more
        centres += [number * WORD_SECONDS + 0.15] * len(more)
    language = window.language or ("English", "German")[task.end // 7 % 2]
    window.last = Hypothesis(tuple(ids), (-0.01,) * len(ids), len(committed), 0, language, "eos", window.origin / RATE, task.end / RATE,
                             tuple(centres))
    return window.last


def listen(parts, options: StreamOptions, talk: Sequence[Said], size: int, echoes: bool = False) -> list:
    """All that a session tells of a talk that comes in pieces of this size."""
    def settings_of(options: StreamOptions) -> Settings:
        def new_window(origin, past):
            return Window(parts, origin, WindowOptions(options.language, context=past if echoes else ""))
        return Settings(options, new_window, lambda: policy_of(options.policy, True))

    machine, events = Machine(settings_of(options), endpointer_of(options.endpoint)), []

    def work():
        while machine.has_work:
            task = machine.advance()
            if task is not None:
                machine.done(task, _timed(parts, None, task, script(task, parts.tokenizer), StageClock(), 0.0))
        events.extend(machine.events)
        machine.events.clear()

    for place, said in enumerate([*talk, Said(False, 0, "close")]):
        sound = babble(said.seconds, place) if said.is_speech else silence(said.seconds)
        for at in range(0, len(sound), size):
            machine.add(sound[at : at + size])
            work()
        if said.command is not None:
            machine.add(settings_of(said.command) if isinstance(said.command, StreamOptions) else said.command)
            work()
    assert machine.is_closed
    return events


def assert_sound(events: Sequence) -> None:
    """What must hold of the events of any session."""
    items = defaultdict(list)
    for event in events:
        if event.item_id is not None:
            items[event.item_id].append(event)
    assert [event.item_id for event in of_kind(events, "final")] == list(items)              # one final each, in the order of the items
    assert all(one.audio_seconds <= following.audio_seconds for one, following in pairwise(events))
    for told in items.values():
        assert [event.revision for event in told] == list(range(1, len(told) + 1))
        kinds = [event.kind for event in told if event.kind != "warning"]
        assert kinds[-2:] == ["endpoint", "final"]
        assert set(kinds[:-2]) <= {"speech_started", "partial"}
        assert kinds.index("endpoint") == len(kinds) - 2
        assert kinds.count("speech_started") == (kinds[0] == "speech_started")
        partials, final, text = of_kind(told, "partial"), told[-1], ""
        for event in [*partials, final]:
            text += event.committed_delta
            assert "".join(word.text for word in event.words) == (event.text if event is final else event.committed_delta)
            assert event is final or event.committed_text == text
        assert final.text == text
        assert final.start <= final.end <= final.audio_seconds
        if settled := {event.language for event in partials if event.committed_text}:
            assert settled == {final.language}                                              # never guessed anew
        for words in (final.words, [word for event in partials for word in event.words]):
            assert all(word.start < word.end for word in words)
            assert all(word.end <= following.start for word, following in pairwise(words))
    finals = of_kind(events, "final")
    assert all(one.end <= following.start + 1e-9 for one, following in pairwise(finals))


def numbers(final) -> list[int]:
    return [int(number) for number in re.findall(r"\d+", final.text)]


ENDPOINTS = st.builds(
    EndpointOptions, mode=st.sampled_from(["energy", "energy", "manual"]), max_utterance_seconds=st.sampled_from([2, 3, 9.5]),
    search_seconds=st.sampled_from([0, 1, 6]), silence_seconds=st.sampled_from([0.3, 0.6]),
    speculate_seconds=st.sampled_from([0.1, 0.2, 0.9]))
OPTIONS = st.builds(
    StreamOptions, coalesce=st.just(False), endpoint=ENDPOINTS, step_seconds=st.sampled_from([0.2, 0.5, 1.0]),
    output=st.sampled_from(["revisable", "append_only"]), language=st.sampled_from([None, None, "German"]),
    words=st.sampled_from(["auto", "estimated"]), past_text=st.sampled_from(["no", "auto", "yes"]),
    policy=st.builds(PolicyOptions, st.sampled_from(["auto", "none", "prefix", "agreement", "alignatt", "aligner"])))


@st.composite
def talks(draw) -> tuple[StreamOptions, list[Said]]:
    options = draw(OPTIONS)
    others = st.builds(replace, st.just(options), output=st.sampled_from(["revisable", "append_only"]),
                       step_seconds=st.sampled_from([0.3, 0.7]), language=st.sampled_from([None, "English"]))
    said = st.builds(Said, st.booleans(), st.sampled_from([0.001, 0.05, 0.3, 0.7, 1.3, 2.9, 6.1]),
                     st.one_of(st.none(), st.none(), st.sampled_from(["commit", "clear"]), others))
    return options, draw(st.lists(said, min_size=1, max_size=8))


@settings(max_examples=45, deadline=None, derandomize=True)
@given(asked=talks(), size=st.sampled_from([160, 511, 4000]))
def test_whatever_is_said_and_commanded(tiny, asked, size):
    options, talk = asked
    events = listen(tiny, options, talk, 1 << 30)
    assert_sound(events)
    assert bare(listen(tiny, options, talk, size)) == bare(events)
    finals = of_kind(events, "final")
    told = [number for final in finals for number in numbers(final)]
    assert all(one < following for one, following in pairwise(told)), "a word is told twice"
    for final, following in pairwise(finals):
        if final.reason == "cut" and final.end == following.start and final.text and following.text and following.reason != "clear":
            assert numbers(following)[0] == numbers(final)[-1] + 1, "a word is lost at a cut"


def test_an_utterance_heard_again_without_the_past_keeps_what_it_was_made_to_begin_with(tiny):
    """It begins with words of the utterance before, which are not told twice, and goes on in its language."""
    options = StreamOptions(coalesce=False, past_text="auto", endpoint=EndpointOptions(mode="energy", max_utterance_seconds=5))
    events = listen(tiny, options, [Said(False, 0.4, None), Said(True, 14, None)], 1 << 30, echoes=True)
    assert_sound(events)
    assert [event.code for event in of_kind(events, "warning")] == ["past_text"] * 2
    told = [number for final in of_kind(events, "final") for number in numbers(final)]
    assert told == list(range(told[0], told[-1] + 1))


@pytest.fixture(scope="module")
def voices() -> list[np.ndarray]:
    return [sample("english.wav"), sample("chinese.flac")[: 2 * RATE], silence(0.4), silence(1.1)]


@settings(max_examples=40, deadline=None, derandomize=True)
@given(data=st.data())
def test_whatever_the_bundled_model_hears(asr, voices, data):
    """Sound, commands and changes in any order, at any rate, read while it comes or afterwards."""
    endpoint = EndpointOptions(mode=data.draw(st.sampled_from(["auto", "manual"])))
    options = StreamOptions(coalesce=data.draw(st.booleans()), endpoint=endpoint)
    session = asr.stream(options)
    for _ in range(data.draw(st.integers(1, 5))):
        match data.draw(st.sampled_from(["feed", "feed", "feed", "commit", "clear", "update"])):
            case "feed":
                sound, start = data.draw(st.sampled_from(voices)), data.draw(st.sampled_from([0, 333, 9000]))
                size, rate = data.draw(st.sampled_from([700, 20_000, 1 << 30])), data.draw(st.sampled_from([16_000, 22_050]))
                session.feed(sound[start : start + size], rate)
            case "update":
                session.update(language=data.draw(st.sampled_from([None, "zh"])), step_seconds=data.draw(st.sampled_from([0.3, 1.0])))
            case command:
                getattr(session, command)()
    session.close()
    assert session.wait(timeout=60)
    events = list(session)
    assert not of_kind(events, "error"), events[-1]
    assert_sound(events)
    assert list(session) == []


def test_speech_without_end_is_one_utterance_where_only_commit_ends_it(asr):
    """A minute of it: the window slides, the item stays, and no word is lost."""
    sound = sample("english_long.wav")
    twice = np.concatenate([sound, sound, sound])
    events = tell(asr.stream(StreamOptions(coalesce=False, endpoint=EndpointOptions(mode="manual"))), twice)
    assert_sound(events)
    final, = of_kind(events, "final")
    assert final.end == pytest.approx(len(twice) / RATE, abs=0.01)
    once = asr.transcribe((sound, RATE)).text
    assert final.text == " ".join([once] * 3)
    assert max(word.end - word.start for word in final.words) < 2.5
