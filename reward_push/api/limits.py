"""How much one call may ask for."""

MAX_BATCH = 1000
"""Messages in a batch."""

MAX_NAME_CHARS = 128
"""A key's name for people."""

MAX_CONNECTIONS = 1_000_000
"""What a key may be allowed at most."""

DEFAULT_LIMIT = 50
MAX_LIMIT = 200
"""Items in a page of a list."""

MAX_PAGES = 10
"""Pages of the store read for one answer, when what is found is not for who asks."""
