"""A loaded checkpoint and the one thread that works with it.

An engine's arrays belong to the thread that made them, so loading and all later work happen on one worker thread;
callers on any thread hand it jobs, which take turns in the order they came.
"""

import platform
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cached_property, partial
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import ParamSpec, TypeVar

from ossicle._version import __version__
from ossicle.errors import ModelError, StreamError
from ossicle.model.checkpoint import Checkpoint, open_checkpoint
from ossicle.model.config import ModelConfig
from ossicle.model.engines import leave_thread, load_network
from ossicle.model.network import Network
from ossicle.model.store import resolve_model
from ossicle.options import EngineOptions, SourceOptions
from ossicle.pipeline.languages import Headers, read_headers
from ossicle.pipeline.system_turn import SystemTurns
from ossicle.pipeline.worker import Worker
from ossicle.results import ModelFacts
from ossicle.text.tokenizer import Tokenizer

P = ParamSpec("P")
R = TypeVar("R")

CLOSED = "this recogniser was closed; load the model again"


@dataclass(frozen=True)
class Parts:
    """What a job needs of a loaded checkpoint; only the worker thread touches `network`."""

    network: Network
    tokenizer: Tokenizer
    config: ModelConfig
    eos_ids: frozenset[int]
    turns: SystemTurns = field(default_factory=SystemTurns)

    @cached_property
    def headers(self) -> Headers:
        """How a reply may begin."""
        return read_headers(self.tokenizer, self.config.support_languages)


class Engine:
    """Owns the parts and the thread. Everything here is safe from any thread."""

    def __init__(self, parts: Parts, facts: ModelFacts, worker: Worker) -> None:
        self.parts = parts
        self.facts = facts
        self._worker = worker
        self._lock = threading.Lock()
        self._num_users, self._is_closing = 0, False

    @property
    def config(self) -> ModelConfig:
        return self.parts.config

    @property
    def tokenizer(self) -> Tokenizer:
        return self.parts.tokenizer

    @contextmanager
    def in_use(self) -> Iterator[None]:
        """Hold the engine open for one recording, however many jobs that takes. Raises ModelError when it was closed."""
        with self._lock:
            if self._is_closing:
                raise ModelError(CLOSED)
            self._num_users += 1
        try:
            yield
        finally:
            with self._lock:
                self._num_users -= 1
                is_last = self._is_closing and self._num_users == 0
            if is_last:
                self._worker.close()

    def run(self, job: Callable[P, R], *args: P.args, **kwargs: P.kwargs) -> R:
        """Do `job` on the worker thread and wait for what it gives or raises."""
        try:
            future = self._worker.submit(partial(job, *args, **kwargs))
        except StreamError as error:
            raise ModelError(CLOSED) from error
        return future.result()

    def close(self) -> None:
        """Take no new recording. The thread ends now, or with the last recording in hand."""
        with self._lock:
            self._is_closing = True
            is_idle = self._num_users == 0
        if is_idle:
            self._worker.close()


def load_engine(model: str | Path, options: EngineOptions, source: SourceOptions) -> Engine:
    """Find a checkpoint, load it on its own thread, and be ready for work.

    model   a folder, a hub id, or a short name: 0.6b, 1.7b, aligner, tiny
    Raises ModelError when it cannot be found or is no Qwen3-ASR checkpoint, MissingExtra when the engine named is not installed.
    """
    folder = resolve_model(str(model), source)
    checkpoint = open_checkpoint(folder)
    worker = Worker("ossicle-engine", leave_thread)
    loading = worker.submit(partial(load_network, checkpoint, options))
    try:
        tokenizer = Tokenizer.from_folder(folder)               # half a second of its own, while weights are read
        network = loading.result()
    except BaseException:
        worker.close()
        raise
    parts = Parts(network, tokenizer, checkpoint.config, frozenset(checkpoint.eos_ids))
    return Engine(parts, _facts(str(model), checkpoint, network), worker)


def _facts(name: str, checkpoint: Checkpoint, network: Network) -> ModelFacts:
    return ModelFacts(
        name=name,
        path=str(checkpoint.folder),
        engine=network.engine,
        device=network.device,
        dtype=network.dtype,
        weights=network.weights,
        parameters=checkpoint.num_parameters,
        versions={"ossicle": __version__, "python": platform.python_version()} | _versions("mlx", "numpy", "tokenizers", "av", "soxr"),
        num_bytes=network.num_bytes,
        step_bytes=network.step_bytes,
    )


def _versions(*packages: str) -> dict[str, str]:
    found = {}
    for package in packages:
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            continue
    return found
