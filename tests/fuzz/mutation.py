"""Bytes that are nearly right: known good and bad ones, cut, doubled, swapped, with bits turned over."""

from collections.abc import Sequence

from hypothesis import strategies as st

_INTERESTING = [
    *(b"\x00", b"\xff", b"\x1e", b":", b"0", b"9", b"-1", b"18446744073709551616"),
    *(
        b"b",
        b"4",
        b"\xf0\x9f\x98\x80",
        b"\xed\xa0\x80",
        b"\xc0\x80",
        b'{"_placeholder":true,"num":0}',
    ),
    *(b"[" * 64, b"e999999999", b"\x01", b"\x04", b"\x7e", b"\x7f", b"\x80"),
]


@st.composite
def mutated(draw: st.DrawFn, seeds: Sequence[bytes]) -> bytes:
    """One of ``seeds`` after up to eight changes."""
    data = bytearray(draw(st.sampled_from(seeds)))
    for _ in range(draw(st.integers(0, 8))):
        where = draw(st.integers(0, len(data)))
        until = min(len(data), where + draw(st.integers(0, 16)))
        match draw(st.integers(0, 6)):
            case 0:
                del data[where:until]
            case 1:
                data[where:where] = draw(st.sampled_from(_INTERESTING))
            case 2:
                data[where:until] = draw(st.binary(max_size=16))
            case 3:
                data[where:where] = data[where:until] * draw(st.integers(1, 20))
            case 4 if data:
                data[where % len(data)] ^= 1 << draw(st.integers(0, 7))
            case 5:
                data = data[where:] + data[:where]
            case _:
                data += draw(st.sampled_from(seeds))
    return bytes(data)


@st.composite
def pieces(draw: st.DrawFn, data: bytes) -> list[bytes]:
    """``data`` as the network may deliver it."""
    cuts = sorted(draw(st.lists(st.integers(0, len(data)), max_size=6)))
    return [data[a:b] for a, b in zip([0, *cuts], [*cuts, len(data)], strict=True)]
