"""From options, environment and a TOML file to checked settings."""

from collections.abc import Mapping
from pathlib import Path

import pytest

from reward_push.access.limits import GuardLimits
from reward_push.engineio.options import EngineOptions
from reward_push.errors import StartError
from reward_push.rate import Rate
from reward_push.settings import (
    ClusterSettings,
    HttpSettings,
    LogFormat,
    SettingsError,
    StoreSettings,
    load,
)
from reward_push.settings.sources import gather
from reward_push.settings.table import SETTINGS, Setting

PERIOD_RULE = "must be a number of seconds between 0.01 and 1000000000"
SECRET = "rpk_s3cr3t"
UNSUPPORTED = [setting for setting in SETTINGS if not setting.supported]
SECRETS = [setting for setting in SETTINGS if setting.secret]
EXAMPLES = {"per second/burst": "20/40", "seconds": "60", "true or false": "true", "": "5"}
"""A value of each unit that unsupported settings have."""


def refusal(
    options: Mapping[str, str | list[str]] | None = None, environ: Mapping[str, str] | None = None
) -> str:
    """The line that these sources are refused with."""
    with pytest.raises(SettingsError) as caught:
        load(options or {}, environ or {})
    line = str(caught.value)
    assert line.isprintable()
    assert line.startswith("reward-push: ")
    return line.removeprefix("reward-push: ")


@pytest.fixture
def toml(tmp_path: Path) -> "Toml":
    return Toml(tmp_path / "node.toml")


