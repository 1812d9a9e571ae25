"""A `resilience4j` block of a settings file, as Spring has it: understood as it stands, or refused in one sentence."""

import difflib
from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from typing import Any, Final, NoReturn

from stagedoor.resilience.breaker import ON_SALE, BreakerSettings
from stagedoor.resilience.breakers import Instance
from stagedoor.settings.breaker_words import (
    DURATION,
    PROPERTIES,
    SWITCH,
    WHOLE,
    Property,
    duration_ms,
    factor,
    one_of,
    plain,
    share,
    switch,
    whole,
)
from stagedoor.settings.errors import SettingsError, UnfitError

ROOT: Final = "resilience4j"
_DEFAULT: Final = "default"
_BASE: Final = "baseConfig"

_BY_WORD: Final[Mapping[str, Property]] = {plain(each.name): each for each in PROPERTIES}
_INSTANCES: Final[Mapping[str, Instance]] = {plain(instance.value): instance for instance in Instance}

_WITHOUT_EFFECT: Final[Mapping[str, tuple[Callable[[object], object], str]]] = {
    "registerHealthIndicator": (switch, SWITCH),
    "eventConsumerBufferSize": (whole, WHOLE),
    "writableStackTraceEnabled": (switch, SWITCH),
    # These shape a wait that grows or varies, which can only be switched off here.
    "exponentialBackoffMultiplier": (factor, "a number above 0"),
    "exponentialMaxWaitDurationInOpenState": (duration_ms, DURATION),
    "randomizedWaitFactor": (share, "a number of at least 0 and below 1"),
    # Nothing is both a fault and a rejection. The second is the name in Resilience4j's Java, which Spring never sees.
    "ignoreExceptionsPrecedence": (switch, SWITCH),
    "ignoreExceptionsPrecedenceEnabled": (switch, SWITCH),
}
"""What is taken and changes nothing: every breaker is shown, and its events are metrics and lines of log."""

_ONLY: Final[Mapping[str, tuple[Callable[[object], object], object, str]]] = {
    "allowHealthIndicatorToFail": (switch, False, "readyz asks whether the server can serve, not how a breaker stands"),
    "enableExponentialBackoff": (switch, False, "the wait in the open state does not grow here"),
    "enableRandomizedWait": (switch, False, "the wait in the open state is the same each time here"),
    "ignoreClassBindingExceptions": (switch, False, "a list that names a Java class is refused here, not cut short"),
    "initialState": (
        one_of({"closed": "CLOSED"}),
        "CLOSED",
        "a breaker begins closed here; an operator's call can open it",
    ),
}
"""What is taken with the value that it has here anyway."""

_JAVA: Final[Mapping[str, str]] = {
    "recordFailurePredicate": "faults and missed deadlines fail here",
    "recordExceptionPredicate": "faults and missed deadlines fail here",
    "recordResultPredicate": "a result never fails here",
    "ignoreExceptionPredicate": "every rejection is ignored here",
}

_EXCEPTIONS: Final[Mapping[str, tuple[str, str]]] = {
    "recordExceptions": ("Fault", "what fails here, missed deadlines included"),
    "ignoreExceptions": ("Rejection", "every no of the rules, which never counts here"),
}
"""What the lists may name, and what that is: which calls count is the same for every breaker (decision 34)."""

_KNOWN: Final = (
    *(each.name for each in PROPERTIES),
    *_WITHOUT_EFFECT,
    *_ONLY,
    *_JAVA,
    *_EXCEPTIONS,
    _BASE,
)


def is_of_breakers(name: str) -> bool:
    """Say whether *name*, at the top of a settings file, belongs to the block: Spring has it nested or with dots."""
    return name.partition(".")[0] == ROOT


def read_breakers(document: Mapping[str, object], *, file: str) -> Mapping[Instance, BreakerSettings]:
    """Return the settings of every breaker that the block of *document* is about. Raises `SettingsError`."""
    block = _Block(file)
    tree = block.tree({name: value for name, value in document.items() if is_of_breakers(name)}, "")
    breakers = block.only(tree.get(ROOT, {}), ROOT, {"circuitbreaker"}).get("circuitbreaker", {})
    path = f"{ROOT}.circuitbreaker"
    sections = block.only(breakers, path, {"configs", "instances"})
    configs = block.mapping(sections.get("configs", {}), f"{path}.configs")
    instances = block.mapping(sections.get("instances", {}), f"{path}.instances")
    for name in configs:
        block.resolve(configs, name, f"{path}.configs.{name}", ())
    base = block.resolve(configs, _DEFAULT, f"{path}.configs", ()) if _DEFAULT in configs else ON_SALE
    said: dict[Instance, BreakerSettings] = {}
    for name, properties in instances.items():
        where = f"{path}.instances.{name}"
        instance = _INSTANCES.get(plain(name))
        if instance is None:
            block.refuse(where, f"guards nothing: there are {_listed(Instance)}{_did_you_mean(name, Instance)}")
        if instance in said:
            block.refuse(where, "is there twice")
        said[instance] = block.settled(configs, block.mapping(properties, where), where, base, ())
    return said if base is ON_SALE else {**dict.fromkeys(Instance, base), **said}


