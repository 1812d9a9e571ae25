"""
Writes docs/reference from the code: the settings, the command and the metrics, as they are.

Run it after a change to one of them; a test compares the pages with what it would write.
"""

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import groupby
from pathlib import Path
from typing import Any

from prometheus_client.metrics_core import Metric
from typer.core import TyperCommand, TyperGroup
from typer.main import get_command

from stagedoor.adapters.kafka.dead_letters import DEAD, RETRY
from stagedoor.adapters.kafka.wire import FORMS, Form
from stagedoor.cli import application
from stagedoor.cli.options import DATA_FLAGS, SETTING_FLAGS, Parameters
from stagedoor.observability.fleet_metrics import PROCESS, FleetMetrics
from stagedoor.observability.metrics import Metrics
from stagedoor.resilience.breaker import ON_SALE
from stagedoor.resilience.breakers import Breakers, Instance
from stagedoor.settings import TABLE, Setting, SettingsError, load
from stagedoor.settings.agreement import AGREED
from stagedoor.settings.breaker_words import PROPERTIES
from stagedoor.settings.breakers import read_breakers
from stagedoor.settings.setting import PREFIX

REFERENCE = Path(__file__).resolve().parent.parent / "docs" / "reference"

MADE = "<!-- Written by scripts/write_reference.py: change the code, then run it. -->"

SETTINGS_INTRODUCTION = """\
# Settings

A setting is a flag of `stagedoor serve` (`--max-active 200`), a variable in the environment
(`STAGEDOOR_MAX_ACTIVE=200`) or a line of a file, in TOML (`max_active = 200`) or YAML (`max_active: 200`). Where
several say something, the flag wins over the variable, and the variable over the file. The file is `stagedoor.toml` or
`stagedoor.yaml` in the working folder, or the one that `--config` or `STAGEDOOR_CONFIG` names; it is YAML if its name
ends in `.yaml` or `.yml`. `stagedoor doctor` shows every setting with its value and where that came from;
of a secret it shows only that there is one.

Processes that serve from one database server have to agree on some of them ([the cluster](../explanation/cluster.md)):
{agreed}.

In the environment and as a flag, a list is separated by commas, and `none` unsets what may be unset. What is unknown or
impossible stops the start with a sentence that names it:
"""

METRICS_INTRODUCTION = """\
# Metrics

`GET /metrics` answers in Prometheus' text format, or in OpenMetrics for whoever asks for that. Where the server listens
on an address that other machines can reach, it asks for an operator's key (`stagedoor key create NAME`). Beside the
metrics below there are those that every Python process has: `process_…` and `python_…`.

With `--workers N` a scrape is answered by one of the N processes, which asks the others: every sample is there N times,
told apart by the label `process`, so counters are to be added up (`sum without (process)`). Whoever does not answer
within a second is left out, and its `stagedoor_process_up` is 0. What is one thing that all processes see, such as the
length of the line, is told by each of them: take its maximum. Servers behind a load balancer are to be scraped by their
own addresses.

Counters count from the start of the process. What is told by events (holds, orders, seats sold) arrives by the outbox,
at least once: an event that is delivered again after a crash is counted again. Figures that have to be exact are
those of `stagedoor check`.
"""

BREAKERS = """\
What `resilience4j.circuitbreaker.instances` holds in a Spring application's YAML can be pasted into the settings file
as it stands: camelCase or kebab-case, `configs` with a `default`, `baseConfig`, nested or with dots. In TOML the same
names make `[resilience4j.circuitbreaker.instances.queueService]`. What an instance does not say, it has from
`configs.default`, and from the defaults below otherwise. The instances are {instances}.

```yaml
{block}```
"""

SEED_BLOCK = """\
resilience4j:
  circuitbreaker:
    instances:
      queueService:
        slidingWindowType: COUNT_BASED
        slidingWindowSize: 100
        minimumNumberOfCalls: 50
        failureRateThreshold: 50
        waitDurationInOpenState: 30s
        permittedNumberOfCallsInHalfOpenState: 10

      concertService:
        slidingWindowType: COUNT_BASED
        slidingWindowSize: 100
        minimumNumberOfCalls: 50
        failureRateThreshold: 50
        waitDurationInOpenState: 30s
        permittedNumberOfCallsInHalfOpenState: 10
"""
"""The block of the load-test report, without the lists of Java classes; a test reads it as settings."""

