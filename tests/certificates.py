"""Certificates for loopback from an authority of their own, made for one run of the tests."""

import datetime
import ipaddress
import ssl
from pathlib import Path

import attrs
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

_DAY = datetime.timedelta(days=1)
_LOOPBACK = ("localhost", "127.0.0.1")
_SIGNS_CERTIFICATES = x509.KeyUsage(
    key_cert_sign=True,
    crl_sign=True,
    digital_signature=False,
    content_commitment=False,
    key_encipherment=False,
    data_encipherment=False,
    key_agreement=False,
    encipher_only=False,
    decipher_only=False,
)


@attrs.frozen
class Certificate:
    """PEM files."""

    root: Path
    """The authority's certificate."""
    certificate: Path
    key: Path

    def trusting(self) -> ssl.SSLContext:
        """What a client of Python's ``ssl`` needs to trust it."""
        return ssl.create_default_context(cafile=str(self.root))

    def serving(self) -> ssl.SSLContext:
        """What a server of Python's ``ssl`` needs to show it."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(self.certificate, self.key)
        return context


class Authority:
    """Signs certificates; its files and theirs lie in ``folder``."""

    def __init__(self, folder: Path, name: str = "test authority") -> None:
        self._folder = folder
        self._name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
        self._key = ec.generate_private_key(ec.SECP256R1())
        self.root = folder / f"{name.replace(' ', '-')}.pem"
        public = self._key.public_key()
        self._is_mine = x509.AuthorityKeyIdentifier.from_issuer_public_key(public)
        signed = (
            _begin(self._name, self._name, self._key, -_DAY, _DAY)
            .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
            .add_extension(_SIGNS_CERTIFICATES, critical=True)
            .add_extension(x509.SubjectKeyIdentifier.from_public_key(public), critical=False)
            .sign(self._key, hashes.SHA256())
        )
        self.root.write_bytes(signed.public_bytes(serialization.Encoding.PEM))

    def certificate(self, *hosts: str, expired: bool = False) -> Certificate:
        """Make one for ``hosts``, names or addresses; for loopback if there are none."""
        hosts = hosts or _LOOPBACK
        key = ec.generate_private_key(ec.SECP256R1())
        name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "test server")])
        until = -_DAY / 2 if expired else _DAY
        signed = (
            _begin(name, self._name, key, -_DAY, until)
            .add_extension(x509.SubjectAlternativeName(map(_name_of, hosts)), critical=False)
            .add_extension(self._is_mine, critical=False)
            .sign(self._key, hashes.SHA256())
        )
        stem = f"{signed.serial_number:x}"
        made = Certificate(
            self.root, self._folder / f"{stem}.pem", self._folder / f"{stem}.key.pem"
        )
        made.certificate.write_bytes(signed.public_bytes(serialization.Encoding.PEM))
        made.key.write_bytes(
            key.private_bytes(
                serialization.Encoding.PEM,
                serialization.PrivateFormat.PKCS8,
                serialization.NoEncryption(),
            )
        )
        return made


def _begin(
    subject: x509.Name,
    issuer: x509.Name,
    key: ec.EllipticCurvePrivateKey,
    begins: datetime.timedelta,
    ends: datetime.timedelta,
) -> x509.CertificateBuilder:
    now = datetime.datetime.now(datetime.UTC)
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now + begins)
        .not_valid_after(now + ends)
    )


def _name_of(host: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(host))
    except ValueError:
        return x509.DNSName(host)
