"""Certificates for tests, and what ClickHouse's configuration says to use them."""

from __future__ import annotations

import datetime
from dataclasses import dataclass
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID

# Both ways: what it shows to others, and whom it trusts of the servers of its cluster.
CONFIG = """
  <tcp_port_secure>{port}</tcp_port_secure>
  <openSSL>
    <server>
      <certificateFile>{paper.chain}</certificateFile>
      <privateKeyFile>{paper.key}</privateKeyFile>
      <verificationMode>none</verificationMode>
      <loadDefaultCAFile>false</loadDefaultCAFile>
    </server>
    <client>
      <caConfig>{paper.authority}</caConfig>
      <verificationMode>strict</verificationMode>
      <loadDefaultCAFile>false</loadDefaultCAFile>
      <invalidCertificateHandler><name>RejectCertificateHandler</name></invalidCertificateHandler>
    </client>
  </openSSL>
"""


@dataclass(frozen=True, kw_only=True)
class Paper:
    """Files: the certificate of an authority, and what it has signed for a host."""

    name: str
    authority: Path
    chain: Path
    key: Path

    def config(self, port: int) -> str:
        """What makes ClickHouse listen with it."""
        return CONFIG.format(port=port, paper=self)


def paper(folder: Path, name: str = "localhost") -> Paper:
    """For a host, by an authority of its own."""
    folder.mkdir(parents=True, exist_ok=True)
    signer, key = ec.generate_private_key(ec.SECP256R1()), ec.generate_private_key(ec.SECP256R1())
    root = _named("stepwell tests")
    authority = _made(root, root, signer.public_key(), names=[], ca=True).sign(signer, SHA256())
    chain = _made(_named(name), root, key.public_key(), names=[x509.DNSName(name)], ca=False).sign(signer, SHA256())
    made = Paper(name=name, authority=folder / "ca.pem", chain=folder / "host.pem", key=folder / "host.key")
    made.authority.write_bytes(authority.public_bytes(Encoding.PEM))
    made.chain.write_bytes(chain.public_bytes(Encoding.PEM))
    made.key.write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    return made


def _named(name: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])


def _made(
    subject: x509.Name, issuer: x509.Name, key: ec.EllipticCurvePublicKey, *, names: list[x509.DNSName], ca: bool
) -> x509.CertificateBuilder:
    now = datetime.datetime.now(datetime.UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key)
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(days=1))
        .not_valid_after(now + datetime.timedelta(days=1))
        .add_extension(x509.BasicConstraints(ca=ca, path_length=None), critical=True)
    )
    return made.add_extension(x509.SubjectAlternativeName(names), critical=False) if names else made
