"""A talk between two voices, made of held-out clips of the bundled model: who says which word is known."""

import json
from dataclasses import dataclass
from itertools import accumulate, pairwise
from pathlib import Path

import numpy as np

from ossicle.audio.load import read_samples
from ossicle.results import Turn

RATE = 16_000
HELDOUT = Path(__file__).parent / "data" / "tiny_heldout"
# A woman from New York and a man from the West Indies, by turns. The model hears "Anna" for "Ann"; all else as it is said.
CLIPS = (("en_00.opus", "Ann"), ("en_09.opus", "Bo"), ("en_03.opus", "Ann"), ("en_12.opus", "Bo"),
         ("en_06.opus", "Ann"), ("en_14.opus", "Bo"), ("en_05.opus", "Ann"), ("en_10.opus", "Bo"))


@dataclass(frozen=True)
class Talk:
    """What is said when and by whom."""

    channels: np.ndarray                # (samples, 2) float32 at 16 kHz: Ann on the left, Bo on the right
    turns: tuple[Turn, ...]
    speakers: tuple[str, ...]           # of each word, in order

    @property
    def mono(self) -> np.ndarray:
        return self.channels.sum(axis=1)

    def rttm(self, name: str = "talk") -> str:
        return "".join(f"SPEAKER {name} 1 {turn.start:.3f} {turn.end - turn.start:.3f} <NA> <NA> {turn.speaker} <NA> <NA>\n"
                       for turn in self.turns)


def two_voices(pause_seconds: float = 0.3, before_seconds: float = 0.0) -> Talk:
    """The clips one after the other with pauses between, and silence before them."""
    words = {clip["file"]: clip["words"] for clip in json.loads((HELDOUT / "transcripts.json").read_text("utf-8"))}
    clips = [read_samples(HELDOUT / name) for name, _ in CLIPS]
    edges = list(accumulate((len(clip) + round(pause_seconds * RATE) for clip in clips), initial=round(before_seconds * RATE)))
    channels = np.zeros((edges[-1], 2), np.float32)
    turns = []
    for clip, (_, speaker), (start, _) in zip(clips, CLIPS, pairwise(edges), strict=True):
        channels[start : start + len(clip), int(speaker == "Bo")] = clip
        turns.append(Turn(start / RATE, (start + len(clip)) / RATE, speaker))
    return Talk(channels, tuple(turns), tuple(speaker for name, speaker in CLIPS for _ in words[name]))
