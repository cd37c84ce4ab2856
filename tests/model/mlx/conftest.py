"""Without MLX these tests are left out; with it they run on its default device."""

import importlib.util

import pytest

collect_ignore_glob = [] if importlib.util.find_spec("mlx") else ["test_*.py"]


@pytest.fixture(scope="session")
def engine() -> str:
    return "mlx"
