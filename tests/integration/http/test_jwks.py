"""The login's published keys over real TLS: bounded, unredirected, and only from whom the machine trusts."""

import asyncio
import ipaddress
import json
import ssl
import threading
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import jwt
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from typing_extensions import override

from stagedoor.http.jwks import DOCUMENT_BYTES_MAX, KeysUnavailable, PublishedKeys, keys_at_url, keys_in_file
from stagedoor.kernel.clock import Instant, ManualClock

NOON = Instant(1_800_000_000_000)
WAIT_S = 10.0
"""A reading ends by itself after so long, for whoever has failed and would wait for its thread."""
LOGIN_KEY = ec.generate_private_key(ec.SECP256R1())
DOCUMENT = json.dumps(
    {"keys": [{**json.loads(jwt.get_algorithm_by_name("ES256").to_jwk(LOGIN_KEY.public_key())), "kid": "a"}]}
).encode()


class Login(BaseHTTPRequestHandler):
    """Publishes keys, well and badly."""

    hang_up = threading.Event()

    def do_GET(self) -> None:
        match self.path:
            case "/keys":
                self.tell(200, DOCUMENT)
            case "/moved":
                self.send_response(302)
                self.send_header("Location", "/keys")
                self.send_header("Content-Length", "0")
                self.end_headers()
            case "/huge":
                self.tell(200, b" " * (DOCUMENT_BYTES_MAX + 1))
            case "/short":
                self.send_response(200)
                self.send_header("Content-Length", "1000")
                self.end_headers()
                self.wfile.write(DOCUMENT[:50])
            case "/drip":
                self.drip()
            case _:
                self.tell(500, b"")

    def tell(self, status: int, body: bytes) -> None:
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def drip(self) -> None:
        self.send_response(200)
        self.end_headers()
        while not self.hang_up.wait(0.02):
            try:
                self.wfile.write(b" ")
            except OSError:
                return

    @override
    def log_message(self, format: str, *args: object) -> None:
        """Say nothing."""


def a_certificate(folder: Path) -> tuple[Path, Path]:
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "login")])
    now = datetime.now(UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    certificate_file, key_file = folder / "login.pem", folder / "login.key"
    certificate_file.write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
    key_file.write_bytes(
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    )
    return certificate_file, key_file


@pytest.fixture(scope="module")
def login(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, ssl.SSLContext]]:
    certificate, key = a_certificate(tmp_path_factory.mktemp("login"))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    server = ThreadingHTTPServer(("127.0.0.1", 0), Login)
    server.socket = context.wrap_socket(server.socket, server_side=True)
    serving = threading.Thread(target=server.serve_forever)
    serving.start()
    yield f"https://127.0.0.1:{server.server_port}", ssl.create_default_context(cafile=certificate)
    Login.hang_up.set()
    server.shutdown()
    serving.join()
    server.server_close()


async def test_keys_are_read_and_found(login: tuple[str, ssl.SSLContext]) -> None:
    url, trust = login
    keys = PublishedKeys(keys_at_url(f"{url}/keys", trust=trust), algorithms=["ES256"], clock=ManualClock(NOON))

    await keys.refresh()

    assert await keys.find("a", "ES256") is not None
    assert await keys.find("b", "ES256") is None


async def test_many_who_ask_at_once_read_once(login: tuple[str, ssl.SSLContext]) -> None:
    url, trust = login
    read = keys_at_url(f"{url}/keys", trust=trust)
    reads = 0

    def counted() -> bytes:
        nonlocal reads
        reads += 1
        return read()

    keys = PublishedKeys(counted, algorithms=["ES256"], clock=ManualClock(NOON))

    found = await asyncio.gather(*(keys.find("a", "ES256") for _ in range(50)))

    assert all(key is not None for key in found)
    assert reads == 1


def held_up(may_go_on: threading.Event) -> Callable[[], bytes]:
    """Return a reader that has the document once it may go on."""

    def read() -> bytes:
        may_go_on.wait(WAIT_S)
        return DOCUMENT

    return read


async def test_whoever_is_in_a_hurry_does_not_end_the_reading_for_the_others() -> None:
    may_go_on = threading.Event()
    keys = PublishedKeys(held_up(may_go_on), algorithms=["ES256"], clock=ManualClock(NOON))
    hurried, patient = (asyncio.ensure_future(keys.find("a", "ES256")) for _ in range(2))
    await asyncio.sleep(0)
    hurried.cancel()
    await asyncio.wait([hurried])
    may_go_on.set()

    assert hurried.cancelled()
    assert await patient is not None
    assert await keys.find("a", "ES256") is not None


async def test_whoever_is_in_a_hurry_alone_has_read_for_who_comes_after_her() -> None:
    may_go_on = threading.Event()
    keys = PublishedKeys(held_up(may_go_on), algorithms=["ES256"], clock=ManualClock(NOON))
    hurried = asyncio.ensure_future(keys.find("a", "ES256"))
    await asyncio.sleep(0)
    hurried.cancel()
    await asyncio.wait([hurried])
    may_go_on.set()

    assert await keys.find("a", "ES256") is not None


async def test_after_a_defect_unknown_keys_are_a_fault_and_no_refusal() -> None:
    def read() -> bytes:
        raise LookupError("a bug of ours")

    keys = PublishedKeys(read, algorithms=["ES256"], clock=ManualClock(NOON))
    with pytest.raises(LookupError):
        await keys.find("a", "ES256")

    with pytest.raises(KeysUnavailable):
        await keys.find("a", "ES256")


@pytest.mark.parametrize("path", ["/moved", "/huge", "/short", "/drip", "/broken"])
async def test_what_is_published_badly_is_a_fault(login: tuple[str, ssl.SSLContext], path: str) -> None:
    url, trust = login
    read = keys_at_url(f"{url}{path}", trust=trust, seconds_max=0.3)

    with pytest.raises(KeysUnavailable):
        await PublishedKeys(read, algorithms=["ES256"], clock=ManualClock(NOON)).refresh()


async def test_a_certificate_of_nobody_is_a_fault(login: tuple[str, ssl.SSLContext]) -> None:
    url, _ = login

    with pytest.raises(KeysUnavailable, match="CERTIFICATE_VERIFY_FAILED"):
        await PublishedKeys(keys_at_url(f"{url}/keys"), algorithms=["ES256"], clock=ManualClock(NOON)).refresh()


async def test_nobody_there_is_a_fault() -> None:
    with pytest.raises(KeysUnavailable):
        await PublishedKeys(
            keys_at_url("https://127.0.0.1:1/keys"), algorithms=["ES256"], clock=ManualClock(NOON)
        ).refresh()


async def test_keys_in_a_file(tmp_path: Path) -> None:
    path = tmp_path / "keys.json"
    keys = PublishedKeys(keys_in_file(path), algorithms=["ES256"], clock=ManualClock(NOON))
    with pytest.raises(KeysUnavailable):
        await keys.refresh()

    path.write_bytes(DOCUMENT)
    await keys.refresh()

    assert await keys.find("a", "ES256") is not None
    path.write_bytes(b" " * (DOCUMENT_BYTES_MAX + 1))
    with pytest.raises(KeysUnavailable, match="larger than"):
        await keys.refresh()
