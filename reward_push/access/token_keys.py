"""The keys that signatures of tokens are checked with: a shared secret, a public key, or a set of them.

Which algorithm a token is checked with is decided here, by the configuration and the kind of the key, and
never by the token (RFC 8725 § 3.1).
"""

from collections.abc import Mapping
from enum import StrEnum
from typing import Any

import attrs

from ..strict_json import JSONError, loads

MAX_KEYS = 64
"""Keys in a set."""
MIN_RSA_BITS = 2048


class Algorithm(StrEnum):
    """How tokens are signed (RFC 7518 § 3.1, RFC 8037)."""

    HS256 = "HS256"
    HS384 = "HS384"
    HS512 = "HS512"
    RS256 = "RS256"
    RS384 = "RS384"
    RS512 = "RS512"
    PS256 = "PS256"
    PS384 = "PS384"
    PS512 = "PS512"
    ES256 = "ES256"
    ES384 = "ES384"
    ES512 = "ES512"
    EDDSA = "EdDSA"


_OF_SECRETS: dict[Algorithm, int] = {Algorithm.HS256: 32, Algorithm.HS384: 48, Algorithm.HS512: 64}
"""Algorithm → shortest secret, bytes (RFC 7518 § 3.2)."""
_OF_RSA = (
    *(Algorithm.RS256, Algorithm.RS384, Algorithm.RS512),
    *(Algorithm.PS256, Algorithm.PS384, Algorithm.PS512),
)
_OF_CURVES = {
    "secp256r1": (Algorithm.ES256,),
    "secp384r1": (Algorithm.ES384,),
    "secp521r1": (Algorithm.ES512,),
}


@attrs.frozen
class TokenKey:
    """One key, and the one algorithm it is used with."""

    key: Any = attrs.field(repr=False)
    """As PyJWT takes it."""
    algorithm: Algorithm


@attrs.frozen
class TokenKeys:
    """What tokens may be signed with."""

    only: TokenKey | None
    """The key of tokens that do not name theirs."""
    by_kid: Mapping[str, TokenKey] | None
    """By the name that a token gives in its header; ``None``: what it says there is not looked at."""

    def find(self, kid: object) -> TokenKey | None:
        """Return the key for a token with this ``kid`` in its header (``None``: it has none)."""
        if kid is None or self.by_kid is None:
            return self.only
        return self.by_kid.get(kid) if isinstance(kid, str) else None


def of_secret(secret: str, algorithm: Algorithm | None = None) -> TokenKeys:
    """Return the keys for tokens signed with a shared secret: the text's UTF-8 bytes.

    Raises ValueError with the rule when it is too short, or ``algorithm`` is for another kind of key.
    """
    chosen = algorithm or Algorithm.HS256
    if chosen not in _OF_SECRETS:
        raise ValueError(f"is not for {chosen}: a secret goes with {_names(_OF_SECRETS)}")
    key = secret.encode("utf-8", "surrogatepass")
    if len(key) < _OF_SECRETS[chosen]:
        raise ValueError(f"must have at least {_OF_SECRETS[chosen]} bytes for {chosen}")
    return TokenKeys(TokenKey(key, chosen), None)


def of_public_key(pem: str, algorithm: Algorithm | None = None) -> TokenKeys:
    """Return the keys for tokens signed with the private key of ``pem``, a public key.

    Raises ValueError with the rule when it is none, too weak, or ``algorithm`` is for another kind of key.
    """
    from cryptography.exceptions import UnsupportedAlgorithm
    from cryptography.hazmat.primitives.serialization import load_pem_public_key

    try:
        key = load_pem_public_key(pem.encode("utf-8", "surrogatepass"))
    except (ValueError, UnsupportedAlgorithm):
        raise ValueError(
            "must be a public key in PEM form (-----BEGIN PUBLIC KEY-----), or a file with one"
        ) from None
    return TokenKeys(_public(key, algorithm), None)


