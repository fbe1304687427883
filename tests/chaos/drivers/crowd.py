"""Many stock python-socketio clients in one process, on asyncio. Lines as those of ``crowd.js``.

It acknowledges every message: this client does so for each handler that returns.
"""

import asyncio
import json
import os
import sys
import threading
import time
from typing import Any

import socketio

FIRST_TRY_S = 0.5
_keep: set[Any] = set()


def tell(wanted: dict[str, Any], event: str, **more: object) -> None:
    """Write one report."""
    line = json.dumps({"d": wanted["d"], "e": event, "t": time.time() * 1000, **more})
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


async def run(wanted: dict[str, Any]) -> None:
    """Open one client; from its first connection on it comes back by itself."""
    namespace = wanted["ns"]
    client = socketio.AsyncClient(reconnection_delay=0.1, reconnection_delay_max=0.5)
    _keep.add(client)

    async def connect() -> None:
        tell(wanted, "connect", via=client.eio.transport())

    async def disconnect(reason: str = "") -> None:
        tell(wanted, "disconnect", why=str(reason))

    async def dropcode(message: dict[str, Any]) -> None:
        fields = {name: message.get(name) for name in ("id", "sent_at", "ttl_ms")}
        tell(wanted, "heard", **fields)

    async def revoke(told: dict[str, Any]) -> None:
        tell(wanted, "revoke", **told)

    for handler in (connect, disconnect, dropcode, revoke):
        client.on(handler.__name__, handler, namespace)
    while True:
        try:
            await client.connect(
                wanted["url"],
                auth={"apiKey": wanted["key"], "device": wanted["d"]},
                transports=wanted["transports"],
                namespaces=[namespace],
                socketio_path=wanted["path"].strip("/"),
                wait_timeout=10,
            )
        except socketio.exceptions.ConnectionError:
            await asyncio.sleep(FIRST_TRY_S)
        else:
            return


async def main() -> None:
    """Open what is asked for until the input ends."""
    loop = asyncio.get_running_loop()

    def read() -> None:
        for line in sys.stdin:
            asyncio.run_coroutine_threadsafe(run(json.loads(line)), loop)
        os._exit(0)

    threading.Thread(target=read, daemon=True).start()
    await asyncio.Event().wait()


asyncio.run(main())
