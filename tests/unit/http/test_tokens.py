import base64
import json
import string
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from hypothesis import given, settings
from hypothesis import strategies as st

from stagedoor.http.tokens import (
    TOKEN_CHARACTERS_MAX,
    BadToken,
    QueueTokens,
    SigningKey,
    derive_key,
    signing_key,
    subject_id,
)
from stagedoor.kernel.clock import Instant
from stagedoor.kernel.ids import BuyerId, PlaceRef, QueueNumber, RoomId
from stagedoor.waiting_room.model import PlaceState, PlaceView, SignedPlace

NOON = Instant(1_800_000_000_000)
SECRET = b"0123456789abcdef0123456789abcdef"
EPOCH = "9f8e7d6c"
KEY = signing_key(SECRET)
TOKENS = QueueTokens([KEY], EPOCH)


def read(authorization: str | None, *, now: Instant) -> SignedPlace:
    return TOKENS.read(None if authorization is None else authorization.encode("utf-8", "surrogatepass"), now=now)


def a_place(number: int = 7, buyer: int = 42, room: str = "main", expires_at: int = NOON + 60_000) -> PlaceView:
    return PlaceView(
        ref=PlaceRef(room_id=RoomId(room), number=QueueNumber(number)),
        buyer_id=BuyerId(buyer),
        state=PlaceState.WAITING,
        position=number,
        token_expires_at=Instant(expires_at),
        poll_after_ms=1_000,
    )


def claims_of(token: str) -> dict[str, Any]:
    claims: dict[str, Any] = jwt.decode(token, KEY.secret, algorithms=["HS256"], options={"verify_exp": False})
    return claims


def signed(*, kid: str = KEY.kid, key: bytes = KEY.secret) -> str:
    return jwt.encode(claims_of(TOKENS.issue(a_place())), key, algorithm="HS256", headers={"kid": kid})


def signed_raw(header: object, payload: bytes) -> str:
    parts = [json.dumps(header).encode(), payload]
    text = b".".join(base64.urlsafe_b64encode(part).rstrip(b"=") for part in parts)
    signature = jwt.get_algorithm_by_name("HS256").sign(text, KEY.secret)
    return (text + b"." + base64.urlsafe_b64encode(signature).rstrip(b"=")).decode()


def test_a_token_says_whose_place_it_is() -> None:
    claims = read(TOKENS.issue(a_place(number=7, buyer=42, room="vip")), now=NOON)

    assert claims.ref == PlaceRef(room_id=RoomId("vip"), number=QueueNumber(7))
    assert claims.buyer_id == 42
    assert claims.expires_at == NOON + 60_000


def test_the_token_of_a_place_is_always_the_same() -> None:
    assert TOKENS.issue(a_place()) == TOKENS.issue(a_place()) == QueueTokens([KEY], EPOCH).issue(a_place())


def test_another_place_has_another_jti() -> None:
    tokens = [TOKENS.issue(place) for place in (a_place(), a_place(number=8), a_place(room="vip"))]

    assert len({claims_of(token)["jti"] for token in tokens}) == 3


def test_the_library_reads_ours() -> None:
    token = TOKENS.issue(a_place())

    assert jwt.get_unverified_header(token) == {"alg": "HS256", "typ": "JWT", "kid": KEY.kid}
    assert claims_of(token) | {"jti": "…"} == {
        "sub": "42",
        "room": "main",
        "num": 7,
        "jti": "…",
        "exp": (NOON + 60_000) // 1_000,
    }


def test_we_read_the_librarys() -> None:
    assert read(signed(), now=NOON) == read(TOKENS.issue(a_place()), now=NOON)


def test_a_header_in_another_order_is_read_too() -> None:
    payload = json.dumps(claims_of(TOKENS.issue(a_place()))).encode()

    token = signed_raw({"typ": "JWT", "kid": KEY.kid, "alg": "HS256"}, payload)

    assert read(token, now=NOON).buyer_id == 42


@settings(max_examples=50)
@given(
    number=st.integers(1, 2**53 - 1),
    buyer=st.integers(1, 2**53 - 1),
    room=st.text(min_size=1, max_size=64),
    seconds=st.integers(1, 10**9),
)
def test_what_is_issued_is_read(number: int, buyer: int, room: str, seconds: int) -> None:
    place = a_place(number=number, buyer=buyer, room=room, expires_at=NOON + seconds * 1_000)

    claims = read(f"Bearer {TOKENS.issue(place)}", now=NOON)

    assert (claims.ref, claims.buyer_id, claims.expires_at) == (place.ref, place.buyer_id, place.token_expires_at)


