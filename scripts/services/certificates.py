"""An authority for one folder, and the certificate that it gives to the server there."""

import datetime as dt
import ipaddress
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

AUTHORITY, CERTIFICATE, KEY = "ca.pem", "certificate.pem", "key.pem"
A_DAY = dt.timedelta(days=1)


def issue(folder: Path, *, address: str) -> None:
    """Write into *folder* who is to be trusted (ca.pem), and a server's certificate and key for *address*."""
    authority_key, server_key = (ec.generate_private_key(ec.SECP256R1()) for _ in range(2))
    authority = _named("Stagedoor's tests", by="Stagedoor's tests", key=authority_key).add_extension(
        x509.BasicConstraints(ca=True, path_length=0), critical=True
    )
    server = _named(address, by="Stagedoor's tests", key=server_key).add_extension(
        x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address(address))]), critical=False
    )
    for name, unsigned in ((AUTHORITY, authority), (CERTIFICATE, server)):
        signed = unsigned.sign(authority_key, hashes.SHA256())
        (folder / name).write_bytes(signed.public_bytes(serialization.Encoding.PEM))
    (folder / KEY).touch(mode=0o600)
    (folder / KEY).write_bytes(
        server_key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
    )


def _named(name: str, *, by: str, key: ec.EllipticCurvePrivateKey) -> x509.CertificateBuilder:
    subject, issuer = (x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, each)]) for each in (name, by))
    now = dt.datetime.now(dt.UTC)
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - A_DAY)
        .not_valid_after(now + A_DAY)
    )
