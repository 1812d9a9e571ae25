import base64
import hmac
import json
from collections.abc import Mapping
from functools import cache
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from stagedoor.http.identity import BadIdentity, DemoIdentity, JwtIdentity, UserIdMissing
from stagedoor.http.jwks import KeysUnavailable, PublishedKeys, SharedSecret, keys_at_url, parse_keys
from stagedoor.kernel.clock import Instant, ManualClock
from stagedoor.kernel.ids import BuyerId, PlaceRef, QueueNumber, RoomId
from stagedoor.waiting_room.model import SignedPlace
from stagedoor.waiting_room.rejections import ForeignIdentity

PrivateKey = rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey | ed25519.Ed25519PrivateKey

NOON = Instant(1_800_000_000_000)
NOON_S = NOON // 1_000
MINUTE_MS = 60_000
SECRET = b"0123456789abcdef0123456789abcdef"
HER = BuyerId(42)
HIM = BuyerId(43)
NOBODY: Mapping[str, str] = {}


@cache
def an_rsa_key() -> rsa.RSAPrivateKey:
    return rsa.generate_private_key(public_exponent=65_537, key_size=2_048)


@cache
def an_ec_key(name: str = "one") -> ec.EllipticCurvePrivateKey:
    del name
    return ec.generate_private_key(ec.SECP256R1())


def a_jwk(key: PrivateKey, **more: str) -> dict[str, str]:
    algorithm = {
        rsa.RSAPrivateKey: "RS256",
        ec.EllipticCurvePrivateKey: "ES256",
        ed25519.Ed25519PrivateKey: "EdDSA",
    }
    name = next(name for kind, name in algorithm.items() if isinstance(key, kind))
    return {**json.loads(jwt.get_algorithm_by_name(name).to_jwk(key.public_key())), **more}


def a_key_set(*members: dict[str, str]) -> bytes:
    return json.dumps({"keys": members}).encode()


def queue_claims(buyer_id: BuyerId = HER) -> SignedPlace:
    ref = PlaceRef(room_id=RoomId("main"), number=QueueNumber(7))
    return SignedPlace(ref=ref, buyer_id=buyer_id, expires_at=Instant(NOON + MINUTE_MS))


def a_login(*, without: str = "", **changes: object) -> dict[str, Any]:
    claims = {"sub": "42", "iss": "https://login.example", "aud": "tickets", "exp": NOON_S + 60, **changes}
    return {name: value for name, value in claims.items() if name != without}


def headers(
    claims: dict[str, Any] | None = None, *, key: PrivateKey | bytes = SECRET, algorithm: str = "HS256", **header: str
) -> dict[str, str]:
    # The lower half of the library: the upper refuses to write some of what is tried here.
    payload = json.dumps(a_login() if claims is None else claims).encode()
    return {"x-identity": jwt.PyJWS().encode(payload, key, algorithm=algorithm, headers=header)}


def by_hand(header: dict[str, Any], secret: bytes) -> str:
    """Return a login that the library would refuse to sign like this."""
    parts = (base64.urlsafe_b64encode(json.dumps(part).encode()).rstrip(b"=") for part in (header, a_login()))
    text = b".".join(parts)
    signature = hmac.digest(secret, text, "sha256")
    return (text + b"." + base64.urlsafe_b64encode(signature).rstrip(b"=")).decode()


def by_secret(*, clock: ManualClock | None = None, leeway_seconds: int = 0) -> JwtIdentity:
    return JwtIdentity(
        issuer="https://login.example",
        audience="tickets",
        algorithms=["HS256"],
        keys=SharedSecret(SECRET),
        clock=clock or ManualClock(NOON),
        leeway_seconds=leeway_seconds,
    )


class Publisher:
    """What a login publishes; counts how often it is read."""

    def __init__(self, *members: dict[str, str]) -> None:
        self.document = a_key_set(*members)
        self.reads = 0
        self.broken = False

    def __call__(self) -> bytes:
        self.reads += 1
        if self.broken:
            raise OSError("no route to host")
        return self.document


