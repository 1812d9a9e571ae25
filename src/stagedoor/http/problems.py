"""The one table from a rejection to the code and status it is answered with; faults and defects beside it."""

from collections.abc import Mapping
from functools import lru_cache
from typing import Any, Final, NamedTuple

from msgspec import UNSET, UnsetType

from stagedoor.checkout.rejections import AlreadyPaid, SaleIsStopped
from stagedoor.holds.rejections import HoldIsOver, SeatsTaken, SoldOut, TooManySeats, UnknownHold
from stagedoor.http.answer import Answer, RawHeaders, failure
from stagedoor.http.call import Call
from stagedoor.http.identity import BadIdentity, UserIdMissing
from stagedoor.http.language import Language, preferred
from stagedoor.http.limits import TooManyRequests
from stagedoor.http.operators import BadOperatorKey, NoSuchPlace, RoleTooSmall
from stagedoor.http.rejections import (
    BodyTooLarge,
    Flaw,
    MethodNotAllowed,
    NoSuchPath,
    NotJson,
    ReservedTooEarly,
    StillRunning,
    Unreadable,
    ViewNotAllowed,
)
from stagedoor.http.times import whole_seconds
from stagedoor.http.tokens import BadToken
from stagedoor.http.wire import Failure, FlawDetail
from stagedoor.kernel.errors import Fault, Rejection
from stagedoor.kernel.idempotency import KeyReused, TooManyKeys
from stagedoor.operators.steering import UnknownBreaker
from stagedoor.seating.rejections import UnknownPerformance, UnknownSeat
from stagedoor.waiting_room.rejections import (
    ForeignIdentity,
    LineIsFull,
    PlaceIsOver,
    RoomIsClosed,
    StillWaiting,
    UnknownBuyer,
    UnknownPlace,
    UnknownRoom,
)
from stagedoor.wallet.rejections import BalanceTooLarge, BalanceTooSmall, ChargeNotAllowed

_KEPT_MAX: Final = 1_024
_AN_ID: Final = "the-id-of-the-request"


class Refusal(NamedTuple):
    """How one no is told: a code that never changes, a status, and a sentence in each language."""

    code: str
    status: int
    en: str
    ko: str
    retry_after_ms: int | None = None

    def sentence(self, language: Language) -> str:
        """Return the sentence in *language*."""
        return self.ko if language == "ko" else self.en


