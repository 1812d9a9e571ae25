"""
Logs are facts with keys, one line each, and nothing in them can be used against a buyer.

Nothing that proves who somebody is, and no address of hers, is ever handed to
a logger. Behind that stands a second fence: keys with such names are blanked,
and whatever looks like a token or a long secret is cut out of every text, the
texts of exceptions included.
"""

import contextlib
import io
import logging
import re
import sys
from collections.abc import Mapping, MutableMapping
from types import TracebackType
from typing import Literal, TextIO, cast

import msgspec
import structlog
from structlog.typing import EventDict, Processor, WrappedLogger
from typing_extensions import override

LogFormat = Literal["json", "console"]
LogLevel = Literal["debug", "info", "warning", "error"]

_LEVELS: Mapping[LogLevel, int] = {
    "debug": logging.DEBUG,
    "info": logging.INFO,
    "warning": logging.WARNING,
    "error": logging.ERROR,
}

_SECRET_KEYS = frozenset(
    {
        "authorization",
        "buyer_id",
        "cookie",
        "headers",
        "idempotency_key",
        "identity",
        "key",
        "password",
        "secret",
        "set_cookie",
        "token",
        "user_id",
        "x_identity",
    }
)
_FIRST = ("timestamp", "level", "event")
_BLANK = "***"
# Three groups of base64url with dots between them is a JWT; forty characters without a break are a key or a digest.
_SECRET_TEXT = re.compile(r"[\w-]{8,}\.[\w-]{8,}\.[\w-]{8,}|[\w+/=-]{40,}")
_SECRET_CHARACTERS_MIN = 3 * 8 + 2
_CAUSES_MAX = 5
_FRAMES_MAX = 12
_MESSAGE_MAX = 300


def set_up(*, style: LogFormat, level: LogLevel, to: TextIO | None = None) -> None:
    """
    Send everything this process logs, libraries included, to *to* (standard error), in one style.

    Call it once, before anything logs. A line that cannot be written is lost, and nothing else is.
    """
    stream = cast("TextIO", Unfailing(to or sys.stderr))
    threshold = _LEVELS[level]
    shared: list[Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        _describe_exception,
        _keep_secrets,
    ]
    structlog.configure(
        processors=[*shared, *_renderers(style)],
        wrapper_class=structlog.make_filtering_bound_logger(threshold),
        logger_factory=structlog.WriteLoggerFactory(file=stream),
        cache_logger_on_first_use=True,
    )
    handler = logging.StreamHandler(stream)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=[structlog.stdlib.add_logger_name, structlog.processors.add_log_level],
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, *shared, *_renderers(style)],
        )
    )
    root = logging.getLogger()
    root.handlers[:] = [handler]
    # Libraries' own chatter at debug level quotes what they were given: parameters of SQL, headers.
    root.setLevel(max(threshold, logging.WARNING))


class Unfailing(io.TextIOBase):
    """
    A stream whose reader may go away and whose disk may fill up: what cannot be written is dropped.

    A server does not end because nobody listens. Once there is room again, it is heard again.
    """

    def __init__(self, stream: TextIO | None) -> None:
        """Write to *stream*, None if the process was started without one."""
        self._stream = stream

    @override
    def write(self, text: str, /) -> int:
        """Write *text* if that can be."""
        if self._stream is not None:
            # ValueError: somebody has closed it.
            with contextlib.suppress(OSError, ValueError):
                self._stream.write(text)
                self._stream.flush()
        return len(text)

    @override
    def flush(self) -> None:
        """Do nothing: every line is on its way already."""


def _renderers(style: LogFormat) -> list[Processor]:
    if style == "console":
        return [_exception_as_text, structlog.dev.ConsoleRenderer(colors=False)]
    return [_json]


def _exception_as_text(_: WrappedLogger, __: str, event: EventDict) -> EventDict:
    """Put the causes on a line each: the console takes an exception only as one text."""
    if isinstance(causes := event.get("exception"), list):
        event["exception"] = "\n".join(causes)
    return event


def _json(_: WrappedLogger, __: str, event: EventDict) -> str:
    first = {name: event.pop(name) for name in _FIRST if name in event}
    return msgspec.json.encode({**first, **event}, enc_hook=repr).decode()


def _describe_exception(_: WrappedLogger, __: str, event: EventDict) -> EventDict:
    """Put types, first lines of messages and places in place of `exc_info`; no values of variables, no SQL."""
    raised = event.pop("exc_info", None)
    if raised is True:
        raised = sys.exc_info()[1]
    if isinstance(raised, tuple):
        raised = raised[1]
    if isinstance(raised, BaseException):
        event["exception"] = described(raised)
    return event


def described(error: BaseException) -> list[str]:
    """Return an exception and its causes, each as `Type: first line of its message @ file:line function < ...`."""
    causes: list[str] = []
    cause: BaseException | None = error
    while cause is not None and len(causes) < _CAUSES_MAX:
        first_line = _cut_secrets(str(cause).partition("\n")[0][:_MESSAGE_MAX])
        causes.append(f"{type(cause).__name__}: {first_line} @ {_places(cause.__traceback__)}")
        cause = cause.__cause__ or (None if cause.__suppress_context__ else cause.__context__)
    return causes


def _places(traceback: TracebackType | None) -> str:
    places: list[str] = []
    while traceback is not None:
        code = traceback.tb_frame.f_code
        file = code.co_filename.rpartition("/")[2]
        places.append(f"{file}:{traceback.tb_lineno} {code.co_name}")
        traceback = traceback.tb_next
    return " < ".join(reversed(places[-_FRAMES_MAX:]))


def _keep_secrets(_: WrappedLogger, __: str, event: EventDict) -> EventDict:
    return _without_secrets(event)


def _without_secrets(event: MutableMapping[str, object]) -> MutableMapping[str, object]:
    for name, value in event.items():
        if name in _SECRET_KEYS:
            event[name] = _BLANK
        elif isinstance(value, str):
            event[name] = _cut_secrets(value)
        elif isinstance(value, list):
            event[name] = [_cut_secrets(item) if isinstance(item, str) else item for item in value]
    return event


def _cut_secrets(text: str) -> str:
    # Most texts of a line are names and ids, and looking through three of them is a tenth of what a line costs.
    return text if len(text) < _SECRET_CHARACTERS_MIN else _SECRET_TEXT.sub(_BLANK, text)
