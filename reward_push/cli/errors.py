"""Why a command could not do what it was asked to."""


class CommandError(Exception):
    """Its text is one line for the terminal. Raised anywhere, shown by :func:`.main.main`: exit status 1."""
