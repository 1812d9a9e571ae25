# ruff: noqa: S104, S105 -- addresses and secrets that are read, and never used
"""What each setting takes at its boundaries, and the sentence that refuses the rest."""

from collections.abc import Mapping
from pathlib import Path

import pytest

from stagedoor.bootstrap.limits import limit_policy
from stagedoor.holds.model import HoldPolicy
from stagedoor.http.buckets import Rate
from stagedoor.http.jwks import ASYMMETRIC, SHARED_SECRET_BYTES_MIN, SYMMETRIC
from stagedoor.http.limits import LimitPolicy
from stagedoor.http.tokens import SECRET_BYTES_MIN
from stagedoor.kernel.clock import SECOND_MS
from stagedoor.settings import TABLE, Allowance, Setting, Settings, SettingsError, kinds, load
from stagedoor.settings.errors import UnfitError
from stagedoor.settings.identity import ALGORITHMS_WITH_KEY_SET, ALGORITHMS_WITH_SECRET
from stagedoor.waiting_room.room import RoomPolicy
from stagedoor.waiting_room.room_change import POLICY_RANGES

LONG_SECRET = "0123456789abcdef0123456789abcdef"
SHORT_SECRET = "0123456789abcdef0123456789abcde"
CLUSTER = {
    "DATABASE_URL": "mariadb://ann:pa55@db:3306/stagedoor",
    "REDIS_URL": "rediss://:pa55@cache/1",
    "KAFKA_BOOTSTRAP": "one:9092, [::1]:29092",
    "SECRET": LONG_SECRET,
}


def loaded(**environ: str) -> Settings:
    return load(flags={}, environ={f"STAGEDOOR_{name}": value for name, value in environ.items()})


def refusal(**environ: str) -> str:
    with pytest.raises(SettingsError) as refused:
        loaded(**environ)
    return str(refused.value)


@pytest.fixture(autouse=True)
def _in_an_empty_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


