"""The twistd plugin: options, and the service they make."""

import os
import sys
from collections.abc import Mapping, Sequence
from importlib import metadata
from types import TracebackType
from typing import Any, NoReturn

from twisted.application.service import IService
from twisted.logger import Logger
from twisted.python import usage

from .errors import StartError
from .ops.logging import log_in_json
from .settings import LogFormat, load
from .settings.arguments import parse_arguments
from .settings.table import CONFIG, SETTINGS, help_line, option

_DISTRIBUTION = "reward-push"


def _parameters() -> list[list[str | None]]:
    """Return every option as ``usage.Options`` wants to show it."""
    rows: list[tuple[str, str]] = [
        (CONFIG, "TOML file with settings, weaker than options and REWARD_PUSH_* variables")
    ]
    for setting in SETTINGS:
        rows.append((setting.name, help_line(setting)))
        if setting.secret:
            rows.append(
                (setting.file_name, f"file to read {setting.name} from: others can see options")
            )
    return [[option(name)[2:], None, None, text] for name, text in rows]


class Options(usage.Options):
    """What follows ``twistd reward-push``.

    The base class only writes the help: its parser accepts abbreviated options, forgets repeated ones,
    and twistd answers its errors with the whole help. Here an error is one line and status 1.
    """

    synopsis = "[options]"
    longdesc = (
        "A setting comes from, strongest first: its option, the environment variable REWARD_PUSH_<NAME>,"
        " the TOML file of --config (same names with _), its default. Lists are separated by commas;"
        " in TOML they are arrays. 0 switches a limit off."
    )
    optParameters = _parameters()  # noqa: N815  (Twisted)

    def __init__(self) -> None:
        super().__init__()
        self.given: dict[str, list[str]] = {}
        """What was given, by setting name."""

    def opt_version(self) -> NoReturn:
        """Display the version and exit."""
        print(f"reward-push {metadata.version(_DISTRIBUTION)}")  # noqa: T201
        sys.exit(0)

    def parseOptions(self, options: Sequence[str] | None = None) -> None:
        """Fill :attr:`given`; end the process for ``--help``, ``--version`` and anything wrong."""
        rest = list(sys.argv[1:] if options is None else options)
        if "--help" in rest:
            self.opt_help()
        if "--version" in rest:
            self.opt_version()
        try:
            self.given = parse_arguments(rest)
        except StartError as error:
            raise SystemExit(str(error)) from None


def makeService(options: Options) -> IService:
    """Return the node, or the nodes, that the settings ask for; end the process with one line if there is none."""
    try:
        settings = load(options.given, os.environ)
        # Heavy, and they install a reactor: not before it is known that they will be used.
        from twisted.internet import reactor as installed

        from .node.build import build_node
        from .workers.supervisor import supervise

        reactor: Any = installed
        service: IService
        if settings.workers > 1:
            service = supervise(settings, reactor)
        else:
            service = build_node(settings, reactor)
            _give_store_away(settings.store.path, options.parent or {})
    except StartError as error:
        raise SystemExit(str(error)) from None
    _show_start_errors_as_one_line()
    if settings.log_format is LogFormat.JSON:
        node_id = settings.node_id if settings.workers == 1 else None
        return log_in_json(service, options.parent or {}, reactor.callFromThread, node_id)
    return service


def _give_store_away(path: str, twistd: Mapping[str, Any]) -> None:
    """Let the user that twistd is going to change to (``--uid``, ``--gid``) own the store's files."""
    uid, gid = twistd.get("uid"), twistd.get("gid")
    if uid is not None or gid is not None:
        for suffix in ("", "-lock", "-wal", "-shm"):
            if os.path.exists(path + suffix):
                os.chown(path + suffix, -1 if uid is None else uid, -1 if gid is None else gid)


def _show_start_errors_as_one_line() -> None:
    """Let a :class:`StartError` that leaves a starting service be shown without a traceback.

    Twistd lets it pass, after having removed its pid file, up to the interpreter, which then ends with
    status 1. By then ``sys.stderr`` leads into the log.
    """
    show_any = sys.excepthook

    def show(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
        if isinstance(error, StartError) and sys.__stderr__ is not None:
            Logger(_DISTRIBUTION).critical("{reason}", reason=str(error))
            print(error, file=sys.__stderr__)
        else:
            show_any(kind, error, trace)

    sys.excepthook = show
