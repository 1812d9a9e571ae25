from collections.abc import Iterable
from ipaddress import ip_network

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stagedoor.http.buckets import Buckets, Rate
from stagedoor.http.client_address import (
    UNKNOWN_ADDRESS,
    ClientAddress,
    client_address,
    is_loopback,
)
from stagedoor.http.limits import PLACES_REMEMBERED_MAX, CallLimit, LimitedCall, LimitPolicy, Limits, TooManyRequests
from stagedoor.kernel.clock import Instant, ManualClock
from stagedoor.kernel.ids import BuyerId, PlaceRef, QueueNumber, RoomId

NOON = Instant(1_800_000_000_000)
HOME = ClientAddress("192.0.2.1")
OFFICE = ClientAddress("192.0.2.2")
LOOPBACK = ClientAddress("127.0.0.1")
HER = BuyerId(42)
HIM = BuyerId(43)


def passes(buckets: Buckets[str], key: str, clock: ManualClock, times: int) -> list[bool]:
    return [buckets.take(key, now=clock.now()) == 0 for _ in range(times)]


class TestBuckets:
    def test_a_burst_and_then_no_more(self) -> None:
        buckets = Buckets[str](Rate(per_second=2, burst=3), keys_max=10)

        assert passes(buckets, "a", ManualClock(NOON), 5) == [True, True, True, False, False]

    def test_to_the_millisecond(self) -> None:
        clock = ManualClock(NOON)
        buckets = Buckets[str](Rate(per_second=2, burst=1), keys_max=10)
        buckets.take("a", now=clock.now())

        assert buckets.take("a", now=clock.now()) == 500
        clock.advance(499)
        assert buckets.take("a", now=clock.now()) == 1
        clock.advance(1)
        assert buckets.take("a", now=clock.now()) == 0

    def test_what_it_says_to_wait_is_enough(self) -> None:
        clock = ManualClock(NOON)
        buckets = Buckets[str](Rate(per_second=3, burst=7), keys_max=10)
        passes(buckets, "a", clock, 7)

        clock.advance(buckets.take("a", now=clock.now()))

        assert buckets.take("a", now=clock.now()) == 0

    def test_asking_takes_nothing(self) -> None:
        buckets = Buckets[str](Rate(per_second=1, burst=1), keys_max=10)

        assert buckets.wait_ms("a", now=NOON) == 0
        assert buckets.take("a", now=NOON) == 0
        assert buckets.wait_ms("a", now=NOON) == 1_000
        assert buckets.take("a", now=NOON) == 1_000

    def test_each_key_has_its_own(self) -> None:
        clock = ManualClock(NOON)
        buckets = Buckets[str](Rate(per_second=1, burst=1), keys_max=10)

        assert passes(buckets, "a", clock, 2) == [True, False]
        assert passes(buckets, "b", clock, 2) == [True, False]

    @settings(max_examples=50)
    @given(gaps_ms=st.lists(st.integers(0, 2_000), max_size=60), per_second=st.sampled_from([0.5, 1, 3, 7, 100]))
    def test_no_window_sees_more_than_burst_and_rate(self, gaps_ms: list[int], per_second: float) -> None:
        clock = ManualClock(NOON)
        buckets = Buckets[str](Rate(per_second=per_second, burst=4), keys_max=10)
        passed_at = []
        for gap_ms in gaps_ms:
            clock.advance(gap_ms)
            if buckets.take("a", now=clock.now()) == 0:
                passed_at.append(clock.now())

        for first, begin in enumerate(passed_at):
            for last in range(first, len(passed_at)):
                seconds = (passed_at[last] - begin) / 1_000
                assert last - first + 1 <= 4 + seconds * per_second + 1e-3

    def test_full_buckets_are_forgotten(self) -> None:
        clock = ManualClock(NOON)
        buckets = Buckets[str](Rate(per_second=1, burst=5), keys_max=1_000)
        for number in range(1_000):
            buckets.take(f"early {number}", now=clock.now())
        clock.advance(1_000)

        for number in range(600):
            buckets.take(f"late {number}", now=clock.now())

        assert len(buckets) == 600

    def test_a_flood_of_keys_resets_no_bucket(self) -> None:
        clock = ManualClock(NOON)
        buckets = Buckets[str](Rate(per_second=0.1, burst=2), keys_max=100)
        passes(buckets, "a", clock, 2)

        for number in range(3_000):
            buckets.take(f"flood {number}", now=clock.now())

        assert len(buckets) == 100
        assert passes(buckets, "a", clock, 1) == [False]

    def test_the_flood_itself_is_limited_together(self) -> None:
        buckets = Buckets[str](Rate(per_second=0.1, burst=2), keys_max=100)

        passed = sum(buckets.take(f"flood {number}", now=NOON) == 0 for number in range(3_000))

        assert passed == 100 + 2 * 1_000

    def test_memory_is_bounded_whatever_comes(self) -> None:
        clock = ManualClock(NOON)
        buckets = Buckets[str](Rate(per_second=1, burst=2), keys_max=50)
        for number in range(2_000):
            buckets.take(f"{number % 170}", now=clock.now())
            clock.advance(number % 40)
            assert len(buckets) <= 50