BREAKERS_BESIDE = """\
Taken without effect: `registerHealthIndicator`, `eventConsumerBufferSize`, `writableStackTraceEnabled`, and what shapes
a wait that grows or varies (`exponentialBackoffMultiplier`, `randomizedWaitFactor`, ...), as long as that is not
switched on. Which calls count is not a setting ([decision 34](../decisions/0034-what-a-breaker-counts.md)):
`recordExceptions` may say `Fault` and `ignoreExceptions` `Rejection`, which is so anyway. A Java class, a wait that
grows, and what else there is not, is refused with a sentence:
"""

JAVA_CLASS = {
    "resilience4j.circuitbreaker.instances.queueService.recordExceptions": ["java.lang.Exception"],
}

EVENTS_INTRODUCTION = """\
# Events

What other systems are told, by Kafka, where `STAGEDOOR_KAFKA_BOOTSTRAP` is set. Every event is stored in the
transaction of what it tells, and sent once that is committed: nothing is announced that has not happened, and nothing
that happened is left out. [How to consume them](../how-to/consume-events.md);
[why it is so](../decisions/0030-two-outlets.md).

A message is a JSON object: `id` (deduplicate by it), `type`, `version`, `occurredAt` (RFC 3339, UTC) and `data`. Its
key is the order's id, or the hold's, so that messages about one order, or one hold, stay in order. It has the headers
`event-id` and `event-type` for whoever does not want to read it. It is delivered at least once: after a crash or an
outage the same `id` may come again, also behind later messages of its key.

Within a version fields may be added, so readers ignore what they do not know; a field never changes its name, type or
meaning. Where one has to, there is a new version. What is sent says which buyer it is about by her id alone: no name,
no address, no telephone number is known to Stagedoor's events.
"""

CLI_INTRODUCTION = """\
# The command

`stagedoor` in an installed environment; `.venv/bin/stagedoor` in a checkout after `make run`. It exits with 0 when all
went well, 1 when something failed or a check found something, 2 when it was asked for something impossible, 130 when
it was interrupted; what went wrong stands in one sentence on standard error. Every command has `--help`.

Every command also takes `--data-dir`, `--database-url` and `--config`, which say where the database is; the
[settings](settings.md) tell more. They are not repeated below. A server may be at work on the same database, except for
`migrate` and `demo-reset`, which refuse then.
"""

LABELS = {
    "batch": "what is gathered",
    "cache": "which list",
    "cause": "why: `disk` nearly full, `database`, `sale` or `line` out or behind an open breaker; of a connection: "
    "`crowded`, `unreadable`, `slow_head`, `slow_body` or `slow_to_take`",
    "call": "the call's name, never its path",
    "code": "the refusal's code on the wire",
    "fault": "what kind of failure",
    "kind": "how the call ended: `successful`, `failed`, `ignored`, `not_permitted`",
    "name": "the breaker's instance",
    "outlet": "`line`: the subscribers in the server; `broker`: Kafka",
    "outcome": "`placed`, `released`, `expired` or `paid`",
    "process": "a worker's number, where one command serves with several",
    "result": "`hit`, `miss`, or `stale` in an outage",
    "room": "the waiting room's id",
    "state": "what the record waits for; of a breaker, the state",
    "status": "the HTTP status; 499 for a client that did not wait",
    "version": "the version that runs",
}
"""Every label there is, and what its values are."""

MISSPELT = {PREFIX + "MAX_ACTVE": "200"}
IMPOSSIBLE = {PREFIX + "HOST": "0.0.0.0"}  # noqa: S104 -- to be refused


def main() -> None:
    """Write every page."""
    REFERENCE.mkdir(parents=True, exist_ok=True)
    for name, text in pages().items():
        path = REFERENCE / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(text, encoding="utf-8")


