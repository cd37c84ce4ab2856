"""What hearing costs, counted: numbers of operations that hang on no machine, no clock and no engine.

Counts are of frames, rows and positions, so what one network was asked to do can be weighed with the sizes of another.
"""

from dataclasses import dataclass


@dataclass
class Work:
    """What the network was asked to do. Adds up over hearings; take a copy before one to see what it cost."""

    seconds_convolved: float = 0.0   # what fills up a partial second included
    rows_attended: int = 0           # of the encoder
    row_pairs: int = 0               # rows times the rows of the window that each attends to
    positions: int = 0               # fed to the decoder: prompts, drafts and steps
    position_pairs: int = 0          # positions times the positions that each attends to
    logits: int = 0                  # positions whose logits were asked for
    steps: int = 0                   # passes of one position
    drafted: int = 0                 # ids that were offered
    accepted: int = 0                # of them

    def convolve(self, frames: int, chunk_frames: int) -> None:
        """Count frames as they are convolved, chunks filled up."""
        self.seconds_convolved += frames / chunk_frames

    def attend(self, rows: int, window_rows: int) -> None:
        """Count rows that go through the encoder's layers, window by window."""
        self.rows_attended += rows
        self.row_pairs += rows // window_rows * window_rows**2 + (rows % window_rows) ** 2

    def feed(self, positions: int, held: int, logits: int) -> None:
        """Count positions fed behind so many that the cache holds."""
        self.positions += positions
        self.position_pairs += positions * held + positions * (positions + 1) // 2
        self.logits += logits