UNREADABLE = Refusal("400", 400, "The request cannot be read.", "요청을 읽을 수 없습니다.")
NOBODY = Refusal(
    "401",
    401,
    "The token or identity is missing or not valid.",
    "토큰 또는 신원 정보가 없거나 유효하지 않습니다.",
)
NO_KEY = Refusal("401", 401, "The call needs an operator's key.", "운영자 키가 필요합니다.")
ROLE_TOO_SMALL = Refusal("403", 403, "The key is not for calls of this kind.", "이 키로는 요청할 수 없습니다.")
NO_PLACE = Refusal("404", 404, "There is no such place.", "존재하지 않는 대기 순서입니다.")
STILL_WAITING = Refusal("403", 403, "It is not your turn yet.", "아직 차례가 되지 않았습니다.")
NOT_YOURS = Refusal("403", 403, "You cannot speak for somebody else.", "다른 사람을 대신하여 요청할 수 없습니다.")
SHOP_ONLY = Refusal("403", 403, "Only the shop can credit a wallet.", "충전은 판매자만 할 수 있습니다.")
NO_BUYER = Refusal("404", 404, "There is no such user.", "존재하지 않는 사용자입니다.")
NO_ROOM = Refusal("404", 404, "There is no such waiting room.", "존재하지 않는 대기실입니다.")
NO_SCHEDULE = Refusal("404", 404, "There is no such schedule.", "존재하지 않는 일정입니다.")
NO_SEAT = Refusal("404", 404, "There is no such seat in that schedule.", "해당 일정에 존재하지 않는 좌석입니다.")
NO_RESERVATION = Refusal("404", 404, "There is no such reservation.", "존재하지 않는 예약입니다.")
NO_BREAKER = Refusal("404", 404, "There is no such breaker.", "존재하지 않는 서킷 브레이커입니다.")
NO_PATH = Refusal("404", 404, "There is nothing at this path.", "존재하지 않는 경로입니다.")
RESERVED_TOO_EARLY = Refusal("001", 403, "You are still waiting in line.", "아직 대기 중입니다.")
SOLD_OUT = Refusal("002", 409, "Sold out.", "매진되었습니다.")
PLACE_OVER = Refusal(
    "003",
    410,
    "Your place in line is over. Take a new one.",
    "대기 순서가 만료되었습니다. 다시 대기해 주세요.",
)
SEAT_TAKEN = Refusal("004", 409, "The seat is already taken.", "이미 선택된 좌석입니다.")
BALANCE_SMALL = Refusal("005", 402, "Your balance is too small.", "잔액이 부족합니다.")
HOLD_OVER = Refusal("006", 410, "The reservation is over.", "예약 시간이 만료되었습니다.")
TOO_MANY_SEATS = Refusal(
    "007",
    409,
    "That is more seats than one buyer may have.",
    "1인당 예매 가능한 좌석 수를 초과했습니다.",
)
ROOM_CLOSED = Refusal("008", 409, "The waiting room is closed.", "대기실이 종료되었습니다.")
PAID_ALREADY = Refusal("409", 409, "It is paid already.", "이미 결제되었습니다.")
RUNNING = Refusal("409", 409, "The same request is still running.", "같은 요청이 아직 처리 중입니다.", 1_000)
BALANCE_LARGE = Refusal(
    "400",
    400,
    "The balance would be larger than a wallet may keep.",
    "보유할 수 있는 최대 금액을 초과합니다.",
)
NO_METHOD = Refusal("405", 405, "This path does not know that method.", "허용되지 않는 메서드입니다.")
TOO_LARGE = Refusal("413", 413, "The body is too large.", "요청 본문이 너무 큽니다.")
NOT_JSON = Refusal("415", 415, "The body is not JSON.", "요청 본문이 JSON 형식이 아닙니다.")
KEY_REUSED = Refusal(
    "422",
    422,
    "This idempotency key was used for another request.",
    "이미 다른 요청에 사용된 멱등성 키입니다.",
)
TOO_MANY = Refusal("429", 429, "Too many requests.", "요청이 너무 많습니다.")
TOO_MANY_KEYS = Refusal("429", 429, "Too many idempotency keys in use.", "사용 중인 멱등성 키가 너무 많습니다.", 60_000)
DEFECT = Refusal("500", 500, "Something went wrong on our side.", "서버 오류가 발생했습니다.")
LINE_FULL = Refusal(
    "503", 503, "The line is full. Try again soon.", "대기열이 가득 찼습니다. 잠시 후 다시 시도해 주세요.", 5_000
)
UNAVAILABLE = Refusal(
    "503",
    503,
    "Not available for the moment. Try again soon.",
    "일시적으로 이용할 수 없습니다. 잠시 후 다시 시도해 주세요.",
)

BUSY = Refusal(
    "503",
    503,
    "Very busy at the moment. Try again soon.",
    "접속이 많아 일시적으로 처리할 수 없습니다. 잠시 후 다시 시도해 주세요.",
)

SALE_STOPPED = Refusal(
    "503",
    503,
    "The sale is stopped for the moment.",
    "판매가 일시 중지되었습니다.",
    10_000,
)

REFUSALS: dict[type[Rejection], Refusal] = {
    AlreadyPaid: PAID_ALREADY,
    BadIdentity: NOBODY,
    BadOperatorKey: NO_KEY,
    BadToken: NOBODY,
    BalanceTooLarge: BALANCE_LARGE,
    BalanceTooSmall: BALANCE_SMALL,
    BodyTooLarge: TOO_LARGE,
    ChargeNotAllowed: SHOP_ONLY,
    ForeignIdentity: NOT_YOURS,
    HoldIsOver: HOLD_OVER,
    KeyReused: KEY_REUSED,
    LineIsFull: LINE_FULL,
    MethodNotAllowed: NO_METHOD,
    NoSuchPath: NO_PATH,
    NoSuchPlace: NO_PLACE,
    NotJson: NOT_JSON,
    PlaceIsOver: PLACE_OVER,
    ReservedTooEarly: RESERVED_TOO_EARLY,
    RoleTooSmall: ROLE_TOO_SMALL,
    RoomIsClosed: ROOM_CLOSED,
    SaleIsStopped: SALE_STOPPED,
    SeatsTaken: SEAT_TAKEN,
    SoldOut: SOLD_OUT,
    StillRunning: RUNNING,
    StillWaiting: STILL_WAITING,
    TooManyKeys: TOO_MANY_KEYS,
    TooManyRequests: TOO_MANY,
    TooManySeats: TOO_MANY_SEATS,
    UnknownBreaker: NO_BREAKER,
    UnknownBuyer: NO_BUYER,
    UnknownHold: NO_RESERVATION,
    UnknownPerformance: NO_SCHEDULE,
    UnknownPlace: NOBODY,
    UnknownRoom: NO_ROOM,
    UnknownSeat: NO_SEAT,
    Unreadable: UNREADABLE,
    UserIdMissing: UNREADABLE,
    ViewNotAllowed: NOBODY,
}
"""Every rejection there is, each by its own name; a test holds the table to that."""