class Toml:
    """A TOML file; ``options`` name it."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.options = {"config": str(path)}

    def __call__(self, text: str) -> dict[str, str]:
        self.path.write_text(text)
        return self.options


def test_defaults() -> None:
    settings = load({}, {"PATH": "/bin", "reward_push_path": "/other program"})
    assert settings.listen == ("tcp:8080",)
    assert settings.path == "/websockets"
    assert settings.namespaces == ("/", "/dropcodes", "/donations", "/notifications")
    assert settings.connect_timeout_s == 45.0
    assert settings.cors_origins == ("*",)
    assert settings.engine == EngineOptions(
        ping_interval_s=25.0,
        ping_timeout_s=20.0,
        upgrade_timeout_s=10.0,
        max_packet_bytes=1024,
        max_payload_bytes=65536,
        max_queue_bytes=1 << 20,
        slow_timeout_s=10.0,
        transports=("polling", "websocket"),
        allow_eio3=True,
        missing_eio_is_3=True,
        packet_rate=Rate(20, 50),
    )
    assert settings.trusted_proxies == ("loopback",)
    assert settings.guard == GuardLimits(
        connections=100_000,
        connections_per_address=100,
        connections_per_key=20,
        connect_rate_per_address=Rate(20, 40),
        auth_failures_per_address=Rate(10, 30),
        ban_s=60.0,
        api_rate_per_key=None,
    )
    assert settings.http == HttpSettings(
        idle_timeout_s=120.0,
        header_timeout_s=10.0,
        body_timeout_s=20.0,
        max_api_body_bytes=1 << 20,
        max_api_batch_bytes=16 << 20,
    )
    assert settings.store == StoreSettings(path="reward-push.sqlite3", retention_s=86400.0)
    assert settings.backend_key is None
    assert settings.log_format is LogFormat.TEXT


def test_a_node_without_a_name_gets_a_random_one() -> None:
    names = {load({}, {}).node_id for _ in range(20)}
    assert len(names) == 20
    assert all(len(name) == 6 and name.isascii() and name.isalnum() for name in names)


def test_option_is_stronger_than_variable_than_file_than_default(toml: Toml) -> None:
    options = toml('ping_interval = 21\nping_timeout = 21\nslow_timeout = 21\npath = "/t"')
    environ = {"REWARD_PUSH_PING_INTERVAL": "22", "REWARD_PUSH_PING_TIMEOUT": "22"}
    settings = load({**options, "ping_interval": "23"}, environ)
    assert settings.engine.ping_interval_s == 23.0
    assert settings.engine.ping_timeout_s == 22.0
    assert settings.engine.slow_timeout_s == 21.0
    assert settings.path == "/t"
    assert settings.connect_timeout_s == 45.0


def test_the_file_may_be_named_by_a_variable_which_an_option_overrides(
    toml: Toml, tmp_path: Path
) -> None:
    options = toml('path = "/option"')
    other = tmp_path / "other.toml"
    other.write_text('path = "/variable"')
    environ = {"REWARD_PUSH_CONFIG": str(other)}
    assert load({}, environ).path == "/variable"
    assert load(options, environ).path == "/option"


def test_every_supported_setting_reaches_its_place(toml: Toml) -> None:
    settings = load(
        toml("""
            listen = ["unix:/run/a,b.sock", "tcp:1"]
            path = "/engine.io/"
            node_id = "n1"
            namespaces = ["/x"]
            transports = ["websocket"]
            allow_eio3 = false
            ping_interval = 1.5
            ping_timeout = 2.5
            upgrade_timeout = 3
            connect_timeout = 4
            max_http_buffer_size = 100000
            cors_origins = ["https://a.example", "null"]
            idle_timeout = 60
            store = ":memory:"
            retention = 5
            max_api_body = "2MiB"
            max_queue_bytes = 6
            slow_timeout = 7
            header_timeout = 8
            body_timeout = 9
            trusted_proxies = ["loopback", "10.0.0.0/8", "2001:DB8::/32", "192.0.2.1"]
            max_connections = 10
            max_connections_per_ip = 11
            max_connections_per_key = 12
            connect_rate_per_ip = "13/14"
            event_rate_per_socket = "15/16"
            api_rate_per_key = "17/18"
            auth_failures_per_ip = "0.5/20"
            ban = 21
            backend_key = "k"
            log_format = "json"
        """),
        {},
    )
    assert settings.listen == ("unix:/run/a,b.sock", "tcp:1")
    assert settings.path == "/engine.io"
    assert settings.node_id == "n1"
    assert settings.namespaces == ("/", "/x")
    assert settings.connect_timeout_s == 4.0
    assert settings.cors_origins == ("https://a.example", "null")
    assert settings.engine == EngineOptions(
        ping_interval_s=1.5,
        ping_timeout_s=2.5,
        upgrade_timeout_s=3.0,
        max_packet_bytes=100_000,
        max_payload_bytes=100_000,
        max_queue_bytes=6,
        slow_timeout_s=7.0,
        transports=("websocket",),
        allow_eio3=False,
        packet_rate=Rate(15, 16),
    )
    assert settings.trusted_proxies == (
        *("loopback", "10.0.0.0/8", "2001:db8::/32", "192.0.2.1/32"),
    )
    assert settings.guard == GuardLimits(
        connections=10,
        connections_per_address=11,
        connections_per_key=12,
        connect_rate_per_address=Rate(13, 14),
        auth_failures_per_address=Rate(0.5, 20),
        ban_s=21.0,
        api_rate_per_key=Rate(17, 18),
    )
    assert settings.http == HttpSettings(60.0, 8.0, 9.0, 2 << 20, 32 << 20)
    assert settings.store == StoreSettings(":memory:", 5.0)
    assert settings.backend_key == "k"
    assert settings.log_format is LogFormat.JSON


def test_options_of_a_list_add_up() -> None:
    settings = load({"listen": ["tcp:1", "tcp:2,tcp:3"]}, {})
    assert settings.listen == ("tcp:1", "tcp:2", "tcp:3")


def test_a_string_of_toml_may_stand_for_one_endpoint_or_one_origin(toml: Toml) -> None:
    settings = load(toml('listen = "tcp:1"\ncors_origins = "https://a.example"'), {})
    assert settings.listen == ("tcp:1",)
    assert settings.cors_origins == ("https://a.example",)


def test_zero_switches_limits_off() -> None:
    names = (
        "connect_timeout",
        "idle_timeout",
        "header_timeout",
        "body_timeout",
        "max_api_body",
        "max_queue_bytes",
        "slow_timeout",
        "retention",
        "upgrade_timeout",
        "max_http_buffer_size",
        "max_connections",
        "max_connections_per_ip",
        "max_connections_per_key",
        "connect_rate_per_ip",
        "event_rate_per_socket",
        "api_rate_per_key",
        "auth_failures_per_ip",
        "ban",
    )
    settings = load({**dict.fromkeys(names, "0"), "ping_interval": "1000"}, {})
    assert settings.connect_timeout_s == 0
    assert settings.http == HttpSettings(0, 0, 0, 0, 0)
    assert settings.store.retention_s == 0
    assert settings.engine.max_queue_bytes == 0
    assert settings.engine.slow_timeout_s == 0
    assert settings.engine.max_packet_bytes == settings.engine.max_payload_bytes == 0
    assert settings.engine.upgrade_timeout_s > 3600


# What is refused, and how


@pytest.mark.parametrize(
    ("options", "line"),
    [
        (
            {"ping_interval": "fast"},
            f"ping_interval = 'fast': {PERIOD_RULE} (from --ping-interval)",
        ),
        ({"path": "websockets"}, "path = 'websockets': must be a path"),
        (
            {"allow_eio3": "maybe"},
            "allow_eio3 = 'maybe': must be true or false (from --allow-eio3)",
        ),
        ({"transports": "smoke"}, "transports = 'smoke': must be polling, websocket or both"),
        ({"transports": ""}, "transports = '': must not be empty"),
        ({"listen": ""}, "listen = '': must not be empty"),
        ({"listen": "tcp:1,tcp:1"}, "listen = 'tcp:1,tcp:1': must not name anything twice"),
        ({"namespaces": "/a,/b,/a"}, "namespaces = '/a,/b,/a': must not name anything twice"),
        ({"log_format": "xml"}, "log_format = 'xml': must be one of: text, json"),
        ({"node_id": "a\nb\u2028\x1b[31m"}, "node_id = 'a\\nb\\u2028\\x1b[31m': must be 1 to 32"),
        ({"node_id": "x" * 10_000}, f"node_id = '{'x' * 199}…: must be 1 to 32"),
        ({"ping_interval": ["1", "2"]}, "ping_interval: must be given once (from --ping-interval)"),
        ({"ping_timeouts": "5"}, "ping_timeouts: is not a setting; did you mean ping_timeout?"),
        ({"quantum": "5"}, "quantum: is not a setting (from --quantum)"),
        ({"path_file": "x"}, "path_file: is not a setting"),
    ],
)
def test_refused_options(options: dict[str, str | list[str]], line: str) -> None:
    assert refusal(options).startswith(line)


@pytest.mark.parametrize(
    ("environ", "line"),
    [
        (
            {"REWARD_PUSH_PING_INTERVAL": "0"},
            f"ping_interval = '0': {PERIOD_RULE} (from REWARD_PUSH_PING_INTERVAL)",
        ),
        ({"REWARD_PUSH_PING": "1"}, "ping: is not a setting"),
        ({"REWARD_PUSH_": "1"}, "'': is not a setting (from REWARD_PUSH_)"),
        (
            {"REWARD_PUSH_path": "/a"},
            "REWARD_PUSH_path: is not a setting: variables are in capitals",
        ),
        ({"REWARD_PUSH_STORE": ""}, "store = '': must not be empty (from REWARD_PUSH_STORE)"),
        ({"REWARD_PUSH_STORE": "\udcff\0"}, "store = '\\udcff\\x00': must not be empty"),
    ],
)
def test_refused_variables(environ: dict[str, str], line: str) -> None:
    assert refusal(environ=environ).startswith(line)


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ('ping_interval = "25"', "ping_interval = '25': must be a number of seconds"),
        ("ping_interval = true", "ping_interval = true: must be a number of seconds"),
        ("ping_interval = nan", "ping_interval = nan: must be a number of seconds"),
        ("ping_interval = -inf", "ping_interval = -inf: must be a number of seconds"),
        (f"ping_interval = 0x{'f' * 5000}", "ping_interval = (int): must be a number of seconds"),
        ("path = 5", "path = 5: must be a string, in quotes"),
        ('allow_eio3 = "true"', "allow_eio3 = 'true': must be true or false, without quotes"),
        ('namespaces = "/a"', "namespaces = '/a': must be an array of strings"),
        ("namespaces = [1]", "namespaces = [1]: must be an array of strings"),
        ("max_api_body = 1.5", "max_api_body = 1.5: must be a whole number of bytes"),
        ("pingInterval = 25", "pingInterval: is not a setting; did you mean ping_interval?"),
        ("[path]\na = 1", "path = {'a': 1}: must be a string"),
        ("[limits]\na = 1", "limits: is not a setting"),
        ('"a\\nb" = 1', "'a\\nb': is not a setting"),
        ('config = "x"', "config: cannot be set in a file"),
    ],
)
def test_refused_toml(toml: Toml, text: str, line: str) -> None:
    shown = refusal(toml(text))
    assert shown.startswith(line)
    assert str(toml.path) in shown


@pytest.mark.parametrize(
    ("content", "rule"),
    [
        (b"path = ", "must be a TOML file: Invalid value"),
        (b"path = 1\npath = 2", "must be a TOML file: Cannot overwrite a value"),
        (b"\xff", "must be a file of UTF-8 text"),
        (b"path = " + b"[" * 100_000, "must be a TOML file: "),
        (b"path = 1" + b"0" * 5000, "must be a TOML file: "),
        (b"#" * (1 << 20) + b"#", "must be a TOML file: larger than 1048576 bytes"),
    ],
)
def test_a_file_that_is_no_toml(toml: Toml, content: bytes, rule: str) -> None:
    toml.path.write_bytes(content)
    assert refusal(toml.options).startswith(f"config = '{toml.path}': {rule}")


def test_a_config_that_cannot_be_read(tmp_path: Path) -> None:
    unreadable = "must be a file that can be read: "
    assert f"{unreadable}No such file" in refusal({"config": str(tmp_path / "none")})
    assert f"{unreadable}Is a directory" in refusal(environ={"REWARD_PUSH_CONFIG": str(tmp_path)})
    assert refusal({"config": ""}).startswith("config = '': must be the path of a file")
    assert refusal({"config": "a\0"}).startswith("config = 'a\\x00': must be the path of a file")


def test_a_wrong_value_is_refused_where_a_stronger_source_overrides_it(toml: Toml) -> None:
    options = {**toml("ping_interval = false"), "ping_interval": "25"}
    assert refusal(options).startswith("ping_interval = false: ")


def test_the_heartbeat_must_be_faster_than_the_balancer() -> None:
    assert load({"ping_interval": "109.9"}, {}).engine.ping_interval_s == 109.9
    for options in ({"ping_interval": "110"}, {"idle_timeout": "35"}):
        line = refusal(options)
        assert line.startswith("ping_interval = ")
        assert "ping_interval + 10 s must be less than idle_timeout = " in line
        assert "load balancer" in line


def test_clients_cannot_wait_for_ever() -> None:
    options = {"idle_timeout": "0", "ping_interval": "2147463", "ping_timeout": "20"}
    load(options, {})
    assert "ping_interval + ping_timeout must be at most 2147483 s" in refusal(
        {**options, "ping_timeout": "20.1"}
    )


# Secrets


def test_a_secret_from_a_file(tmp_path: Path, toml: Toml) -> None:
    file = tmp_path / "key"
    for content in (SECRET, f"{SECRET}\n", f"{SECRET}\r\n"):
        file.write_bytes(content.encode())
        assert load({"backend_key_file": str(file)}, {}).backend_key == SECRET
        assert load({}, {"REWARD_PUSH_BACKEND_KEY_FILE": str(file)}).backend_key == SECRET
        assert load(toml(f"backend_key_file = '{file}'"), {}).backend_key == SECRET


@pytest.mark.parametrize(
    ("content", "rule"),
    [
        (None, "must be a file that can be read: No such file or directory"),
        (b"", "must be a file that is not empty"),
        (b"\n", "must be a file that is not empty"),
        (b"\xff", "must be a file of UTF-8 text"),
        (b"rpk_s3cr3t two", "what the file holds must be 1 to 256 visible ASCII"),
        (b"rpk_s3cr3t\n\n", "what the file holds must be 1 to 256 visible ASCII"),
        (b"rpk_s3cr3t" * 10_000, "must be a file that can be read: larger than 65536 bytes"),
    ],
)
def test_a_file_without_a_fitting_secret(tmp_path: Path, content: bytes | None, rule: str) -> None:
    file = tmp_path / "key"
    if content is not None:
        file.write_bytes(content)
    line = refusal({"backend_key_file": str(file)})
    assert line.startswith(f"backend_key_file = '{file}': {rule}")
    assert SECRET not in line


def test_a_secret_is_given_once(tmp_path: Path, toml: Toml) -> None:
    file = tmp_path / "key"
    file.write_text(SECRET)
    environ = {"REWARD_PUSH_BACKEND_KEY_FILE": str(file)}
    for options in ({"backend_key": SECRET}, toml(f'backend_key = "{SECRET}"')):
        line = refusal(options, environ)
        assert (
            "must not be given together with backend_key (from REWARD_PUSH_BACKEND_KEY_FILE)"
            in line
        )
        assert SECRET not in line


@pytest.mark.parametrize("name", [setting.name for setting in SECRETS])
def test_no_secret_is_ever_shown(name: str, toml: Toml) -> None:
    bad = f"{SECRET} \0"
    lines = [
        refusal({name: bad}),
        refusal({name: [SECRET, SECRET]}),
        refusal({f"{name}x": SECRET}),
        refusal({}, {f"REWARD_PUSH_{name.upper()}": bad}),
        refusal({}, {f"REWARD_PUSH_{name.upper()}X": SECRET}),
        refusal(toml(f'{name} = ["{SECRET}"]')),
        refusal(toml(f'{name}x = "{SECRET}"')),
        refusal(toml(f'[{name}]\na = "{SECRET}"')),
    ]
    for line in lines:
        assert SECRET not in line
        assert name in line


def test_settings_do_not_show_the_secret() -> None:
    assert SECRET not in repr(load({"backend_key": SECRET}, {}))
    assert SECRET not in repr(gather({"backend_key": SECRET}, {}))


# Several nodes


def test_without_redis_a_node_is_on_its_own() -> None:
    assert load({}, {}).cluster is None
    assert load({"drain": "5", "cluster_secret": "x"}, {}).cluster is None


def test_what_joins_nodes() -> None:
    cluster = load({"redis_url": "redis://:pw@r/1", "retention": "5"}, {}).cluster
    assert cluster == ClusterSettings(
        "redis://:pw@r/1", "rp:", "tcp:0", None, None, 20.0, emitter_compat=False, retention_s=5.0
    )
    given = {
        "redis_url": "redis+sentinel://a:1,b:2/main",
        "redis_prefix": "x:",
        "cluster_listen": "tcp:9000:interface=10.0.0.7",
        "cluster_advertise": "[::1]:9000",
        "cluster_secret": SECRET,
        "drain": "0.5",
        "workers": "4",
        "emitter_compat": "true",
    }
    settings = load(given, {})
    assert settings.workers == 4
    assert settings.cluster is not None
    assert SECRET not in repr(settings)
    assert settings.cluster.secret == SECRET
    assert (settings.cluster.advertise, settings.cluster.drain_s) == ("[::1]:9000", 0.5)
    assert settings.cluster.emitter_compat


@pytest.mark.parametrize(
    ("name", "value", "rule"),
    [
        ("redis_url", "http://r", "must begin with redis://"),
        ("redis_url", "redis://", "must have a host"),
        ("redis_url", "redis://user@r", "has a user without a password"),
        ("redis_prefix", "a b", "must be 1 to 32 of"),
        ("cluster_listen", "nowhere:1", "must be tcp: or tcp6:"),
        ("cluster_advertise", "::1", "must be a host, or host:port"),
        ("cluster_advertise", "h:0", "must be a host, or host:port"),
        ("cluster_advertise", "h:65536", "must be a host, or host:port"),
        ("workers", "2", "needs redis_url"),
        ("emitter_compat", "true", "needs redis_url"),
    ],
)
def test_what_cannot_join_nodes(name: str, value: str, rule: str) -> None:
    line = refusal({name: value})
    assert line.startswith(name)
    assert rule in line


@pytest.mark.parametrize("value", ["10.0.0.1/8", "10.0.0.0/33", "proxy.example", "*", "10.0.0"])
def test_what_is_no_proxy(value: str) -> None:
    line = refusal({"trusted_proxies": f"loopback,{value}"})
    assert line.startswith(f"trusted_proxies = 'loopback,{value}': must be addresses, networks")


def test_nobody_may_be_trusted(toml: Toml) -> None:
    assert load(toml("trusted_proxies = []"), {}).trusted_proxies == ()
    assert load(toml('trusted_proxies = "10.0.0.0/8"'), {}).trusted_proxies == ("10.0.0.0/8",)


# What this version does not do


@pytest.mark.parametrize("setting", UNSUPPORTED, ids=lambda setting: setting.name)
def test_an_unsupported_setting_stops_the_start(setting: Setting) -> None:
    value = EXAMPLES.get(setting.kind.unit, "something")
    given = setting.name if setting.secret else f"{setting.name} = '{value}'"
    assert refusal({setting.name: value}).startswith(f"{given}: not supported by this version")


def test_what_changes_nothing_may_be_set(toml: Toml) -> None:
    options = toml("""
        workers = 1
        emitter_compat = false
        admin_ui = false
        drain = 0
    """)
    load(options, {})
    load({"workers": "1", "emitter_compat": "no", "drain": "0"}, {})


def test_an_unsupported_setting_must_still_be_well_formed() -> None:
    assert refusal({"workers": "many"}).startswith("workers = 'many': must be a whole number")


def test_every_error_stops_the_start_in_the_same_way() -> None:
    assert issubclass(SettingsError, StartError)


def test_the_internal_port_takes_what_listen_does(toml: Toml) -> None:
    assert load({}, {}).internal_listen == ()
    settings = load({"internal_listen": ["tcp:1", "unix:/run/b.sock"]}, {})
    assert settings.internal_listen == ("tcp:1", "unix:/run/b.sock")
    assert load(toml('internal_listen = "tcp:9080"'), {}).internal_listen == ("tcp:9080",)
    for wrong in ("", "nowhere:1", "tcp:1,tcp:1"):
        with pytest.raises(SettingsError, match="internal_listen = "):
            load({"internal_listen": wrong}, {})
