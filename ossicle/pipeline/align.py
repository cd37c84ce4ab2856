"""Sound and the words said in it to times, by the forced aligner: one pass of its network, then repair.

    log_mel -> encode -> build_aligner_prompt -> embed -> one forward pass, read at the stamps -> repair_stamps

Runs on the engine's thread. A stretch of units stuck at one time is aligned again from the last good one on, with the
sound that is left. Longer sound than the aligner reads is follow.py's to cut.
Source: official forced aligner, `align`; docs/model.md, "Forced aligner".
"""

from collections.abc import Sequence

import numpy as np

from ossicle.audio.load import SAMPLE_RATE
from ossicle.audio.mel import log_mel
from ossicle.errors import ModelError
from ossicle.model.network import Array
from ossicle.pipeline.engine import Parts
from ossicle.pipeline.repair import first_plateau, repair_stamps
from ossicle.pipeline.spans import Heard
from ossicle.progress import CancelToken
from ossicle.text.prompt import build_aligner_prompt
from ossicle.text.units import Unit

MAX_SECONDS = 180.0                  # the official limit where times are asked for; the model was trained on up to 300 s
PLATEAU = 5                          # so many units that begin at one time are stuck, not spoken at once
MAX_TRIES = 4                        # passes over one stretch of sound
LEAST_SECONDS = 0.3                  # of sound left over that another pass is worth


def longest_seconds(parts: Parts) -> float:
    """The longest sound that this aligner times in one pass."""
    config = parts.config
    if config.num_classes is None or config.timestamp_seconds is None:
        raise ModelError("expected a forced aligner, got a recogniser; load one such as aligner")
    return min(MAX_SECONDS, config.num_classes * config.timestamp_seconds)


def align_units(parts: Parts, samples: np.ndarray, units: Sequence[Unit], cancel: CancelToken | None = None) -> list[Heard]:
    """When each unit is said.

    samples   (n,) float32 at 16 kHz, at most `longest_seconds`
    returns   one Heard for each unit, in seconds from the first sample; starts and ends never go back, but several may
              be equal, and a network that means nothing may name times behind the end

    Raises Cancelled between two passes.
    """
    cancel = cancel or CancelToken()
    heard: list[Heard] = []
    start, best = 0.0, _pass(parts, samples, units)
    for _ in range(MAX_TRIES - 1):
        stuck = first_plateau([entry.start for entry in best], PLATEAU)
        if not stuck:                                       # None, or from the first unit on: nothing to go on from
            break
        good, left = best[:stuck], best[stuck:]
        cut = good[-1].end
        rest = samples[round((cut - start) * SAMPLE_RATE) :]
        if len(rest) < LEAST_SECONDS * SAMPLE_RATE:
            break
        cancel.check()
        again = [Heard(entry.start + cut, entry.end + cut, entry.is_measured) for entry in _pass(parts, rest, units[-len(left) :])]
        if _num_stuck(again) >= _num_stuck(left):
            break
        heard, best, samples, start = heard + good, again, rest, cut
    return heard + best


def stamp_classes(parts: Parts, samples: np.ndarray, units: Sequence[Unit]) -> np.ndarray:
    """What the network says at each stamp, start and end of unit after unit: (2 * units,) classes."""
    network, stamp = parts.network, parts.tokenizer.timestamp
    audio: Array = network.encode(log_mel(samples))                              # (audio_tokens, hidden)
    prompt = build_aligner_prompt(parts.tokenizer, len(audio), (unit.text for unit in units))
    embeddings = network.embed(prompt.ids, audio, prompt.audio_start)            # (tokens, hidden)
    stamps = [place for place, token in enumerate(prompt.ids) if token == stamp]
    logits = network.forward(embeddings, network.new_cache((0,), len(prompt.ids)), stamps).logits    # (1, stamps, classes)
    classes, _ = network.greedy(logits)
    return network.read(classes)[0]


def _pass(parts: Parts, samples: np.ndarray, units: Sequence[Unit]) -> list[Heard]:
    if not units:
        return []
    step = parts.config.timestamp_seconds
    assert step is not None, "only an aligner comes here"
    milliseconds = (stamp_classes(parts, samples, units) * (step * 1000)).tolist()
    times, is_measured = repair_stamps(milliseconds)
    return [
        Heard(times[i] / 1000, times[i + 1] / 1000, is_measured[i] and is_measured[i + 1]) for i in range(0, len(times), 2)
    ]


def _num_stuck(heard: Sequence[Heard]) -> int:
    """How many units are in plateaus."""
    count, starts = 0, [entry.start for entry in heard]
    while (at := first_plateau(starts, PLATEAU)) is not None:
        run = next((i for i in range(at, len(starts)) if starts[i] != starts[at]), len(starts)) - at
        count, starts = count + run, starts[at + run :]
    return count
