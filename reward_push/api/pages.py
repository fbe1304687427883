"""Lists of which not everything is for who asks."""

from collections.abc import Awaitable, Callable, Sequence
from typing import TypeVar

from .limits import MAX_PAGES

Item = TypeVar("Item")
Cursor = TypeVar("Cursor")


async def read_page(
    read: Callable[[Cursor | None], Awaitable[tuple[Sequence[Item], Cursor | None]]],
    cursor: Cursor | None,
    is_visible: Callable[[Item], bool] | None,
) -> tuple[Sequence[Item], Cursor | None]:
    """Return the items after ``cursor`` that ``is_visible``, and where the list goes on; ``None``: all are.

    ``read(cursor)`` reads a page of the store. While nothing of it is visible the next one is read, up to
    :data:`.limits.MAX_PAGES`: so a page may be empty though more follows. Raises what ``read`` does.
    """
    for _ in range(MAX_PAGES):
        items, cursor = await read(cursor)
        if is_visible is not None:
            items = list(filter(is_visible, items))
        if is_visible is None or items or cursor is None:
            break
    return items, cursor
