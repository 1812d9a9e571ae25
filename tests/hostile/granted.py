"""What the calls grant: a buyer who is inside goes the whole way, an operator does everything once and undoes it."""

from typing import Any, Protocol

import jwt

from tests.e2e.harness.programme import Staged

API, OPS = "/v1/api", "/ops/api"
STEERED = "concertService"


class Ask(Protocol):
    """Asks one call of the document, and returns the `data` of an answer that has to grant it."""

    def __call__(self, label: str, *, token: str | None = None, **parts: Any) -> Any:  # noqa: ANN401 -- JSON
        """Ask `METHOD /path` with the *parts* of a case; *token* is another than the one she is inside with."""
        ...


def go_the_whole_way(ask: Ask, *, buyer_id: int, show: Staged, inside: str, elsewhere: str) -> None:
    """Let the buyer, who is in the room *inside*, ask for all that a buyer can have; she leaves a line *elsewhere*."""
    ask(f"POST {API}/queue/token", body={"userId": buyer_id, "room": inside})
    ask(f"POST {API}/queue/token/check")
    ask(f"GET {API}/queue/status", query={"room": inside})
    left = ask(f"POST {API}/queue/token", body={"userId": buyer_id, "room": elsewhere})["queueToken"]
    ask(f"DELETE {API}/queue/token", token=left)
    ask(f"GET {API}/concerts")
    ask(f"GET {API}/concerts/schedule")
    ask(f"GET {API}/concerts/seat", query={"scheduleId": show.schedule_id})
    ask(f"GET {API}/user/amount")
    # What she lets go is closed to her for a minute, so she takes another seat after that.
    released, held = [
        ask(f"POST {API}/concerts/reserve", body={"scheduleId": show.schedule_id, "seatId": seat_id})["reservationId"]
        for seat_id in show.seat_ids[:2]
    ]
    ask(f"DELETE {API}/concerts/reserve/{{reservationId}}", path_parameters={"reservationId": released})
    ask(f"POST {API}/concerts/payment", body={"reservationId": held})
    for what in ("reservations", "orders", "ledger"):
        ask(f"GET {API}/user/{what}")


def operate_everything(ask: Ask, *, buyer_id: int, room: str) -> None:
    """Let the operator do all that she may; *room* is the one that she takes a place in, and closes, and opens."""
    joined = ask(f"POST {API}/queue/token", body={"userId": buyer_id, "room": room})["queueToken"]
    number = jwt.decode(joined, options={"verify_signature": False})["num"]
    ask(f"POST {OPS}/places/revoke", body={"room": room, "number": number})
    ask(
        f"POST {OPS}/wallets/{{userId}}/credit",
        path_parameters={"userId": buyer_id},
        headers={"Idempotency-Key": "once"},
        body={"amount": 1_000},
    )
    ask(f"POST {OPS}/members", body={"from": buyer_id, "count": 1})
    ask(f"GET {OPS}/audit")
    ask(f"GET {OPS}/rooms")
    in_path = {"roomId": room}
    ask(f"GET {OPS}/rooms/{{roomId}}/line", path_parameters=in_path)
    ask(f"PATCH {OPS}/rooms/{{roomId}}", path_parameters=in_path, body={"policy": {"rate": 20.5}})
    for action in ("pause", "close", "open"):
        ask(f"POST {OPS}/rooms/{{roomId}}/{action}", path_parameters=in_path)
    ask(f"GET {OPS}/sale")
    ask(f"POST {OPS}/sale", body={"saleState": "OPEN"})
    ask(f"GET {OPS}/breakers")
    for action in ("force-open", "disable", "close", "reset"):
        ask(f"POST {OPS}/breakers/{{name}}/{action}", path_parameters={"name": STEERED})
