"""Sound to a session, on a thread of its own: blocks in, nothing out but how loud they are. Knows nothing of where they come from."""

import math
import threading
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator

import numpy as np

from ossicle.errors import StreamError
from ossicle.stream.session import Session
from ossicle.surfaces.microphone import Microphone

Blocks = Iterable[tuple[np.ndarray, int]]       # (n,) or (n, channels) float32, and Hz

AHEAD_SECONDS = 30.0                # of sound that may wait in the session, where the source can wait itself


class Feeder:
    """Feeds until the blocks end or `stop` is called, then closes the session: what was fed is heard to its end."""

    def __init__(self, session: Session, blocks: Blocks, ahead_seconds: float | None = AHEAD_SECONDS,
                 stop_source: Callable[[], None] | None = None) -> None:
        """
        ahead_seconds   of sound that may wait in the session before the next block is taken; None never waits: a microphone cannot
        stop_source     makes the blocks end soon; without it, the block that is waited for is given up
        """
        self.began: float | None = None                 # on time.monotonic: when the first block was there
        self.error: Exception | None = None             # that ended the blocks
        self._session, self._blocks, self._ahead = session, blocks, ahead_seconds
        self._stop_source, self._stopped = stop_source, threading.Event()
        self._power = 0.0                               # the highest since somebody asked
        self._thread = threading.Thread(target=self._run, name="ossicle-feeder", daemon=True)

    def start(self) -> None:
        """Begin to feed."""
        self._thread.start()

    def stop(self) -> None:
        """Take no more sound. May be called twice."""
        self._stopped.set()
        if self._stop_source is not None:
            self._stop_source()
        else:
            self._session.close()

    @property
    def is_stopped(self) -> bool:
        """Whether `stop` was called."""
        return self._stopped.is_set()

    def level_dbfs(self) -> float:
        """How loud the loudest block was since this was last asked; -inf for silence, and where there was none."""
        power, self._power = self._power, 0.0
        return 10 * math.log10(power) if power > 0 else -math.inf

    def _run(self) -> None:
        try:
            for samples, rate in self._blocks:
                if self.began is None:
                    self.began = time.monotonic()
                if samples.size:
                    self._power = max(self._power, float(np.square(samples, dtype=np.float32).mean()))
                while self._ahead is not None and not self._session.wait(self._ahead, timeout=0.2) and not self._gives_up:
                    pass
                if self._gives_up:
                    return
                self._session.feed(samples, rate)
        except StreamError:                             # the session ended before the sound: its own events say why
            pass
        except Exception as error:
            self.error = error
        finally:
            self._session.close()

    @property
    def _gives_up(self) -> bool:
        return self._stopped.is_set() and self._stop_source is None


def at_pace(blocks: Blocks, pace: float, clock: Callable[[], float] = time.monotonic, sleep: Callable[[float], None] = time.sleep,
            ) -> Iterator[tuple[np.ndarray, int]]:
    """The same blocks, each when its last sample would have been spoken; `pace` 2 speaks twice as fast."""
    began, seconds = clock(), 0.0
    for samples, rate in blocks:
        seconds += len(samples) / rate
        left = began + seconds / pace - clock()
        if left > 0:
            sleep(left)
        yield samples, rate


def microphone_blocks(microphone: Microphone, warnings: deque[str]) -> Iterator[tuple[np.ndarray, int]]:
    """What a microphone records; `warnings` gets to know what it lost."""
    to_tell, is_mute_told = 1, False
    for block in microphone.blocks():
        if microphone.num_overruns >= to_tell:
            to_tell = 2 * microphone.num_overruns
            warnings.append(f"the driver lost sound of {microphone.device.name}, {microphone.num_overruns} time"
                            f"{'s' * (microphone.num_overruns != 1)} so far: the machine is too busy")
        if microphone.is_mute and not is_mute_told:
            is_mute_told = True
            warnings.append(f"nothing but zeros comes from {microphone.device.name}: is it muted, and may this program use the microphone?")
        yield block, microphone.rate
