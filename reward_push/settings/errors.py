"""A setting that stops the start."""

from ..errors import StartError

_SHOWN_CHARACTERS = 200


class SettingsError(StartError):
    """A setting is unknown, of a wrong type, out of range, or does not fit another one.

    ``str(error)`` is one line with its name, its value and the rule it breaks.

    Args:
        name: the public name of the setting, as it was written.
        value: what it was set to; ``None`` keeps it out of the line (secrets, unknown names).
        rule: what a value must be, or what is wrong.
    """

    def __init__(self, name: str, value: object, rule: str) -> None:
        named = name if name.isidentifier() else shown(name)
        given = "" if value is None else f" = {shown(value)}"
        super().__init__(f"{named}{given}: {rule}")
        self.name = name
        self.value = value
        self.rule = rule


def shown(value: object) -> str:
    """Return ``value`` as a short text on one line, whatever it holds."""
    try:
        text = str(value).lower() if isinstance(value, bool) else repr(value)
    except (ValueError, RecursionError):
        # Integers of thousands of digits, written in TOML as hexadecimal.
        return f"({type(value).__name__})"
    return text if len(text) <= _SHOWN_CHARACTERS else f"{text[:_SHOWN_CHARACTERS]}…"
