"""Socket.IO packets on the wire, byte for byte."""

from typing import NamedTuple

from reward_push.socketio.packet import Packet, PacketType

CONNECT = PacketType.CONNECT
DISCONNECT = PacketType.DISCONNECT
EVENT = PacketType.EVENT
ACK = PacketType.ACK
ERROR = PacketType.CONNECT_ERROR


class Vector(NamedTuple):
    """A packet and the Engine.IO messages that carry it."""

    packet: Packet
    messages: tuple[str | bytes, ...]


def _placeholder(number: int) -> str:
    return f'{{"_placeholder":true,"num":{number}}}'


VECTORS = [
    Vector(Packet(CONNECT), ("0",)),
    Vector(Packet(CONNECT, "/", {"token": "1"}), ('0{"token":"1"}',)),
    Vector(Packet(CONNECT, "/admin"), ("0/admin,",)),
    Vector(Packet(CONNECT, "/dropcodes", {"sid": "N1"}), ('0/dropcodes,{"sid":"N1"}',)),
    Vector(Packet(CONNECT, "/dropcodes?token=a b"), ("0/dropcodes?token=a b,",)),
    Vector(Packet(CONNECT, "/admin™"), ("0/admin™,",)),
    Vector(Packet(DISCONNECT), ("1",)),
    Vector(Packet(DISCONNECT, "/admin"), ("1/admin,",)),
    Vector(Packet(EVENT, "/", ["a"]), ('2["a"]',)),
    Vector(Packet(EVENT, "/", ["a"], 0), ('20["a"]',)),
    Vector(Packet(EVENT, "/", ["a"], 12), ('212["a"]',)),
    Vector(Packet(EVENT, "/", ["a"], 2**53 - 1), ('29007199254740991["a"]',)),
    Vector(Packet(EVENT, "/admin", ["a", 1], 12), ('2/admin,12["a",1]',)),
    Vector(Packet(EVENT, "/", ["hey", "€\u2028\x1e😀"]),
           ('2["hey","\\u20ac\\u2028\\u001e\\ud83d\\ude00"]',)),
    Vector(Packet(EVENT, "/", [1, {"a": [None, True, 1.5, "x,y"]}]),
           ('2[1,{"a":[null,true,1.5,"x,y"]}]',)),
    Vector(Packet(EVENT, "/", ["", {}]), ('2["",{}]',)),
    Vector(Packet(ACK, "/", [], 13), ("313[]",)),
    Vector(Packet(ACK, "/", [], 0), ("30[]",)),
    Vector(Packet(ACK, "/admin", ["got", {"a": 1}], 456), ('3/admin,456["got",{"a":1}]',)),
    Vector(Packet(ERROR, "/dropcodes", "Not authorized"), ('4/dropcodes,"Not authorized"',)),
    Vector(Packet(ERROR, "/none", {"message": "Invalid namespace"}),
           ('4/none,{"message":"Invalid namespace"}',)),
    Vector(Packet(ERROR, "/", ["any", 1]), ('4["any",1]',)),
    Vector(Packet(ERROR), ("4",)),
    Vector(Packet(EVENT, "/", ["baz", b"\x01\x02\x03\x04"]),
           (f'51-["baz",{_placeholder(0)}]', b"\x01\x02\x03\x04")),
    Vector(Packet(EVENT, "/admin", ["baz", b"\x01", b"\x02\x03"]),
           (f'52-/admin,["baz",{_placeholder(0)},{_placeholder(1)}]', b"\x01", b"\x02\x03")),
    Vector(Packet(EVENT, "/a", ["e", {"x": [b"1", {"y": b"2"}], "z": b""}], 7),
           (f'53-/a,7["e",{{"x":[{_placeholder(0)},{{"y":{_placeholder(1)}}}],"z":{_placeholder(2)}}}]',
            b"1", b"2", b"")),
    Vector(Packet(ACK, "/", ["bar", b"\x01\x02"], 15),
           (f'61-15["bar",{_placeholder(0)}]', b"\x01\x02")),
    Vector(Packet(ACK, "/", [b"\x01"], 0), (f"61-0[{_placeholder(0)}]", b"\x01")),
    Vector(Packet(EVENT, "/", ["ten", *[bytes([n]) for n in range(10)]]),
           ("510-[\"ten\"," + ",".join(map(_placeholder, range(10))) + "]",
            *[bytes([n]) for n in range(10)])),
]  # fmt: skip
"""Encoded so, and decoded back."""

