"""What becomes of clients whose session's node dies, stalls, or is not what it seems."""

import json
import time
from collections.abc import Iterator

import pytest

from reward_push.cluster.secret import SharedSecret
from reward_push.cluster.signature import Sender, Signer

from ..protocol.wire import Answer, Client, Connection, WebSocket, request, request_bytes
from ..running_redis import RunningRedis
from ..stopwatch import Stopwatch
from ..until import until
from .running_small_node import RunningSmallNode
from .small_node import now_ms
from .test_relayed_polling import UNKNOWN, astray
from .test_relayed_websocket import upgraded


@pytest.fixture
def doomed(redis: RunningRedis, other: RunningSmallNode) -> Iterator[RunningSmallNode]:
    """A node that will come to harm."""
    with RunningSmallNode("doomed", redis.port) as node:
        yield node


def settled(client: Client) -> None:
    """Wait until what was sent before on other connections has got to where it goes."""
    assert request(client.port, "PUT", client.target()).status == 405


def test_a_node_is_killed(doomed: RunningSmallNode, other: RunningSmallNode) -> None:
    """Held polls are told at once, so are later requests; WebSockets are closed."""
    clients = [astray(doomed, other) for _ in range(3)]
    held = [client.hold() for client in clients]
    websocket = upgraded(astray(doomed, other))
    settled(clients[0])
    doomed.kill()
    watch = Stopwatch()
    for connection in held:
        assert connection.answer().brief == UNKNOWN
    assert websocket.rest() == b""
    assert clients[0].get().brief == UNKNOWN
    assert clients[0].post("4x").brief == UNKNOWN
    assert clients[0].websocket().answer_to_upgrade.brief == UNKNOWN
    # Long before it is missed in the directory: its record is valid for six seconds.
    assert watch.lived_s < 3.0


def test_a_node_stops_answering(doomed: RunningSmallNode, other: RunningSmallNode) -> None:
    """Its connections stay open. Once it is not heard of any more, nobody waits for it any longer."""
    clients = [astray(doomed, other) for _ in range(3)]
    websocket = upgraded(astray(doomed, other))
    held = [client.hold() for client in clients]
    settled(clients[0])
    doomed.pause()
    posted = Connection(other.port)
    posted.send(request_bytes("POST", clients[0].target(), [], b"4x"))
    upgrading = Connection(other.port)
    upgrading.send(request_bytes("GET", clients[1].target("websocket"), [("Upgrade", "websocket")]))
    for connection in (*held, posted, upgrading):
        assert connection.answer().brief == UNKNOWN
    assert websocket.rest() == b""
    assert clients[0].get().brief == UNKNOWN
    doomed.resume()


def test_a_node_is_slow(doomed: RunningSmallNode, other: RunningSmallNode) -> None:
    """It stalls for longer than a connection may take, but not for good: everything goes on."""
    client = astray(doomed, other)
    websocket = upgraded(astray(doomed, other))
    held = client.hold()
    settled(client)
    doomed.pause()
    posted = Connection(other.port)
    posted.send(request_bytes("POST", client.target(), [], b"4x"))
    websocket.say("4y")
    time.sleep(
        1.5
    )  # longer than CONNECT_TIMEOUT_S: what is shown is that nothing happens meanwhile
    doomed.resume()
    assert posted.answer().brief == (200, b"ok")
    assert held.answer().brief == (200, b"4x")
    assert websocket.text() == "4y"


def test_a_node_comes_back_under_its_name(
    redis: RunningRedis, doomed: RunningSmallNode, other: RunningSmallNode
) -> None:
    """What the old one had is gone, what the new one has is found: at once, and not after a beat."""
    old = astray(doomed, other)
    assert old.post("4x").status == 200
    doomed.kill()
    with RunningSmallNode("doomed", redis.port) as again:
        assert old.get().brief == UNKNOWN
        # The other node knows the old address until it reads the directory again.
        new = astray(again, other)
        assert new.post("4x").brief == (200, b"ok")
        assert new.poll() == "4x"
        upgraded(new)


