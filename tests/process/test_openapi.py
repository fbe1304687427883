"""The description that a running node gives of its API."""

import json
from collections.abc import Iterator

import pytest
from openapi_spec_validator import OpenAPIV31SpecValidator

from ..protocol.wire import request
from ..running_node import RunningNode
from ..unit.api.described import Validator


@pytest.fixture(scope="module")
def node(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningNode]:
    folder = tmp_path_factory.mktemp("node")
    with RunningNode(folder, "--namespaces=/drops", "--max-api-body=64KiB") as running:
        yield running


def test_it_is_valid_and_knows_the_node_s_namespaces(node: RunningNode) -> None:
    status, document = node.backend.call("GET", "/v1/openapi.json")
    assert status == 200
    assert list(OpenAPIV31SpecValidator(document).iter_errors()) == []
    message = document["components"]["schemas"]["NewMessage"]
    assert message["properties"]["namespace"]["enum"] == ["/", "/drops"]


def test_its_calls_are_there_and_answer_as_it_says(node: RunningNode) -> None:
    """Asked with nothing in the body, and with too much."""
    _, document = node.backend.call("GET", "/v1/openapi.json")
    validator = Validator(document)
    headers = [("Authorization", f"ApiKey {node.backend_key}")]
    for path, methods in document["paths"].items():
        target = path.replace("{id}", "nobody").replace("{streamer}", "nobody")
        target = target.replace("{key_id}", "a" * 12)
        for method, operation in methods.items():
            bodies = [b"", b"x" * (1 << 21)] if "requestBody" in operation else [None]
            for body in bodies:
                got = request(node.port, method.upper(), target, headers, body)
                described = operation["responses"][str(got.status)]
                [(media_type, content)] = described["content"].items()
                assert got.headers["content-type"].startswith(media_type)
                if media_type == "application/json":
                    what = f"{method} {path}: {got.status}"
                    validator.valid(json.loads(got.body), content["schema"], what)
                assert got.status != 405
                if body:
                    assert got.status == 413
