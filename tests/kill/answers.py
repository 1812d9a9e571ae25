"""
The judge of answers: each has to be true after all that was told before it, whatever died in between.

It goes through the clients' files in their order and keeps, for each buyer,
what she knows and what she cannot know.
"""

from collections.abc import Callable, Iterable, Mapping
from typing import Any

import jwt
import msgspec

from tests.e2e.harness.promises import instant, seats_asked
from tests.kill.memory import LEFT, PAID, RELEASED, HoldTold, Memory, Outage, PlaceTold, Tries, moved
from tests.kill.record import Asked, Entry, Lost, Told

RESERVATION = "/concerts/reserve/"


class Answers:
    """Reads what was recorded, buyer by buyer; *wrong* has every contradiction, in words."""

    def __init__(self, *, opening_won: int, session_max_ms: Mapping[str, int]) -> None:
        """Expect wallets to begin with *opening_won*, and sessions to last *session_max_ms* by room."""
        self._opening_won = opening_won
        self._session_max_ms = session_max_ms
        self._asked: dict[tuple[int, int], Asked] = {}
        self._numbers: dict[str, list[tuple[int, int]]] = {}
        self.memories: dict[int, Memory] = {}
        self.outages: list[Outage] = []
        self.wrong: list[str] = []
        self.count = 0
        self._lost_at: list[int] = []

    def take(self, file: int, entries: Iterable[Entry]) -> None:
        """Go on with what file number *file* has got."""
        for entry in entries:
            match entry:
                case Asked():
                    self._asked[file, entry.serial] = entry
                    self._send(entry)
                case Lost():
                    asked = self._asked.pop((file, entry.serial))
                    self._lost_at.append(asked.sent_at)
                    self._lose(asked)
                case Told():
                    self.count += 1
                    self._tell(self._asked.pop((file, entry.serial)), entry)

    def lost_since_last_asked(self, *, sent_by: int) -> int:
        """Return how many requests have lost their answer since this was last asked, of those sent at *sent_by*."""
        count = sum(sent_at <= sent_by for sent_at in self._lost_at)
        self._lost_at.clear()
        return count

    def session_ends_at(self, place: PlaceTold) -> int:
        """Return when the session of *place* can have ended at the earliest."""
        return place.session_ends_at(self._session_max_ms[place.room_id], self.outages)

    def deadline(self, hold: HoldTold) -> int:
        """Return until when *hold* can be paid at least."""
        return moved(hold.until, hold.as_of, self.outages)

    def _send(self, asked: Asked) -> None:
        memory = self.memories.setdefault(asked.buyer_id, Memory(asked.buyer_id))
        if _is_answered(memory, asked):
            return
        memory.tries.setdefault(_name(asked), Tries(asked.sent_at)).sent += 1
        memory.pending = asked
        if (hold := _paid_for(memory, asked)) is not None and hold.ended is None:
            hold.may_be.add(PAID)
        if (hold := _released(memory, asked)) is not None and hold.ended is None:
            hold.may_be.add(RELEASED)
        if (place := _left(memory, asked)) is not None:
            place.may_have_left = True
            for hold in memory.under(place):
                if hold.ended is None:
                    hold.may_be.add(RELEASED)

    def _lose(self, asked: Asked) -> None:
        memory = self.memories[asked.buyer_id]
        if not _is_answered(memory, asked):
            memory.tries[_name(asked)].lost_at = asked.sent_at

    def _tell(self, asked: Asked, told: Told) -> None:
        memory = self.memories[asked.buyer_id]
        if _is_answered(memory, asked):
            self._told_again(memory, asked, told)
            return
        if told.says_nothing:
            self._lose(asked)
            return
        tries = memory.tries.pop(_name(asked))
        memory.pending = None
        if told.replayed and tries.lost_at is None:
            self._object(asked, told, "is a replay, and was never asked before")
        if told.ok and asked.key is not None:
            memory.answered[asked.method, asked.path, asked.key] = told.data
        self._judge_of(asked)(memory, asked, told, tries)

    def _told_again(self, memory: Memory, asked: Asked, told: Told) -> None:
        assert asked.key is not None
        first = memory.answered[asked.method, asked.path, asked.key]
        if not told.says_nothing and not (told.ok and told.replayed and told.data == first):
            self._object(asked, told, f"is not the first answer again, {first}")

    def _judge_of(self, asked: Asked) -> Callable[[Memory, Asked, Told, Tries], None]:
        if asked.path.startswith(RESERVATION):
            return self._release
        return {
            ("POST", "/queue/token"): self._join,
            ("POST", "/queue/token/check"): self._check,
            ("DELETE", "/queue/token"): self._leave,
            ("POST", "/concerts/reserve"): self._reserve,
            ("POST", "/concerts/payment"): self._pay,
            ("POST", "/user/amount"): self._charge,
            ("GET", "/user/amount"): self._balance,
        }[asked.method, asked.path]

    def _join(self, memory: Memory, asked: Asked, told: Told, tries: Tries) -> None:
        if not told.ok:
            self._object(asked, told, "refuses a place in an open room")
            return
        number: int = jwt.decode(told.data["queueToken"], options={"verify_signature": False})["num"]
        before = memory.places.get((asked.room_id, number))
        if before is not None:
            self._object(asked, told, f"gives place {number} again, which is over")
            return
        for place in memory.places.values():
            over = memory.place_may_be_over(place) or told.answered_at >= self.session_ends_at(place)
            if place.room_id == asked.room_id and not over:
                self._object(asked, told, f"gives place {number}, and she had {place.number} that was not over")
        behind = [other for at, other in self._numbers.get(asked.room_id, []) if at < tries.first_at]
        if behind and max(behind) >= number:
            self._object(asked, told, f"gives number {number}, and {max(behind)} had been given before")
        self._numbers.setdefault(asked.room_id, []).append((told.answered_at, number))
        if asked.key is None:
            memory.untold_places += tries.sent - 1
        memory.places[asked.room_id, number] = PlaceTold(
            room_id=asked.room_id,
            number=number,
            status=told.data["status"],
            position=told.data["queuePosition"],
            waiting_at=tries.first_at,
        )

    def _check(self, memory: Memory, asked: Asked, told: Told, _: Tries) -> None:
        place = memory.places[asked.room_id, asked.number]
        if not told.ok:
            self._object(asked, told, f"does not know place {place.number}")
            return
        status, before = told.data["status"], place.status
        holds = memory.under(place)
        if status == "WAITING":
            if before != "WAITING" or told.data["queuePosition"] > place.position:
                self._object(asked, told, f"puts place {place.number} back: {before}, {place.position} ahead")
            place.position, place.waiting_at = told.data["queuePosition"], asked.sent_at
        elif status == "PROGRESS":
            if before in {"DONE", "EXPIRED"} or place.has_left:
                self._object(asked, told, f"lets in place {place.number}, which was over")
            if all(hold.ended is not None for hold in holds):
                place.session_until, place.session_as_of = instant(told.data["expiresAt"]), asked.sent_at
        elif status == "DONE":
            if not any(hold.may_be_paid for hold in holds):
                self._object(asked, told, f"says that place {place.number} was used up, and she had not paid")
        elif not (place.has_left or place.may_have_left or told.answered_at >= self.session_ends_at(place)):
            self._object(asked, told, f"says that place {place.number} is over before its time")
        place.status = status

    def _leave(self, memory: Memory, asked: Asked, told: Told, _: Tries) -> None:
        place = memory.places[asked.room_id, asked.number]
        if not told.ok:
            self._object(asked, told, f"does not know place {place.number}")
            return
        place.has_left = True
        for hold in memory.under(place):
            if hold.ended is None:
                hold.ended, hold.over_since = LEFT, told.answered_at

    def _reserve(self, memory: Memory, asked: Asked, told: Told, tries: Tries) -> None:
        place = memory.places[asked.room_id, asked.number]
        if told.ok:
            self._reserved(memory, asked, told, tries)
            return
        over = memory.place_may_be_over(place) or told.answered_at >= self.session_ends_at(place)
        if told.code != "004" and not (told.code == "003" and over):
            self._object(asked, told, "refuses a seat to somebody inside")
        if asked.key is None and tries.lost_at is not None:
            # Held by the request without an answer, and over before she asked again: she will never know.
            memory.untold.append(seats_asked(asked.body))

    def _reserved(self, memory: Memory, asked: Asked, told: Told, tries: Tries) -> None:
        until = instant(told.data["reservedUntilAt"])
        known = memory.holds.get(told.data["reservationId"])
        if known is not None:
            if known.ended is not None or until < self.deadline(known):
                self._object(asked, told, f"gives a reservation again that was {known.ended} or longer")
            return
        if set(told.data["seatIds"]) != seats_asked(asked.body):
            self._object(asked, told, "gives other seats")
        hold = HoldTold(
            id=told.data["reservationId"],
            room_id=asked.room_id,
            number=asked.number,
            seat_ids=frozenset(told.data["seatIds"]),
            amount=told.data["amount"],
            until=until,
            # A replay tells the deadline as it was then: at one of the tries before, and not after the last of them.
            as_of=tries.lost_at if told.replayed and tries.lost_at is not None else asked.sent_at,
        )
        memory.holds[hold.id] = hold

    def _pay(self, memory: Memory, asked: Asked, told: Told, tries: Tries) -> None:
        hold = memory.holds[asked.body["reservationId"]]
        if told.ok:
            if hold.ended is not None or told.data["paymentAmount"] != hold.amount:
                self._object(asked, told, f"takes money for what was {hold.ended}, {hold.amount} won")
            hold.ended, hold.order = PAID, told.data
        elif told.code == "409":
            if tries.lost_at is None:
                self._object(asked, told, "says paid, and she had not paid before")
            hold.ended = PAID
        else:
            # Whatever was sent before and lost, it did not pay: or else the answer would be that, or 409.
            hold.may_be.discard(PAID)
            over = hold.may_be_let_go or told.answered_at >= self.deadline(hold)
            poor = self._opening_won + memory.gained < hold.amount
            if not (told.code == "006" and over) and not (told.code == "005" and poor):
                self._object(asked, told, f"refuses payment before {self.deadline(hold)}")

    def _release(self, memory: Memory, asked: Asked, told: Told, tries: Tries) -> None:
        hold = memory.holds[int(asked.path.removeprefix(RESERVATION))]
        if told.ok:
            if hold.ended is not None:
                self._object(asked, told, f"lets go what was {hold.ended}")
            hold.ended = RELEASED
            return
        over = told.answered_at >= self.deadline(hold) or tries.lost_at is not None
        if told.code != "006" or not over:
            self._object(asked, told, f"does not let go before {self.deadline(hold)}")
        if tries.lost_at is None:
            hold.may_be.discard(RELEASED)

    def _charge(self, memory: Memory, asked: Asked, told: Told, tries: Tries) -> None:
        if not told.ok:
            self._object(asked, told, "takes no money")
            return
        memory.charges.append(asked.body["amount"])
        self._balance(memory, asked, told, tries)

    def _balance(self, memory: Memory, asked: Asked, told: Told, _: Tries) -> None:
        balance = self._opening_won + memory.gained
        if not told.ok or told.data["amount"] != balance:
            self._object(asked, told, f"has another balance than {balance}")

    def _object(self, asked: Asked, told: Told, what: str) -> None:
        self.wrong.append(f"buyer {asked.buyer_id}: the answer {what}: {asked} {told}")


def _is_answered(memory: Memory, asked: Asked) -> bool:
    return asked.key is not None and (asked.method, asked.path, asked.key) in memory.answered


def tries_of(memory: Memory, asked: Asked) -> Tries:
    """Return how often *asked*, which has no answer yet, was sent."""
    return memory.tries[_name(asked)]


def _name(asked: Asked) -> str:
    """Return what makes a request the same as another that she sent before."""
    body: Any = msgspec.json.encode(asked.body).decode()
    return f"{asked.method} {asked.path} {asked.room_id} {asked.number} {body} {asked.key}"


def _paid_for(memory: Memory, asked: Asked) -> HoldTold | None:
    is_payment = (asked.method, asked.path) == ("POST", "/concerts/payment")
    return memory.holds[asked.body["reservationId"]] if is_payment else None


def _released(memory: Memory, asked: Asked) -> HoldTold | None:
    is_release = asked.path.startswith(RESERVATION)
    return memory.holds[int(asked.path.removeprefix(RESERVATION))] if is_release else None


def _left(memory: Memory, asked: Asked) -> PlaceTold | None:
    is_leaving = (asked.method, asked.path) == ("DELETE", "/queue/token")
    return memory.places[asked.room_id, asked.number] if is_leaving else None
