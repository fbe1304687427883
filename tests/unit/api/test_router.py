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


@pytest.mark.parametrize(
    ("path", "calls"),
    [
        (b"/", {"POST": Call(one)}),
        (b"/things/a", {"GET": Call(two, ("a",)), "POST": Call(two, ("a",))}),
        (b"/things/batch", {"GET": Call(two, ("batch",)), "POST": Call(one)}),
        (b"/things/a%2Fb%20c", dict.fromkeys(["GET", "POST"], Call(two, ("a/b c",)))),
        (b"/things/%ff%zz", dict.fromkeys(["GET", "POST"], Call(two, ("\ufffd%zz",)))),
        (b"/things/a/parts/b", {"GET": Call(two, ("a", "b"))}),
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
    assert allow({"GET": Call(one), "DELETE": Call(one)}) == "DELETE, GET, HEAD, OPTIONS"
    assert allow({"POST": Call(one)}) == "OPTIONS, POST"
