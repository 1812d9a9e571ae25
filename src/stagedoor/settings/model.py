# ruff: noqa: RUF009 -- `setting` is a field specifier: it returns a dataclass field, which nobody shares
"""Every setting with its kind, default and meaning: the table that flags, `doctor` and the reference are made of."""

import ipaddress
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields
from pathlib import Path

from stagedoor.holds.model import SEATS_PER_HOLD_MAX, HoldPolicy
from stagedoor.observability.logs import LogFormat, LogLevel
from stagedoor.resilience.breaker import BreakerSettings
from stagedoor.resilience.breakers import Instance
from stagedoor.resilience.reserve import Reserve
from stagedoor.settings import kinds
from stagedoor.settings.identity import IDENTITY, IdentitySettings
from stagedoor.settings.kafka import KAFKA, KafkaSettings
from stagedoor.settings.limits import LIMITS, LimitSettings
from stagedoor.settings.rooms import WAITING_ROOM, RoomSettings
from stagedoor.settings.setting import Origin, Setting, described, setting
from stagedoor.settings.units import milliseconds

SERVER = "Server"
DATA = "Data"
SALE = "Seats, holds and time"

KEEPING = "What is kept for how long, and the disk"
OVERLOAD = "Overload and deadlines"

DAY_SECONDS = 86_400
DAY_HOURS = 24
YEAR_HOURS = 8_760


