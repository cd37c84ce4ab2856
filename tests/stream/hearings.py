"""Windows over real small networks: sound in, one hypothesis for each place at which it is heard out."""

from collections.abc import Callable, Sequence
from importlib.resources import files
from pathlib import Path

import numpy as np

from ossicle.model.checkpoint import open_checkpoint
from ossicle.model.heads import alignment_heads
from ossicle.pipeline.engine import Parts
from ossicle.pipeline.recognize import StageClock
from ossicle.stream.hypothesis import Hypothesis, live_words
from ossicle.stream.window import Ask, Window, WindowOptions, hear
from ossicle.text.tokenizer import Tokenizer
from tests.model.conftest import load

TINY = Path(str(files("ossicle") / "models" / "tiny"))
PLAIN = {"caches": False, "drafts": False}
RATE = 16_000


def parts_on(engine: str, folder: Path = TINY) -> Parts:
    """The parts of a checkpoint in float32; engine "numpy" is the slow form of "cpu"."""
    checkpoint = open_checkpoint(folder)
    return Parts(load(engine, folder), Tokenizer.from_folder(folder), checkpoint.config, frozenset(checkpoint.eos_ids),
                 alignment_heads(checkpoint))


def window_over(parts: Parts, samples: np.ndarray, origin: int = 0, **options) -> Window:
    """A window with this sound."""
    window = Window(parts, origin, WindowOptions(**options))
    window.add(samples)
    return window


def hear_one(window: Window, end: int | None = None, max_tokens: int = 200, clock: StageClock | None = None) -> Hypothesis:
    """One hearing, which must not fail."""
    found, = hear(window.parts, [Ask(window, window.end if end is None else end, max_tokens)], clock or StageClock())
    if isinstance(found, Exception):
        raise found
    return found


def hear_steps(
    parts: Parts, samples: np.ndarray, ends: Sequence[int], on_each: Callable[[Window, Hypothesis], object] = lambda window, found: None,
    max_tokens: int = 200, **options,
) -> list[Hypothesis]:
    """Hear a window at each of these places, which may lie before the last one; `on_each` may commit."""
    window, found, added = Window(parts, 0, WindowOptions(**options)), [], 0
    for end in ends:
        window.add(samples[added:end])
        added = max(added, end)
        found.append(hear_one(window, end, max_tokens))
        on_each(window, found[-1])
    return found


def commit_all_but(num_words: int) -> Callable[[Window, Hypothesis], None]:
    """A policy: all words stay but the last ones."""
    def commit(window: Window, found: Hypothesis) -> None:
        words = live_words(found, window.parts.tokenizer)[: -num_words or None]
        counts = [word.num_ids for word in words if word.num_ids is not None]
        if counts:
            window.commit(counts[-1])

    return commit


def assert_same(fast: Sequence[Hypothesis], slow: Sequence[Hypothesis]) -> None:
    """Equal but for how much work it was, and for float32 summed in another order."""
    for one, other in zip(fast, slow, strict=True):
        assert (one.ids, one.language, one.stopped_by) == (other.ids, other.language, other.stopped_by)
        assert (one.num_committed, one.start, one.end) == (other.num_committed, other.start, other.end)
        np.testing.assert_allclose(one.logprobs, other.logprobs, rtol=0, atol=2e-3)
        assert one.chances.keys() == other.chances.keys()
        np.testing.assert_allclose([one.chances[name] for name in other.chances], list(other.chances.values()), rtol=0, atol=2e-3)
        assert (one.centres is None) == (other.centres is None)
        if one.centres is not None:
            np.testing.assert_allclose(one.centres, other.centres, rtol=0, atol=5e-3)
            assert len(one.attended) == len(other.attended) == len(one.ids)