def by_key_set(
    publisher: Publisher, *algorithms: str, clock: ManualClock | None = None
) -> tuple[JwtIdentity, PublishedKeys]:
    clock = clock or ManualClock(NOON)
    keys = PublishedKeys(publisher, algorithms=algorithms, clock=clock)
    identity = JwtIdentity(
        issuer="https://login.example", audience="tickets", algorithms=algorithms, keys=keys, clock=clock
    )
    return identity, keys


class TestDemo:
    async def test_it_believes_every_user_id(self) -> None:
        demo = DemoIdentity()

        assert demo.name == "demo"
        assert await demo.joining(NOBODY, HER) == HER
        assert await demo.who(NOBODY, HER, None) == HER

    async def test_a_queue_token_is_enough(self) -> None:
        assert await DemoIdentity().who(NOBODY, None, queue_claims(HER)) == HER

    async def test_a_user_id_that_is_not_the_tokens_is_foreign(self) -> None:
        assert await DemoIdentity().who(NOBODY, HER, queue_claims(HER)) == HER
        with pytest.raises(ForeignIdentity):
            await DemoIdentity().who(NOBODY, HIM, queue_claims(HER))

    async def test_somebody_has_to_be_named(self) -> None:
        with pytest.raises(UserIdMissing):
            await DemoIdentity().joining(NOBODY, None)
        with pytest.raises(BadIdentity):
            await DemoIdentity().who(NOBODY, None, None)

    async def test_a_login_is_not_looked_at(self) -> None:
        assert await DemoIdentity().who({"x-identity": "nonsense"}, HER, None) == HER