@pytest.mark.parametrize(
    ("name", "text", "value"),
    [
        ("PORT", "0", 0),
        ("PORT", "65535", 65_535),
        ("HOST", "::1", "::1"),
        ("HOST", "localhost", "localhost"),
        ("MAX_ACTIVE", "0", 0),
        ("MAX_ACTIVE", "1000000", 1_000_000),
        ("ADMIT_RATE", "0.5", 0.5),
        ("ADMIT_RATE", "none", None),
        ("HOLD_SECONDS", "0.001", 0.001),
        ("HOLD_SECONDS", "86400", 86_400.0),
        ("CLOSED_TO_HER_SECONDS", "0", 0.0),
        ("SEATS_PER_BUYER", "1", 1),
        ("SEATS_PER_BUYER", "50", 50),
        ("OPENS_AT", "2027-01-09T20:00:00+09:00", 1_799_492_400_000),
        ("OPENS_AT", "2027-01-09T11:00:00.250Z", 1_799_492_400_250),
        ("OPENS_AT", "none", None),
        ("TIME_ZONE", "Europe/Berlin", "Europe/Berlin"),
        ("TIME_ZONE", "UTC", "UTC"),
        ("SECRET", LONG_SECRET, LONG_SECRET),
        ("TRUSTED_PROXIES", "", ()),
        ("LOG_FORMAT", "json", "json"),
        ("KEEP_PLACES_HOURS", "24", 24.0),
        ("KEEP_EVENTS_HOURS", "87600", 87_600.0),
        ("LINE_MAX", "1", 1),
        ("LIMIT_JOINS_OF_BUYER", "1+0.5/s", Allowance(burst=1, per_second=0.5)),
    ],
)
def test_what_is_just_possible_is_taken(name: str, text: str, value: object) -> None:
    assert getattr(loaded(**{name: text}), name.lower()) == value


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("PORT", "70000"),
        ("KEEP_PLACES_HOURS", "23.9"),
        ("KEEP_KEYS_HOURS", "8760.1"),
        ("KEEP_EVENTS_HOURS", "0"),
        ("PORT", "65536"),
        ("PORT", "-1"),
        ("PORT", ""),
        ("PORT", " 8080"),
        ("PORT", "8_080"),
        ("PORT", "8080.0"),
        ("PORT", "\u0668\u0660"),
        ("PORT", "9" * 5_000),
        ("HOST", ""),
        ("HOST", "two words"),
        ("HOST", "http://here"),
        ("MAX_ACTIVE", "-1"),
        ("MAX_ACTIVE", "abc"),
        ("MAX_ACTIVE", "1000001"),
        ("MAX_ACTIVE", "none"),
        ("ADMIT_RATE", "0"),
        ("ADMIT_RATE", "-2"),
        ("ADMIT_RATE", "nan"),
        ("ADMIT_RATE", "inf"),
        ("ADMIT_RATE", "1e3"),
        ("HOLD_SECONDS", "0"),
        ("HOLD_SECONDS", "-5"),
        ("HOLD_SECONDS", "86400.1"),
        ("HOLD_SECONDS", "5m"),
        ("IDLE_TIMEOUT_SECONDS", "NaN"),
        ("SESSION_MAX_SECONDS", "0"),
        ("AWAY_AFTER_SECONDS", "0"),
        ("ENTRY_WINDOW_SECONDS", "0"),
        ("SEATS_PER_BUYER", "0"),
        ("SEATS_PER_BUYER", "51"),
        ("LINE_MAX", "0"),
        ("POLLS_PER_SECOND", "0"),
        ("OUTAGE_CREDIT_MAX_SECONDS", "-1"),
        ("DRAIN_SECONDS", "301"),
        ("OPENS_AT", "2027-01-09T20:00:00"),
        ("OPENS_AT", "2027-01-09"),
        ("OPENS_AT", "2027-02-30T20:00:00Z"),
        ("OPENS_AT", "tomorrow"),
        ("TIME_ZONE", "Asia/Soul"),
        ("TIME_ZONE", "Asia"),
        ("TIME_ZONE", "../etc/passwd"),
        ("TIME_ZONE", ""),
        ("IDENTITY", "none"),
        ("IDENTITY", "Demo"),
        ("IDENTITY_ALGORITHMS", "none"),
        ("IDENTITY_ALGORITHMS", "HS256,none"),
        ("IDENTITY_ALGORITHMS", "HS256,HS256"),
        ("IDENTITY_JWKS", "gone.json"),
        ("IDENTITY_JWKS", "http://login.example/keys"),
        ("IDENTITY_LEEWAY_SECONDS", "61"),
        ("LIMIT_JOINS_OF_BUYER", "60"),
        ("LIMIT_JOINS_OF_BUYER", "0+1/s"),
        ("LIMIT_JOINS_OF_BUYER", "1+0/s"),
        ("ALLOW_DEMO_IDENTITY_PUBLIC", "maybe"),
        ("TRUSTED_PROXIES", "10.0.0.1/8"),
        ("TRUSTED_PROXIES", "proxy.example"),
        ("LOG_LEVEL", "loud"),
        ("LOG_FORMAT", "xml"),
        ("DATA_DIR", ""),
        ("DATABASE_URL", "stagedoor.db"),
        ("DATABASE_URL", "sqlite://"),
        ("DATABASE_URL", "sqlite:///"),
        ("DATABASE_URL", "sqlite:///:memory:"),
        ("DATABASE_URL", "sqlite:///folder/"),
        ("DATABASE_URL", "sqlite:///x.db?mode=ro"),
        ("DATABASE_URL", "postgresql://db"),
        ("DATABASE_URL", "postgresql:///stagedoor"),
        ("DATABASE_URL", "postgresql://db/a/b"),
        ("DATABASE_URL", "postgresql://db:70000/stagedoor"),
        ("DATABASE_URL", "postgresql+asyncpg://db/stagedoor"),
        ("DATABASE_URL", "postgresql://db/stagedoor?password=x"),
        ("DATABASE_URL", "mysql://db/stagedoor"),
        ("REDIS_URL", "redis://"),
        ("REDIS_URL", "http://cache"),
        ("REDIS_URL", "redis://cache/zero"),
        ("REDIS_URL", "redis://cache/0?password=x"),
        ("KAFKA_BOOTSTRAP", ""),
        ("KAFKA_BOOTSTRAP", "broker"),
        ("KAFKA_BOOTSTRAP", "broker:0"),
        ("KAFKA_BOOTSTRAP", "broker:9092,"),
        ("WORKERS", "0"),
        ("SECRET", SHORT_SECRET),
        ("SECRET", "열여섯글자열여섯"),
        ("SECRET", ""),
        ("SECRET", "\udcff" * 40),
    ],
)
def test_what_is_impossible_is_refused_by_name(name: str, text: str) -> None:
    sentence = refusal(**{name: text})

    assert sentence.startswith(f"STAGEDOOR_{name} is ")
    assert "has to be" in sentence
    assert sentence.endswith(".")
    assert "\n" not in sentence