def pages() -> Mapping[str, str]:
    """Return each page's text by its file name."""
    return {
        "settings.md": _page(SETTINGS_INTRODUCTION.format(agreed=_agreed()), _settings()),
        "cli.md": _page(CLI_INTRODUCTION, _commands(application_command(), "stagedoor")),
        "metrics.md": _page(METRICS_INTRODUCTION, _metrics()),
        "events.md": _page(EVENTS_INTRODUCTION, _events()),
        **{_schema_file(form): json.dumps(form.schema(), indent=2) + "\n" for form in FORMS},
    }


def application_command() -> TyperGroup:
    """Return `stagedoor` as Typer runs it."""
    command = get_command(application())
    assert isinstance(command, TyperGroup)
    return command


def _page(introduction: str, lines: Iterable[str]) -> str:
    return "\n".join([MADE, "", introduction.rstrip(), "", *lines]).rstrip() + "\n"


def _table(columns: Sequence[str], rows: Iterable[Sequence[str]]) -> Iterator[str]:
    yield _row(columns)
    yield _row(["---"] * len(columns))
    yield from map(_row, rows)
    yield ""


def _row(cells: Sequence[str]) -> str:
    return "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |"


def _settings() -> Iterator[str]:
    yield "```text"
    yield _refusal(MISSPELT)
    yield _refusal(IMPOSSIBLE)
    yield "```"
    yield ""
    for group, rows in groupby(TABLE, key=lambda row: row.group):
        title, _, remark = group.partition(" (")
        yield from (f"## {title}", "")
        if remark:
            yield from (remark[0].upper() + remark[1:].removesuffix(")") + ".", "")
        yield from _table(("setting", "default", "what it is", "it has to be"), map(_setting, rows))
    yield from _breakers()


def _breakers() -> Iterator[str]:
    yield from ("## Breakers", "")
    yield BREAKERS.format(instances=", ".join(f"`{instance}`" for instance in Instance), block=SEED_BLOCK)
    rows = [(f"`{each.name}`", each.shown(ON_SALE), each.meaning, each.allowed) for each in PROPERTIES]
    yield from _table(("property", "default", "what it is", "it has to be"), rows)
    yield BREAKERS_BESIDE
    yield "```text"
    try:
        read_breakers(JAVA_CLASS, file="stagedoor.yaml")
    except SettingsError as error:
        yield str(error)
    yield "```"


def _agreed() -> str:
    return ", ".join(f"`{row.variable}`" for row in TABLE if row.name in AGREED)


def _setting(row: Setting) -> Sequence[str]:
    default = row.show(row.default)
    if row.demo_default != row.default:
        default += f"; demo: {row.show(row.demo_default)}"
    meaning = row.meaning if row.has_flag else f"{row.meaning} Not a flag: command lines can be read by others."
    return (f"`{row.variable}`", default, meaning, row.kind.allowed)


def _refusal(environ: Mapping[str, str]) -> str:
    try:
        load(flags={}, environ=environ)
    except SettingsError as error:
        return str(error)
    raise AssertionError(f"{environ} was taken")


def _commands(command: TyperCommand | TyperGroup, path: str) -> Iterator[str]:
    """Describe *command*, then what is below it."""
    yield from (f"{'#' * (path.count(' ') + 2)} {path}", "")
    context = command.make_context(path, [], resilient_parsing=True)
    usage = command.get_usage(context).removeprefix("Usage: ")
    yield from ("```text", usage, "```", "")
    yield from (_unwrapped(command.help or ""), "")
    told = [each.get_help_record(context) for each in command.params if each.name not in _shared(command)]
    if rows := [(f"`{record[0]}`", record[1]) for record in told if record is not None]:
        yield from _table(("argument or flag", "what it is"), rows)
    if _takes_all_settings(command):
        yield from ("Every [setting](settings.md) but the secrets is a flag, too.", "")
    if command.epilog:
        yield from (_unwrapped(command.epilog), "")
    if isinstance(command, TyperGroup):
        for name, below in command.commands.items():
            assert isinstance(below, TyperCommand | TyperGroup)
            yield from _commands(below, f"{path} {name}")


