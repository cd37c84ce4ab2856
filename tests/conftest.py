"""What every room's tests share: where the shared material lies."""

import os
from pathlib import Path

import pytest

SHARED = Path(os.environ.get("OSSICLE_SHARED", Path(__file__).resolve().parents[2] / "shared"))


@pytest.fixture(scope="session")
def shared() -> Path:
    """The folder of goldens and recordings; tests that need it are skipped where it is not."""
    if not SHARED.is_dir():
        pytest.skip(f"no shared material at {SHARED}; set OSSICLE_SHARED")
    return SHARED