class TestJwt:
    async def test_the_login_says_who(self) -> None:
        identity = by_secret()

        assert identity.name == "jwt"
        assert await identity.joining(headers(), None) == HER
        assert await identity.joining(headers(), HER) == HER
        assert await identity.who(headers(), None, None) == HER

    async def test_a_user_id_proves_nothing(self) -> None:
        with pytest.raises(BadIdentity):
            await by_secret().joining(NOBODY, HER)
        with pytest.raises(BadIdentity):
            await by_secret().who(NOBODY, HER, None)

    async def test_a_queue_token_proves_who_she_is_but_takes_no_new_place(self) -> None:
        assert await by_secret().who(NOBODY, None, queue_claims(HER)) == HER
        assert await by_secret().who(NOBODY, HER, queue_claims(HER)) == HER
        assert await by_secret().who(headers(), HER, queue_claims(HER)) == HER

    async def test_statements_that_differ_are_foreign(self) -> None:
        with pytest.raises(ForeignIdentity):
            await by_secret().joining(headers(), HIM)
        with pytest.raises(ForeignIdentity):
            await by_secret().who(headers(), HIM, None)
        with pytest.raises(ForeignIdentity):
            await by_secret().who(NOBODY, HIM, queue_claims(HER))
        with pytest.raises(ForeignIdentity):
            await by_secret().who(headers(), None, queue_claims(HIM))

    async def test_a_bad_login_is_refused_whatever_else_there_is(self) -> None:
        with pytest.raises(BadIdentity):
            await by_secret().who({"x-identity": "nonsense"}, HER, queue_claims(HER))

    @pytest.mark.parametrize(
        "claims",
        [
            a_login(without="exp"),
            a_login(without="sub"),
            a_login(without="iss"),
            a_login(without="aud"),
            a_login(iss="https://evil.example"),
            a_login(iss=["https://login.example"]),
            a_login(aud="another shop"),
            a_login(aud=[]),
            a_login(sub=42),
            a_login(sub="0"),
            a_login(sub="-42"),
            a_login(sub="42.0"),
            a_login(sub="alice"),
            a_login(sub=str(2**53)),
            a_login(exp=True),
            a_login(exp=str(NOON_S + 60)),
            a_login(exp=float("nan")),
            a_login(nbf=True),
            a_login(nbf=float("nan")),
        ],
    )
    async def test_claims_that_do_not_fit_are_refused(self, claims: dict[str, Any]) -> None:
        with pytest.raises(BadIdentity):
            await by_secret().joining(headers(claims), None)

    @pytest.mark.parametrize("token", ["", ".", "..", "a.b.c", "e30.e30.e30", "é.é.é", "x" * 9_000, "Bearer x"])
    async def test_what_is_no_login_is_refused(self, token: str) -> None:
        with pytest.raises(BadIdentity):
            await by_secret().joining({"x-identity": token}, None)

    @settings(max_examples=30, suppress_health_check=[HealthCheck.function_scoped_fixture])
    @given(header=st.dictionaries(st.text(max_size=5), st.none() | st.text(max_size=5) | st.lists(st.integers())))
    async def test_a_nonsense_header_is_refused_and_nothing_else(self, header: dict[str, Any]) -> None:
        head = base64.urlsafe_b64encode(json.dumps(header).encode()).rstrip(b"=").decode()

        with pytest.raises(BadIdentity):
            await by_secret().joining({"x-identity": f"{head}.e30.c2ln"}, None)

    @pytest.mark.parametrize("algorithm", ["none", "None", "NONE", ""])
    async def test_none_is_refused(self, algorithm: str) -> None:
        unsigned = by_hand({"alg": algorithm, "typ": "JWT"}, SECRET).rpartition(".")[0] + "."

        with pytest.raises(BadIdentity):
            await by_secret().joining({"x-identity": unsigned}, None)

    @pytest.mark.parametrize("header", [{"crit": ["exp"]}, {"crit": []}, {"b64": True}])
    async def test_what_must_not_be_skipped_is_refused(self, header: dict[str, Any]) -> None:
        token = by_hand({"alg": "HS256", "typ": "JWT", **header}, SECRET)

        with pytest.raises(BadIdentity):
            await by_secret().joining({"x-identity": token}, None)

    @pytest.mark.parametrize("wrong", [[], ["HS256"], {}, {"HS256": 1}, None, True, False, 0, 1.5])
    @pytest.mark.parametrize("name", ["alg", "kid", "typ"])
    async def test_a_header_of_another_type_is_refused(self, name: str, wrong: object) -> None:
        right: dict[str, Any] = {"alg": "HS256", "typ": "JWT", "kid": "a"}
        assert await by_secret().joining({"x-identity": by_hand(right, SECRET)}, None) == HER

        with pytest.raises(BadIdentity):
            await by_secret().joining({"x-identity": by_hand({**right, name: wrong}, SECRET)}, None)

    async def test_an_algorithm_that_is_not_listed_is_refused(self) -> None:
        with pytest.raises(BadIdentity):
            await by_secret().joining(headers(key=SECRET * 2, algorithm="HS512"), None)

    async def test_another_secret_is_refused(self) -> None:
        with pytest.raises(BadIdentity):
            await by_secret().joining(headers(key=b"f" * 32), None)

    @pytest.mark.parametrize("leeway", [0, 60])
    async def test_the_end_is_exclusive(self, leeway: int) -> None:
        clock = ManualClock(Instant(NOON + (60 + leeway) * 1_000 - 1))
        identity = by_secret(clock=clock, leeway_seconds=leeway)

        assert await identity.joining(headers(), None) == HER
        clock.advance(1)
        with pytest.raises(BadIdentity):
            await identity.joining(headers(), None)

    @pytest.mark.parametrize("leeway", [0, 60])
    async def test_the_beginning_is_inclusive(self, leeway: int) -> None:
        clock = ManualClock(Instant(NOON - leeway * 1_000 - 1))
        identity = by_secret(clock=clock, leeway_seconds=leeway)

        with pytest.raises(BadIdentity):
            await identity.joining(headers(a_login(nbf=NOON_S)), None)
        clock.advance(1)
        assert await identity.joining(headers(a_login(nbf=NOON_S)), None) == HER

    @pytest.mark.parametrize(
        ("setting", "sentence"),
        [
            ({"algorithms": []}, "must be listed"),
            ({"algorithms": ["none"]}, "cannot be used with none"),
            ({"algorithms": ["HS256", "RS256"]}, "cannot be used with RS256"),
            ({"leeway_seconds": 61}, "0 to 60 seconds, not 61"),
            ({"leeway_seconds": -1}, "0 to 60 seconds, not -1"),
            ({"issuer": ""}, "an issuer and an audience"),
            ({"audience": ""}, "an issuer and an audience"),
        ],
    )
    def test_settings_that_cannot_be_meant_stop_the_start(self, setting: dict[str, Any], sentence: str) -> None:
        usual: dict[str, Any] = {"issuer": "i", "audience": "a", "algorithms": ["HS256"], "leeway_seconds": 0}

        with pytest.raises(ValueError, match=sentence):
            JwtIdentity(**{**usual, **setting}, keys=SharedSecret(SECRET), clock=ManualClock(NOON))

    def test_a_short_secret_stops_the_start(self) -> None:
        with pytest.raises(ValueError, match="5 bytes; it needs at least 32"):
            SharedSecret(b"short")


