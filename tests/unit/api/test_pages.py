"""Lists of which not everything is for who asks."""

from collections.abc import Callable, Sequence

import pytest
from twisted.internet.defer import Deferred

from reward_push.api.limits import MAX_PAGES
from reward_push.api.pages import read_page


class Book:
    """Pages of numbers, each of which goes on with the next."""

    def __init__(self, *pages: Sequence[int]) -> None:
        self.pages = pages
        self.read: list[int] = []

    async def _page(self, cursor: int | None) -> tuple[Sequence[int], int | None]:
        at = cursor or 0
        self.read.append(at)
        return self.pages[at], at + 1 if at + 1 < len(self.pages) else None

    def ask(
        self, cursor: int | None, is_visible: Callable[[int], bool] | None
    ) -> tuple[list[int], int | None]:
        done: list[tuple[Sequence[int], int | None]] = []
        Deferred.fromCoroutine(read_page(self._page, cursor, is_visible)).addCallback(done.append)
        [(items, following)] = done
        return list(items), following


def is_even(number: int) -> bool:
    return number % 2 == 0


@pytest.mark.parametrize(
    ("cursor", "items", "following", "read"),
    [
        (None, [2], 1, [0]),
        (1, [4, 6], 4, [1, 2, 3]),
        (4, [], None, [4]),
    ],
)
def test_pages_without_anything_visible_are_passed_over(
    cursor: int | None, items: list[int], following: int | None, read: list[int]
) -> None:
    book = Book([1, 2], [3], [], [4, 5, 6], [7])
    assert book.ask(cursor, is_even) == (items, following)
    assert book.read == read


def test_not_without_end() -> None:
    """Who asks goes on by the cursor."""
    book = Book(*[[1]] * (MAX_PAGES + 1), [2])
    assert book.ask(None, is_even) == ([], MAX_PAGES)
    assert book.ask(MAX_PAGES, is_even) == ([2], None)


def test_who_sees_everything_gets_the_page_as_it_is() -> None:
    book = Book([], [1])
    assert book.ask(None, None) == ([], 1)
    assert book.read == [0]