def test_the_sentence_says_what_was_found_and_what_is_allowed() -> None:
    assert refusal(PORT="70000") == 'STAGEDOOR_PORT is "70000", but it has to be a whole number from 0 to 65535.'


def test_the_sentence_names_the_flag_where_a_flag_was_used() -> None:
    with pytest.raises(SettingsError, match=r'^--port is "70000", but it has to be '):
        load(flags={"port": "70000"}, environ={})


@pytest.mark.parametrize("name", ["SECRET", "SECRET_PREVIOUS", "IDENTITY_SECRET"])
def test_a_refused_secret_is_not_shown(name: str) -> None:
    sentence = refusal(**{name: SHORT_SECRET})

    assert SHORT_SECRET not in sentence
    assert "31 bytes long" in sentence


@pytest.mark.parametrize(
    "url",
    [
        "mysql://ann:pa55@db/x",
        "postgresql+asyncpg://ann:pa@55@db/x",
        "mariadb://ann:pa/55@db/x",
        "mariadb://a:5#5@db/x",
    ],
)
def test_a_refused_database_url_does_not_show_its_password(url: str) -> None:
    sentence = refusal(DATABASE_URL=url)

    assert "55" not in sentence
    assert "***@db/x" in sentence


def test_secrets_are_in_no_representation_of_settings() -> None:
    settings = loaded(**CLUSTER, SECRET_PREVIOUS=LONG_SECRET[::-1])

    assert LONG_SECRET not in repr(settings)
    assert LONG_SECRET[::-1] not in repr(settings)
    assert "pa55" not in repr(settings)


def test_passwords_are_not_shown() -> None:
    settings = loaded(**CLUSTER)

    for row in TABLE:
        assert "pa55" not in row.show(getattr(settings, row.name))
    assert settings.database_shown == "mariadb://***@db:3306/stagedoor"


@pytest.mark.parametrize("name", ["database_url", "redis_url"])
def test_a_password_is_no_flag(name: str) -> None:
    environ = {f"STAGEDOOR_{each}": value for each, value in CLUSTER.items()}
    flags = {name: environ.pop(f"STAGEDOOR_{name.upper()}")}

    with pytest.raises(SettingsError, match="command lines can be read by others") as refused:
        load(flags=flags, environ=environ)

    assert "pa55" not in str(refused.value)


@pytest.mark.parametrize(
    ("changed", "sentence"),
    [
        ({"REDIS_URL": "none"}, "which needs STAGEDOOR_REDIS_URL to be set: the line of all processes is kept there."),
        ({"SECRET": None}, "which needs STAGEDOOR_SECRET to be set: a pass that one process has issued"),
        (
            {"DATABASE_URL": "sqlite:///a.db"},
            "STAGEDOOR_REDIS_URL is set, but STAGEDOOR_DATABASE_URL is sqlite:///a.db",
        ),
        (
            {"DATABASE_URL": "sqlite:///a.db", "REDIS_URL": "none", "KAFKA_BOOTSTRAP": "none", "WORKERS": "2"},
            "STAGEDOOR_WORKERS is 2, but STAGEDOOR_DATABASE_URL is sqlite:///a.db, a file, which one",
        ),
    ],
)
def test_half_a_cluster_is_refused(changed: Mapping[str, str | None], sentence: str) -> None:
    environ = {name: value for name, value in {**CLUSTER, **changed}.items() if value is not None}

    assert sentence in refusal(**environ)


def test_events_of_one_process_may_go_to_kafka_too() -> None:
    assert loaded(KAFKA_BOOTSTRAP="one:9092").kafka_bootstrap == ("one:9092",)