def test_a_new_node_is_found_at_once(redis: RunningRedis, other: RunningSmallNode) -> None:
    """Before the next beat: the first request for it makes the other node ask."""
    for number in range(3):
        with RunningSmallNode(f"new-{number}", redis.port) as new:
            client = astray(new, other)
            assert client.post("4x").brief == (200, b"ok")
            assert client.poll() == "4x"


def test_redis_is_away(tmp_path_factory: pytest.TempPathFactory) -> None:
    """Nodes that know each other go on; what has no known node is told so."""
    with (
        RunningRedis(tmp_path_factory.mktemp("redis")) as redis,
        RunningSmallNode("a", redis.port) as a,
        RunningSmallNode("b", redis.port) as b,
    ):
        client = astray(a, b)
        assert client.post("4x").brief == (200, b"ok")
        redis.pause()
        assert client.poll() == "4x"
        websocket = upgraded(client)
        unknown = client.target().replace(client.sid, "c" + "x" * 22)
        assert request(b.port, "GET", unknown).brief == UNKNOWN
        redis.kill()
        websocket.say("4y")
        assert websocket.text() == "4y"
        assert request(b.port, "GET", unknown).brief == UNKNOWN
        a.kill()
        assert websocket.rest() == b""
        assert client.get().brief == UNKNOWN


def test_too_many_at_once(redis: RunningRedis, owner: RunningSmallNode) -> None:
    """Beyond its limit a node says 503; room comes back with each answer."""
    with RunningSmallNode("small", redis.port, limit=3) as small:
        clients = [astray(owner, small) for _ in range(4)]
        held = [client.hold() for client in clients[:3]]
        settled_at = Client(small.port)  # its own sessions need no room
        assert settled_at.post("4x").status == 200
        answer = clients[3].get()
        assert answer.brief == (503, b'{"code":4,"message":"Service unavailable"}')
        assert answer.headers["retry-after"] == "1"
        assert clients[3].websocket().answer_to_upgrade.status == 503
        clients[0].port = owner.port
        clients[0].say("4x")
        assert held[0].answer().brief == (200, b"4x")
        assert clients[3].post("4y").status == 200


def test_a_client_that_never_reads_is_slow_for_its_node(
    redis: RunningRedis, other: RunningSmallNode
) -> None:
    """The node in between does not take in what its client does not: the session notices."""
    engine = {"slow_timeout_s": 1.0, "max_queue_bytes": 100_000, "max_packet_bytes": 1024}
    with RunningSmallNode("strict", redis.port, engine=engine) as strict:
        client = astray(strict, other)
        websocket = upgraded(client)
        websocket.say(*["4size:1000000"] * 30)
        assert strict.reason_of(client.sid) == "slow client"
        assert len(websocket.rest()) < 30_000_000


def test_an_answer_that_never_comes(redis: RunningRedis, owner: RunningSmallNode) -> None:
    """A node that is alive but holds a poll for too long is given up, too."""
    with RunningSmallNode("hasty", redis.port, answer_timeout_s=0.5) as hasty:
        assert astray(owner, hasty).get().brief == UNKNOWN


# Between nodes


def passed_on(
    node: RunningSmallNode, target: str, secret: str = "s", to: str | None = None, sender: str = "x"
) -> bytes:
    """Return a request as another node would send it."""
    signer = Signer(SharedSecret(secret), Sender("other", sender), now_ms)
    signature = signer.sign(to or node.node_id, b"GET", target.encode(), b"1.2.3.4")
    assert signature is not None
    headers = [("X-Relay", signature.decode()), ("X-Relay-Client", "1.2.3.4")]
    return request_bytes("GET", target, headers)


def asked(node: RunningSmallNode, data: bytes) -> Answer:
    connection = Connection(node.ports.nodes)
    connection.send(data)
    return connection.answer()


