"""The model of a bridge: named at its start, loaded when somebody first needs it, by whichever thread that is."""

import threading
import time
from collections.abc import Callable
from typing import Any

from ossicle.errors import ModelError, OptionError
from ossicle.recognizer import Recognizer


class Loading:
    """Finds and loads one model, once; a failure is raised, and the next who needs it tries again."""

    def __init__(self, name: str, find: Callable[[], None], load: Callable[[], Recognizer]) -> None:
        """find   has the model on this machine, downloaded if need be
        load   gives it ready for work"""
        self.name = name
        self.profile: dict[str, Any] = {}       # what loading took and what came of it; empty until then
        self._find, self._load = find, load
        self._lock = threading.Lock()
        self._found: Recognizer | None = None

    @property
    def is_loaded(self) -> bool:
        return self._found is not None

    def get(self) -> tuple[Recognizer, float]:
        """The model, and how many seconds this call took to load it: 0.0 where it was there."""
        with self._lock:
            if self._found is not None:
                return self._found, 0.0
            began = time.perf_counter()
            try:
                self._find()
            except OptionError as error:                # of the command line; no request can mend it
                raise ModelError(str(error)) from error
            found = time.perf_counter()
            recognizer = self._load()
            if recognizer.is_aligner:
                recognizer.close()
                raise ModelError(f"expected a recogniser, but {self.name} is a forced aligner: it hears no words; name one such as 0.6b")
            self._found = recognizer
            ended = time.perf_counter()
            facts = self._found.facts
            self.profile = {
                "resolve_seconds": round(found - began, 4), "load_seconds": round(ended - found, 4),
                "total_seconds": round(ended - began, 4), "engine": facts.engine, "device": facts.device, "dtype": facts.dtype,
                "weights": facts.weights, "parameters": facts.parameters, "weight_bytes": facts.num_bytes,
            }
            return self._found, ended - began

    def close(self) -> None:
        """Give the model back; closing twice changes nothing."""
        with self._lock:
            if self._found is not None:
                self._found.close()
