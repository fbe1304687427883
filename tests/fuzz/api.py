"""Runs schemathesis against ``/v1/openapi.json`` of a live node: ``python -m tests.fuzz.api [OPTIONS]``.

Options are passed on to ``schemathesis run`` (``--max-examples 1000`` for a long run). Its status is that of
schemathesis: no 5xx, no status, header or body that the description does not know, every refusal where one is due.
"""

import subprocess
import sys
import tempfile
from pathlib import Path

from tests.running_node import ONE_ADDRESS, RunningNode

CHECKS = (
    *("not_a_server_error", "status_code_conformance", "content_type_conformance"),
    *("response_headers_conformance", "response_schema_conformance", "unsupported_method"),
    *("ignored_auth", "negative_data_rejection"),
)


def main(options: list[str]) -> int:
    """Start a node, let schemathesis at it, return how that ended."""
    schemathesis = Path(sys.executable).with_name("schemathesis")
    with (
        tempfile.TemporaryDirectory() as folder,
        RunningNode(Path(folder), *ONE_ADDRESS) as node,
    ):
        node.plugin_key()
        node.publish("s-1", {"code": "K7Q"}, id="drop-1", ttl_ms=60_000)
        command = [
            *(str(schemathesis), "run", f"{node.url}/v1/openapi.json"),
            *("--header", f"Authorization: ApiKey {node.backend_key}"),
            *("--checks", ",".join(CHECKS), "--request-timeout", "20", "--no-color"),
            *options,
        ]
        return subprocess.run(command, check=False, cwd=folder).returncode


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