def answer_to(error: Exception, call: Call) -> Answer[Any]:
    """
    Return the answer to a call that ended in *error*, and note on the call what became of it.

    A rejection is told by its code, a fault as 503 with the time to come back,
    anything else as 500 with nothing but the request's id.
    """
    match error:
        case Rejection() if (refusal := REFUSALS.get(type(error))) is not None:
            retry_after_ms: int | None = getattr(error, "retry_after_ms", refusal.retry_after_ms)
            return tell(refusal, call, retry_after_ms=retry_after_ms, details=_details(error), headers=_headers(error))
        case Fault():
            call.cause = error
            return tell(UNAVAILABLE, call, retry_after_ms=error.retry_after_ms)
        case _:
            call.cause = error
            return tell(DEFECT, call)


def tell(  # noqa: PLR0913 -- the fields of a refusal
    refusal: Refusal,
    call: Call,
    *,
    retry_after_ms: int | None = None,
    details: list[FlawDetail] | UnsetType = UNSET,
    parts: Mapping[str, str] | UnsetType = UNSET,
    headers: RawHeaders = (),
) -> Answer[Any]:
    """Return the refusal in the caller's language, and note it on the call."""
    call.code = refusal.code
    language = preferred(call.accepted_language)
    if details is UNSET and parts is UNSET and not headers:
        before, after, fields = _around_the_id(refusal, language, retry_after_ms)
        body = before + call.request_id.encode() + after if after else before
        return Answer(body, status=refusal.status, headers=fields)
    told = Failure(
        code=refusal.code,
        message=refusal.sentence(language),
        details=details,
        retry_after_ms=UNSET if retry_after_ms is None else retry_after_ms,
        request_id=call.request_id if _names_the_request(refusal) else UNSET,
        parts=parts if isinstance(parts, UnsetType) else dict(parts),
    )
    fields = _fields(refusal, language, retry_after_ms)
    return failure(told, status=refusal.status, headers=(*fields, *headers))


@lru_cache(maxsize=_KEPT_MAX)
def _around_the_id(refusal: Refusal, language: Language, retry_after_ms: int | None) -> tuple[bytes, bytes, RawHeaders]:
    """
    Return what stands before and after the request's id in a refusal that says no more than that, and its headers.

    Nothing stands after it where it is not told. In a rush most answers are of this kind.
    """
    told = Failure(
        code=refusal.code,
        message=refusal.sentence(language),
        retry_after_ms=UNSET if retry_after_ms is None else retry_after_ms,
        request_id=_AN_ID if _names_the_request(refusal) else UNSET,
    )
    answer = failure(told, status=refusal.status, headers=_fields(refusal, language, retry_after_ms))
    before, _, after = answer.body.partition(_AN_ID.encode())
    return before, after, answer.raw_headers


def _names_the_request(refusal: Refusal) -> bool:
    return refusal.status >= DEFECT.status


def _fields(refusal: Refusal, language: Language, retry_after_ms: int | None) -> RawHeaders:
    told = [(b"content-language", language.encode()), (b"vary", b"accept-language")]
    if retry_after_ms is not None:
        told.append((b"retry-after", b"%d" % max(1, whole_seconds(retry_after_ms))))
    if refusal.status == NOBODY.status:
        told.append((b"www-authenticate", b"Bearer"))
    return tuple(told)


def _headers(rejection: Rejection) -> RawHeaders:
    match rejection:
        case MethodNotAllowed():
            return ((b"allow", rejection.allowed.encode("latin-1")),)
        case BodyTooLarge() | Unreadable(flaw=Flaw(problem="incomplete")):
            # What is left of the body is not read, so the connection cannot carry another request behind it.
            return ((b"connection", b"close"),)
        case _:
            return ()


def _details(rejection: Rejection) -> list[FlawDetail] | UnsetType:
    match rejection:
        case Unreadable():
            return [_detail(rejection.flaw)]
        case UserIdMissing():
            return [FlawDetail(field="userId", problem="missing")]
        case BalanceTooLarge():
            return [FlawDetail(field="amount", problem="out_of_range")]
        case TooManySeats():
            return [FlawDetail(field="seatIds", problem="too_many", expected=f"at most {rejection.seats_per_buyer}")]
        case _:
            return UNSET


def _detail(flaw: Flaw) -> FlawDetail:
    return FlawDetail(
        field=flaw.field,
        problem=flaw.problem,
        expected=UNSET if flaw.expected is None else flaw.expected,
    )
