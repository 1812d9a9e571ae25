import pytest
from msgspec import UNSET

from stagedoor.http.reading import NESTING_MAX, decode, parse_id
from stagedoor.http.rejections import Unreadable
from stagedoor.http.wire import ChargeBody, JoinBody, ReserveBody


def flaw_of(body: bytes, model: type = ReserveBody) -> tuple[str, str]:
    with pytest.raises(Unreadable) as refused:
        decode(body, model)
    return refused.value.flaw.field, refused.value.flaw.problem


def nested(levels: int) -> bytes:
    return b'{"scheduleId":1,"seatId":1,"more":' + b"[" * (levels - 1) + b"]" * (levels - 1) + b"}"


def test_a_body_is_read_into_its_type() -> None:
    body = decode(b'{"scheduleId":1,"seatIds":[3,2]}', ReserveBody)

    assert (body.schedule_id, body.seat_ids) == (1, [3, 2])


def test_fields_that_nobody_asks_for_are_ignored() -> None:
    assert decode(b'{"amount":5,"purchaseAmount":"7","x":{"y":[1.5,null,true]}}', ChargeBody).amount == 5


@pytest.mark.parametrize("body", [b"null", b"{}", b" {} ", b'\t{"room":"main"}\n'])
def test_an_object_may_be_left_out_where_no_field_is_needed(body: bytes) -> None:
    assert decode(body, JoinBody).user_id is UNSET


@pytest.mark.parametrize(
    ("body", "field", "problem"),
    [
        (b"", "body", "not_json"),
        (b"{", "body", "not_json"),
        (b"{} {}", "body", "not_json"),
        (b"{'scheduleId':1}", "body", "not_json"),
        (b'{"scheduleId":1,}', "body", "not_json"),
        (b'{"scheduleId":01}', "body", "not_json"),
        (b'{"scheduleId":NaN}', "body", "not_json"),
        (b'{"scheduleId":-Infinity}', "body", "not_json"),
        (b'\xef\xbb\xbf{"scheduleId":1}', "body", "not_json"),
        (b'{"scheduleId":1,"x":"\xff"}', "body", "not_json"),
        (b'{"scheduleId":1,"x":"\n"}', "body", "not_json"),
        (b'{"scheduleId":1,"x":1e999}', "body", "out_of_range"),
        (b'{"scheduleId":1,"x":"\\ud800"}', "x", "not_unicode"),
        (b'{"scheduleId":1,"\\udfff":1}', "?", "not_unicode"),
        (b"[]", "body", "wrong_type"),
        (b'"text"', "body", "wrong_type"),
        (b"7", "body", "wrong_type"),
        (b"{}", "scheduleId", "missing"),
        (b'{"scheduleId":null}', "scheduleId", "wrong_type"),
        (b'{"scheduleId":"1"}', "scheduleId", "wrong_type"),
        (b'{"scheduleId":true}', "scheduleId", "wrong_type"),
        (b'{"scheduleId":1.0}', "scheduleId", "wrong_type"),
        (b'{"scheduleId":1e0}', "scheduleId", "wrong_type"),
        (b'{"scheduleId":[1]}', "scheduleId", "wrong_type"),
        (b'{"scheduleId":0}', "scheduleId", "out_of_range"),
        (b'{"scheduleId":-1}', "scheduleId", "out_of_range"),
        (b'{"scheduleId":9007199254740992}', "scheduleId", "out_of_range"),
        (b'{"scheduleId":' + b"9" * 5_000 + b"}", "scheduleId", "out_of_range"),
        (b'{"scheduleId":1,"x":9007199254740993}', "x", "out_of_range"),
        (b'{"scheduleId":1,"x":{"y":[-9007199254740993]}}', "x", "out_of_range"),
        (b'{"scheduleId":1,"scheduleId":1}', "scheduleId", "given_twice"),
        (b'{"scheduleId":1,"x":{"y":1,"y":2}}', "y", "given_twice"),
        (b'{"scheduleId":1,"seatIds":[]}', "seatIds", "out_of_range"),
        (b'{"scheduleId":1,"seatIds":[1,"2"]}', "seatIds[1]", "wrong_type"),
        (b'{"scheduleId":1,"seatIds":[1,0]}', "seatIds[1]", "out_of_range"),
        (b'{"scheduleId":1,"seatIds":[' + b"1," * 50 + b"1]}", "seatIds", "out_of_range"),
    ],
)
def test_what_is_not_right_is_named(body: bytes, field: str, problem: str) -> None:
    assert flaw_of(body) == (field, problem)


def test_nesting_ends_at_sixteen() -> None:
    decode(nested(NESTING_MAX), ReserveBody)

    assert flaw_of(nested(NESTING_MAX + 1)) == ("more", "nested_too_deeply")
    assert flaw_of(b"[" * 15_000) == ("body", "nested_too_deeply")


@pytest.mark.parametrize("amount", [1, 10_000_000])
def test_a_charge_at_its_limits_is_read(amount: int) -> None:
    assert decode(b'{"amount":%d}' % amount, ChargeBody).amount == amount


@pytest.mark.parametrize("amount", [b"0", b"-1", b"10000001"])
def test_a_charge_beyond_its_limits_is_not(amount: bytes) -> None:
    assert flaw_of(b'{"amount":' + amount + b"}", ChargeBody) == ("amount", "out_of_range")


@pytest.mark.parametrize("text", ["1", "9007199254740991"])
def test_an_id_in_a_path_or_query(text: str) -> None:
    assert parse_id("scheduleId", text) == int(text)


@pytest.mark.parametrize(
    "text", ["", "0", "01", "-1", "+1", " 1", "1.0", "1e3", "x", "٣", "9007199254740992", "9" * 400]
)
def test_what_is_no_id(text: str) -> None:
    with pytest.raises(Unreadable) as refused:
        parse_id("scheduleId", text)

    assert refused.value.flaw.field == "scheduleId"


@pytest.mark.parametrize("first", ["scheduleId", "seatId", "userId", "other"])
@pytest.mark.parametrize("second", ["scheduleId", "seatId", "seatIds", "other", "scheduleid"])
@pytest.mark.parametrize(
    "number", ["0", "1", "01", "999999999999999", "8999999999999999", "9007199254740992", "9" * 30]
)
def test_a_plain_body_is_read_as_any_other(first: str, second: str, number: str) -> None:
    body = f'{{"{first}": {number}, "{second}":7}}'.encode()

    # A line more, and it is not plain.
    assert _read(body) == _read(body + b"\n")


def _read(body: bytes) -> object:
    try:
        return decode(body, ReserveBody)
    except Unreadable as refused:
        return refused.flaw
