"""A `resilience4j` block as Spring applications have it: understood as it stands, or refused in one sentence."""

import re
from pathlib import Path
from typing import Any

import pytest

from scripts.write_reference import SEED_BLOCK
from stagedoor.resilience.breaker import ON_SALE, BreakerSettings, SlidingWindowType, State
from stagedoor.resilience.breakers import Instance
from stagedoor.settings import SettingsError, load
from stagedoor.settings.breaker_words import PROPERTIES, differences

SEED = Path(__file__).with_name("seed.yaml")
"""The block of the load-test report to the letter, with its lists of Java classes."""

BLOCK = "resilience4j.circuitbreaker"
QUEUE = "resilience4j.circuitbreaker.instances.queueService"
CONFIGS = "resilience4j.circuitbreaker.configs"
IN_FILE = "in stagedoor.yaml"
NOT_JAVA = "a Java class, and there are none here: leave the line out, or write"
FAULT = "Fault, which is what fails here, missed deadlines included."
REJECTION = "Rejection, which is every no of the rules, which never counts here."
INSTANCES = "there are queueService, concertService, saleService, database, databaseReads, redis, kafka"


@pytest.fixture(autouse=True)
def _in_an_empty_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def read(text: str, name: str = "stagedoor.yaml") -> Any:  # noqa: ANN401 -- a mapping that defaults
    Path(name).write_text(text)
    return load(flags={}, environ={}).breakers


def refusal(text: str, name: str = "stagedoor.yaml") -> str:
    with pytest.raises(SettingsError) as refused:
        read(text, name)
    return str(refused.value)


def queue(**properties: object) -> str:
    lines = "".join(f"\n        {name}: {value}" for name, value in properties.items())
    return f"resilience4j:\n  circuitbreaker:\n    instances:\n      queueService:{lines}\n"


def test_nothing_said_is_the_seeds_six_values() -> None:
    assert read("port: 8081\n") == {}
    assert (
        ON_SALE.sliding_window_type,
        ON_SALE.sliding_window_size,
        ON_SALE.minimum_number_of_calls,
        ON_SALE.failure_rate_threshold_percent,
        ON_SALE.wait_duration_in_open_state_ms,
        ON_SALE.permitted_number_of_calls_in_half_open_state,
    ) == (SlidingWindowType.COUNT_BASED, 100, 50, 50, 30_000, 10)


def test_the_seeds_block_to_the_letter_is_refused_for_its_java_classes_and_nothing_else() -> None:
    text = SEED.read_text()
    sentences = []
    for java, ours in [("java.lang.Exception", "Fault"), ("com.example.exception.BusinessException", "Rejection")]:
        sentences.append(refusal(text))
        text = text.replace(java, ours)

    assert sentences == [
        f"{QUEUE}.recordExceptions {IN_FILE} names java.lang.Exception, {NOT_JAVA} {FAULT}",
        f"{QUEUE}.ignoreExceptions {IN_FILE} names com.example.exception.BusinessException, {NOT_JAVA} {REJECTION}",
    ]
    assert read(text) == {Instance.QUEUE: ON_SALE, Instance.CONCERT: ON_SALE}


def test_the_block_of_the_reference_is_the_seeds_without_its_lists() -> None:
    assert re.sub(r" +\w+Exceptions:\n +- .*\n", "", SEED.read_text()) == SEED_BLOCK
    assert read(SEED_BLOCK) == {Instance.QUEUE: ON_SALE, Instance.CONCERT: ON_SALE}


