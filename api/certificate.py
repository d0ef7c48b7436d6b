"""A self-made TLS certificate, for a demonstration or a network of one's own: who trusts the file trusts the server."""

from __future__ import annotations

import ipaddress
from datetime import UTC, datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from models.durable_file import OWNER_ONLY, READABLE_BY_ALL, create_durably
from models.errors import BadInputError, OverwriteRefusedError, UsageError

CERTIFICATE_FILE, KEY_FILE = "certificate.pem", "certificate-key.pem"

LIFETIME = timedelta(days=90)


def make_certificate(folder: Path, host: str, now: datetime | None = None) -> tuple[Path, Path]:
    """Make a certificate for a host and its key (EC P-256), and return both files.

    Nobody vouches for it: devices must be given the certificate by a way they trust.

    Args:
        folder: Where to; files that are there are kept.
        host: Name or address by which devices reach the server.
        now: When it becomes good, less a minute for clocks that differ; this machine's clock by default.

    Raises:
        UsageError: That is no host.
        OverwriteRefusedError: There is one already.
        BadInputError: The folder can't be written.
    """
    key = ec.generate_private_key(ec.SECP256R1())
    certificate = _sign(key, host, now or datetime.now(UTC)).public_bytes(Encoding.PEM)
    secret = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    paths = folder / CERTIFICATE_FILE, folder / KEY_FILE
    try:
        for path, content, mode in zip(paths, (certificate, secret), (READABLE_BY_ALL, OWNER_ONLY), strict=True):
            create_durably(path, content, mode)
    except FileExistsError as error:
        raise OverwriteRefusedError(error.filename2 or folder) from None
    except OSError as error:
        raise BadInputError(f"{folder}: can't be written: {error.strerror}") from None
    return paths


def _sign(key: ec.EllipticCurvePrivateKey, host: str, now: datetime) -> x509.Certificate:
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "Hearsay, self-made")])
    return (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(minutes=1))
        .not_valid_after(now + LIFETIME)
        .add_extension(x509.SubjectAlternativeName([_general_name(host)]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .sign(key, hashes.SHA256())
    )


def _general_name(host: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(host))
    except ValueError:
        pass
    try:
        return x509.DNSName(host.encode("idna").decode("ascii") if host else "")
    except ValueError:
        raise UsageError("expected a host's name or address") from None