@pytest.mark.parametrize(
    ("environ", "sentence"),
    [
        (
            {"KAFKA_SECURITY_PROTOCOL": "sasl_ssl"},
            "STAGEDOOR_KAFKA_SECURITY_PROTOCOL is sasl_ssl, which needs STAGEDOOR_KAFKA_USER to be set.",
        ),
        (
            {"KAFKA_SECURITY_PROTOCOL": "sasl_plaintext", "KAFKA_USER": "box-office"},
            "which needs STAGEDOOR_KAFKA_PASSWORD to be set.",
        ),
        (
            {"KAFKA_PASSWORD": "a well kept one"},
            "STAGEDOOR_KAFKA_SECURITY_PROTOCOL is plaintext, which does not use STAGEDOOR_KAFKA_PASSWORD: remove it",
        ),
        (
            {"KAFKA_CA_FILE": __file__},
            "STAGEDOOR_KAFKA_SECURITY_PROTOCOL is plaintext, which does not use STAGEDOOR_KAFKA_CA_FILE: remove it",
        ),
        (
            {"KAFKA_SECURITY_PROTOCOL": "ssl", "KAFKA_CERTIFICATE_FILE": __file__},
            "STAGEDOOR_KAFKA_CERTIFICATE_FILE and STAGEDOOR_KAFKA_KEY_FILE belong together",
        ),
        ({"KAFKA_CA_FILE": "/nowhere/ca.pem"}, "but it has to be the path of a file that is there, or none."),
        (
            {"KAFKA_PASSWORD": "a\nb"},
            "STAGEDOOR_KAFKA_PASSWORD is 3 bytes long, but it has to be printable text, or none.",
        ),
        ({"KAFKA_SASL_MECHANISM": "GSSAPI"}, "but it has to be PLAIN, SCRAM-SHA-256 or SCRAM-SHA-512."),
    ],
)
def test_half_a_way_to_the_brokers_is_refused(environ: Mapping[str, str], sentence: str) -> None:
    assert sentence in refusal(**environ)


def test_a_password_for_the_brokers_is_never_shown() -> None:
    settings = loaded(KAFKA_SECURITY_PROTOCOL="sasl_ssl", KAFKA_USER="box-office", KAFKA_PASSWORD=LONG_SECRET)

    assert settings.kafka_password == LONG_SECRET
    assert LONG_SECRET not in repr(settings)
    assert next(row for row in TABLE if row.name == "kafka_password").show(settings.kafka_password) == "set"


def test_a_whole_cluster_is_taken() -> None:
    settings = loaded(**CLUSTER, WORKERS="4")

    assert settings.is_cluster
    assert settings.kafka_bootstrap == ("one:9092", "[::1]:29092")
    assert not loaded().is_cluster


@pytest.mark.parametrize(
    ("environ", "sentence"),
    [
        (
            {"OPENS_AT": "2027-01-09T20:00:00Z", "CLOSES_AT": "2027-01-09T20:00:00Z"},
            "STAGEDOOR_CLOSES_AT is 2027-01-09T20:00:00Z, but it has to be later than STAGEDOOR_OPENS_AT",
        ),
        ({"SECRET": LONG_SECRET, "SECRET_PREVIOUS": LONG_SECRET}, "STAGEDOOR_SECRET_PREVIOUS is the same as"),
        ({"HOST": "0.0.0.0"}, 'STAGEDOOR_HOST is "0.0.0.0", which other machines can reach'),
        ({"HOST": "::"}, 'STAGEDOOR_HOST is "::", which other machines can reach'),
        ({"HOST": "192.168.0.4"}, "STAGEDOOR_ALLOW_DEMO_IDENTITY_PUBLIC=true"),
        ({"HOST": "my-laptop"}, "STAGEDOOR_ALLOW_DEMO_IDENTITY_PUBLIC=true"),
        ({"IDENTITY": "jwt"}, "STAGEDOOR_IDENTITY is jwt, which needs STAGEDOOR_IDENTITY_ISSUER to be set."),
        ({"IDENTITY_ISSUER": "https://shop.example"}, "without STAGEDOOR_IDENTITY=jwt any userId would be believed"),
        (
            {"IDENTITY": "jwt", "IDENTITY_ISSUER": "i", "IDENTITY_AUDIENCE": "a", "IDENTITY_ALGORITHMS": "HS256,RS256"},
            "either algorithms with a secret (HS...) or algorithms with public keys.",
        ),
        (
            {"IDENTITY": "jwt", "IDENTITY_ISSUER": "i", "IDENTITY_AUDIENCE": "a", "IDENTITY_ALGORITHMS": "HS256"},
            "which needs STAGEDOOR_IDENTITY_SECRET to be set.",
        ),
        (
            {"IDENTITY": "jwt", "IDENTITY_ISSUER": "i", "IDENTITY_AUDIENCE": "a", "IDENTITY_ALGORITHMS": "ES256"},
            "which needs STAGEDOOR_IDENTITY_JWKS to be set.",
        ),
    ],
)
def test_what_is_impossible_together_is_refused(environ: Mapping[str, str], sentence: str) -> None:
    assert sentence in refusal(**environ)


@pytest.mark.parametrize("host", ["127.0.0.1", "127.8.8.8", "::1", "localhost", "LOCALHOST"])
def test_a_demo_on_the_machine_alone_needs_no_leave(host: str) -> None:
    assert not loaded(HOST=host).is_public