def a_policy(*, buyer: Rate | None = None, address: Rate | None = None, loopback_exempt: bool = False) -> LimitPolicy:
    plenty = Rate(per_second=1_000, burst=100_000)
    limit = CallLimit(buyer=buyer or plenty, address=address or plenty)
    return LimitPolicy(join=limit, early_poll=limit, reserve=limit, charge=limit, loopback_exempt=loopback_exempt)


def take(limits: Limits, buyer_id: BuyerId = HER, address: ClientAddress = HOME, now: Instant = NOON) -> None:
    limits.take(LimitedCall.JOIN, buyer_id=buyer_id, address=address, now=now)


class TestLimits:
    def test_one_buyer_wherever_she_asks_from(self) -> None:
        limits = Limits(a_policy(buyer=Rate(per_second=1, burst=2)))
        take(limits, HER, HOME)
        take(limits, HER, OFFICE)

        with pytest.raises(TooManyRequests) as refused:
            take(limits, HER, HOME)

        assert refused.value.retry_after_ms == 1_000
        take(limits, HIM, HOME)

    def test_one_address_whoever_asks_from_it(self) -> None:
        limits = Limits(a_policy(address=Rate(per_second=1, burst=2)))
        take(limits, HER, HOME)
        take(limits, HIM, HOME)

        with pytest.raises(TooManyRequests):
            take(limits, BuyerId(44), HOME)

        take(limits, BuyerId(44), OFFICE)

    def test_a_refused_buyer_uses_up_nothing_of_her_neighbours(self) -> None:
        limits = Limits(a_policy(buyer=Rate(per_second=1, burst=1), address=Rate(per_second=1, burst=2)))
        take(limits, HER)
        for _ in range(10):
            with pytest.raises(TooManyRequests):
                take(limits, HER)

        take(limits, HIM)

    def test_an_exhausted_address_uses_up_nothing_of_a_buyer(self) -> None:
        limits = Limits(a_policy(buyer=Rate(per_second=1, burst=1), address=Rate(per_second=1, burst=1)))
        take(limits, HIM)
        with pytest.raises(TooManyRequests):
            take(limits, HER)

        take(limits, HER, OFFICE)

    def test_calls_are_counted_apart(self) -> None:
        limits = Limits(a_policy(buyer=Rate(per_second=1, burst=1)))

        for call in LimitedCall:
            limits.take(call, buyer_id=HER, address=HOME, now=NOON)

    def test_loopback_is_exempt_where_said_so(self) -> None:
        none_left = Rate(per_second=1, burst=1)
        exempt = Limits(a_policy(buyer=none_left, address=none_left, loopback_exempt=True))
        usual = Limits(a_policy(buyer=none_left, address=none_left))

        for _ in range(10):
            take(exempt, HER, LOOPBACK)
        take(usual, HER, LOOPBACK)
        with pytest.raises(TooManyRequests):
            take(usual, HER, LOOPBACK)

    def test_a_crowd_of_2000_behind_one_address_passes_at_the_defaults(self) -> None:
        limits = Limits(LimitPolicy())
        crowd = [BuyerId(number) for number in range(1, 2_001)]
        refs = {buyer: PlaceRef(room_id=RoomId("main"), number=QueueNumber(buyer)) for buyer in crowd}

        for buyer in crowd:
            take(limits, buyer)
            limits.told(refs[buyer], 4_000, now=NOON)
        for second in range(2, 62, 2):
            for buyer in crowd:
                # Every two seconds whatever she is told, as the seed's script does.
                now = Instant(NOON + second * 1_000)
                poll(limits, refs[buyer], now, buyer_id=buyer)
                limits.told(refs[buyer], 4_000, now=now)
        for _ in range(3):
            for buyer in crowd:
                limits.take(LimitedCall.RESERVE, buyer_id=buyer, address=HOME, now=NOON)
        for buyer in crowd:
            limits.take(LimitedCall.CHARGE, buyer_id=buyer, address=HOME, now=NOON)

    def test_fifty_charges_at_once_are_no_attack(self) -> None:
        limits = Limits(LimitPolicy())

        for _ in range(50):
            limits.take(LimitedCall.CHARGE, buyer_id=HER, address=HOME, now=NOON)