class TestPublishedKeys:
    @pytest.mark.parametrize("algorithm", ["RS256", "RS512", "PS256"])
    async def test_a_login_signed_with_rsa(self, algorithm: str) -> None:
        identity, _ = by_key_set(Publisher(a_jwk(an_rsa_key(), kid="a")), algorithm)

        login = headers(key=an_rsa_key(), algorithm=algorithm, kid="a")

        assert await identity.joining(login, None) == HER

    async def test_a_login_signed_on_a_curve(self) -> None:
        edwards = ed25519.Ed25519PrivateKey.generate()
        publisher = Publisher(a_jwk(an_ec_key(), kid="a"), a_jwk(edwards, kid="b"))
        identity, _ = by_key_set(publisher, "ES256", "EdDSA")

        assert await identity.joining(headers(key=an_ec_key(), algorithm="ES256", kid="a"), None) == HER
        assert await identity.joining(headers(key=edwards, algorithm="EdDSA", kid="b"), None) == HER

    async def test_a_login_without_a_kid_fits_a_single_key(self) -> None:
        alone, _ = by_key_set(Publisher(a_jwk(an_ec_key(), kid="a")), "ES256")
        among, _ = by_key_set(Publisher(a_jwk(an_ec_key(), kid="a"), a_jwk(an_ec_key("two"), kid="b")), "ES256")
        login = headers(key=an_ec_key(), algorithm="ES256")

        assert await alone.joining(login, None) == HER
        with pytest.raises(BadIdentity):
            await among.joining(login, None)

    async def test_the_public_key_is_no_shared_secret(self) -> None:
        identity, _ = by_key_set(Publisher(a_jwk(an_rsa_key(), kid="a")), "RS256")
        public = an_rsa_key().public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
        token = by_hand({"alg": "HS256", "typ": "JWT", "kid": "a"}, public)

        with pytest.raises(BadIdentity):
            await identity.joining({"x-identity": token}, None)

    async def test_a_key_serves_only_what_it_was_made_for(self) -> None:
        publisher = Publisher(a_jwk(an_rsa_key(), kid="a", alg="RS256"), a_jwk(an_ec_key(), kid="b", use="enc"))
        identity, _ = by_key_set(publisher, "RS256", "RS512", "ES256")

        assert await identity.joining(headers(key=an_rsa_key(), algorithm="RS256", kid="a"), None) == HER
        with pytest.raises(BadIdentity):
            await identity.joining(headers(key=an_rsa_key(), algorithm="RS512", kid="a"), None)
        with pytest.raises(BadIdentity):
            await identity.joining(headers(key=an_ec_key(), algorithm="ES256", kid="b"), None)

    async def test_a_short_key_is_refused(self) -> None:
        short = rsa.generate_private_key(public_exponent=65_537, key_size=1_024)  # noqa: S505 -- that it is refused is the point
        identity, _ = by_key_set(Publisher(a_jwk(short, kid="a")), "RS256")
        with pytest.warns(jwt.InsecureKeyLengthWarning):
            login = headers(key=short, algorithm="RS256", kid="a")

        with pytest.raises(BadIdentity):
            await identity.joining(login, None)

    async def test_a_new_key_is_found_when_it_turns_up(self) -> None:
        publisher = Publisher(a_jwk(an_ec_key(), kid="a"))
        clock = ManualClock(NOON)
        identity, keys = by_key_set(publisher, "ES256", clock=clock)
        await keys.refresh()
        clock.advance(MINUTE_MS)
        publisher.document = a_key_set(a_jwk(an_ec_key("two"), kid="b"))

        login = headers(a_login(exp=NOON_S + 600), key=an_ec_key("two"), algorithm="ES256", kid="b")

        assert await identity.joining(login, None) == HER
        assert publisher.reads == 2

    async def test_it_is_read_at_most_once_a_minute(self) -> None:
        publisher = Publisher(a_jwk(an_ec_key(), kid="a"))
        clock = ManualClock(NOON)
        identity, keys = by_key_set(publisher, "ES256", clock=clock)
        await keys.refresh()
        forged = headers(a_login(exp=NOON_S + 600), key=an_ec_key("two"), algorithm="ES256", kid="made up")

        for advance_ms, reads in ((0, 1), (MINUTE_MS - 1, 1), (1, 2), (0, 2), (MINUTE_MS, 3)):
            clock.advance(advance_ms)
            with pytest.raises(BadIdentity):
                await identity.joining(forged, None)
            assert publisher.reads == reads

    async def test_without_keys_nobody_is_believed(self) -> None:
        publisher = Publisher(a_jwk(an_ec_key(), kid="a"))
        publisher.broken = True
        clock = ManualClock(NOON)
        identity, keys = by_key_set(publisher, "ES256", clock=clock)
        login = headers(a_login(exp=NOON_S + 600), key=an_ec_key(), algorithm="ES256", kid="a")

        with pytest.raises(KeysUnavailable):
            await keys.refresh()
        with pytest.raises(KeysUnavailable):
            await identity.joining(login, None)
        publisher.broken = False
        clock.advance(MINUTE_MS)
        assert await identity.joining(login, None) == HER

    async def test_known_keys_outlive_an_outage_and_unknown_ones_are_no_refusal(self) -> None:
        publisher = Publisher(a_jwk(an_ec_key(), kid="a"))
        clock = ManualClock(NOON)
        identity, keys = by_key_set(publisher, "ES256", clock=clock)
        await keys.refresh()
        publisher.broken = True
        clock.advance(MINUTE_MS)
        late = a_login(exp=NOON_S + 600)

        for _ in range(2):
            with pytest.raises(KeysUnavailable):
                await identity.joining(headers(late, key=an_ec_key("two"), algorithm="ES256", kid="b"), None)
        assert publisher.reads == 2
        assert await identity.joining(headers(late, key=an_ec_key(), algorithm="ES256", kid="a"), None) == HER

    @pytest.mark.parametrize(
        "document",
        [b"", b"[]", b"{}", b'{"keys":[]}', b'{"keys":[1]}', b'{"keys":[{"kty":"oct","k":"AAAA"}]}', b"\xff"],
    )
    def test_a_document_without_a_usable_key_is_refused(self, document: bytes) -> None:
        with pytest.raises(ValueError, match=r".+"):
            parse_keys(document, ["ES256"])

    def test_a_malformed_key_does_not_spoil_the_others(self) -> None:
        broken = {**a_jwk(an_ec_key("two"), kid="b"), "x": "AAAA"}

        found = parse_keys(a_key_set(a_jwk(an_ec_key(), kid="a"), broken), ["ES256"])

        assert set(found) == {("a", "ES256"), (None, "ES256")}

    def test_a_published_private_key_is_used_as_a_public_one(self) -> None:
        private = json.loads(jwt.get_algorithm_by_name("ES256").to_jwk(an_ec_key()))
        assert "d" in private

        found = parse_keys(a_key_set({**private, "kid": "a"}), ["ES256"])

        assert isinstance(found["a", "ES256"], ec.EllipticCurvePublicKey)

    @pytest.mark.parametrize("url", ["http://login.example/keys", "file:///etc/passwd", "ftp://x/", "https://", "keys"])
    def test_only_https_is_taken(self, url: str) -> None:
        with pytest.raises(ValueError, match="https address"):
            keys_at_url(url)
