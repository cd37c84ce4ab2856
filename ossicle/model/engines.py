"""Choosing the engine: the one place that knows there is more than one.

Knows nothing of how an engine works; it imports the chosen one when it is asked for, so that none costs anything
until then.
"""

import sys
from importlib.util import find_spec
from typing import Literal

from ossicle.errors import MissingExtra
from ossicle.model.checkpoint import Checkpoint
from ossicle.model.machine import Machine, machine
from ossicle.model.network import Network
from ossicle.model.threads import resolve_threads
from ossicle.options import EngineOptions

INSTALL_MLX = 'pip install "ossicle[mlx]"; on Linux with an NVIDIA GPU "ossicle[cuda12]" or "ossicle[cuda13]"'


def load_network(checkpoint: Checkpoint, options: EngineOptions) -> Network:
    """Load a checkpoint on the engine that `options` name, or on the best one that is here.

    Raises MissingExtra when the named engine is not installed. Call it on the thread that will do the work.
    """
    engine = choose_engine(checkpoint, options) if options.engine == "auto" else options.engine
    if engine == "cpu":
        from ossicle.model.cpu.load import load_network as load_cpu

        return load_cpu(checkpoint, options)
    if find_spec("mlx") is None:
        raise MissingExtra(f"engine mlx is not installed; {INSTALL_MLX}. Engine cpu needs nothing more")
    try:
        from ossicle.model.mlx.load import load_network as load_mlx
    except ImportError as error:
        raise MissingExtra(f"MLX is installed but does not load ({error}); {INSTALL_MLX}. "
                           "Its Linux wheel needs glibc 2.35 or newer") from error
    return load_mlx(checkpoint, options)


def choose_engine(checkpoint: Checkpoint, options: EngineOptions) -> Literal["mlx", "cpu"]:
    """What "auto" is here: mlx where it has a GPU, or where only MLX can do what is asked; else cpu."""
    if find_spec("mlx") is None:
        return "cpu"
    try:
        import mlx.core as mx
    except ImportError:
        return "cpu"
    from ossicle.model.cpu.choice import refusal

    return "mlx" if mx.is_available(mx.gpu) or refusal(checkpoint, options) else "cpu"


def probe_cpu() -> tuple[bool, str]:
    """Compute one small layer on engine cpu: whether it came out right, and what computed it."""
    import numpy as np

    from ossicle.model.cpu.arithmetic import Arithmetic
    from ossicle.model.cpu.native import load_library
    from ossicle.model.cpu.native_form import NativeForm, plain_matrix
    from ossicle.model.cpu.numpy_form import NumPyForm

    rows, weight, library, threads = np.full((3, 64), 2, np.float32), np.eye(64, dtype=np.float32), load_library(), resolve_threads(None)
    form: Arithmetic = NumPyForm() if library is None else NativeForm(library, threads)
    name = form.name if library else f"{form.name}, float32: the native kernels are not there"
    layer = form.linear([weight if library is None else plain_matrix(weight, "F32")], activation="gelu")
    is_right = bool(np.allclose(layer(rows), 1.9544997))            # 2 times the normal distribution below 2
    return is_right, name


def measure_machine(threads: int | None = None) -> Machine:
    """Which processor and memory this is, and how fast: with the native library where that is here, else with NumPy."""
    from ossicle.model.cpu.native import load_library

    return machine(threads, load_library())


def mlx_memory() -> dict[str, int]:
    """Bytes that MLX holds now, has held at most, and keeps for the next arrays: active, peak, cache. Empty where it is not loaded."""
    if "mlx.core" not in sys.modules:
        return {}
    import mlx.core as mx

    return {"active": mx.get_active_memory(), "peak": mx.get_peak_memory(), "cache": mx.get_cache_memory()}


def leave_thread() -> None:
    """Put away what engines tied to this thread. Must be the last thing on a thread that called `load_network`."""
    if "ossicle.model.mlx.load" in sys.modules:
        from ossicle.model.mlx.network import leave_thread as leave_mlx

        leave_mlx()