def _takes_all_settings(command: TyperCommand | TyperGroup) -> bool:
    """Tell whether every setting is a flag of *command*."""
    return _names(SETTING_FLAGS) <= {each.name for each in command.params}


def _shared(command: TyperCommand | TyperGroup) -> set[str | None]:
    """Return the names of the flags that are told elsewhere."""
    return _names(SETTING_FLAGS if _takes_all_settings(command) else DATA_FLAGS)


def _names(flags: Parameters) -> set[str | None]:
    return {each.name for each in flags}


def _unwrapped(text: str) -> str:
    """Return *text* with a line a paragraph."""
    return "\n\n".join(" ".join(paragraph.split()) for paragraph in text.split("\n\n"))


def _events() -> Iterator[str]:
    yield from ("## Topics", "")
    yield from _table(("topic", "what is on it", "key"), _topics())
    yield "They are made where they are missing, with 6 partitions, on up to three brokers; the dead letters are"
    yield "compacted, so that of each only the last word is kept. On three brokers they are made with"
    yield "`min.insync.replicas` 2: a message counts as sent (`acks=all`) once two have it. Topics that are there stay"
    yield "as they are."
    yield ""
    for form in FORMS:
        yield from (f"## {form.name}", "")
        file = _schema_file(form)
        yield from (f"{form.data.__doc__} Topic `{form.topic}`, version {form.version}; [schema]({file}).", "")
        fields = form.schema()["properties"]["data"]["properties"]
        yield from _table(("field of `data`", "type", "what it is"), map(_field, fields.items()))


def _topics() -> Iterator[Sequence[str]]:
    keys = {"order_id": "the order's id", "hold_id": "the hold's id"}
    for topic, forms in groupby(sorted(FORMS, key=lambda form: form.topic), key=lambda form: form.topic):
        named = list(forms)
        yield (f"`{topic}`", ", ".join(f"`{form.name}`" for form in named), keys[named[0].key])
    yield (f"`{RETRY}`", "what the consumer `notifications` is to try again", "as it was")
    yield (
        f"`{DEAD}`",
        "what it could not act on, with the cause in the headers `dead-…`",
        "where its message was read",
    )


def _field(field: tuple[str, Mapping[str, Any]]) -> Sequence[str]:
    name, said = field
    kind = "array of integer" if said["type"] == "array" else said.get("format", said["type"])
    return (f"`{name}`", kind, said["description"])


def _schema_file(form: Form) -> str:
    return f"events/{form.name}.v{form.version}.schema.json"


def _metrics() -> Iterator[str]:
    rows = []
    used: set[str] = set()
    for family, labels in _families():
        used.update(labels)
        name = family.name + "_total" if family.type == "counter" else family.name
        rows.append((f"`{name}`", family.type, ", ".join(f"`{label}`" for label in labels), family.documentation))
    yield from _table(("metric", "type", "labels", "what it is"), sorted(rows))
    yield from ("## Labels", "", "Each has few values; none ever names a buyer or a seat.", "")
    yield from _table(("label", "values"), [(f"`{label}`", LABELS[label]) for label in sorted(used)])


def _families() -> Iterator[tuple[Metric, Sequence[str]]]:
    """Yield every metric of ours with the names of its labels."""
    metrics = Metrics()
    metrics.watch_lines(list)
    metrics.watch_breakers(Breakers({}, now_ns=lambda: 0))
    for family in FleetMetrics({}).collect():
        yield family, (PROCESS,)
    for collector in metrics.registry._collector_to_names:  # noqa: SLF001 -- there is no other way to list them
        for family in collector.collect():
            if family.name.startswith(("stagedoor_", "resilience4j_")):
                labels = getattr(collector, "_labelnames", ()) or getattr(family, "_labelnames", ())
                yield family, tuple(labels)


if __name__ == "__main__":
    main()