def of_key_set(text: str, algorithm: Algorithm | None = None) -> TokenKeys:
    """Return the keys of a JWK Set (RFC 7517 § 5). Those for encryption, or another ``algorithm``, are left out.

    Raises ValueError with the rule when it is no key set, a key in it is not public or no good, two have
    one ``kid``, one of several has none, or none is left.
    """
    found: dict[str | None, TokenKey] = {}
    for number, jwk in enumerate(_members(text), 1):
        if jwk.get("use", "sig") != "sig":
            continue
        key = _of_jwk(jwk, algorithm, f"key {number}")
        kid = jwk.get("kid")
        if kid is not None and not isinstance(kid, str):
            raise ValueError(f"key {number}: kid must be a string")
        if kid in found:
            raise ValueError(f"key {number}: another key has its kid, or has none either")
        if key is not None:
            found[kid] = key
    if not found:
        raise ValueError(
            "must hold a key to check signatures with" + ((algorithm and f" by {algorithm}") or "")
        )
    if len(found) > 1 and None in found:
        raise ValueError("must give each of its keys a kid")
    only = next(iter(found.values())) if len(found) == 1 else None
    return TokenKeys(only, {kid: key for kid, key in found.items() if kid is not None})


def _members(text: str) -> list[dict[str, Any]]:
    rule = 'must be a JSON object {"keys": […]} of 1 to ' + f"{MAX_KEYS} keys"
    try:
        document = loads(text)
    except JSONError:
        raise ValueError(rule) from None
    members = document.get("keys") if isinstance(document, dict) else None
    if not isinstance(members, list) or not 0 < len(members) <= MAX_KEYS:
        raise ValueError(rule)
    if not all(isinstance(each, dict) for each in members):
        raise ValueError(rule)
    return members


def _of_jwk(jwk: dict[str, Any], algorithm: Algorithm | None, named: str) -> TokenKey | None:
    """Return a member of a key set; ``None`` when it is for another algorithm than the configured one."""
    from jwt import PyJWK
    from jwt.exceptions import PyJWTError

    if jwk.get("kty") == "oct" or "d" in jwk:
        # A secret among public keys: whoever may read the set could sign.
        raise ValueError(f"{named}: must be a public key")
    stated = jwk.get("alg")
    if stated is not None and stated not in tuple(Algorithm):
        return None
    if stated is not None and algorithm is not None and stated != algorithm:
        return None
    try:
        # PyJWT guesses the algorithm of all kinds but Ed448.
        key = PyJWK(jwk, "EdDSA" if jwk.get("kty") == "OKP" else None).key
    except (PyJWTError, NotImplementedError, TypeError, ValueError, AttributeError):
        raise ValueError(f"{named}: is no key that can be read") from None
    wanted = algorithm if stated is None else Algorithm(stated)
    if stated is None and wanted is not None and wanted not in _algorithms_of(key):
        return None
    try:
        return _public(key, wanted)
    except ValueError as error:
        raise ValueError(f"{named}: {error}") from None


def _public(key: Any, algorithm: Algorithm | None) -> TokenKey:
    """Check a public key and the algorithm it is to be used with; ``None``: the one for its kind."""
    possible = _algorithms_of(key)
    if not possible:
        raise ValueError("must be an RSA, P-256, P-384, P-521, Ed25519 or Ed448 key")
    if algorithm is not None and algorithm not in possible:
        raise ValueError(f"is not for {algorithm}: this kind of key goes with {_names(possible)}")
    if possible is _OF_RSA and key.key_size < MIN_RSA_BITS:
        raise ValueError(f"must have at least {MIN_RSA_BITS} bits")
    return TokenKey(key, algorithm or possible[0])


def _algorithms_of(key: Any) -> tuple[Algorithm, ...]:
    from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePublicKey
    from cryptography.hazmat.primitives.asymmetric.ed448 import Ed448PublicKey
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
    from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey

    if isinstance(key, RSAPublicKey):
        return _OF_RSA
    if isinstance(key, EllipticCurvePublicKey):
        return _OF_CURVES.get(key.curve.name, ())
    return (Algorithm.EDDSA,) if isinstance(key, Ed25519PublicKey | Ed448PublicKey) else ()


def _names(algorithms: Any) -> str:
    return ", ".join(algorithms)
