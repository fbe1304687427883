"""The attributes of AWS's balancers and target groups, which cfn-lint does not check: keys, values, ranges.

From the API reference of Elastic Load Balancing (version 2015-12-01), those for application load balancers.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

Check = Callable[[str], bool]


def one_of(*allowed: str) -> Check:
    """A check for some words."""
    return lambda value: value in allowed


def between(least: int, most: int) -> Check:
    """A check for whole numbers."""
    return lambda value: value.isdecimal() and least <= int(value) <= most


def text(value: str) -> bool:
    """A check for any text."""
    return bool(value)


_BOOLEAN = one_of("true", "false")

LOAD_BALANCER: Mapping[str, Check] = {
    "access_logs.s3.bucket": text,
    "access_logs.s3.enabled": _BOOLEAN,
    "access_logs.s3.prefix": text,
    "client_keep_alive.seconds": between(60, 604800),
    "connection_logs.s3.bucket": text,
    "connection_logs.s3.enabled": _BOOLEAN,
    "connection_logs.s3.prefix": text,
    "deletion_protection.enabled": _BOOLEAN,
    "idle_timeout.timeout_seconds": between(1, 4000),
    "ipv6.deny_all_igw_traffic": _BOOLEAN,
    "load_balancing.cross_zone.enabled": one_of("true"),
    "routing.http.desync_mitigation_mode": one_of("monitor", "defensive", "strictest"),
    "routing.http.drop_invalid_header_fields.enabled": _BOOLEAN,
    "routing.http.preserve_host_header.enabled": _BOOLEAN,
    "routing.http.x_amzn_tls_version_and_cipher_suite.enabled": _BOOLEAN,
    "routing.http.xff_client_port.enabled": _BOOLEAN,
    "routing.http.xff_header_processing.mode": one_of("append", "preserve", "remove"),
    "routing.http2.enabled": _BOOLEAN,
    "waf.fail_open.enabled": _BOOLEAN,
    "zonal_shift.config.enabled": _BOOLEAN,
}

TARGET_GROUP: Mapping[str, Check] = {
    "deregistration_delay.timeout_seconds": between(0, 3600),
    "load_balancing.algorithm.anomaly_mitigation": one_of("on", "off"),
    "load_balancing.algorithm.type": one_of(
        "round_robin", "least_outstanding_requests", "weighted_random"
    ),
    "load_balancing.cross_zone.enabled": one_of("true", "false", "use_load_balancer_configuration"),
    "slow_start.duration_seconds": lambda value: value == "0" or between(30, 900)(value),
    "stickiness.app_cookie.cookie_name": lambda value: (
        bool(value) and not value.startswith("AWSALB")
    ),
    "stickiness.app_cookie.duration_seconds": between(1, 604800),
    "stickiness.enabled": _BOOLEAN,
    "stickiness.lb_cookie.duration_seconds": between(1, 604800),
    "stickiness.type": one_of("lb_cookie", "app_cookie"),
}


def by_key(attributes: Sequence[Mapping[str, Any]]) -> dict[str, str]:
    """Return attributes as a template lists them by their key."""
    assert all(each.keys() == {"Key", "Value"} for each in attributes)
    found = {str(each["Key"]): str(each["Value"]) for each in attributes}
    assert len(found) == len(attributes), "an attribute is given twice"
    return found


def faults(given: Mapping[str, str], known: Mapping[str, Check]) -> list[str]:
    """Return what is wrong with attributes: one line each."""
    wrong = [f"there is no {key}" for key in given if key not in known]
    wrong += [
        f"{key} cannot be {value}"
        for key, value in given.items()
        if key in known and not known[key](value)
    ]
    algorithm = given.get("load_balancing.algorithm.type", "round_robin")
    if given.get("slow_start.duration_seconds", "0") != "0" and algorithm != "round_robin":
        wrong.append("slow_start.duration_seconds goes with round_robin alone")
    return wrong
