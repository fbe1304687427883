"""The JSON that goes in and out of the API, as JSON Schemas. Limits are those of the code that checks them."""

from collections.abc import Collection

from ..access.interfaces import ANY_STREAMER, MAX_GROUPS, KeyKind, Right
from ..ops.health import STATUS_WORDS
from ..rewards.errors import ErrorCode
from ..rewards.instants import LAST_MS
from ..rewards.interfaces import Level
from ..rewards.message import State
from ..rewards.names import NAME
from ..rewards.parsing import (
    MAX_AHEAD_MS,
    MAX_DATA_BYTES,
    MAX_EVENT_CHARS,
    MAX_STREAMERS,
    MAX_TTL_MS,
    RESERVED_EVENTS,
    SECONDS_BELOW,
)
from .limits import MAX_BATCH, MAX_CONNECTIONS, MAX_NAME_CHARS
from .operation import Schema, ref
from .shapes import array, closed, count, or_null, page_of, shape


def schemas(namespaces: Collection[str]) -> dict[str, Schema]:
    """Return the schemas that operations refer to, by name. ``namespaces`` are all the node serves."""
    namespace = {"type": "string", "enum": list(namespaces)}
    limited_to = {
        "type": "array",
        "items": namespace,
        "minItems": 1,
        "maxItems": len(namespace["enum"]),
        "description": "Absent: all namespaces.",
    }
    return {
        "Error": _ERROR,
        "Name": NAME_SCHEMA,
        "Time": _TIME,
        "Audience": _AUDIENCE,
        "NewMessage": _new_message(namespace),
        "Message": _message(namespace),
        "MessageWithDevices": _MESSAGE_WITH_DEVICES,
        "Messages": page_of(ref("Message")),
        "NewBatch": closed(
            {"messages": array({}, 1, MAX_BATCH, description="Each as NewMessage.")}, ["messages"]
        ),
        "BatchResults": shape({"results": array(_RESULT)}),
        "NewKey": {"oneOf": [_new_plugin_key(limited_to), _new_backend_key(limited_to)]},
        "Key": _key(),
        "CreatedKey": _key(key={"type": "string", "description": "Shown this once."}),
        "Keys": page_of(_key(last_used_at=or_null(ref("Time")))),
        "Streamer": _STREAMER,
        "Closed": shape({"closed": count("Connections that were closed.")}),
        "Node": _NODE,
        "Nodes": page_of(ref("Node")),
        "Health": _HEALTH,
    }


NAME_SCHEMA: Schema = {"type": "string", "pattern": f"^{NAME.pattern}$"}

_TIME: Schema = {
    "type": "string",
    "format": "date-time",
    "description": "RFC 3339, UTC, with milliseconds.",
}


def _moment(least_ms: int, description: str) -> Schema:
    written = {"type": "string", "format": "date-time"}
    counted = {"type": "integer", "minimum": least_ms, "maximum": LAST_MS}
    return {
        "oneOf": [written, counted],
        "description": f"{description} RFC 3339 with a zone, or epoch milliseconds.",
    }


_ERROR: Schema = shape(
    {
        "error": shape(
            {
                "code": {"type": "string", "enum": [str(code) for code in ErrorCode]},
                "message": {"type": "string", "description": "A sentence for people."},
                "field": {"type": "string", "description": "The field to blame."},
            },
            optional=("field",),
        )
    }
)

_AUDIENCE: Schema = {
    "oneOf": [
        {"const": "all"},
        closed({"streamer": ref("Name")}, ["streamer"]),
        closed({"streamers": array(ref("Name"), 1, MAX_STREAMERS)}, ["streamers"]),
        closed({"group": ref("Name")}, ["group"]),
    ]
}


def _new_message(namespace: Schema) -> Schema:
    event = {
        "type": "string",
        "minLength": 1,
        "maxLength": MAX_EVENT_CHARS,
        "not": {"enum": sorted(RESERVED_EVENTS)},
    }
    data = {"description": f"Any JSON of up to {MAX_DATA_BYTES} bytes, written without spaces."}
    return closed(
        {
            "id": {**ref("Name"), "description": "The idempotency key; absent: made up."},
            "namespace": namespace,
            "event": event,
            "to": ref("Audience"),
            "data": data,
            "deliver_at": _moment(SECONDS_BELOW, "When it is due, at most 366 days ahead."),
            "delay_ms": {"type": "integer", "minimum": 0, "maximum": MAX_AHEAD_MS},
            "ttl_ms": {"type": "integer", "minimum": 1, "maximum": MAX_TTL_MS},
            "replace": ref("Name"),
            "once": {"type": "boolean", "default": False},
        },
        ["namespace", "event", "to", "data"],
        **{"not": {"required": ["deliver_at", "delay_ms"]}},
    )


