"""Encrypted connections: nothing else is taken, links say https, and a renewed certificate needs no restart."""

from __future__ import annotations

import datetime
import socket
import ssl
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import httpx
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from serving import HOST, binary

pytestmark = pytest.mark.slow  # programs are started, and one waits for the next look at the files


def certify(folder: Path, name: str, *, password: bytes | None = None) -> tuple[Path, Path]:
    """A certificate of this machine that signs itself, and its key, as `name`.crt and `name`.key."""
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "localhost")])
    now = datetime.datetime.now(datetime.UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(days=1))
        .not_valid_after(now + datetime.timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName("localhost")]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    lock = serialization.BestAvailableEncryption(password) if password else serialization.NoEncryption()
    chain, secret = folder / f"{name}.crt", folder / f"{name}.key"
    chain.write_bytes(made.public_bytes(serialization.Encoding.PEM))
    secret.write_bytes(
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.TraditionalOpenSSL, lock)
    )
    return chain, secret


@pytest.fixture
def files(tmp_path: Path) -> tuple[Path, Path]:
    return certify(tmp_path, "first")


@pytest.fixture
def port(tmp_path: Path, files: tuple[Path, Path]) -> Iterator[int]:
    """The port of a server that shows the certificate."""
    log = (tmp_path / "log").open("wb")
    flags = ["--data-dir", tmp_path / "data", "--tls-cert", files[0], "--tls-key", files[1]]
    process = subprocess.Popen([str(binary()), "serve", "--port", "0", *map(str, flags)], stdout=log, stderr=log)
    try:
        yield _port_in(tmp_path / "log", process)
    finally:
        process.terminate()
        assert process.wait(60) == 0
        log.close()


def _port_in(log: Path, process: subprocess.Popen[bytes]) -> int:
    for _ in range(3_000):
        first = next((line for line in log.read_text().splitlines() if " serves https://" in line), None)
        if first is not None:
            return int(first.rpartition(":")[2])
        assert process.poll() is None, log.read_text()
        time.sleep(0.02)
    raise AssertionError(log.read_text())


def client(port: int, chain: Path) -> httpx.Client:
    trusting = ssl.create_default_context(cafile=str(chain))
    return httpx.Client(
        base_url=f"https://localhost:{port}", verify=trusting, limits=httpx.Limits(keepalive_expiry=600), timeout=60
    )


def shown(port: int) -> bytes:
    """The certificate that a new connection sees."""
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    with socket.create_connection((HOST, port), 60) as plain, context.wrap_socket(plain) as wrapped:
        return wrapped.getpeercert(binary_form=True) or b""


def der(chain: Path) -> bytes:
    return ssl.PEM_cert_to_DER_cert(chain.read_text())


def test_everything_works_encrypted(port: int, files: tuple[Path, Path]):
    with client(port, files[0]) as api:
        assert api.post("/api/v1/runs", json={"id": "first"}).status_code == 201
        body = b"x" * 3_000_000  # many records of TLS, in both directions
        assert api.put("/api/v1/runs/first/artifacts/a.bin", content=body).is_success
        assert api.get("/api/v1/runs/first/artifacts/a.bin").content == body
        made = api.post("/api/runs/create", json={"runName": "r", "projectName": "p"}).json()
        assert made["url"].startswith(f"https://localhost:{port}/")


@pytest.mark.parametrize("sent", [b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n", b"\x16\x03\x01", b""])
def test_nothing_is_told_in_the_clear(port: int, files: tuple[Path, Path], sent: bytes):
    with socket.create_connection((HOST, port), 60) as plain:
        plain.sendall(sent)
        plain.shutdown(socket.SHUT_WR)
        answer = b""
        try:
            while part := plain.recv(1_000):
                answer += part
        except ConnectionError:
            pass
    assert b"HTTP/" not in answer
    with client(port, files[0]) as api:
        assert api.get("/healthz").status_code == 200, "and the server goes on"


def test_old_versions_of_tls_are_refused(port: int):
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    context.set_ciphers("ALL:@SECLEVEL=0")
    with pytest.warns(DeprecationWarning, match="TLSv1_1"):
        context.minimum_version = context.maximum_version = ssl.TLSVersion.TLSv1_1
    with socket.create_connection((HOST, port), 60) as plain, pytest.raises((ssl.SSLError, OSError)):
        context.wrap_socket(plain)


def test_a_renewed_certificate_is_shown_without_a_restart(port: int, files: tuple[Path, Path], tmp_path: Path):
    chain, key = files
    old = der(chain)
    assert shown(port) == old
    with client(port, chain) as before:
        assert before.get("/healthz").status_code == 200
        key.write_text("no key\n")
        _until(lambda: "the certificate stays as it was" in (tmp_path / "log").read_text())
        assert shown(port) == old
        for new, place in zip(certify(tmp_path, "second"), files, strict=True):
            place.write_bytes(new.read_bytes())
        _until(lambda: shown(port) == der(chain))
        assert der(chain) != old
        assert before.get("/healthz").status_code == 200, "a connection that was there goes on"


def _until(holds: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 120
    while not holds():
        assert time.monotonic() < deadline
        time.sleep(0.1)


def refused(tmp_path: Path, *flags: str | Path) -> str:
    """The one line with which a start ends."""
    command = [binary(), "serve", "--port", "0", "--data-dir", tmp_path / "data", *flags]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=120, stdin=subprocess.DEVNULL)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.count("\n") == 1, done.stderr
    return done.stderr


def test_what_cannot_be_shown_ends_the_start(tmp_path: Path, files: tuple[Path, Path]):
    chain, key = files
    other = certify(tmp_path, "other")[1]
    locked = certify(tmp_path, "locked", password=b"secret")
    assert "tls_key is not" in refused(tmp_path, "--tls-cert", chain)
    assert "tls_cert is not" in refused(tmp_path, "--tls-key", key)
    assert "missing.crt" in refused(tmp_path, "--tls-cert", tmp_path / "missing.crt", "--tls-key", key)
    assert "not a certificate and its key" in refused(tmp_path, "--tls-cert", chain, "--tls-key", other)
    assert "not a certificate and its key" in refused(tmp_path, "--tls-cert", key, "--tls-key", key)
    assert "the key is encrypted" in refused(tmp_path, "--tls-cert", locked[0], "--tls-key", locked[1])
