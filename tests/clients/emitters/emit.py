"""Emits one event: ``python emit.py REDIS_URL NAMESPACE JSON``, with ``{room, skip_sid, bytes, args}``."""

import json
import sys

import socketio

url, namespace, text = sys.argv[1:]
event = json.loads(text)
name, *args = event["args"]
if "bytes" in event:
    args.append(bytes(event["bytes"]))
manager = socketio.RedisManager(url, write_only=True)
manager.emit(
    name,
    tuple(args),
    namespace=namespace,
    room=event.get("room"),
    skip_sid=event.get("skip_sid"),
)