def _message(namespace: Schema) -> Schema:
    numbers = {name: count("Devices.") for name in ("sent", "delivered", "acked")}
    return shape(
        {
            "id": ref("Name"),
            "namespace": namespace,
            "event": {"type": "string"},
            "to": ref("Audience"),
            "data": {},
            "once": {"type": "boolean"},
            "state": {"type": "string", "enum": [str(state) for state in State]},
            "created_at": ref("Time"),
            "deliver_at": ref("Time"),
            "expires_at": or_null(ref("Time")),
            "receipts": shape(numbers),
            "ttl_ms": {"type": "integer", "minimum": 1},
            "replace": ref("Name"),
        },
        optional=("ttl_ms", "replace"),
    )


_MESSAGE_WITH_DEVICES: Schema = {
    "allOf": [
        ref("Message"),
        shape(
            {
                "devices": array(
                    shape(
                        {
                            "streamer": {"type": "string"},
                            "key_id": {"type": "string"},
                            "device": {"type": ["string", "null"]},
                            "state": {"enum": [level.name.lower() for level in Level]},
                            "at": ref("Time"),
                        }
                    )
                )
            }
        ),
    ]
}

_RESULT: Schema = {
    "oneOf": [
        shape({"status": {"enum": [200, 201]}, "message": ref("Message")}),
        shape(
            {
                "status": {"type": "integer", "minimum": 400, "maximum": 599},
                "error": {"$ref": "#/components/schemas/Error/properties/error"},
            }
        ),
    ]
}

_LABEL: Schema = {
    "type": "string",
    "minLength": 1,
    "maxLength": MAX_NAME_CHARS,
    "pattern": "^[^\\u0000-\\u001f\\u007f-\\u009f]*$",
}

_MAX_CONNECTIONS: Schema = {
    "type": "integer",
    "minimum": 1,
    "maximum": MAX_CONNECTIONS,
    "description": "How many it may have on a node; absent: max_connections_per_key, of a gateway key any number.",
}

_EXPIRES_AT = _moment(0, "In the future; absent: it has no end.")


def _new_plugin_key(limited_to: Schema) -> Schema:
    streamer = {"oneOf": [ref("Name"), {"const": ANY_STREAMER, "description": "A gateway key."}]}
    return closed(
        {
            "kind": {"const": str(KeyKind.PLUGIN)},
            "streamer": streamer,
            "groups": array(ref("Name"), 0, MAX_GROUPS),
            "max_connections": _MAX_CONNECTIONS,
            "namespaces": limited_to,
            "name": _LABEL,
            "expires_at": _EXPIRES_AT,
        },
        ["kind", "streamer"],
    )


def _new_backend_key(limited_to: Schema) -> Schema:
    right = {"type": "string", "enum": [str(right) for right in Right]}
    return closed(
        {
            "kind": {"const": str(KeyKind.BACKEND)},
            "rights": array(right, 1, len(Right)),
            "namespaces": limited_to,
            "name": _LABEL,
            "expires_at": _EXPIRES_AT,
        },
        ["kind", "rights"],
    )


def _key(**more: Schema) -> Schema:
    optional = (
        *("streamer", "groups", "max_connections", "rights", "namespaces", "name", "expires_at"),
    )
    return shape(
        {
            "key_id": {"type": "string"},
            "kind": {"enum": [str(kind) for kind in KeyKind]},
            "streamer": {"type": "string"},
            "groups": array({"type": "string"}),
            "max_connections": {"type": "integer"},
            "rights": array({"enum": [str(right) for right in Right]}),
            "namespaces": array({"type": "string"}),
            "name": {"type": "string"},
            "created_at": ref("Time"),
            "expires_at": ref("Time"),
            **more,
        },
        optional,
    )


_STREAMER: Schema = shape(
    {
        "streamer": ref("Name"),
        "online": {"type": "boolean"},
        "sockets": array(
            shape(
                {
                    "socket_id": {"type": "string"},
                    "namespace": {"type": "string"},
                    "device": {"type": ["string", "null"]},
                    "transport": {"type": "string"},
                    "revision": {"type": "integer"},
                    "since": ref("Time"),
                    "rtt_ms": {"type": ["number", "null"]},
                    "node": {"type": "string"},
                }
            )
        ),
        "silent_nodes": array(
            {"type": "string"}, description="Nodes that did not answer in time: they may have more."
        ),
    },
    optional=("silent_nodes",),
)

_HEALTH_FIELDS: dict[str, Schema] = {
    "status": {"type": "string", "enum": list(STATUS_WORDS)},
    "node": {"type": "string"},
    "reasons": array({"type": "string"}, description="Why it is degraded."),
    "version": {"type": "string"},
    "uptime_s": {"type": "number"},
    "connections": count("Clients connected."),
}

_HEALTH: Schema = shape(_HEALTH_FIELDS, optional=("reasons", "version", "uptime_s", "connections"))

_NODE: Schema = shape(
    {
        **_HEALTH_FIELDS,
        "since": ref("Time"),
        "draining": {"type": "boolean", "description": "It moves its clients away."},
        "heard_ago_s": {"type": "number", "description": "Seconds since its last sign of life."},
    },
    optional=("reasons",),
)
