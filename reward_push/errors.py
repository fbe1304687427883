"""Why a node does not start."""


class StartError(Exception):
    """The node cannot start; the process ends with status 1.

    ``str(error)`` is the one line that tells why: ``reward-push: <what and why>``.
    """

    def __init__(self, reason: str) -> None:
        super().__init__("reward-push: " + " ".join(reason.split()))
