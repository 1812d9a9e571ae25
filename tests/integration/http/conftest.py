from collections.abc import AsyncIterator

import pytest

from tests.integration.http.asking import Asking
from tests.integration.http.stage import Stage


@pytest.fixture
def stage() -> Stage:
    return Stage()


@pytest.fixture
async def client(stage: Stage) -> AsyncIterator[Asking]:
    asking = Asking(stage.app)
    async with asking.http:
        yield asking
