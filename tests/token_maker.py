"""Makes signed tokens as a backend would, and as an attacker would."""

import base64
import hashlib
import hmac
import json
from collections.abc import Mapping
from functools import cache
from typing import Any

import jwt
from cryptography.hazmat.primitives.asymmetric import ec, ed448, ed25519, rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

SECRET = "s3cr3t-of-32-bytes-that-nobody-knows"
CURVES = {"ES256": ec.SECP256R1, "ES384": ec.SECP384R1, "ES512": ec.SECP521R1}


def private_key(kind: str, number: int = 0) -> Any:
    """A private key of a kind: an algorithm's name, ``RSA``, or ``RSA1024``. The same for the same number."""
    return _private_key(kind, number)


@cache
def _private_key(kind: str, _number: int) -> Any:
    if kind in CURVES:
        return ec.generate_private_key(CURVES[kind]())
    if kind == "secp256k1":
        return ec.generate_private_key(ec.SECP256K1())
    if kind == "Ed448":
        return ed448.Ed448PrivateKey.generate()
    if kind == "EdDSA":
        return ed25519.Ed25519PrivateKey.generate()
    return rsa.generate_private_key(65537, 1024 if kind == "RSA1024" else 2048)


def public_pem(kind: str, number: int = 0) -> str:
    """The public half, as a text."""
    public = private_key(kind, number).public_key()
    return public.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode()


def public_jwk(kind: str, number: int = 0, **more: Any) -> dict[str, Any]:
    """The public half, as a JWK."""
    algorithm = {"RSA": "RS256", "RSA1024": "RS256", "Ed448": "EdDSA"}.get(kind, kind)
    maker = jwt.get_algorithm_by_name(algorithm)
    return {**maker.to_jwk(private_key(kind, number).public_key(), as_dict=True), **more}


def key_set(*members: Mapping[str, Any]) -> str:
    """A JWK Set."""
    return json.dumps({"keys": members})


def token(
    claims: Mapping[str, Any],
    key: Any = SECRET,
    algorithm: str = "HS256",
    **header: Any,
) -> str:
    """A token as a library makes it."""
    return jwt.encode(dict(claims), key, algorithm, headers=header or None)


def part(value: Any) -> str:
    """One part of a token: JSON, or bytes as they are."""
    raw = value if isinstance(value, bytes) else json.dumps(value).encode()
    return base64.urlsafe_b64encode(raw).decode().rstrip("=")


def handmade(header: Any, claims: Any, secret: bytes | None = SECRET.encode()) -> str:
    """A token with any parts, signed by HS256 or, without ``secret``, not at all."""
    signed = f"{part(header)}.{part(claims)}"
    if secret is None:
        return f"{signed}."
    return f"{signed}.{part(hmac.digest(secret, signed.encode(), hashlib.sha256))}"
