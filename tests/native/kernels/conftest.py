"""Every test of the kernels runs once for each instruction set that the library has for this processor."""

import pytest

from ossicle.model.cpu import native
from tests.native.kernels.calls import LIBRARY, MISSING, SETS


@pytest.fixture(scope="module", autouse=True, params=SETS or ["no library"])
def instruction_set(request):
    if LIBRARY is None:
        pytest.skip(MISSING)
    before = native.instruction_set(LIBRARY)
    assert LIBRARY.oss_use(request.param.encode()) == 0
    yield request.param
    LIBRARY.oss_use(before.encode())
