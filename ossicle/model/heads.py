"""A checkpoint to the attention heads that point at the sound a token was written for. Knows nothing of time.

A checkpoint may name its own in generation_config.json, as Whisper's do; for the published sizes a table was measured by
others (alignment_heads.json says by whom, and how). The two differ in where a head is asked.
"""

import json
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Any

from ossicle.model.checkpoint import Checkpoint

MOST_HEADS = 12                      # of the table, best first: their mean is steadier than the best alone, and more are worse heads


@dataclass(frozen=True)
class AlignmentHeads:
    """Which heads to ask, and where."""

    heads: tuple[tuple[int, int], ...]      # (layer, query head)
    is_predicting: bool                     # asked at the position that predicts a token; False: where the token itself is fed


def alignment_heads(checkpoint: Checkpoint) -> AlignmentHeads | None:
    """The heads of a checkpoint; None where nobody knows them."""
    if checkpoint.config.is_aligner:
        return None
    if checkpoint.alignment_heads:
        return AlignmentHeads(checkpoint.alignment_heads, is_predicting=True)
    decoder = checkpoint.config.decoder
    for model in _table():
        if (decoder.num_layers, decoder.num_heads, decoder.hidden) == (model["layers"], model["heads"], model["hidden"]):
            best = model["alignment_heads"][:MOST_HEADS]
            return AlignmentHeads(tuple((layer, head) for layer, head, _ in best), is_predicting=False)
    return None


@cache
def _table() -> list[dict[str, Any]]:
    return json.loads((files("ossicle") / "model" / "alignment_heads.json").read_text("utf-8"))["models"]
