import pytest

from stagedoor.checkout.events import OrderPaid
from stagedoor.holds.events import HoldExpired, HoldPlaced, HoldReleased
from stagedoor.kernel.clock import Instant
from stagedoor.kernel.ids import BuyerId, EventId, HoldId, OrderId, PerformanceId, QueueNumber, RoomId, SeatId
from stagedoor.kernel.money import Won
from stagedoor.observability.metrics import Metrics
from stagedoor.waiting_room.model import LineView


def shown(metrics: Metrics, name: str, **labels: str) -> float | None:
    return metrics.registry.get_sample_value(name, labels)


def test_two_servers_in_one_process_do_not_mix() -> None:
    here, there = Metrics(), Metrics()

    here.count_answer("pay", 200, 0.01)

    assert shown(here, "stagedoor_http_requests_total", call="pay", status="200") == 1
    assert shown(there, "stagedoor_http_requests_total", call="pay", status="200") is None


def test_an_answer_is_counted_and_timed() -> None:
    metrics = Metrics()

    metrics.count_answer("pay", 200, 0.004)
    metrics.count_answer("pay", 409, 0.2)

    assert shown(metrics, "stagedoor_http_request_duration_seconds_count", call="pay") == 2
    assert shown(metrics, "stagedoor_http_request_duration_seconds_bucket", call="pay", le="0.005") == 1


@pytest.mark.parametrize("result", ["hit", "miss", "stale"])
def test_looks_into_a_cache(result: str) -> None:
    metrics = Metrics()

    metrics.count_cache("seats", result)

    assert shown(metrics, "stagedoor_cache_requests_total", cache="seats", result=result) == 1


async def test_events_are_counted_for_what_they_say() -> None:
    metrics = Metrics()
    hold = {
        "hold_id": HoldId(1),
        "buyer_id": BuyerId(7),
        "room_id": RoomId("main"),
        "place_number": QueueNumber(3),
        "performance_id": PerformanceId(1),
        "seat_ids": (SeatId(1), SeatId(2)),
        "occurred_at": Instant(5),
    }
    placed = HoldPlaced(event_id=EventId("a"), expires_at=Instant(9), **hold)  # type: ignore[arg-type]
    released = HoldReleased(event_id=EventId("b"), **hold)  # type: ignore[arg-type]
    expired = HoldExpired(event_id=EventId("c"), expires_at=Instant(9), **hold)  # type: ignore[arg-type]
    paid = OrderPaid(
        event_id=EventId("d"),
        order_id=OrderId(4),
        amount_won=Won(100_000),
        place_over=True,
        **hold,  # type: ignore[arg-type]
    )

    await metrics.count_events([placed, released, expired, paid])

    for outcome in ("placed", "released", "expired", "paid"):
        assert shown(metrics, "stagedoor_holds_total", outcome=outcome) == 1
    assert shown(metrics, "stagedoor_orders_total") == 1
    assert shown(metrics, "stagedoor_orders_won_total") == 100_000
    assert shown(metrics, "stagedoor_seats_sold_total") == 2


def test_lines_are_shown_as_they_are_when_looked_at() -> None:
    metrics = Metrics()
    waiting = [3]
    metrics.watch_lines(
        lambda: [
            LineView(
                room_id=RoomId("main"),
                serving_number=1,
                last_number=9,
                waiting=waiting[0],
                active=2,
                admitted_per_second=None,
            )
        ]
    )

    waiting[0] = 8

    assert shown(metrics, "stagedoor_line_places_waiting", room="main") == 8
    assert shown(metrics, "stagedoor_line_passes_active", room="main") == 2


def test_the_text_is_in_the_format_asked_for() -> None:
    plain, plain_type = Metrics().rendered(None)
    _, open_type = Metrics().rendered("application/openmetrics-text; version=1.0.0")

    assert b"# TYPE stagedoor_refusals_total counter" in plain
    assert plain_type.startswith("text/plain")
    assert open_type.startswith("application/openmetrics-text")


@pytest.mark.parametrize(
    "version", ["", "; version=1.0.0", "; version=x", "; version=9.9; escaping=\t", ", text/plain"]
)
def test_whoever_asks_for_open_metrics_gets_the_version_there_is(version: str) -> None:
    body, media_type = Metrics().rendered(f"application/openmetrics-text{version}")

    assert media_type == "application/openmetrics-text; version=1.0.0; charset=utf-8"
    assert body.endswith(b"# EOF\n")


@pytest.mark.parametrize("accept", [None, "", "*/*", "text/plain; version=x"])
def test_everybody_else_gets_the_text_format(accept: str | None) -> None:
    body, media_type = Metrics().rendered(accept)

    assert media_type.startswith("text/plain; version=0.0.4")
    assert b"stagedoor_build_info" in body
