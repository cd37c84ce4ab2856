"""The sound of a window to audio embeddings, each part computed once while it stays true: samples in, rows out.

    raw frames, final ones kept -> rows of finished seconds, kept -> finished windows of 8 s, kept -> the rest, computed anew

What is kept hangs on the loudest value of the sound that is heard, as the mel's floor does; where that changes, rows and windows
are computed again. Knows nothing of prompts or text. Runs on the engine's thread.
"""

import time
from dataclasses import dataclass

import numpy as np

from ossicle.audio.mel import PUBLISHED, Mel, MelStream, clamp
from ossicle.audio.pcm import Samples
from ossicle.model.network import Array, Network
from ossicle.pipeline.recognize import StageClock
from ossicle.stream.work import Work

EDGE_FRAMES = 4                      # enough sound around one edge that the mirrored other one is not seen
FRONT_FRAMES = 2                     # that see the sound's beginning mirrored


@dataclass(frozen=True)
class Heard:
    """The audio embeddings of one hearing."""

    windows: list[Array]             # finished ones, each (window rows, hidden)
    rest: Array | None               # what is behind them (audio_tokens, hidden); None where nothing is
    version: int                     # goes up when windows that were handed out before are no longer true

    @property
    def num_rows(self) -> int:
        return sum(map(len, self.windows)) + (0 if self.rest is None else len(self.rest))


