"""Shapes of JSON that the API's schemas are made of."""

from typing import Any

from .operation import Schema


def closed(properties: dict[str, Schema], required: list[str], **more: Any) -> Schema:
    """An object that comes in: nothing that is not named may be in it."""
    known = {"type": "object", "properties": properties, "required": required}
    return {**known, "additionalProperties": False, **more}


def shape(properties: dict[str, Schema], optional: tuple[str, ...] = ()) -> Schema:
    """An object that goes out: later versions may add to it."""
    required = [name for name in properties if name not in optional]
    return {"type": "object", "properties": properties, "required": required}


def array(items: Schema, least: int = 0, most: int | None = None, **more: Any) -> Schema:
    """An array of ``items``."""
    bounds = {"minItems": least} if most is None else {"minItems": least, "maxItems": most}
    return {"type": "array", "items": items, **bounds, **more}


def or_null(schema: Schema) -> Schema:
    """``schema``, or null."""
    return {"anyOf": [schema, {"type": "null"}]}


def count(description: str) -> Schema:
    """A number of things."""
    return {"type": "integer", "minimum": 0, "description": description}


def page_of(items: Schema) -> Schema:
    """A page of a list."""
    cursor = {"type": ["string", "null"], "description": "null: this was the last page."}
    return shape({"items": array(items), "next_cursor": cursor})