def test_a_public_demo_needs_leave() -> None:
    assert loaded(HOST="0.0.0.0", ALLOW_DEMO_IDENTITY_PUBLIC="true").is_public


def test_identity_tokens_with_a_secret() -> None:
    settings = loaded(
        HOST="0.0.0.0",
        IDENTITY="jwt",
        IDENTITY_ISSUER="https://shop.example",
        IDENTITY_AUDIENCE="stagedoor",
        IDENTITY_ALGORITHMS="HS256, HS512",
        IDENTITY_SECRET=LONG_SECRET,
    )

    assert settings.identity_algorithms == ("HS256", "HS512")
    assert not settings.fans_may_charge


def test_identity_tokens_with_published_keys() -> None:
    settings = loaded(
        IDENTITY="jwt",
        IDENTITY_ISSUER="https://shop.example",
        IDENTITY_AUDIENCE="stagedoor",
        IDENTITY_ALGORITHMS="ES256",
        IDENTITY_JWKS="https://shop.example/keys",
    )

    assert settings.identity_jwks == "https://shop.example/keys"


def test_the_defaults_are_those_of_the_rules() -> None:
    assert loaded().room_policy == RoomPolicy()
    assert loaded().hold_policy == HoldPolicy()


SECONDS_OF = {f"{name}_ms": f"{name}_seconds" for name in ("idle_timeout", "session_max", "away_after", "entry_window")}


@pytest.mark.parametrize("name", POLICY_RANGES)
def test_a_policy_may_be_set_to_whatever_it_may_be_changed_to(name: str) -> None:
    # The settings are the defaults of what `stagedoor room set` and the operators' calls change.
    in_settings = {"rate": "admit_rate", **SECONDS_OF}.get(name, name)
    [kind] = [row.kind for row in TABLE if row.name == in_settings]
    allowed, unit = POLICY_RANGES[name], SECOND_MS if name in SECONDS_OF else 1
    step = 1 if allowed.whole else 0.0001

    for figure in (allowed.least, allowed.most):
        assert kind.read(f"{figure / unit:.12g}") == figure / unit
    for figure in (allowed.least - step, allowed.most + step):
        with pytest.raises(UnfitError):
            kind.read(f"{figure / unit:.12g}")


def test_the_settings_know_the_algorithms_and_the_secrets_that_are_taken() -> None:
    assert (ALGORITHMS_WITH_SECRET, ALGORITHMS_WITH_KEY_SET) == (SYMMETRIC, ASYMMETRIC)
    assert kinds.SECRET_BYTES_MIN == SECRET_BYTES_MIN == SHARED_SECRET_BYTES_MIN


def test_the_default_limits_are_those_of_the_edge() -> None:
    assert limit_policy(loaded()) == LimitPolicy(loopback_exempt=True)


def test_limits_are_settings() -> None:
    policy = limit_policy(loaded(LIMIT_CHARGES_OF_BUYER="3+0.5/s"))

    assert policy.charge.buyer == Rate(per_second=0.5, burst=3)
    assert policy.charge.address == LimitPolicy().charge.address


def test_policies_have_milliseconds() -> None:
    settings = loaded(IDLE_TIMEOUT_SECONDS="1.5", HOLD_SECONDS="0.25", ADMIT_RATE="3")

    assert settings.room_policy == RoomPolicy(idle_timeout_ms=1_500, rate=3.0)
    assert settings.hold_policy == HoldPolicy(hold_ms=250)


@pytest.mark.parametrize("row", TABLE, ids=lambda row: row.name)
def test_every_row_of_the_table_can_be_shown(row: Setting) -> None:
    assert row.show(row.default)
    assert row.meaning.endswith(".")
    assert row.kind.allowed


@pytest.mark.parametrize("row", [row for row in TABLE if row.default not in (None, ())], ids=lambda row: row.name)
def test_every_default_is_one_that_could_be_set(row: Setting) -> None:
    assert row.kind.read(row.show(row.default)) == row.default


def test_a_key_is_not_kept_longer_than_the_place_it_is_repeated_with() -> None:
    said = refusal(KEEP_KEYS_HOURS="48")

    assert said.startswith("STAGEDOOR_KEEP_KEYS_HOURS is 48")
    assert "STAGEDOOR_KEEP_PLACES_HOURS" in said or "keep_places_hours" in said
    assert loaded(KEEP_KEYS_HOURS="48", KEEP_PLACES_HOURS="48").keep_keys_hours == 48