class EncodedSound:
    """What the encoder makes of a sound that grows at its end and is let go in whole windows at its front."""

    def __init__(self, network: Network) -> None:
        self._network = network
        config = network.config.encoder
        self._second, self._window = config.chunk_frames, config.window_frames      # in frames
        self._stream = MelStream()
        self._raw = np.zeros((config.mel_bins, 0), np.float32)       # final frames, with room behind them
        self._peaks = np.zeros(0, np.float32)                        # the loudest value of each
        self._num_final = 0
        self._num_pushed = 0                                         # samples
        self._maximum: float | None = None                           # that all rows and windows hang on
        self._rows: list[Array] = []                                 # of finished seconds, also where their window is: sound may be heard
                                                                     # that ends earlier
        self._windows: list[Array] = []
        self._version = 0

    @property
    def window_samples(self) -> int:
        """How much sound a window is made of."""
        return self._window * PUBLISHED.hop

    @property
    def num_samples(self) -> int:
        """How many were taken so far, those let go not counted."""
        return self._num_pushed

    def hear(self, samples: Samples, clock: StageClock, work: Work) -> Heard:
        """Embed a sound as if it ended here; the same as `encode(log_mel(samples))`.

        samples  (n,) float32 from the front of the window, at least one frame; what was pushed before must be the same as then
        """
        started = time.perf_counter()
        self._push(samples)
        last, peaks = self._ending(samples)
        num_frames = len(samples) // PUBLISHED.hop
        maximum = float(max(self._peaks[: num_frames - last.shape[1]].max(initial=-np.inf), peaks))
        if maximum != self._maximum:
            self._forget(maximum)
        clock.mel += time.perf_counter() - started

        started = time.perf_counter()
        self._finish(len(samples), work)
        rest = self._rest(last, num_frames, len(samples), work)
        heard = Heard(list(self._windows[: self._num_done(len(samples), self._window)]), rest, self._version)
        for rows in (*heard.windows[-1:], *([] if rest is None else [rest])):
            self._network.read(rows[-1])                             # waits, so that the stage is timed honestly
        clock.encode += time.perf_counter() - started
        return heard

    def drop_window(self, samples: Samples) -> None:
        """Let the oldest window go.

        samples  what remains; its beginning is mirrored now, so the window that becomes the first one has to be made again
        """
        assert self._num_final >= self._window, "a window is let go that was not heard"
        self._raw, self._peaks = self._raw[:, self._window :].copy(), self._peaks[self._window :].copy()
        self._num_final -= self._window
        self._num_pushed -= self.window_samples
        front = MelStream().push(samples[: EDGE_FRAMES * PUBLISHED.hop + PUBLISHED.reflected])[:, :FRONT_FRAMES]
        count = min(self._num_final, front.shape[1])
        self._raw[:, :count], self._peaks[:count] = front[:, :count], front.max(axis=0)[:count]
        self._forget(None)                                           # all move in the prompt; its own rows hang on the new maximum

    def _push(self, samples: Samples) -> None:
        """Turn samples not seen before into raw frames."""
        new = self._stream.push(samples[self._num_pushed :])
        self._num_pushed = max(self._num_pushed, len(samples))
        end = self._num_final + new.shape[1]
        if end > self._raw.shape[1]:
            room = max(end, 2 * self._raw.shape[1], self._window) - self._raw.shape[1]
            self._raw, self._peaks = np.pad(self._raw, [(0, 0), (0, room)]), np.pad(self._peaks, (0, room))
        self._raw[:, self._num_final : end], self._peaks[self._num_final : end] = new, new.max(axis=0, initial=-np.inf)
        self._num_final = end

    def _ending(self, samples: Samples) -> tuple[Mel, float]:
        """The frames (mel_bins, 0 or 1) that see the sound mirrored at its end, and their loudest value."""
        num_frames = len(samples) // PUBLISHED.hop
        if self._is_final(num_frames, len(samples)):
            return np.zeros((len(self._raw), 0), np.float32), -np.inf
        stream = MelStream()
        edge = samples[max(0, num_frames - EDGE_FRAMES) * PUBLISHED.hop :]
        last = np.concatenate([stream.push(edge), stream.finish()], axis=1)[:, -1:]
        return last, float(last.max())

    @staticmethod
    def _is_final(num_frames: int, num_samples: int) -> bool:
        """Whether no later sound can change so many frames."""
        return (num_frames - 1) * PUBLISHED.hop + PUBLISHED.reflected <= num_samples

    def _num_done(self, num_samples: int, frames: int) -> int:
        """How many stretches of so many frames are final."""
        count = num_samples // PUBLISHED.hop // frames
        return count if self._is_final(count * frames, num_samples) else count - 1

    def _forget(self, maximum: float | None) -> None:
        self._maximum = maximum
        self._rows.clear()
        self._windows.clear()
        self._version += 1

    def _finish(self, num_samples: int, work: Work) -> None:
        """Convolve seconds and attend windows that became final."""
        network, done = self._network, self._num_done(num_samples, self._second)
        if done > len(self._rows):
            start = len(self._rows)
            rows = network.stem(self._clamped(self._raw[:, start * self._second : done * self._second]))
            work.convolve((done - start) * self._second, self._second)
            size = len(rows) // (done - start)
            self._rows += [rows[place * size : (place + 1) * size] for place in range(done - start)]
        per_window = self._window // self._second
        for place in range(len(self._windows), self._num_done(num_samples, self._window)):
            rows = network.concatenate(self._rows[place * per_window : (place + 1) * per_window])
            self._windows.append(network.attend(rows))
            network.start(self._windows[-1])
            work.attend(len(rows), len(rows))

    def _rest(self, last: Mel, num_frames: int, num_samples: int, work: Work) -> Array | None:
        """What stands behind the finished windows: finished seconds, and what is not final, convolved for this hearing alone."""
        windows, seconds = self._num_done(num_samples, self._window), self._num_done(num_samples, self._second)
        parts = self._rows[windows * self._window // self._second : seconds]
        done = seconds * self._second
        if num_frames > done:
            frames = np.concatenate([self._raw[:, done : num_frames - last.shape[1]], last], axis=1)
            # Filled up to a whole second exactly when a full one stands before it: as the official code does for the whole sound.
            pad = num_frames >= self._second
            parts.append(self._network.stem(self._clamped(frames), pad))
            work.convolve(-(-frames.shape[1] // self._second) * self._second if pad else frames.shape[1], self._second)
        if not parts:
            return None
        rows = self._network.concatenate(parts) if len(parts) > 1 else parts[0]
        work.attend(len(rows), max(1, len(rows)))
        return self._network.attend(rows)

    def _clamped(self, raw: Mel) -> Mel:
        assert self._maximum is not None
        return clamp(raw.copy(), self._maximum)