class _Block:
    """Reads the block of one *file*, and says so where it refuses."""

    def __init__(self, file: str) -> None:
        self._file = file

    def refuse(self, path: str, sentence: str) -> NoReturn:
        end = "" if sentence.endswith("?") else "."
        raise SettingsError(f"{path} in {self._file} {sentence}{end}")

    def tree(self, found: Mapping[str, object], path: str) -> dict[str, Any]:
        """Return *found* with each name that has dots in it as names within names."""
        tree: dict[str, Any] = {}
        for name, value in found.items():
            is_inner = isinstance(value, Mapping)
            inner = self.tree(self.mapping(value, path + name), f"{path}{name}.") if is_inner else value
            *outer, last = name.split(".")
            branch: Any = {last: inner}
            for part in reversed(outer):
                branch = {part: branch}
            self._graft(tree, branch, path)
        return tree

    def _graft(self, tree: dict[str, Any], branch: Mapping[str, Any], path: str) -> None:
        for name, value in branch.items():
            there = tree.get(name)
            if name not in tree:
                tree[name] = value
            elif isinstance(there, dict) and isinstance(value, Mapping):
                self._graft(there, value, f"{path}{name}.")
            else:
                self.refuse(path + name, "is there twice")

    def mapping(self, found: object, path: str) -> Mapping[str, Any]:
        """Return *found* if it holds properties. An empty one holds none."""
        if found is None:
            return {}
        if not isinstance(found, Mapping) or not all(isinstance(name, str) for name in found):
            self.refuse(path, "has to hold properties")
        return found

    def only(self, found: object, path: str, words: set[str]) -> Mapping[str, Any]:
        """Return *found* by plain words, if it holds no others."""
        held: dict[str, Any] = {}
        for name, value in self.mapping(found, path).items():
            word = plain(name)
            if word not in words:
                self.refuse(f"{path}.{name}", f"is not taken: of {path} there is {_listed(sorted(words))} here")
            if word in held:
                self.refuse(f"{path}.{name}", "is there twice")
            held[word] = value
        return held

    def resolve(self, configs: Mapping[str, Any], name: str, path: str, within: tuple[str, ...]) -> BreakerSettings:
        """Return the shared settings *name*, those that they build on first."""
        if name not in configs:
            self.refuse(path, f'is "{name}", but there are no configs of that name{_did_you_mean(name, configs)}')
        if name in within:
            self.refuse(path, f'is "{name}", which builds on itself')
        where = f"{ROOT}.circuitbreaker.configs.{name}"
        return self.settled(configs, self.mapping(configs[name], where), where, ON_SALE, (*within, name))

    def settled(
        self,
        configs: Mapping[str, Any],
        properties: Mapping[str, object],
        path: str,
        base: BreakerSettings,
        within: tuple[str, ...],
    ) -> BreakerSettings:
        """Return *base*, or what the properties name in its place, with what the properties change."""
        values: dict[str, Any] = {}
        seen: set[str] = set()
        for name, raw in properties.items():
            where, word = f"{path}.{name}", plain(name)
            if word in seen:
                self.refuse(where, "is there twice")
            seen.add(word)
            if word == plain(_BASE):
                base = self.resolve(configs, str(raw), where, within)
            elif (known := _BY_WORD.get(word)) is not None:
                values[known.field] = self._read(known.read, raw, where, known.allowed)
            else:
                self._without_field(name, raw, where)
        return replace(base, **values)

    def _without_field(self, name: str, raw: object, path: str) -> None:
        known = next((each for each in _KNOWN if plain(each) == plain(name)), None)
        if known is None:
            self.refuse(path, f"is no property of a breaker{_did_you_mean(name, _KNOWN)}")
        if known in _WITHOUT_EFFECT:
            read, allowed = _WITHOUT_EFFECT[known]
            self._read(read, raw, path, allowed)
        elif known in _ONLY:
            read, only, reason = _ONLY[known]
            if _read_or_none(read, raw) != only:
                self.refuse(path, f"has no other value than {_written(only)} here: {reason}")
        elif known in _JAVA:
            self.refuse(path, f"names a Java class, and there are none here: leave it out, {_JAVA[known]}")
        else:
            self._exceptions(known, raw, path)

    def _exceptions(self, known: str, raw: object, path: str) -> None:
        word, meaning = _EXCEPTIONS[known]
        names = raw.split(",") if isinstance(raw, str) else raw
        if not isinstance(names, list) or not names:
            self.refuse(path, f"has to be a list: leave it out, or write {word}, {meaning}")
        for name in names:
            if plain(str(name).strip()) != plain(word):
                what = f"{str(name).strip()}, a Java class, and there are none here" if "." in str(name) else str(name)
                self.refuse(path, f"names {what}: leave the line out, or write {word}, which is {meaning}")

    def _read(self, read: Any, raw: object, path: str, allowed: str) -> Any:  # noqa: ANN401 -- what the property holds
        try:
            return read(raw)
        except UnfitError:
            self.refuse(path, f"is {_written(raw)}, but it has to be {allowed}")


def _read_or_none(read: Callable[[object], object], raw: object) -> object:
    try:
        return read(raw)
    except UnfitError:
        return None


def _written(value: object) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    return f'"{value}"' if isinstance(value, str) else str(value)


def _listed(names: Iterable[str]) -> str:
    return ", ".join(names)


def _did_you_mean(name: str, known: Iterable[str]) -> str:
    near = difflib.get_close_matches(plain(name), by_word := {plain(each): each for each in known}, n=1)
    return f"; did you mean {by_word[near[0]]}?" if near else ""
