"""The networks of these tests run on the CPU engine."""

import pytest


@pytest.fixture(scope="session")
def engine() -> str:
    return "cpu"
