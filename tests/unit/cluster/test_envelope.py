"""News as they are published."""

import json

import pytest

from reward_push.cluster.device_text import numbered
from reward_push.cluster.envelope import (
    Answer,
    Ask,
    Canary,
    EndedNews,
    KeyNews,
    LiveNews,
    NotNews,
    decode,
    encode,
)
from reward_push.rewards.interfaces import Reason, TakenBack
from reward_push.rewards.message import Audience, AudienceKind, Message

NO = 1_790_000_000_000_000
ONE, TWO = numbered(NO + 1, 7, named=True), numbered(NO + 2, 7, named=False)

MESSAGE = Message(
    id="drop-1",
    namespace="/dropcodes",
    event="dropcode",
    to=Audience(AudienceKind.STREAMER, ("s-42",)),
    data={"code": "00123", "n": 123456789012345678901234567890},
    created_at_ms=1_000,
    deliver_at_ms=2_000,
    expires_at_ms=5_000,
    replace="current",
)
REPLACED = TakenBack(
    "drop-0", "/dropcodes", ("streamer:s-42",), Reason.REPLACED, devices=(ONE, TWO)
)
TAKEN = TakenBack("drop-2", "/", ("all",), Reason.TAKEN, devices=None, but=ONE)

LITERAL = {
    '{"kind":"live","no":1790000000000000,"due":true,"message":{"id":"drop-1","namespace":'
    '"/dropcodes","event":"dropcode","to":{"streamer":"s-42"},"data":{"code":"00123","n":'
    '123456789012345678901234567890},"created_at_ms":1000,"deliver_at_ms":2000,"expires_at_ms":'
    '5000,"replace":"current"},"superseded":[{"kind":"ended","id":"drop-0","namespace":'
    '"/dropcodes","reason":"replaced","rooms":["streamer:s-42"],"devices":["1790000000000001+7",'
    '"1790000000000002-7"],"but":null}]}': LiveNews(NO, True, MESSAGE, (REPLACED,)),
    '{"kind":"ended","no":1790000000000000,"id":"drop-2","namespace":"/","reason":"taken",'
    '"rooms":["all"],"devices":null,"but":"1790000000000001+7"}': EndedNews(NO, TAKEN),
    '{"kind":"key","no":1790000000000000,"key_id":"aaaaaaaaaaaa"}': KeyNews(NO, "aaaaaaaaaaaa"),
    '{"kind":"canary","no":1790000000000000}': Canary(NO),
    '{"kind":"ask","ask_id":"x1","node_id":"n1","what":"presence","body":{"streamer":"s"}}': Ask(
        "x1", "n1", "presence", {"streamer": "s"}
    ),
    '{"kind":"answer","ask_id":"x1","node_id":"n2","body":{"sockets":[]}}': Answer(
        "x1", "n2", {"sockets": []}
    ),
}


@pytest.mark.parametrize("text", LITERAL, ids=lambda text: json.loads(text)["kind"])
def test_each_kind_has_its_text(text):
    assert encode(LITERAL[text]) == text
    assert decode(text) == LITERAL[text]
    assert decode(text.encode()) == LITERAL[text]


def test_text_that_is_not_escaped_is_read_as_well():
    """Bodies are kept as UTF-8, and spliced in as they are."""
    text = encode(LiveNews(1, False, MESSAGE)).replace("00123", "™ \U0001f381")
    assert decode(text).message.data["code"] == "™ \U0001f381"


@pytest.mark.parametrize("kind", [json.loads(text)["kind"] for text in LITERAL])
def test_a_missing_part_is_no_news(kind):
    [whole] = [json.loads(text) for text in LITERAL if json.loads(text)["kind"] == kind]
    for part in whole:
        with pytest.raises(NotNews):
            decode(json.dumps({key: value for key, value in whole.items() if key != part}))


@pytest.mark.parametrize("kind", [json.loads(text)["kind"] for text in LITERAL])
@pytest.mark.parametrize("wrong", [True, {"x": 1}, 1.5])
def test_a_part_of_the_wrong_type_is_no_news(kind, wrong):
    [whole] = [json.loads(text) for text in LITERAL if json.loads(text)["kind"] == kind]
    for part, right in whole.items():
        if type(right) is not type(wrong):
            with pytest.raises(NotNews):
                decode(json.dumps({**whole, part: wrong}))


@pytest.mark.parametrize(
    "text",
    ["", "{", "[]", "null", "1", '{"kind":"unknown"}', '{"kind":[]}', b"\xff", "[" * 100_000],
)
def test_what_is_no_news_says_so_without_repeating_it(text):
    with pytest.raises(NotNews):
        decode(text)


def test_refusals_do_not_show_what_was_said():
    with pytest.raises(NotNews) as refused:
        decode('{"kind":"key","no":"secret"}')
    assert "secret" not in str(refused.value)
