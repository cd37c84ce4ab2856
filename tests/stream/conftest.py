"""The bundled model, live: sound to feed, and all that a session told of it."""

from importlib.resources import files
from pathlib import Path

import numpy as np
import pytest

import ossicle
from ossicle import StreamOptions
from ossicle.audio.load import read_samples
from ossicle.pipeline.engine import Parts
from tests.model.conftest import ENGINES
from tests.stream.hearings import parts_on

TINY = Path(str(files("ossicle") / "models" / "tiny"))
RATE = 16_000


@pytest.fixture(scope="session")
def asr():
    with ossicle.load("tiny", ossicle.EngineOptions(dtype="float32")) as recognizer:
        yield recognizer


def silence(seconds: float) -> np.ndarray:
    return np.zeros(round(seconds * RATE), np.float32)


def sample(name: str) -> np.ndarray:
    """One of the bundled recordings, (n,) float32 at 16 kHz."""
    return np.asarray(read_samples(str(TINY / "samples" / name)))


@pytest.fixture(scope="session")
def henry() -> np.ndarray:
    """Henry saw a small tree near Berlin."""
    return np.concatenate([silence(0.5), sample("english.wav"), silence(1.2)])


@pytest.fixture(scope="session")
def talk() -> np.ndarray:
    """Three utterances with pauses between them."""
    names = ("english.wav", "english_context.flac", "english_unseen_speaker.flac")
    spoken = [part for name in names for part in (silence(0.8), sample(name))]
    return np.concatenate([*spoken, silence(1.0)])


@pytest.fixture(scope="session")
def told(asr, talk) -> list:
    """What a session tells of the talk when it takes every step."""
    return tell(asr.stream(StreamOptions(coalesce=False)), talk)


def tell(session, samples: np.ndarray, sizes=None) -> list:
    """Feed everything in pieces of these sizes, by turns, close, and give all events."""
    sizes = sizes or [len(samples)]
    at, turn = 0, 0
    while at < len(samples):
        session.feed(samples[at : at + sizes[turn % len(sizes)]])
        at += sizes[turn % len(sizes)]
        turn += 1
    session.close()
    return list(session)


def bare(events) -> list[dict]:
    """Events without what tells of the machine."""
    plain = [event.to_dict() for event in events]
    for entry in plain:
        for name in ("lag_seconds", "timings"):
            entry.pop(name, None)
    return plain


def of_kind(events, kind: str) -> list:
    return [event for event in events if event.kind == kind]


@pytest.fixture(scope="session")
def tiny() -> Parts:
    """The bundled model on engine cpu."""
    return parts_on("cpu")


@pytest.fixture(scope="session", params=ENGINES)
def tiny_on_each(request) -> Parts:
    """The bundled model on each engine."""
    return parts_on(request.param)
