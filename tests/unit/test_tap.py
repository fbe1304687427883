"""The twistd plugin: its options and the service it makes."""

import sys
from types import ModuleType

import pytest
from twisted.application.service import Application, IService, IServiceMaker, Service
from twisted.internet import reactor
from twisted.logger import ILogObserver
from twisted.plugin import IPlugin
from twisted.scripts.twistd import ServerOptions
from zope.interface.verify import verifyObject

from reward_push.errors import StartError
from reward_push.ops.logging import JsonLog
from reward_push.settings import Settings, SettingsError
from reward_push.settings.table import SETTINGS
from reward_push.tap import Options, makeService, parse_arguments
from twisted.plugins.reward_push_plugin import reward_push


class Twistd(ServerOptions):
    """twistd's own options, knowing our plugin alone."""

    _getPlugins = staticmethod(lambda interface: [reward_push])  # noqa: N815  (Twisted)


@pytest.fixture(autouse=True)
def restored(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever a test does to these is undone after it."""
    monkeypatch.setattr(sys, "excepthook", sys.excepthook)
    for name in ("REWARD_PUSH_CONFIG", "REWARD_PUSH_LISTEN"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture
def built(monkeypatch: pytest.MonkeyPatch) -> list[tuple[Settings, object]]:
    """A node that only records what it is built from; a node named ``broken`` cannot start."""
    calls: list[tuple[Settings, object]] = []

    def build_node(settings: Settings, reactor: object) -> IService:
        if settings.node_id == "broken":
            raise StartError("the store is locked")
        calls.append((settings, reactor))
        return Service()

    module = ModuleType("reward_push.node.build")
    module.build_node = build_node  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, module.__name__, module)
    return calls


def parsed(*arguments: str) -> Options:
    options = Options()
    options.parseOptions(arguments)
    return options


def test_the_plugin_is_one_that_twistd_takes() -> None:
    assert verifyObject(IServiceMaker, reward_push)
    assert IPlugin.providedBy(reward_push)
    assert reward_push.tapname == "reward-push"
    assert reward_push.options is Options
    assert reward_push.makeService is makeService


def test_arguments() -> None:
    assert parse_arguments([]) == {}
    assert parse_arguments(
        [
            "--ping-interval",
            "5",
            "--path=/a=b",
            "--listen",
            "tcp:1",
            "--listen",
            "tcp:2",
            "--store=",
        ]
    ) == {"ping_interval": ["5"], "path": ["/a=b"], "listen": ["tcp:1", "tcp:2"], "store": [""]}


def test_an_option_may_be_written_like_the_setting() -> None:
    assert parse_arguments(["--ping_interval", "-5"]) == {"ping_interval": ["-5"]}


def test_a_public_key_is_no_option() -> None:
    pem = "-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----\n"
    assert parse_arguments(["--jwt-public-key", pem]) == {"jwt_public_key": [pem]}


@pytest.mark.parametrize(
    ("arguments", "line"),
    [
        (["--pong-interval", "5"], "pong_interval: is not a setting; did you mean ping_interval?"),
        (["--ping-inter", "5"], "ping_inter: is not a setting"),
        (["--backend-kye=s3cr3t"], "backend_kye: is not a setting; did you mean backend_key?"),
        (["--path"], "path: must have a value (from --path)"),
        (["--path", "--store", "x"], "path: must have a value (from --path)"),
        (["--path=/a", "s3cr3t"], "argument 2 is not an option: settings are --name value"),
        (["-p", "5"], "argument 1 is not an option"),
        (["--"], "argument 1 is not an option"),
        (["--=5"], "'': is not a setting"),
    ],
)
def test_wrong_arguments_end_the_process_with_one_line(arguments: list[str], line: str) -> None:
    with pytest.raises(SystemExit) as caught:
        parsed(*arguments)
    assert str(caught.value).startswith(f"reward-push: {line}")
    assert "s3cr3t" not in str(caught.value)
    assert "\n" not in str(caught.value)


def test_help_shows_every_option_with_unit_and_default(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "300")
    with pytest.raises(SystemExit) as caught:
        Twistd().parseOptions(["-n", "reward-push", "--help"])
    assert caught.value.code == 0
    shown = capsys.readouterr().out
    lines = {line.split("=")[0].strip(): line for line in shown.splitlines() if "=" in line}
    for setting in SETTINGS:
        line = lines["--" + setting.name.replace("_", "-")]
        assert setting.doc in line
        assert setting.kind.unit in line
        assert "default: " in line
        assert ("not supported by this version" in line) is not setting.supported
        assert ("--" + setting.name.replace("_", "-") + "-file" in lines) is setting.secret
    assert "(seconds; default: 25)" in lines["--ping-interval"]
    assert "--config" in lines


def test_version(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("reward_push.tap.metadata.version", {"reward-push": "1.2.3"}.get)
    with pytest.raises(SystemExit) as caught:
        parsed("--version")
    assert caught.value.code == 0
    assert capsys.readouterr().out == "reward-push 1.2.3\n"


def test_twistd_reaches_the_options() -> None:
    twistd = Twistd()
    twistd.parseOptions(["-n", "reward-push", "--node-id", "a"])
    assert twistd.subOptions.given == {"node_id": ["a"]}
    assert twistd.subOptions.parent is twistd


def test_twistd_never_answers_with_its_help(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit, match=r"^reward-push: nonsense: is not a setting"):
        Twistd().parseOptions(["-n", "reward-push", "--nonsense", "a"])
    assert capsys.readouterr() == ("", "")


def test_the_node_is_built_from_options_and_environment(
    built: list[tuple[Settings, object]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("REWARD_PUSH_LISTEN", "tcp:1")
    service = makeService(parsed("--node-id", "a"))
    [(settings, given_reactor)] = built
    assert IService.providedBy(service)
    assert (settings.node_id, settings.listen) == ("a", ("tcp:1",))
    assert given_reactor is reactor


@pytest.mark.parametrize(
    ("arguments", "line"),
    [
        (["--ping-interval", "x"], "ping_interval = 'x': must be a number of seconds"),
        (["--node-id", "broken"], "the store is locked"),
    ],
)
def test_what_cannot_start_ends_the_process_with_one_line(
    built: list[tuple[Settings, object]], arguments: list[str], line: str
) -> None:
    with pytest.raises(SystemExit) as caught:
        makeService(parsed(*arguments))
    assert str(caught.value).startswith(f"reward-push: {line}")
    assert built == []


def test_a_start_that_fails_later_is_one_line_too(
    built: list[tuple[Settings, object]],
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    others: list[BaseException] = []
    monkeypatch.setattr(sys, "excepthook", lambda kind, error, trace: others.append(error))
    monkeypatch.setattr(sys, "__stderr__", sys.stderr)
    makeService(parsed())
    other = RuntimeError("a bug")
    for error in (StartError("listen = 'tcp:1':\n  in use"), SettingsError("a", 1, "b"), other):
        sys.excepthook(type(error), error, None)
    assert (
        capsys.readouterr().err == "reward-push: listen = 'tcp:1': in use\nreward-push: a = 1: b\n"
    )
    assert others == [other]


def test_the_log_is_twistds_own_unless_json_is_asked_for(
    built: list[tuple[Settings, object]],
) -> None:
    observers = []
    for log_format in ("text", "json"):
        twistd = Twistd()
        twistd.parseOptions(["-n", "reward-push", "--log-format", log_format])
        application = Application("reward-push")
        makeService(twistd.subOptions).setServiceParent(application)
        observers.append(application.getComponent(ILogObserver))
    assert observers[0] is None
    assert isinstance(observers[1], JsonLog)
