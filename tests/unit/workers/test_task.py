"""How a worker gets its work."""

import os
import threading

import pytest

from reward_push.settings import load
from reward_push.workers.task import LENGTH_BYTES, Task, read_task

SECRET = "a-secret-backend-key"


def task() -> Task:
    options = {"node_id": "n", "redis_url": "redis://u:a-password@h", "backend_key": SECRET}
    return Task(2, load(options, {}), (8080, 8443))


def test_it_comes_through_a_pipe_as_it_was() -> None:
    """What follows is left to others."""
    reader, writer = os.pipe()
    data = task().to_bytes()

    def write() -> None:
        for at in range(0, len(data), 100):
            os.write(writer, data[at : at + 100])
        os.write(writer, b"more")
        os.close(writer)

    thread = threading.Thread(target=write)
    thread.start()
    try:
        assert read_task(reader) == task()
        assert os.read(reader, 10) == b"more"
    finally:
        os.close(reader)
        thread.join()


@pytest.mark.parametrize("size", [0, 3, LENGTH_BYTES, LENGTH_BYTES + 5])
def test_a_parent_that_dies(size: int) -> None:
    reader, writer = os.pipe()
    os.write(writer, task().to_bytes()[:size])
    os.close(writer)
    with pytest.raises(EOFError):
        read_task(reader)
    os.close(reader)


def test_what_is_no_task() -> None:
    reader, writer = os.pipe()
    os.write(writer, b"\xff" * LENGTH_BYTES)
    with pytest.raises(EOFError):
        read_task(reader)
    os.close(reader)
    os.close(writer)


def test_it_shows_no_secrets() -> None:
    assert SECRET not in repr(task())
    assert "a-password" not in repr(task())
