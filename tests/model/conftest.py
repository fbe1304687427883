"""What holds for all random histories."""

import gc
from collections.abc import Iterator

import pytest

from reward_push.admission import replay


@pytest.fixture(autouse=True, scope="module")
def _nothing_of_others() -> None:
    """Failures that tests before have left to nobody are logged now, and not in the middle of a history."""
    gc.collect()


@pytest.fixture(autouse=True, scope="module")
def _short_pages() -> Iterator[None]:
    """So that a few messages already make several pages."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(replay, "FIRST_PAGE", 2)
        patch.setattr(replay, "PAGE", 2)
        yield