TOLERATED = [
    Vector(Packet(CONNECT, "/admin"), ("0/admin",)),
    Vector(Packet(CONNECT), ("0/",)),
    Vector(Packet(CONNECT), ("0/,",)),
    Vector(Packet(CONNECT, "/", {"a": 1}), ('0/,{"a":1}',)),
    Vector(Packet(CONNECT, "/", {}), ("0{}",)),
    Vector(Packet(CONNECT, "/a?x=1"), ("0/a?x=1,",)),
    Vector(Packet(CONNECT, "/a?x=1"), ("0/a?x=1",)),
    Vector(Packet(CONNECT, "/", None, 5), ("05",)),
    Vector(Packet(DISCONNECT, "/admin"), ("1/admin",)),
    Vector(Packet(DISCONNECT), ("1/,",)),
    Vector(Packet(EVENT, "/", ["a"], 7), ('2007["a"]',)),
    Vector(Packet(EVENT, "/", ["€😀"]), ('2["€😀"]',)),
    Vector(Packet(EVENT, "/", ["a", 1]), ('2["a", 1 ] ',)),
    Vector(Packet(EVENT, "/", ["a"]), ('2/,["a"]',)),
    Vector(Packet(ACK, "/", []), ("3[]",)),
    Vector(Packet(ERROR), ("4null",)),
    # The binary types without attachments are delivered at once, as the plain ones.
    Vector(Packet(EVENT, "/", ["a"]), ('50-["a"]',)),
    Vector(Packet(ACK, "/", ["a"], 1), ('60-1["a"]',)),
    Vector(Packet(EVENT, "/", ["a", b"x"]), (f'501-["a",{_placeholder(0)}]', b"x")),
    # The buffers of one packet may be used in any order, twice, or not at all.
    Vector(Packet(EVENT, "/", ["a", b"2", b"1", b"2"]),
           (f'53-["a",{_placeholder(1)},{_placeholder(0)},{_placeholder(1)}]', b"1", b"2", b"3")),
    Vector(Packet(EVENT, "/", ["a"]), ('51-["a"]', b"x")),
    # What only resembles a placeholder is data.
    Vector(Packet(EVENT, "/", ["a", {"_placeholder": 1, "num": 0}, {"_placeholder": "true"}, b"x"]),
           (f'51-["a",{{"_placeholder":1,"num":0}},{{"_placeholder":"true"}},{_placeholder(0)}]', b"x")),
    Vector(Packet(EVENT, "/", ["a", {"_placeholder": True, "num": 0}]), (f'2["a",{_placeholder(0)}]',)),
    Vector(Packet(EVENT, "/", ["a", b"x"]),
           ('51-["a",{"num":0,"other":[],"_placeholder":true}]', b"x")),
]  # fmt: skip
"""Decoded, never sent."""

