"""What hearing costs, counted: numbers of operations that hang on no machine, no clock and no engine.

Counts are of frames, rows and positions, so what one network was asked to do can be weighed with the sizes of another.
"""

from dataclasses import dataclass

from ossicle.model.config import DecoderConfig, EncoderConfig, ModelConfig

CONVOLUTIONS = 3
KERNEL = 9                       # 3 by 3


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


def multiply_accumulates(work: Work, config: ModelConfig) -> float:
    """How many multiplications with addition the work takes on a network of these sizes."""
    encoder, decoder = config.encoder, config.decoder
    return (work.seconds_convolved * _of_second(encoder) + work.rows_attended * _of_row(encoder)
            + work.row_pairs * 2 * encoder.num_layers * encoder.hidden
            + work.positions * _of_position(decoder) + work.position_pairs * 2 * decoder.num_layers * decoder.num_heads * decoder.head_dim
            + work.logits * decoder.hidden * decoder.vocab)


def _of_second(config: EncoderConfig) -> float:
    """One chunk of frames through the convolutions and the product behind them."""
    total, bins, columns, channels = 0.0, config.mel_bins, config.chunk_frames, 1
    for _ in range(CONVOLUTIONS):
        bins, columns = -(-bins // 2), -(-columns // 2)
        total += config.conv_channels * bins * columns * KERNEL * channels
        channels = config.conv_channels
    return total + columns * bins * channels * config.hidden


def _of_row(config: EncoderConfig) -> float:
    """One row through all layers, attention left out, and to the decoder's width."""
    layer = 4 * config.hidden**2 + 2 * config.hidden * config.ffn
    return config.num_layers * layer + config.hidden**2 + config.hidden * config.output


def _of_position(config: DecoderConfig) -> float:
    """One position through all layers, attention and head left out."""
    attention = config.hidden * config.head_dim * (2 * config.num_heads + 2 * config.num_kv_heads)
    return config.num_layers * (attention + 3 * config.hidden * config.ffn)