def test_every_property_is_read_from_its_own_line() -> None:
    found = read(
        queue(
            slidingWindowType="TIME_BASED",
            slidingWindowSize=7,
            minimumNumberOfCalls=3,
            failureRateThreshold=12.5,
            slowCallRateThreshold=80,
            slowCallDurationThreshold="2s",
            waitDurationInOpenState="5s",
            permittedNumberOfCallsInHalfOpenState=4,
            maxWaitDurationInHalfOpenState="9s",
            transitionToStateAfterWaitDuration="CLOSED",
            automaticTransitionFromOpenToHalfOpenEnabled="true",
        )
    )

    assert found == {
        Instance.QUEUE: BreakerSettings(
            sliding_window_type=SlidingWindowType.TIME_BASED,
            sliding_window_size=7,
            minimum_number_of_calls=3,
            failure_rate_threshold_percent=12.5,
            slow_call_rate_threshold_percent=80,
            slow_call_duration_threshold_ms=2_000,
            wait_duration_in_open_state_ms=5_000,
            permitted_number_of_calls_in_half_open_state=4,
            max_wait_duration_in_half_open_state_ms=9_000,
            transition_to_state_after_wait_duration=State.CLOSED,
            automatic_transition_from_open_to_half_open_enabled=True,
        )
    }


@pytest.mark.parametrize("name", ["minimumNumberOfCalls", "minimum-number-of-calls", "minimum_number_of_calls"])
@pytest.mark.parametrize("value", ["7", "'7'"])
def test_a_property_in_each_of_springs_spellings(name: str, value: str) -> None:
    assert read(queue(**{name: value}))[Instance.QUEUE].minimum_number_of_calls == 7


@pytest.mark.parametrize(
    ("written", "milliseconds"),
    [
        ("30s", 30_000),
        ("30S", 30_000),
        ("30000", 30_000),
        ("'30000'", 30_000),
        ("1500ms", 1_500),
        ("2m", 120_000),
        ("1h", 3_600_000),
        ("1d", 86_400_000),
        ("5000us", 5),
        ("PT30S", 30_000),
        ("PT1M30.5S", 90_500),
        ("P1DT1H", 90_000_000),
        ("pt5s", 5_000),
    ],
)
def test_durations_as_spring_reads_them(written: str, milliseconds: int) -> None:
    assert read(queue(waitDurationInOpenState=written))[Instance.QUEUE].wait_duration_in_open_state_ms == milliseconds


@pytest.mark.parametrize(
    "written", ["0", "0s", "-1s", "30 s", "s", "P", "PT", "1.5s", "500us", "1500us", "true", "[1]"]
)
def test_what_is_no_duration(written: str) -> None:
    assert refusal(queue(waitDurationInOpenState=written)).endswith(
        "but it has to be a duration of whole milliseconds, such as 30s, 500ms, PT30S or 30000."
    )


@pytest.mark.parametrize("written", ["0", "'0'", "0s", "0m", "0ns", "PT0S", "pt0m", "P0D"])
def test_a_longest_trial_of_nothing_is_for_ever(written: str) -> None:
    text = queue(maxWaitDurationInHalfOpenState=written)

    assert read(text)[Instance.QUEUE].max_wait_duration_in_half_open_state_ms == 0


@pytest.mark.parametrize("written", ["500us", "-1s", "false", "for ever"])
def test_what_is_no_longest_trial(written: str) -> None:
    assert refusal(queue(maxWaitDurationInHalfOpenState=written)).endswith(
        "but it has to be a duration of whole milliseconds, such as 30s, 500ms, PT30S or 30000; 0: for ever."
    )


@pytest.mark.parametrize(
    ("written", "is_on"),
    [
        ("true", True),
        ("on", True),
        ("'true'", True),
        ("'on'", True),
        ("'Yes'", True),
        ("'1'", True),
        ("'FALSE'", False),
        ("'off'", False),
        ("'no'", False),
        ("'0'", False),
    ],
)
def test_switches_as_spring_reads_them(written: str, *, is_on: bool) -> None:
    found = read(queue(automaticTransitionFromOpenToHalfOpenEnabled=written))[Instance.QUEUE]

    assert found.automatic_transition_from_open_to_half_open_enabled is is_on


@pytest.mark.parametrize("word", ["TIME_BASED", "time-based", "time_based", "TimeBased"])
def test_words_in_each_spelling(word: str) -> None:
    assert read(queue(slidingWindowType=word))[Instance.QUEUE].sliding_window_type is SlidingWindowType.TIME_BASED


