"""Logits to the most likely token, but for rows that looped before: what would go on with a repetition is made less likely.

A mild penalty: it touches one id of a row at a time, only from the fourth copy of a pattern on, and grows slowly; what
the sound supports well is still written. Whoever uses it is told how often it changed a choice.
"""

from collections.abc import Callable, Sequence

import numpy as np

from ossicle.decode.batched import Choose
from ossicle.decode.stopping import LoopDetector
from ossicle.model.network import Array, Network

MIN_COPIES = 4                      # "no, no, no" is what people say
MIN_TOKENS = 12                     # and so are four short words
PENALTY = 0.5                       # nats for each copy from the fourth on


def loop_penalty(network: Network, is_penalised: Sequence[bool], on_change: Callable[[int], None]) -> Choose:
    """A `choose` for `decode_rows`: greedy, with the penalty on the sequences that are named.

    is_penalised  for each sequence; the others get exactly what `network.greedy` gives
    on_change     is told which sequence, each time that the penalty changed the choice
    The log-probabilities it gives are the model's own.
    """
    detectors = [LoopDetector() if named else None for named in is_penalised]

    def choose(logits: Array, rows: Sequence[int]) -> tuple[Array, Array]:
        found_ids, found_logprobs = network.greedy(logits)
        ids, logprobs = np.array(network.read(found_ids)), np.array(network.read(found_logprobs))
        for place, row in enumerate(rows):
            detector = detectors[row]
            if detector is None:
                continue
            expected = detector.expected(MIN_COPIES, MIN_TOKENS)
            if expected is not None and expected[0] == ids[place]:
                scores = network.read(logits[place]).astype(np.float64)                 # (vocab,)
                other = _second_choice(scores, expected[0], PENALTY * (expected[1] - MIN_COPIES + 1))
                if other != ids[place]:
                    ids[place], logprobs[place] = other, scores[other] - _log_sum(scores)
                    on_change(row)
            detector.sees(int(ids[place]))
        return ids, logprobs

    return choose


def _second_choice(scores: np.ndarray, token_id: int, penalty: float) -> int:
    lowered = scores.copy()
    lowered[token_id] -= penalty
    return int(lowered.argmax())


def _log_sum(scores: np.ndarray) -> float:
    top = scores.max()
    return float(top + np.log(np.exp(scores - top).sum()))
