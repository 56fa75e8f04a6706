"""A large file behind TLS on loopback, served by a program that is faster than what is measured."""

from __future__ import annotations

import hashlib
import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

_CHUNK = 1 << 20


@dataclass(frozen=True)
class Server:
    """Where the file is, and how it can be known."""

    url: str
    digest: str
    authority: Path


@contextmanager
def serving_file(work: Path, size: int) -> Iterator[Server]:
    """Make a file of random bytes and serve it until the block ends."""
    (work / "served").mkdir()
    running = hashlib.sha256()
    block = os.urandom(_CHUNK)
    with (work / "served" / "model.bin").open("wb") as file:
        for number in range(-(-size // _CHUNK)):
            chunk = (number.to_bytes(8, "big") + block[8:])[: size - number * _CHUNK]
            running.update(chunk)
            file.write(chunk)
    authority, key = _certificate(work)
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    command = [str(Path(sys.executable).parent / "rclone"), "serve", "http", "--addr", f"127.0.0.1:{port}"]
    command += ["--cert", str(authority), "--key", str(key), "--config", os.devnull, str(work / "served")]
    process = subprocess.Popen(command, stderr=subprocess.DEVNULL)
    try:
        _wait(port)
        yield Server(f"https://127.0.0.1:{port}/model.bin", f"sha256:{running.hexdigest()}", authority)
    finally:
        process.terminate()
        process.wait()


def _wait(port: int) -> None:
    end = time.monotonic() + 30
    while time.monotonic() < end:
        try:
            socket.create_connection(("127.0.0.1", port), 1).close()
        except OSError:
            time.sleep(0.05)
        else:
            return
    raise SystemExit("the server does not start")


def _certificate(work: Path) -> tuple[Path, Path]:
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "artifacts benchmark")])
    now = datetime.now(UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(hours=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ip_address("127.0.0.1"))]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .sign(key, hashes.SHA256())
    )
    authority, secret = work / "authority.pem", work / "key.pem"
    authority.write_bytes(made.public_bytes(serialization.Encoding.PEM))
    secret.write_bytes(
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    )
    return authority, secret