def poll(limits: Limits, ref: PlaceRef, now: Instant, *, buyer_id: BuyerId = HER) -> None:
    if (early_ms := limits.early_by_ms(ref, now=now)) > 0:
        limits.poll_early(early_ms, buyer_id=buyer_id, address=HOME, now=now)


class TestEarlyPolls:
    REF = PlaceRef(room_id=RoomId("main"), number=QueueNumber(7))

    def poll(self, limits: Limits, at: int, ref: PlaceRef = REF) -> None:
        poll(limits, ref, Instant(at))

    def test_polls_in_time_cost_nothing(self) -> None:
        limits = Limits(a_policy(buyer=Rate(per_second=0.001, burst=1)))

        for turn in range(100):
            limits.told(self.REF, 1_000, now=Instant(NOON + turn * 1_000))
            self.poll(limits, NOON + (turn + 1) * 1_000)

    def test_a_little_early_is_in_time(self) -> None:
        limits = Limits(a_policy(buyer=Rate(per_second=0.001, burst=1)))
        limits.told(self.REF, 10_000, now=NOON)

        # A quarter of a second and a tenth of what was told.
        for _ in range(3):
            self.poll(limits, NOON + 10_000 - 1_250)
        self.poll(limits, NOON + 10_000 - 1_251)
        with pytest.raises(TooManyRequests):
            self.poll(limits, NOON + 10_000 - 1_251)

    def test_it_says_to_come_when_it_was_told_to(self) -> None:
        limits = Limits(a_policy(buyer=Rate(per_second=1_000, burst=1)))
        limits.told(self.REF, 10_000, now=NOON)
        self.poll(limits, NOON)

        with pytest.raises(TooManyRequests) as refused:
            self.poll(limits, NOON)

        self.poll(limits, NOON + refused.value.retry_after_ms)
        self.poll(limits, NOON + refused.value.retry_after_ms)

    def test_nobody_is_early_who_was_told_nothing(self) -> None:
        limits = Limits(a_policy(buyer=Rate(per_second=0.001, burst=1)))
        limits.told(PlaceRef(room_id=RoomId("main"), number=QueueNumber(1)), 60_000, now=NOON)

        for _ in range(5):
            self.poll(limits, NOON)
            self.poll(limits, NOON, PlaceRef(room_id=RoomId("vip"), number=QueueNumber(1)))
            self.poll(limits, NOON, PlaceRef(room_id=RoomId("main"), number=QueueNumber(5_000)))

    def test_numbers_without_end_take_no_memory_without_end(self) -> None:
        limits = Limits(a_policy(buyer=Rate(per_second=0.001, burst=1)))
        far = PlaceRef(room_id=RoomId("main"), number=QueueNumber(100 * PLACES_REMEMBERED_MAX + 7))

        limits.told(far, 60_000, now=NOON)

        self.poll(limits, NOON, far)
        with pytest.raises(TooManyRequests):
            self.poll(limits, NOON, far)


