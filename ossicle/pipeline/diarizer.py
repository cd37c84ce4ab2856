"""Where turns come from: a library, an RTTM file, the channels of the recording or a function of the caller.

Sound in, turns with names out; what is done with them is in turns.py. Times count from the first sample read.
"""

import logging
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from ossicle.audio.channels import STEPS_PER_SECOND, ChannelLevels
from ossicle.audio.load import SAMPLE_RATE
from ossicle.errors import OptionError
from ossicle.options import SpeakerOptions
from ossicle.pipeline.channels import channel_labels, hold_one_sound, turns_by_loudness
from ossicle.pipeline.diarize_pyannote import PyannoteDiarizer
from ossicle.pipeline.diarize_sherpa import SherpaDiarizer
from ossicle.pipeline.rttm import read_rttm
from ossicle.pipeline.turns import NOBODY, name_speakers, number_speakers, speakers_of, tidy_turns
from ossicle.progress import CancelToken
from ossicle.results import Turn

logger = logging.getLogger(__name__)

LIBRARIES: dict[str, type[SherpaDiarizer] | type[PyannoteDiarizer]] = {"sherpa": SherpaDiarizer, "pyannote": PyannoteDiarizer}
Diarizer = Callable[[np.ndarray, SpeakerOptions], Sequence[Turn]]      # (samples,) float32 at 16 kHz in, turns in seconds out
OnShare = Callable[[float], None]
OnWarning = Callable[[str], None]


@dataclass(frozen=True)
class Evidence:
    """What is known of a recording when its turns are looked for."""

    samples: np.ndarray                 # (samples,) float32 at 16 kHz
    name: str | None = None             # path or URL
    start_seconds: float = 0.0          # of the recording, where the samples begin
    levels: ChannelLevels | None = None     # taken while reading, where channels are to say who speaks


class Diarizers:
    """The libraries, loaded when they are first asked for and kept for the next recording. Safe from several threads."""

    def __init__(self, own: Diarizer | None = None) -> None:
        """own   a function of the caller that is asked in their place"""
        self.own = own
        self._lock = threading.Lock()
        self._made_for: SpeakerOptions | None = None
        self._made: SherpaDiarizer | PyannoteDiarizer | None = None

    def prepare(self, options: SpeakerOptions) -> None:
        """Load the library that the options name, if they name one: what it lacks is better told before the first recording.

        Raises MissingExtra, ModelError, OptionError.
        """
        if self.own is not None and options.is_wanted:
            raise OptionError(f"speakers must come from one source, got a diarizer and {options.source}; leave one of them out")
        if options.source in LIBRARIES:
            with self._lock:
                self._load(options)

    def find(self, samples: np.ndarray, options: SpeakerOptions, on_share: OnShare, on_warning: OnWarning) -> list[Turn]:
        """Turns by the library that the options name, with labels by first appearance; or by the caller's function, as it gives them."""
        if self.own is not None:
            return _asked(self.own, samples, options)
        with self._lock:                                # neither library is made for two recordings at once
            library = self._load(options)
            if isinstance(library, SherpaDiarizer):
                return number_speakers(library(samples, options, on_share))
            return number_speakers(library(samples, options, on_share, on_warning))

    def _load(self, options: SpeakerOptions) -> SherpaDiarizer | PyannoteDiarizer:
        made_for = replace(options, num_speakers=None, min_speakers=None, max_speakers=None, names={}, threshold=0.5)
        if self._made is None or self._made_for != made_for:
            self._made = None                           # the old one gives its memory back first
            self._made = LIBRARIES[str(options.source)](options)
            self._made_for = made_for
        return self._made


def find_turns(
    evidence: Evidence,
    options: SpeakerOptions,
    diarizers: Diarizers,
    on_share: OnShare = lambda share: None,
    on_warning: OnWarning = logger.warning,
    cancel: CancelToken | None = None,
) -> tuple[Turn, ...]:
    """Who speaks when in one recording, in order, with the names that the options give.

    on_share   called with the share that is done, 0 to 1, by sources that take long

    Raises OptionError, ModelError, MissingExtra; Cancelled when that was asked for.
    """
    cancel = cancel or CancelToken()

    def on_share_unless_cancelled(share: float) -> None:
        cancel.check()
        on_share(share)

    began = time.perf_counter()
    seconds = len(evidence.samples) / SAMPLE_RATE
    order: Sequence[str] = ()
    if options.source == "channels":
        turns, order = _by_channels(evidence, on_warning)
    elif options.is_file:
        turns = _from_file(evidence, options)
    else:
        turns = diarizers.find(evidence.samples, options, on_share_unless_cancelled, on_warning)
    cancel.check()
    tidy = tidy_turns(turns, seconds)
    named, unused = name_speakers(tidy, options.names, order)
    if not tidy and seconds > 0:
        on_warning(f"no turn of any speaker was found; all words go to {NOBODY}")
    elif unused:
        on_warning(f"no speaker is called {' or '.join(unused)}; there {_say_speakers(order or speakers_of(tidy))}")
    logger.info("%s: %d turns of %d speakers found in %.2f s", evidence.name or "recording", len(tidy), len(speakers_of(tidy)),
                time.perf_counter() - began)
    return tidy_turns(named, seconds)


def _asked(diarizer: Diarizer, samples: np.ndarray, options: SpeakerOptions) -> list[Turn]:
    turns = diarizer(samples, options)
    if isinstance(turns, str) or not isinstance(turns, Sequence):
        raise OptionError(f"a diarizer must give a list of Turn(start, end, speaker), got {type(turns).__name__}")
    return list(turns)


def _by_channels(evidence: Evidence, on_warning: OnWarning) -> tuple[list[Turn], tuple[str, ...]]:
    assert evidence.levels is not None, "levels_for makes them"
    power = evidence.levels.power                          # (channels, steps)
    if not power.size:
        return [], ()
    if len(power) < 2:
        raise OptionError(f"speakers by channels need a recording with two channels or more, {evidence.name or 'this one'} has one; "
                          "choose sherpa or pyannote")
    if hold_one_sound(power):
        on_warning(f"the {len(power)} channels hold the same sound, so that they do not tell who speaks; choose sherpa or pyannote")
        return [], ()
    return turns_by_loudness(power, STEPS_PER_SECOND), channel_labels(len(power))


def _from_file(evidence: Evidence, options: SpeakerOptions) -> list[Turn]:
    stem = Path(evidence.name.rstrip("/")).stem if evidence.name and evidence.name != "-" else None
    turns = read_rttm(Path(options.source).expanduser(), stem)
    return [replace(turn, start=turn.start - evidence.start_seconds, end=turn.end - evidence.start_seconds) for turn in turns]


def _say_speakers(labels: Sequence[str]) -> str:
    return f"are {', '.join(labels)}" if len(labels) > 1 else f"is {labels[0]} only"
