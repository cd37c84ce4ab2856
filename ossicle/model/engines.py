"""Choosing the engine: the one place that knows there is more than one.

Knows nothing of how an engine works; it imports the chosen one when it is asked for, so that none costs anything
until then.
"""

import sys
from importlib.util import find_spec

from ossicle.errors import MissingExtra, OptionError
from ossicle.model.checkpoint import Checkpoint
from ossicle.model.network import Network
from ossicle.options import EngineOptions

INSTALL_MLX = 'pip install "ossicle[mlx]"; on Linux with an NVIDIA GPU "ossicle[cuda12]" or "ossicle[cuda13]"'


def load_network(checkpoint: Checkpoint, options: EngineOptions) -> Network:
    """Load a checkpoint on the engine that `options` name, or on the best one that is here.

    Raises MissingExtra when the engine is not installed. Call it on the thread that will do the work.
    """
    if options.engine == "cpu":
        raise OptionError("engine cpu is not part of this version; use --engine mlx, which also runs without a GPU")
    if find_spec("mlx") is None:
        raise MissingExtra(f"no engine is installed: ossicle needs MLX; {INSTALL_MLX}")
    try:
        from ossicle.model.mlx.load import load_network as load_mlx
    except ImportError as error:
        raise MissingExtra(f"MLX is installed but does not load ({error}); {INSTALL_MLX}. "
                           "Its Linux wheel needs glibc 2.35 or newer") from error
    return load_mlx(checkpoint, options)


def leave_thread() -> None:
    """Put away what engines tied to this thread. Must be the last thing on a thread that called `load_network`."""
    if "ossicle.model.mlx.load" in sys.modules:
        from ossicle.model.mlx.network import leave_thread as leave_mlx

        leave_mlx()