@pytest.mark.parametrize("form", ["{}", "Bearer {}", "bearer {}", "BEARER {}", "Bearer  {} "])
def test_bare_or_bearer(form: str) -> None:
    assert read(form.format(TOKENS.issue(a_place())), now=NOON).buyer_id == 42


@pytest.mark.parametrize(
    "authorization",
    [
        None,
        "",
        " ",
        ".",
        "..",
        "...",
        "a.b",
        "a.b.c",
        "Bearer",
        "Bearer ",
        "Basic dXNlcjpwYXNz",
        "Bearer Bearer x.y.z",
        "토큰",
        "\x00.\x00.\x00",
        "e30.e30.e30",
        "x" * (TOKEN_CHARACTERS_MAX + 1),
        "Bearer " + "x." * TOKEN_CHARACTERS_MAX,
    ],
)
def test_what_is_no_token_is_refused(authorization: str | None) -> None:
    with pytest.raises(BadToken):
        read(authorization, now=NOON)


@settings(max_examples=50)
@given(st.text(max_size=400))
def test_nonsense_is_refused_and_nothing_else(text: str) -> None:
    with pytest.raises(BadToken):
        read(text, now=NOON)


def test_no_character_can_be_exchanged() -> None:
    token = TOKENS.issue(a_place())

    altered = [token[:index] + other + token[index + 1 :] for index in range(len(token)) for other in "Aa_. "]
    # All of them in the last place, of which base64 uses only some bits.
    altered += [token[:-1] + other for other in string.ascii_letters + string.digits + "-_+/="]

    for forgery in set(altered) - {token}:
        with pytest.raises(BadToken):
            read(forgery, now=NOON)


@pytest.mark.parametrize("tail", ["=", "A", ".", ".e30", " x"])
def test_nothing_can_be_added(tail: str) -> None:
    with pytest.raises(BadToken):
        read(TOKENS.issue(a_place()) + tail, now=NOON)


@pytest.mark.parametrize(
    "header",
    [
        {"alg": "none", "typ": "JWT"},
        {"alg": "none", "typ": "JWT", "kid": KEY.kid},
        {"alg": "NONE", "typ": "JWT", "kid": KEY.kid},
        {"alg": "HS512", "typ": "JWT", "kid": KEY.kid},
        {"alg": "RS256", "typ": "JWT", "kid": KEY.kid},
        {"alg": "HS256", "typ": "JWT", "kid": KEY.kid, "crit": ["exp"]},
        {"alg": "HS256", "typ": "JWT", "kid": KEY.kid, "crit": []},
        {"alg": "HS256", "typ": "JWT", "kid": KEY.kid, "b64": False},
        {"alg": "HS256", "typ": "JWT", "kid": KEY.kid, "jwk": {"kty": "oct", "k": "AAAA"}},
        {"alg": "HS256", "typ": "JWT", "kid": "another"},
        {"alg": "HS256", "typ": "JWT", "kid": None},
        {"alg": "HS256", "typ": "JWT", "kid": 1},
        {"alg": "HS256", "typ": "JWE", "kid": KEY.kid},
        {"alg": "HS256", "typ": "JWT"},
        {"alg": ["HS256"], "typ": "JWT", "kid": KEY.kid},
        [],
        "HS256",
        None,
    ],
)
def test_headers_we_do_not_write_are_refused(header: object) -> None:
    # Signed with the right key all the same: the header alone is what is wrong.
    token = signed_raw(header, json.dumps(claims_of(TOKENS.issue(a_place()))).encode())

    with pytest.raises(BadToken):
        read(token, now=NOON)


def test_without_a_signature_it_is_refused() -> None:
    with pytest.raises(BadToken):
        read(jwt.encode(claims_of(TOKENS.issue(a_place())), "", algorithm="none"), now=NOON)
    with pytest.raises(BadToken):
        read(TOKENS.issue(a_place()).rpartition(".")[0] + ".", now=NOON)


def test_a_key_that_is_not_ours_is_refused() -> None:
    with pytest.raises(BadToken):
        read(signed(key=b"f" * 32), now=NOON)