@pytest.mark.parametrize("name", ["queue-service", "queueservice", "queueService"])
def test_an_instance_in_each_spelling(name: str) -> None:
    text = queue(slidingWindowSize=9).replace("queueService", name)

    assert read(text)[Instance.QUEUE].sliding_window_size == 9


@pytest.mark.parametrize(
    "text",
    [
        "resilience4j.circuitbreaker:\n  instances:\n    queueService:\n      slidingWindowSize: 9\n",
        "resilience4j.circuitbreaker.instances.queueService.slidingWindowSize: 9\n",
        "resilience4j:\n  circuitbreaker.instances:\n    queueService: {slidingWindowSize: 9}\n",
        f"{QUEUE}.slidingWindowSize: 9\n{QUEUE}.minimumNumberOfCalls: 50\n",
    ],
)
def test_nested_or_with_dots(text: str) -> None:
    assert read(text)[Instance.QUEUE].sliding_window_size == 9


def test_in_toml() -> None:
    found = read("[resilience4j.circuitbreaker.instances.queueService]\nslidingWindowSize = 9\n", "stagedoor.toml")

    assert found[Instance.QUEUE].sliding_window_size == 9


class TestShared:
    def test_what_is_default_is_everybodys(self) -> None:
        text = """
            resilience4j.circuitbreaker:
              configs:
                default: {slidingWindowSize: 20, minimumNumberOfCalls: 5}
              instances:
                saleService: {minimumNumberOfCalls: 8}
        """

        found = read(text)

        assert set(found) == set(Instance)
        assert {settings.sliding_window_size for settings in found.values()} == {20}
        assert (found[Instance.SALE].minimum_number_of_calls, found[Instance.KAFKA].minimum_number_of_calls) == (8, 5)

    def test_an_instance_that_names_what_it_builds_on(self) -> None:
        text = """
            resilience4j.circuitbreaker:
              configs:
                default: {slidingWindowSize: 20}
                quick: {base-config: patient, waitDurationInOpenState: 1s}
                patient: {failureRateThreshold: 80, waitDurationInOpenState: 60s}
              instances:
                saleService: {slidingWindowSize: 30, baseConfig: quick}
        """

        sale = read(text)[Instance.SALE]

        assert sale.sliding_window_size == 30
        assert sale.failure_rate_threshold_percent == 80
        assert sale.wait_duration_in_open_state_ms == 1_000

    def test_one_that_is_not_there(self) -> None:
        assert refusal(queue(baseConfig="quick")) == (
            f'{QUEUE}.baseConfig in stagedoor.yaml is "quick", but there are no configs of that name.'
        )

    def test_one_that_builds_on_itself(self) -> None:
        text = "resilience4j.circuitbreaker.configs: {one: {baseConfig: two}, two: {baseConfig: one}}\n"

        assert refusal(text) == f'{CONFIGS}.two.baseConfig in stagedoor.yaml is "one", which builds on itself.'

    def test_what_nobody_uses_is_read_all_the_same(self) -> None:
        assert refusal("resilience4j.circuitbreaker.configs: {quick: {slidingWindowSize: lots}}\n") == (
            f'{CONFIGS}.quick.slidingWindowSize {IN_FILE} is "lots", but it has to be a whole number of at least 1.'
        )


