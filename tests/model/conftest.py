"""The engines under test, and the tiny random checkpoints that they load."""

import importlib.util
from collections.abc import Callable
from functools import cache, partial
from pathlib import Path

import pytest

from ossicle.model.checkpoint import open_checkpoint
from ossicle.model.cpu.load import load_with
from ossicle.model.cpu.native import load_library
from ossicle.model.network import Network
from ossicle.options import EngineOptions
from tests import goldens
from tests.model.sources import SOURCES

FLOAT32 = EngineOptions(dtype="float32", bits=None)
HAS_KERNELS = load_library() is not None
ENGINES = ["cpu", *(["mlx"] if importlib.util.find_spec("mlx") else [])]
FORMS = [*ENGINES, *(["numpy"] if HAS_KERNELS else [])]         # engine cpu is NumPy by itself where no library is built


def load(engine: str, folder: Path, options: EngineOptions = FLOAT32) -> Network:
    """Load a checkpoint folder on an engine; "numpy" is engine cpu where no library loads."""
    if engine == "numpy":
        return load_with(None, open_checkpoint(folder), options)
    module = importlib.import_module(f"ossicle.model.{engine}.load")
    return module.load_network(open_checkpoint(folder), options)


@pytest.fixture(scope="session", params=FORMS)
def engine(request: pytest.FixtureRequest) -> str:
    return request.param


@pytest.fixture(scope="session")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str, str], Path]:
    """Folder of a tiny checkpoint: (name of the golden source, "asr" or "aligner")."""

    @cache
    def build(source_name: str, kind: str) -> Path:
        source = next(source for source in SOURCES if source.name == source_name)
        path = tmp_path_factory.mktemp(f"{source_name}_{kind}")
        return source.build(path) if kind == "asr" else source.build_aligner(path)

    return build


@pytest.fixture(scope="session")
def loaded(folder: Callable[[str, str], Path]) -> Callable[[str, str, str], Network]:
    """Float32 network of a golden source, loaded once: (engine, name, "asr" or "aligner")."""
    return cache(lambda engine, source_name, kind: load(engine, folder(source_name, kind)))


# Not of the session: those would be kept when a folder names an engine of its own.
@pytest.fixture
def networks(engine: str, loaded: Callable[[str, str, str], Network]) -> Callable[[str, str], Network]:
    """Float32 network of a golden source: (name, "asr" or "aligner")."""
    return partial(loaded, engine)


@pytest.fixture
def network(networks: Callable[[str, str], Network]) -> Network:
    """The tiny recogniser in float32."""
    return networks("committed", "asr")


@pytest.fixture(scope="session")
def asr_folder(folder: Callable[[str, str], Path]) -> Path:
    return folder("committed", "asr")


@pytest.fixture(scope="session")
def bfloat16_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return goldens.build_asr(tmp_path_factory.mktemp("bfloat16"), dtype="bfloat16")