BAD_TEXTS = [
    ("", "empty packet"),
    ("7", "unknown packet type '7'"),
    ("a", "unknown packet type 'a'"),
    ("-1", "unknown packet type '-'"),
    ("٢[]", "unknown packet type '\\u0662'"),
    ("0[]", "does not fit CONNECT"),
    ('0"s"', "does not fit CONNECT"),
    ("0null", "does not fit CONNECT"),
    ("0{", "not JSON"),
    ("1{}", "does not fit DISCONNECT"),
    ("1null", "does not fit DISCONNECT"),
    ("1[]", "does not fit DISCONNECT"),
    ("2", "EVENT without a payload"),
    ("20", "EVENT without a payload"),
    ("2/admin,", "EVENT without a payload"),
    ('2/a["b"]', "EVENT without a payload"),
    ("2[]", "does not fit EVENT"),
    ("2{}", "does not fit EVENT"),
    ('2"a"', "does not fit EVENT"),
    ("2[null]", "does not fit EVENT"),
    ("2[true]", "does not fit EVENT"),
    ('2[["a"]]', "does not fit EVENT"),
    ('2[{"a":1}]', "does not fit EVENT"),
    ('2["connect"]', "does not fit EVENT"),
    ('2["connect_error"]', "does not fit EVENT"),
    ('2["disconnect",1]', "does not fit EVENT"),
    ('2["disconnecting"]', "does not fit EVENT"),
    ('2["newListener"]', "does not fit EVENT"),
    ('2["removeListener"]', "does not fit EVENT"),
    ('2["conn\\u0065ct"]', "does not fit EVENT"),
    ('2abc["x"]', "not JSON"),
    ('2["a"]x', "not JSON"),
    ('2["a"', "not JSON"),
    ("2['a']", "not JSON"),
    ('2 ["a"]', "space before the payload"),
    ('2\n["a"]', "space before the payload"),
    ('21 ["a"]', "space before the payload"),
    ('2-1["a"]', "not JSON"),
    ('2٣["a"]', "not JSON"),
    ('29007199254740992["a"]', "ack id out of range"),
    ('210000000000000000["a"]', "ack id out of range"),
    ('200000000000000001["a"]', "ack id out of range"),
    ("2" + "9" * 100_000 + '["a"]', "ack id out of range"),
    ("3", "ACK without a payload"),
    ("313", "ACK without a payload"),
    ("313{}", "does not fit ACK"),
    ("313null", "does not fit ACK"),
    ('4{"message":', "not JSON"),
    ("5", "without a number of attachments"),
    ('5["a"]', "without a number of attachments"),
    ('51["a"]', "without a number of attachments"),
    ('5-["a"]', "without a number of attachments"),
    ('5-1-["a"]', "without a number of attachments"),
    ('51.0-["a"]', "without a number of attachments"),
    ('5 1-["a"]', "without a number of attachments"),
    ('5٣-["a"]', "without a number of attachments"),
    ("5" + "9" * 100_000 + "-", "without a number of attachments"),
    ('511-["a"]', "more than 10 attachments"),
    ('5999999999-["a"]', "more than 10 attachments"),
    ("51-", "EVENT without a payload"),
    ("51-{}", "does not fit EVENT"),
    ('51-["connect"]', "does not fit EVENT"),
    (f"51-[{_placeholder(0)}]", "does not fit EVENT"),
    (f'50-["a",{_placeholder(0)}]', "attachment that is not announced"),
    (f'51-["a",{_placeholder(1)}]', "attachment that is not announced"),
    (f'51-["a",{_placeholder(-1)}]', "attachment that is not announced"),
    (f'51-["a",{{"x":[{_placeholder(2)}]}}]', "attachment that is not announced"),
    ('51-["a",{"_placeholder":true,"num":0.0}]', "attachment that is not announced"),
    ('51-["a",{"_placeholder":true,"num":false}]', "attachment that is not announced"),
    ('51-["a",{"_placeholder":true,"num":"0"}]', "attachment that is not announced"),
    ('51-["a",{"_placeholder":true,"num":null}]', "attachment that is not announced"),
    ('51-["a",{"_placeholder":true}]', "attachment that is not announced"),
    ("61-1", "ACK without a payload"),
    ("0/" + "a" * 4096, "namespace of more than 4096 characters"),
    ("0/" + "a" * 4096 + ",", "namespace of more than 4096 characters"),
    ("0/a\x1eb", "namespace with U+001E"),
    ('2["a",NaN]', "NaN is not JSON"),
    ('2["a",-Infinity]', "-Infinity is not JSON"),
    ('2["a",1e400]', "number out of range"),
    ('2["a",' + "9" * 5000 + "]", "integer of more than 308 digits"),
    ('2["a","\\ud800"]', "lone surrogate"),
    ('2["a",{"b":1,"b":2}]', "duplicate key 'b'"),
    ('2["a",' + "[" * 64 + "]" * 64 + "]", "nested deeper than 64 levels"),
    ('2["a",' + "[" * 100_000, "nested deeper than 64 levels"),
    ('2["a",' + '{"a":' * 100_000, "nested deeper than 64 levels"),
]
"""No packets, and what the error says."""