def test_only_nodes_are_served(owner: RunningSmallNode) -> None:
    """On the port for nodes everybody else gets 403, whatever they ask for, before their body is read."""
    client = Client(owner.port)
    target = client.target()
    good = passed_on(owner, target)
    bad = [
        request_bytes("GET", target),
        request_bytes("GET", "/"),
        request_bytes("OPTIONS", target),
        request_bytes("POST", target)[:-2] + b"Content-Length: 1000000000\r\n\r\n",
        request_bytes("GET", target, [("X-Relay", "s"), ("X-Relay-Client", "1.2.3.4")]),
        passed_on(owner, target, secret="wrong"),
        passed_on(owner, target, to="other"),
        good.replace(b"GET ", b"POST "),
        good.replace(b"transport=polling", b"transport=pollins"),
        good.replace(b"1.2.3.4", b"1.2.3.5"),
    ]
    for each in bad:
        answer = asked(owner, each)
        assert answer.status == 403
        assert answer.headers["x-relay-refused"] == "1"
        assert answer.headers["connection"] == "close"
    client.say("4x")
    assert asked(owner, good).brief == (200, b"4x")


def test_a_request_is_taken_once(owner: RunningSmallNode) -> None:
    """Who has listened cannot say it again."""
    client = Client(owner.port)
    good = passed_on(owner, client.target(), sender="once")
    client.say("4x")
    assert asked(owner, good).brief == (200, b"4x")
    client.say("4y")
    assert asked(owner, good).status == 403
    assert client.poll() == "4y"


def test_nothing_goes_in_circles(owner: RunningSmallNode, other: RunningSmallNode) -> None:
    """What comes from a node is served or refused, and opens nothing; it is not passed on."""
    elsewhere = Client(other.port)
    elsewhere.say("4x")
    target = elsewhere.target()
    assert asked(owner, passed_on(owner, target, sender="a")).brief == UNKNOWN
    nobody = target.replace(elsewhere.sid, "nobody" + "x" * 22)
    assert asked(owner, passed_on(owner, nobody, sender="b")).brief == UNKNOWN
    opening = "/websockets/?EIO=4&transport=polling"
    assert asked(owner, passed_on(owner, opening, sender="c")).status == 400
    assert elsewhere.poll() == "4x"


def test_a_node_with_another_secret(redis: RunningRedis, owner: RunningSmallNode) -> None:
    """Its requests are refused, and its clients told that the session is unknown."""
    with RunningSmallNode("stranger", redis.port, secret="another") as stranger:
        client = astray(owner, stranger)
        assert client.get().brief == UNKNOWN
        assert client.post("4x").brief == UNKNOWN
        assert client.websocket().answer_to_upgrade.brief == UNKNOWN
        client.port = owner.port
        client.say("4x")
        assert client.poll() == "4x"


def test_an_address_that_is_another_nodes(
    redis: RunningRedis, owner: RunningSmallNode, other: RunningSmallNode
) -> None:
    """A record may be out of date: the one who answers there is not who was meant, and says so."""
    ghost = json.loads(redis.call("GET", "rp:node:owner")) | {"node_id": "ghost", "beat": 1}
    redis.call("SET", "rp:node:ghost", json.dumps(ghost), "PX", 60_000)
    redis.call("ZADD", "rp:nodes", now_ms() + 60_000, "ghost")
    target = "/websockets/?EIO=4&transport=polling&sid=ghost" + "x" * 22
    assert request(other.port, "GET", target).brief == UNKNOWN
    assert (
        WebSocket(other.port, target.replace("polling", "websocket")).answer_to_upgrade.brief
        == UNKNOWN
    )
    redis.call("DEL", "rp:node:ghost")


def test_the_secret_is_kept_in_redis(tmp_path_factory: pytest.TempPathFactory) -> None:
    """Where none is given the first node makes one; when Redis has lost it, it is put back."""
    with (
        RunningRedis(tmp_path_factory.mktemp("redis")) as redis,
        RunningSmallNode("a", redis.port, secret=None) as a,
        RunningSmallNode("b", redis.port, secret=None) as b,
    ):
        client = astray(a, b)
        client.say("4x")
        assert client.poll() == "4x"
        kept = redis.call("GET", "rp:secret")
        assert len(kept) > 40
        redis.call("FLUSHALL")
        until(lambda: redis.call("GET", "rp:secret") == kept)
        # An empty Redis makes nobody take the other for dead.
        client.say("4y")
        assert client.poll() == "4y"
