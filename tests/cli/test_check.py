"""``reward-push check``, and what holds for all commands."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from .conftest import Command


def test_the_settings_in_effect_and_where_they_come_from(bare: Command, tmp_path: Path) -> None:
    (tmp_path / "node.toml").write_text(
        'ping_interval = 21.50\nlisten = ["tcp:1", "tcp:2"]\nallow_eio3 = false\npath = "/file"\n'
    )
    done = bare(
        *("check", "--config", "node.toml", "--path=/option", "--json"),
        REWARD_PUSH_PING_TIMEOUT="7",
        REWARD_PUSH_PATH="/variable",
    )
    assert (done.status, done.err) == (0, "")
    settings = json.loads(done.out)
    assert settings["ping_interval"] == {"value": "21.5", "from": "'node.toml'"}
    assert settings["listen"] == {"value": "tcp:1,tcp:2", "from": "'node.toml'"}
    assert settings["allow_eio3"] == {"value": "false", "from": "'node.toml'"}
    assert settings["ping_timeout"] == {"value": "7", "from": "REWARD_PUSH_PING_TIMEOUT"}
    assert settings["path"] == {"value": "/option", "from": "--path"}
    assert settings["connect_timeout"] == {"value": "45", "from": "default"}
    assert settings["max_api_body"] == {"value": "1048576", "from": "default"}
    assert settings["node_id"] == {"value": "(random, 6 characters)", "from": "default"}
    assert settings["jwt_public_key"] == {"value": "(none)", "from": "default"}
    assert settings["log_format"] == {"value": "text", "from": "default"}


def test_people_get_a_table(bare: Command) -> None:
    done = bare("check", "--store", ":memory:")
    head, *rows = done.out.splitlines()
    assert head.split() == ["SETTING", "VALUE", "FROM"]
    assert ["store", ":memory:", "--store"] in [row.split() for row in rows]


def test_secrets_are_not_shown(bare: Command, tmp_path: Path) -> None:
    secret = "s3cr3t-s3cr3t-s3cr3t-s3cr3t-s3cr3t"
    (tmp_path / "file").write_text(secret)
    done = bare(
        "check",
        "--backend-key-file=file",
        REWARD_PUSH_JWT_SECRET=secret,
        REWARD_PUSH_REDIS_URL=f"redis://:{secret}@127.0.0.1/0",
    )
    rows = {row.split("  ")[0]: row for row in done.out.splitlines()}
    assert done.status == 0, done.err
    for name, origin in (
        ("backend_key", "--backend-key-file"),
        ("jwt_secret", "REWARD_PUSH_JWT_SECRET"),
        ("redis_url", "REWARD_PUSH_REDIS_URL"),
    ):
        assert "(set, not shown)" in rows[name]
        assert rows[name].endswith(origin)
    assert "s3cr3t" not in done.out + done.err


@pytest.mark.parametrize(
    ("arguments", "line"),
    [
        (("--pong-interval", "5"), "pong_interval: is not a setting; did you mean ping_interval?"),
        (("--ping-interval", "often"), "ping_interval = 'often': must be a number of seconds"),
        (("--ping-interval", "200"), "ping_interval = 200.0: ping_interval + 10 s must be less"),
        (("--config", "none.toml"), "config = 'none.toml': must be a file that can be read"),
        (("--workers", "2"), "workers = 2: needs redis_url"),
        (("--admin-ui", "true"), "admin_ui = 'true': not supported by this version"),
        (("--backend-key", "s3cr3t s3cr3t"), "backend_key: must be 16 to 256 visible ASCII"),
        (("--path",), "path: must have a value"),
        (("s3cr3t",), "argument 1 is not an option"),
        (("--jwt-algorithm", "RS256"), "jwt_algorithm = 'RS256': needs one of jwt_secret"),
    ],
)
def test_what_is_wrong_is_one_line(bare: Command, arguments: tuple[str, ...], line: str) -> None:
    """The same that twistd would end with."""
    done = bare("check", *arguments)
    assert done.status == 1
    assert done.line.startswith(f"reward-push: {line}")
    assert "s3cr3t" not in done.err
    twistd = Path(sys.executable).with_name("twistd")
    started = subprocess.run(
        [str(twistd), "-n", "--pidfile=", "reward-push", *arguments],
        capture_output=True,
        text=True,
        timeout=60,
        env={k: v for k, v in os.environ.items() if not k.startswith("REWARD_PUSH_")},
    )
    assert (started.returncode, started.stderr) == (1, done.err)


def test_help_and_version(bare: Command) -> None:
    assert bare("--version").out.startswith("reward-push 0.")
    for arguments in (
        (),
        ("check",),
        ("keys",),
        *(("keys", action) for action in ("create", "list", "revoke")),
        *(("keys", "create", kind) for kind in ("plugin", "backend")),
        ("publish",),
    ):
        done = bare(*arguments, "--help")
        assert (done.status, done.err) == (0, "")
        assert "usage: reward-push" in done.out


@pytest.mark.parametrize("arguments", [(), ("nope",), ("--nope",)])
def test_a_wrong_command(bare: Command, arguments: tuple[str, ...]) -> None:
    done = bare(*arguments)
    assert (done.status, done.out) == (2, "")


def test_who_reads_it_may_have_enough(bare: Command) -> None:
    """``| head``: no traceback."""
    script = Path(sys.executable).with_name("reward-push")
    reader = subprocess.run(
        ["sh", "-c", f'"{script}" check | head -n 1'], capture_output=True, text=True, timeout=60
    )
    assert reader.stdout.startswith("SETTING")
    assert reader.stderr == ""
