"""How connections are dealt out to processes that share a port: by one inherited socket, and by SO_REUSEPORT.

``python -m bench.shared_port [PROCESSES …]``. The processes are bare Twisted; no node.
"""

import signal
import socket
import subprocess
import sys
import time
from types import FrameType
from typing import Any

from .figures import show

ONE_AT_A_TIME = 1_000
AT_ONCE = 500
BACKLOG = 1_024
PATIENCE_S = 20.0


def main(counts: list[int]) -> None:
    """Measure each number of processes, both ways."""
    for count in counts:
        for way in ("one inherited socket", "SO_REUSEPORT"):
            measure(count, way)


def measure(count: int, way: str) -> None:
    """Show how many connections each process gets."""
    with socket.socket() as port:
        port.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        port.bind(("127.0.0.1", 0))
        port.setblocking(False)
        number = port.getsockname()[1]
        inherited = way == "one inherited socket"
        if inherited:
            port.listen(BACKLOG)
        arguments = [str(port.fileno()) if inherited else "-", str(number)]
        command = [sys.executable, "-m", "bench.shared_port", "--serve", *arguments]
        processes = [
            subprocess.Popen(command, pass_fds=[port.fileno()], stdout=subprocess.PIPE, text=True)
            for _ in range(count)
        ]
        for process in processes:
            told(process)
        rows: list[list[int]] = []
        for pause_s in (0.0, 0.001):
            before = served(processes)
            for _ in range(ONE_AT_A_TIME):
                with socket.create_connection(("127.0.0.1", number), PATIENCE_S) as connection:
                    connection.recv(1)
                time.sleep(pause_s)
            rows.append(since(before, served(processes)))
        before = served(processes)
        connections = []
        for _ in range(AT_ONCE):
            connections.append(socket.socket())
            connections[-1].setblocking(False)
            connections[-1].connect_ex(("127.0.0.1", number))
        for each in connections:
            each.settimeout(PATIENCE_S)
            each.recv(1)
            each.close()
        rows.append(since(before, served(processes)))
        titles = (
            f"{ONE_AT_A_TIME} one after the other",
            f"{ONE_AT_A_TIME} a millisecond apart",
            f"{AT_ONCE} at once",
        )
        figures = {
            title: " / ".join(map(str, row)) for title, row in zip(titles, rows, strict=True)
        }
        show(f"{count} processes, {way}", figures)
        for process in processes:
            process.terminate()
            process.communicate()


def since(before: list[int], after: list[int]) -> list[int]:
    """How many connections came to each in between."""
    return [later - earlier for earlier, later in zip(before, after, strict=True)]


def served(processes: list[Any]) -> list[int]:
    """Ask each process how many connections it has had."""
    for process in processes:
        process.send_signal(signal.SIGUSR1)
    return [int(told(process)) for process in processes]


def told(process: Any) -> str:
    """Wait for a line of a process."""
    deadline = time.monotonic() + PATIENCE_S
    while not (line := process.stdout.readline()):
        assert time.monotonic() < deadline
    return str(line)


def serve(descriptor: str, port: int) -> None:
    """Be one of the processes."""
    from twisted.internet import reactor as installed
    from twisted.internet.protocol import Factory, Protocol

    from reward_push.workers.ports import SharedPorts

    reactor: Any = installed
    count = 0

    class Counting(Protocol):
        def connectionMade(self) -> None:
            nonlocal count
            count += 1
            self.transport.write(b"x")  # type: ignore[union-attr]

    def tell(_number: int, _frame: FrameType | None) -> None:
        print(count, flush=True)

    factory = Factory.forProtocol(Counting)
    factory.noisy = False
    if descriptor == "-":
        SharedPorts(reactor).listenTCP(port, factory, BACKLOG, "127.0.0.1")
    else:
        reactor.adoptStreamPort(int(descriptor), socket.AF_INET, factory)
    reactor.callWhenRunning(signal.signal, signal.SIGUSR1, tell)
    reactor.callWhenRunning(print, "up", flush=True)
    reactor.run()


if __name__ == "__main__":
    if sys.argv[1:2] == ["--serve"]:
        serve(sys.argv[2], int(sys.argv[3]))
    else:
        main([int(each) for each in sys.argv[1:]] or [2, 4])
