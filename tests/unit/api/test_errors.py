"""Codes, statuses and the JSON of errors."""

import json

from reward_push.access.interfaces import AnswerLost, StoreUnavailable
from reward_push.api.errors import (
    STATUS,
    ApiError,
    as_refusal,
    error_body,
    error_json,
    too_large_body,
)
from reward_push.rewards.errors import ErrorCode, Refused


def test_each_code_has_the_status_of_the_interface():
    assert {str(code): status for code, status in STATUS.items()} == {
        "unauthorized": 401,
        "forbidden": 403,
        "not_found": 404,
        "method_not_allowed": 405,
        "conflict": 409,
        "too_large": 413,
        "invalid_request": 400,
        "too_late": 422,
        "rate_limited": 429,
        "not_supported": 400,
        "unavailable": 503,
        "internal": 500,
    }
    assert set(STATUS) == set(ErrorCode)


def test_the_json_names_a_field_only_where_one_is_to_blame():
    assert error_json(Refused(ErrorCode.CONFLICT, "m", "id")) == {
        "code": "conflict",
        "message": "m",
        "field": "id",
    }
    assert error_json(ApiError(ErrorCode.NOT_FOUND, "m")) == {"code": "not_found", "message": "m"}


def test_exceptions_become_refusals_in_one_place():
    refused = Refused(ErrorCode.CONFLICT, "m")
    assert as_refusal(refused) is refused
    assert as_refusal(StoreUnavailable("disk full")).code is ErrorCode.UNAVAILABLE
    assert as_refusal(ValueError("x")) is None


def test_nobody_is_told_that_nothing_was_accepted_where_that_is_not_known():
    """Redis may have taken a message, and the connection broken before it could say so."""
    away, unsure = as_refusal(StoreUnavailable("away")), as_refusal(AnswerLost("away"))
    assert (away.code, unsure.code) == (ErrorCode.UNAVAILABLE,) * 2
    assert "nothing was accepted" in away.message
    assert "it may have been done" in unsure.message


def test_bodies_for_answers_given_before_a_resource_is_asked():
    assert json.loads(too_large_body()) == {
        "error": {"code": "too_large", "message": "the request body is too large"}
    }
    assert error_body(ErrorCode.RATE_LIMITED, "slow down") == (
        b'{"error":{"code":"rate_limited","message":"slow down"}}'
    )
