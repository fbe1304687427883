"""POST /v1/messages and /v1/messages/batch."""

from .fakes import BODY, NOW


def test_a_new_message_is_answered_201_as_understood(api):
    got = api.call("POST", "/v1/messages", {"id": "drop-8842", **BODY})
    assert got.status == 201
    assert got.json == {
        "id": "drop-8842",
        "namespace": "/dropcodes",
        "event": "dropcode",
        "to": {"streamer": "s-42"},
        "data": {"code": "K7Q"},
        "once": False,
        "state": "done",
        "created_at": NOW,
        "deliver_at": NOW,
        "expires_at": None,
        "receipts": {"sent": 2, "delivered": 0, "acked": 0},
    }
