"""What can go wrong with a store before it serves; later trouble is ``access.interfaces.StoreUnavailable``."""


class StoreError(Exception):
    """The store cannot be opened. The text is one line that names the file and the reason."""
