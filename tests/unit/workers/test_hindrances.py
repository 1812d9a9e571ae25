from structlog.testing import capture_logs

from stagedoor.observability.metrics import Metrics
from stagedoor.workers.hindrances import Hindrances


class Parts:
    """A disk and a database, and how they are."""

    def __init__(self) -> None:
        self.disk_is_low = False
        self.database_is_out = False
        self.metrics = Metrics()
        self.hindrances = Hindrances(
            {"disk": lambda: self.disk_is_low, "database": lambda: self.database_is_out},
            blind=("database",),
            metrics=self.metrics,
        )

    @property
    def shown(self) -> dict[str, float]:
        """The gauge, by cause."""
        [family] = [each for each in self.metrics.registry.collect() if each.name == "stagedoor_admission_paused"]
        return {sample.labels["cause"]: sample.value for sample in family.samples}


def test_nothing_hinders_at_first() -> None:
    parts = Parts()

    assert parts.hindrances.may_admit()
    assert (parts.hindrances.is_paused, parts.hindrances.is_stale) == (False, False)
    assert parts.shown == {"disk": 0, "database": 0}


def test_one_hindrance_is_enough_and_not_each_of_them_blinds() -> None:
    parts = Parts()
    parts.disk_is_low = True

    assert not parts.hindrances.may_admit()
    assert (parts.hindrances.is_paused, parts.hindrances.is_stale) == (True, False)
    assert parts.shown == {"disk": 1, "database": 0}


def test_what_blinds_makes_the_news_old() -> None:
    parts = Parts()
    parts.database_is_out = True

    parts.hindrances.look()

    assert (parts.hindrances.is_paused, parts.hindrances.is_stale) == (True, True)


def test_between_two_looks_the_last_one_counts() -> None:
    parts = Parts()
    parts.database_is_out = True
    parts.hindrances.look()
    parts.database_is_out = False

    assert parts.hindrances.is_stale
    parts.hindrances.look()
    assert not parts.hindrances.is_stale


async def test_each_coming_and_going_is_logged_once() -> None:
    parts = Parts()
    with capture_logs() as logged:
        parts.database_is_out = True
        changes = [await parts.hindrances.tick(), await parts.hindrances.tick()]
        parts.disk_is_low, parts.database_is_out = True, False
        changes += [await parts.hindrances.tick(), await parts.hindrances.tick()]

    assert changes == [1, 0, 2, 0]
    assert [(entry["event"], entry["cause"]) for entry in logged] == [
        ("admission.paused", "database"),
        ("admission.unhindered", "database"),
        ("admission.paused", "disk"),
    ]


def test_a_tick_that_its_own_guard_let_through_is_not_held_up_by_it() -> None:
    disk_is_low, metrics = False, Metrics()
    hindrances = Hindrances(
        {"disk": lambda: disk_is_low, "queue": lambda: True}, blind=(), own=("queue",), metrics=metrics
    )

    assert hindrances.may_admit()
    assert not hindrances.is_paused, "the guard refuses because of the tick itself"
    hindrances.look()
    assert hindrances.is_paused, "but to the next one it is closed"
    assert hindrances.may_admit()
    assert hindrances.is_paused
    disk_is_low = True
    assert not hindrances.may_admit()