@pytest.mark.parametrize(
    "changes",
    [
        {"sub": 42},
        {"sub": "0"},
        {"sub": "-1"},
        {"sub": "042"},
        {"sub": "4.2"},
        {"sub": "1e3"},
        {"sub": " 42"},
        {"sub": "٤٢"},
        {"sub": ""},
        {"sub": None},
        {"sub": "9007199254740992"},
        {"num": "7"},
        {"num": 0},
        {"num": -7},
        {"num": 7.5},
        {"num": True},
        {"num": 2**53},
        {"room": 1},
        {"room": None},
        {"jti": None},
        {"jti": "else"},
        {"exp": None},
        {"exp": -1},
        {"exp": 10**18},
    ],
)
def test_claims_of_the_wrong_kind_are_refused(changes: dict[str, Any]) -> None:
    payload = json.dumps({**claims_of(TOKENS.issue(a_place())), **changes}).encode()

    with pytest.raises(BadToken):
        read(signed_raw({"alg": "HS256", "kid": KEY.kid, "typ": "JWT"}, payload), now=NOON)


@pytest.mark.parametrize("missing", ["sub", "room", "num", "jti", "exp"])
def test_a_missing_claim_is_refused(missing: str) -> None:
    claims = claims_of(TOKENS.issue(a_place()))
    del claims[missing]

    with pytest.raises(BadToken):
        read(signed_raw({"alg": "HS256", "kid": KEY.kid, "typ": "JWT"}, json.dumps(claims).encode()), now=NOON)


@pytest.mark.parametrize("payload", [b"", b"[]", b"42", b"{", b"\xff\xfe", b"[" * 1_000])
def test_a_payload_that_is_no_object_is_refused(payload: bytes) -> None:
    with pytest.raises(BadToken):
        read(signed_raw({"alg": "HS256", "kid": KEY.kid, "typ": "JWT"}, payload), now=NOON)


def test_the_end_is_exclusive() -> None:
    token = TOKENS.issue(a_place(expires_at=NOON + 60_000))

    assert read(token, now=Instant(NOON + 59_999)).buyer_id == 42
    with pytest.raises(BadToken):
        read(token, now=Instant(NOON + 60_000))


def test_a_token_never_outlives_its_place_by_rounding() -> None:
    token = TOKENS.issue(a_place(expires_at=NOON + 60_999))

    assert read(token, now=NOON).expires_at == NOON + 60_000


def test_a_line_given_up_takes_its_tokens_along() -> None:
    with pytest.raises(BadToken):
        QueueTokens([KEY], "another epoch").read(TOKENS.issue(a_place()).encode(), now=NOON)


def test_two_keys_are_valid_at_a_time() -> None:
    fresh = signing_key(b"another secret of 32 bytes or more")
    old, both, new = TOKENS, QueueTokens([fresh, KEY], EPOCH), QueueTokens([fresh], EPOCH)

    assert both.read(old.issue(a_place()).encode(), now=NOON).buyer_id == 42
    assert new.read(both.issue(a_place()).encode(), now=NOON).buyer_id == 42
    with pytest.raises(BadToken):
        new.read(old.issue(a_place()).encode(), now=NOON)
    with pytest.raises(ValueError, match="one or 2 keys, not 3"):
        QueueTokens([fresh, KEY, KEY], EPOCH)
    with pytest.raises(ValueError, match="one or 2 keys, not 0"):
        QueueTokens([], EPOCH)


def test_a_kid_of_one_key_with_the_signature_of_the_other_is_refused() -> None:
    fresh = signing_key(b"another secret of 32 bytes or more")

    with pytest.raises(BadToken):
        QueueTokens([fresh, KEY], EPOCH).read(signed(kid=fresh.kid).encode(), now=NOON)


def test_keys_are_derived_as_rfc_5869_says() -> None:
    oracle = HKDF(algorithm=SHA256(), length=32, salt=b"stagedoor", info=b"some purpose").derive(SECRET)

    assert derive_key(SECRET, "some purpose") == oracle
    assert derive_key(SECRET, "another purpose") != oracle


def test_a_short_secret_is_refused() -> None:
    with pytest.raises(ValueError, match="31 bytes; it needs at least 32"):
        derive_key(SECRET[:31], "anything")
    with pytest.raises(ValueError, match="at least 32 bytes"):
        QueueTokens([SigningKey(kid="short", secret=b"short")], EPOCH)


def test_a_kid_tells_nothing_of_the_secret() -> None:
    assert KEY.kid == signing_key(SECRET).kid
    assert KEY.kid != signing_key(SECRET + b"x").kid
    assert len(KEY.kid) == 8


@pytest.mark.parametrize(("subject", "buyer"), [("1", 1), ("9007199254740991", 2**53 - 1), ("9007199254740992", None)])
def test_a_subject_is_an_id_that_json_can_hold(subject: str, buyer: int | None) -> None:
    assert subject_id(subject) == buyer