def test_what_spring_knows_and_changes_nothing_here_is_taken() -> None:
    assert read(
        queue(
            registerHealthIndicator="true",
            eventConsumerBufferSize=10,
            writableStackTraceEnabled="false",
            allowHealthIndicatorToFail="false",
            enableExponentialBackoff="false",
            initialState="CLOSED",
            recordExceptions="[Fault]",
            ignoreExceptions="[Rejection]",
        )
    ) == {Instance.QUEUE: ON_SALE}


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("initialState", "closed"),
        ("initial-state", "Closed"),
        ("allowHealthIndicatorToFail", "'false'"),
        ("enableRandomizedWait", "'off'"),
        ("enableExponentialBackoff", "'FALSE'"),
        ("registerHealthIndicator", "'on'"),
        ("exponentialBackoffMultiplier", "2"),
        ("exponential-backoff-multiplier", "'1.5'"),
        ("exponentialMaxWaitDurationInOpenState", "5m"),
        ("randomizedWaitFactor", "0.5"),
        ("randomizedWaitFactor", "0"),
        ("ignoreClassBindingExceptions", "false"),
        ("ignoreExceptionsPrecedence", "true"),
        ("ignoreExceptionsPrecedenceEnabled", "false"),
    ],
)
def test_what_changes_nothing_is_taken_as_spring_takes_it(name: str, value: str) -> None:
    assert read(queue(**{name: value})) == {Instance.QUEUE: ON_SALE}


