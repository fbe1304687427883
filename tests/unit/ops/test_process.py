"""The process's own numbers."""

import os
import resource
import time
from types import SimpleNamespace

import pytest
from prometheus_client import CollectorRegistry, ProcessCollector

from reward_push.ops.process import ProcessNumbers


def numbers(collector):
    return {(family.name, family.type): family.samples[0].value for family in collector.collect()}


def test_they_are_those_of_the_library():
    """Names, kinds and, as far as they stand still, values."""
    ours, theirs = numbers(ProcessNumbers()), numbers(ProcessCollector(registry=None))
    assert set(ours) == set(theirs)
    for name in ("process_max_fds", "process_start_time_seconds"):
        assert ours[name, "gauge"] == theirs[name, "gauge"]
    memory = "process_resident_memory_bytes", "gauge"
    assert ours[memory] == pytest.approx(theirs[memory], rel=0.2)
    assert 0 < ours["process_cpu_seconds", "counter"] <= time.process_time()


def test_open_files_are_counted():
    before = numbers(ProcessNumbers())["process_open_fds", "gauge"]
    more = [os.dup(0) for _ in range(10)]
    try:
        assert numbers(ProcessNumbers())["process_open_fds", "gauge"] == before + 10
    finally:
        for each in more:
            os.close(each)


def test_an_older_kernel_that_tells_no_number(tmp_path, monkeypatch):
    """The folder of open files has no size there, so they are listed."""
    folder = tmp_path / "self"
    for each in "0123":
        (folder / "fd" / each).mkdir(parents=True)
    monkeypatch.setattr(os, "stat", lambda _: SimpleNamespace(st_size=0))
    (folder / "statm").write_text("100 20 3 4 0 5 0\n")
    found = numbers(ProcessNumbers(str(tmp_path)))
    assert found["process_open_fds", "gauge"] == 4
    page = resource.getpagesize()
    assert found["process_virtual_memory_bytes", "gauge"] == 100 * page
    assert found["process_resident_memory_bytes", "gauge"] == 20 * page
    assert "process_start_time_seconds" not in {name for name, _ in found}


def test_where_there_is_no_proc_cpu_time_is_left(tmp_path):
    assert list(numbers(ProcessNumbers(str(tmp_path / "none")))) == [
        ("process_cpu_seconds", "counter")
    ]


def test_no_limit_is_infinite(monkeypatch):
    monkeypatch.setattr(resource, "getrlimit", lambda _: (resource.RLIM_INFINITY, 0))
    assert numbers(ProcessNumbers())["process_max_fds", "gauge"] == float("inf")


def test_a_registry_takes_them():
    CollectorRegistry().register(ProcessNumbers())