PROXIES = (ip_network("10.0.0.0/8"), ip_network("2001:db8:ff::1"))


def address_of(peer: str | None, *forwarded_for: str, trusted: Iterable[str] | None = None) -> ClientAddress:
    scope = {
        "client": None if peer is None else (peer, 50_000),
        "headers": [(b"host", b"x"), *((b"x-forwarded-for", entry.encode("latin-1")) for entry in forwarded_for)],
    }
    return client_address(scope, PROXIES if trusted is None else [ip_network(name) for name in trusted])


class TestClientAddress:
    def test_it_is_the_peers(self) -> None:
        assert address_of("198.51.100.7") == "198.51.100.7"

    def test_nobody_else_is_believed_but_trusted_proxies(self) -> None:
        assert address_of("198.51.100.7", "203.0.113.9") == "198.51.100.7"
        assert address_of("10.0.0.1", "203.0.113.9", trusted=[]) == "10.0.0.1"
        assert address_of("10.0.0.1", "203.0.113.9") == "203.0.113.9"

    def test_the_rightmost_that_is_not_trusted_counts(self) -> None:
        assert address_of("10.0.0.1", "1.1.1.1, 203.0.113.9, 10.0.0.2") == "203.0.113.9"
        assert address_of("10.0.0.1", "1.1.1.1", "203.0.113.9,10.0.0.2") == "203.0.113.9"
        assert address_of("10.0.0.1", "10.9.9.9, 10.0.0.2") == "10.9.9.9"

    @pytest.mark.parametrize("entry", ["", " ", "unknown", "_hidden", "1.2.3", "1.2.3.4.5", "é", "a" * 500, "[", "::z"])
    def test_nonsense_ends_the_search_where_it_came_from(self, entry: str) -> None:
        assert address_of("10.0.0.1", f"203.0.113.9, {entry}, 10.0.0.2") == "10.0.0.2"

    @pytest.mark.parametrize(
        ("entry", "address"),
        [
            ("203.0.113.9:1234", "203.0.113.9"),
            ("[2001:db8:1:2::9]:1234", "2001:db8:1:2::/64"),
            ("[2001:db8:1:2::9]", "2001:db8:1:2::/64"),
            ("2001:db8:1:2::9", "2001:db8:1:2::/64"),
            ("::ffff:203.0.113.9", "203.0.113.9"),
            ("fe80::1%eth0", "fe80::/64"),
        ],
    )
    def test_the_forms_proxies_write(self, entry: str, address: str) -> None:
        assert address_of("10.0.0.1", entry) == address

    def test_a_household_of_ipv6_is_one(self) -> None:
        assert address_of("2001:db8:1:2::1") == address_of("2001:db8:1:2:ffff::9") == "2001:db8:1:2::/64"
        assert address_of("2001:db8:1:3::1") != address_of("2001:db8:1:2::1")

    def test_a_proxy_may_be_one_address_and_mapped(self) -> None:
        assert address_of("2001:db8:ff::1", "203.0.113.9") == "203.0.113.9"
        assert address_of("2001:db8:ff::2", "203.0.113.9") == "2001:db8:ff::/64"
        assert address_of("::ffff:10.0.0.1", "203.0.113.9") == "203.0.113.9"

    def test_a_unix_socket_has_none(self) -> None:
        assert address_of(None) == UNKNOWN_ADDRESS
        assert not is_loopback(UNKNOWN_ADDRESS)

    def test_hearsay_without_end_is_cut(self) -> None:
        assert address_of("10.0.0.1", ",".join(["203.0.113.9"] + ["10.0.0.2"] * 5_000)) == "10.0.0.2"

    @pytest.mark.parametrize("peer", ["127.0.0.1", "127.8.9.1", "::1", "::ffff:127.0.0.1"])
    def test_loopback(self, peer: str) -> None:
        assert is_loopback(address_of(peer))

    def test_a_client_cannot_make_itself_loopback(self) -> None:
        assert not is_loopback(address_of("198.51.100.7", "127.0.0.1"))