@pytest.mark.parametrize(
    ("name", "value", "sentence"),
    [
        (
            "recordExceptions",
            "[java.lang.Exception]",
            f"names java.lang.Exception, {NOT_JAVA} {FAULT}",
        ),
        (
            "ignore-exceptions",
            "[com.example.exception.BusinessException]",
            f"names com.example.exception.BusinessException, {NOT_JAVA} {REJECTION}",
        ),
        (
            "recordExceptions",
            "[Rejection]",
            f"names Rejection: leave the line out, or write {FAULT}",
        ),
        (
            "recordExceptions",
            "[]",
            "has to be a list: leave it out, or write Fault, what fails here, missed deadlines included.",
        ),
        (
            "recordFailurePredicate",
            "com.example.Predicate",
            "names a Java class, and there are none here: leave it out, faults and missed deadlines fail here.",
        ),
        (
            "enableExponentialBackoff",
            "true",
            "has no other value than false here: the wait in the open state does not grow here.",
        ),
        (
            "initialState",
            "OPEN",
            'has no other value than "CLOSED" here: a breaker begins closed here; an operator\'s call can open it.',
        ),
        (
            "initialState",
            "half-open",
            'has no other value than "CLOSED" here: a breaker begins closed here; an operator\'s call can open it.',
        ),
        (
            "allowHealthIndicatorToFail",
            "'on'",
            "has no other value than false here: readyz asks whether the server can serve, not how a breaker stands.",
        ),
        (
            "enableRandomizedWait",
            "perhaps",
            "has no other value than false here: the wait in the open state is the same each time here.",
        ),
        (
            "ignoreClassBindingExceptions",
            "true",
            "has no other value than false here: a list that names a Java class is refused here, not cut short.",
        ),
        ("exponentialBackoffMultiplier", "0", "is 0, but it has to be a number above 0."),
        ("exponentialBackoffMultiplier", ".inf", "is inf, but it has to be a number above 0."),
        ("randomizedWaitFactor", "1", "is 1, but it has to be a number of at least 0 and below 1."),
        (
            "exponentialMaxWaitDurationInOpenState",
            "0",
            "is 0, but it has to be a duration of whole milliseconds, such as 30s, 500ms, PT30S or 30000.",
        ),
        ("ignoreExceptionsPrecedence", "2", "is 2, but it has to be true or false."),
        ("eventConsumerBufferSize", "0", "is 0, but it has to be a whole number of at least 1."),
        ("slidingWindowSise", "9", "is no property of a breaker; did you mean slidingWindowSize?"),
        ("zzz", "9", "is no property of a breaker."),
        ("slidingWindowSize", "0", "is 0, but it has to be a whole number of at least 1."),
        ("slidingWindowSize", "true", "is true, but it has to be a whole number of at least 1."),
        ("failureRateThreshold", "101", "is 101, but it has to be a number above 0 and at most 100."),
        ("failureRateThreshold", ".nan", "is nan, but it has to be a number above 0 and at most 100."),
        ("failureRateThreshold", "half", 'is "half", but it has to be a number above 0 and at most 100.'),
        ("slidingWindowType", "COUNT", 'is "COUNT", but it has to be COUNT_BASED or TIME_BASED.'),
        ("registerHealthIndicator", "perhaps", 'is "perhaps", but it has to be true or false.'),
    ],
)
def test_a_property_that_is_refused(name: str, value: str, sentence: str) -> None:
    assert refusal(queue(**{name: value})) == f"{QUEUE}.{name} in stagedoor.yaml {sentence}"


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ({"slidingWindowSize": 9}, {"sliding-window-size": 10}),
        ({"enableRandomizedWait": "false"}, {"enable-randomized-wait": "false"}),
        ({"recordExceptions": "[Fault]"}, {"record_exceptions": "[Fault]"}),
        ({"baseConfig": "quick"}, {"base-config": "quick"}),
    ],
)
def test_a_property_in_two_spellings(one: dict[str, object], other: dict[str, object]) -> None:
    text = queue(**one, **other).replace("    instances:", "    configs: {quick: {}}\n    instances:")

    assert refusal(text) == f"{QUEUE}.{next(iter(other))} in stagedoor.yaml is there twice."


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        (
            queue(slidingWindowSize=9).replace("queueService", "queueServise"),
            f"{QUEUE.replace('vice', 'vise')} {IN_FILE} guards nothing: {INSTANCES}; did you mean queueService?",
        ),
        (
            "resilience4j:\n  retry:\n    instances: {}\n",
            "resilience4j.retry in stagedoor.yaml is not taken: of resilience4j there is circuitbreaker here.",
        ),
        (
            "resilience4j:\n  circuitbreaker:\n    backends: {}\n",
            f"{BLOCK}.backends {IN_FILE} is not taken: of {BLOCK} there is configs, instances here.",
        ),
        (
            "resilience4j:\n  circuitbreaker: 5\n",
            "resilience4j.circuitbreaker in stagedoor.yaml has to hold properties.",
        ),
        (
            f"{QUEUE}: 5\n{QUEUE}.slidingWindowSize: 9\n",
            "resilience4j.circuitbreaker.instances.queueService in stagedoor.yaml is there twice.",
        ),
        (
            queue(slidingWindowSize=9) + "      queue-service: {slidingWindowSize: 10}\n",
            "resilience4j.circuitbreaker.instances.queue-service in stagedoor.yaml is there twice.",
        ),
        (
            f"{BLOCK}.configs.default.slidingWindowSize: 8\n{queue()}      queue-service:\n",
            "resilience4j.circuitbreaker.instances.queue-service in stagedoor.yaml is there twice.",
        ),
        (
            queue(slidingWindowSize=9) + "  circuit-breaker: {}\n",
            "resilience4j.circuit-breaker in stagedoor.yaml is there twice.",
        ),
    ],
)
def test_a_block_that_is_refused(text: str, sentence: str) -> None:
    assert refusal(text) == sentence


@pytest.mark.parametrize("empty", ["resilience4j:\n", "resilience4j:\n  circuitbreaker:\n", queue()])
def test_a_block_of_nothing(empty: str) -> None:
    assert all(settings == ON_SALE for settings in read(empty).values())


def test_what_differs_is_shown_as_it_would_be_written() -> None:
    said = {"waitDurationInOpenState": "1500ms", "slowCallDurationThreshold": "2s", "slidingWindowType": "TIME_BASED"}

    found = read(queue(**said))

    assert differences(found[Instance.QUEUE]) == (
        "slidingWindowType TIME_BASED, slowCallDurationThreshold 2s, waitDurationInOpenState 1500ms"
    )
    assert differences(ON_SALE) == "the defaults"


@pytest.mark.parametrize("each", PROPERTIES, ids=lambda each: each.name)
def test_what_is_shown_can_be_read_again(each: Any) -> None:  # noqa: ANN401 -- a property of whatever type
    assert each.read(each.shown(ON_SALE)) == getattr(ON_SALE, each.field)