@dataclass(frozen=True, kw_only=True)
class Settings(IdentitySettings, RoomSettings, LimitSettings, KafkaSettings):
    """
    All settings, as `load` found them.

    *origins* has, for each setting, where its value came from.
    """

    host: str = setting(
        kinds.address(),
        default="127.0.0.1",
        meaning="The address to listen on. 0.0.0.0 is every one of the machine's.",
        group=SERVER,
    )
    port: int = setting(
        kinds.whole(0, 65_535), default=8_080, meaning="The port to listen on; 0 picks a free one.", group=SERVER
    )
    trusted_proxies: tuple[kinds.IPNetwork, ...] = setting(
        kinds.networks(),
        default=(),
        meaning="Proxies whose X-Forwarded-For is believed. From anybody else it is ignored.",
        group=SERVER,
    )
    connections_max: int = setting(
        kinds.whole(1, 1_000_000),
        default=10_000,
        meaning="How many connections are open at once; a further one is answered 503. Never more than the open files "
        "that the system allows, which the server raises as far as it may.",
        group=SERVER,
    )
    workers: int = setting(
        kinds.whole(1, 256),
        default=1,
        meaning="How many processes this command serves with, on the one port. More than one needs a database server "
        "and Redis; the same command on other hosts adds to them.",
        group=SERVER,
    )
    drain_seconds: float = setting(
        kinds.seconds(0, 300),
        default=6.0,
        meaning="How long a stop waits for the requests that are under way.",
        group=SERVER,
    )
    log_level: LogLevel = setting(
        kinds.choice("debug", "info", "warning", "error"),
        default="info",
        meaning="The least important line that is logged: debug, info, warning or error.",
        group=SERVER,
    )
    log_format: LogFormat = setting(
        kinds.choice("console", "json"),
        default="console",
        meaning="How log lines look: console for people, json for machines.",
        group=SERVER,
    )

    data_dir: Path = setting(
        kinds.folder(),
        default=Path("data"),
        meaning="The folder of the database and of the generated secret. Where only DATABASE_URL is set, the folder of "
        "that database.",
        group=DATA,
    )
    database_url: str = setting(
        kinds.database_url(),
        default="sqlite:///data/stagedoor.db",
        meaning="The database. Unless set, it is the file stagedoor.db in DATA_DIR. A server's database is made by "
        "`stagedoor migrate`, and needs REDIS_URL and SECRET.",
        group=DATA,
    )
    redis_url: str | None = setting(
        kinds.optional(kinds.redis_url()),
        default=None,
        meaning="The Redis or Valkey that the line is in, where the database is a server.",
        group=DATA,
    )

    hold_seconds: float = setting(
        kinds.seconds(0.001, DAY_SECONDS),
        default=300.0,
        meaning="How long seats are held for a buyer to pay.",
        group=SALE,
    )
    seats_per_buyer: int = setting(
        kinds.whole(1, SEATS_PER_HOLD_MAX),
        default=4,
        meaning="How many seats of one performance a buyer may hold and buy together.",
        group=SALE,
    )
    closed_to_her_seconds: float = setting(
        kinds.seconds(0, DAY_SECONDS),
        default=60.0,
        meaning="How long a seat is closed to the buyer who let it go.",
        group=SALE,
    )
    outage_credit_max_seconds: float = setting(
        kinds.seconds(0, DAY_SECONDS),
        default=1_800.0,
        meaning="How much time in which nobody could buy is given back to holds, passes and absences, at most: of one "
        "outage, and to one hold of all of them together.",
        group=SALE,
    )
    stale_list_seconds_max: float = setting(
        kinds.seconds(0, DAY_SECONDS),
        default=60.0,
        meaning="How long schedule and seats are still told as they last were, and marked so, while they cannot be "
        "read; after that they are refused. 0: at once.",
        group=SALE,
    )
    time_zone: str = setting(
        kinds.time_zone(),
        default="Asia/Seoul",
        meaning="The time zone of the venues, for dates and times without an offset.",
        group=SALE,
    )

    keep_places_hours: float = setting(
        kinds.hours(DAY_HOURS, YEAR_HOURS),
        default=24.0,
        meaning="How long a place that is over is remembered, and longer while an idempotency key names it.",
        group=KEEPING,
    )
    keep_keys_hours: float = setting(
        kinds.hours(DAY_HOURS, YEAR_HOURS),
        default=24.0,
        meaning="How long an idempotency key is remembered; at most as long as a place.",
        group=KEEPING,
    )
    keep_events_hours: float = setting(
        kinds.hours(DAY_HOURS, 10 * YEAR_HOURS),
        default=168.0,
        meaning="How long an event is kept in the outbox after it was published.",
        group=KEEPING,
    )

    disk_reserve_percent: float = setting(
        kinds.decimal(0, 50, "a percentage", "PERCENT"),
        default=5.0,
        meaning="How much of the database's disk has to be left; with less nobody joins or reserves. 0: no limit.",
        group=KEEPING,
    )
    disk_reserve_mib: int | None = setting(
        kinds.optional(kinds.whole(0, 1_000_000, "a whole number of MiB")),
        default=None,
        meaning="How much of it is enough, if that is less than the percentage; unset, the percentage alone counts. "
        "0: no limit.",
        group=KEEPING,
        demo_default=1_024,
    )

    wait_target_seconds: float = setting(
        kinds.seconds(0.01, 60),
        default=0.25,
        meaning="How long calls may stand in a queue that does not drain, before further ones are put off with 503, "
        "the least important first; well above what one order takes alone.",
        group=OVERLOAD,
    )
    deadline_change_seconds: float = setting(
        kinds.seconds(0.1, 300),
        default=10.0,
        meaning="How long a call that changes something is waited for; a caller may wait less (Stagedoor-Deadline-Ms).",
        group=OVERLOAD,
    )
    deadline_read_seconds: float = setting(
        kinds.seconds(0.1, 300),
        default=5.0,
        meaning="How long a call that only reads is waited for, and a poll.",
        group=OVERLOAD,
    )

    breakers: Mapping[Instance, BreakerSettings] = field(default_factory=dict)
    origins: Mapping[str, Origin] = field(default_factory=dict, repr=False)

    @property
    def is_cluster(self) -> bool:
        """Whether the database is a server, so that many processes may serve."""
        return not self.database_url.startswith(kinds.SQLITE_URL)

    @property
    def database_shown(self) -> str:
        """The database as people may read it: a file's path, or a server's address without the password."""
        if self.is_cluster:
            return kinds.without_credentials(self.database_url)
        return str(self.database_file.absolute())

    @property
    def database_file(self) -> Path:
        """The SQLite file that *database_url* names, which is no server's."""
        assert not self.is_cluster
        return Path(self.database_url.removeprefix(kinds.SQLITE_URL))

    @property
    def is_public(self) -> bool:
        """Whether other machines can reach *host*."""
        try:
            return not ipaddress.ip_address(self.host).is_loopback
        except ValueError:
            return self.host.lower() != "localhost"

    @property
    def disk_reserve(self) -> Reserve:
        """What has to be left on the database's disk; a new one, not looked at yet."""
        enough = None if self.disk_reserve_mib is None else self.disk_reserve_mib << 20
        return Reserve(percent=self.disk_reserve_percent, bytes_max=enough)

    @property
    def hold_policy(self) -> HoldPolicy:
        """The rules for holds."""
        return HoldPolicy(
            hold_ms=milliseconds(self.hold_seconds),
            seats_per_buyer=self.seats_per_buyer,
            closed_to_her_ms=milliseconds(self.closed_to_her_seconds),
        )


_ROWS = [row for column in fields(Settings) if (row := described(column.name, column.metadata)) is not None]

# The dataclass has inherited fields first.
_GROUPS = (SERVER, DATA, IDENTITY, WAITING_ROOM, SALE, KEEPING, OVERLOAD, LIMITS, KAFKA)
TABLE: Sequence[Setting] = tuple(sorted(_ROWS, key=lambda row: _GROUPS.index(row.group)))
"""Every setting, in the order in which people should meet them."""
