"""From a path to what can be done with it."""

import pytest

from reward_push.api.router import Call, Route, Router, allow


async def one(_request): ...
async def two(_request, *_args): ...


ROUTER = Router(
    [
        Route("POST", "/things/batch", one),
        Route("GET", "/things/{id}", two),
        Route("POST", "/things/{id}", two),
        Route("GET", "/things/{id}/parts/{part}", two),
        Route("POST", "/", one),
    ]
)


def either(argument):
    """The calls of one of the things."""
    return {
        method: Call(two, f"{method} /things/{{id}}", (argument,)) for method in ("GET", "POST")
    }


@pytest.mark.parametrize(
    ("path", "calls"),
    [
        (b"/", {"POST": Call(one, "POST /")}),
        (b"/things/a", either("a")),
        (
            b"/things/batch",
            {**either("batch"), "POST": Call(one, "POST /things/batch")},
        ),
        (b"/things/a%2Fb%20c", either("a/b c")),
        (b"/things/%ff%zz", either("\ufffd%zz")),
        (
            b"/things/a/parts/b",
            {"GET": Call(two, "GET /things/{id}/parts/{part}", ("a", "b"))},
        ),
    ],
)
def test_known_paths(path, calls):
    assert ROUTER.find(path) == calls


@pytest.mark.parametrize(
    "path",
    [
        b"",
        b"things",
        b"/things",
        b"/things/",
        b"//a",
        b"/things/a/",
        b"/things/a/parts/",
        b"/Things/a",
        b"*",
        b"/\xff",
    ],
)
def test_unknown_paths(path):
    assert ROUTER.find(path) is None


def test_head_comes_with_get_and_options_with_all():
    call = Call(one, "")
    assert allow({"GET": call, "DELETE": call}) == "DELETE, GET, HEAD, OPTIONS"
    assert allow({"POST": call}) == "OPTIONS, POST"
