"""What every room's tests share."""
import os
from pathlib import Path

import pytest

SHARED = Path(os.environ.get("OSSICLE_SHARED", Path(__file__).resolve().parents[2] / "shared"))

@pytest.fixture(scope="session")
def shared() -> Path:
    """The folder of specifications and goldens beside the checkout; tests that need it skip where it is absent."""
    if not SHARED.is_dir():
        pytest.skip("no shared folder beside this checkout")
    return SHARED
