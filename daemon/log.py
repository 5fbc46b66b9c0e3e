"""Log lines: structlog over the standard library, one line per thing that happened, `action` first, secrets struck out.

Owns the set-up and the redaction. Lines of other libraries go the same way. Must not: decide what is logged.
"""

from __future__ import annotations

import functools
import logging
import re
import sys
from collections.abc import Callable, Mapping
from typing import Any, Final, Literal, TextIO

import structlog
from structlog.typing import EventDict, Processor, WrappedLogger

STRUCK_OUT: Final = "***"
_SECRET_KEY: Final = re.compile(
    r"(^|[_\-.])(password|passwd|pwd|passphrase|secrets?|secret_key|tokens?|authorization|api_?key|access_key|credentials?"
    r"|private_key|cookie|sealed)$",
    re.IGNORECASE,
)
_SECRET_TEXT: Final = (
    # user:password@ in an address; the last @ before the next slash ends the password
    (re.compile(r"(\b[a-z][a-z0-9+.\-]*://[^/\s:@]*):[^/\s]*@", re.IGNORECASE), rf"\1:{STRUCK_OUT}@"),
    (re.compile(r"\b(tdm_[0-9a-z]+)_[0-9A-Za-z\-]+"), rf"\1_{STRUCK_OUT}"),
    (re.compile(r"\b(bearer)\s+\S+", re.IGNORECASE), rf"\1 {STRUCK_OUT}"),
    (
        re.compile(
            r"\b(password|passwd|pwd|secret|token|api_?key)(\s*[=:]\s*)(?!\*)('[^']*'|\"[^\"]*\"|[^\s,;&)]+)",
            re.IGNORECASE,
        ),
        rf"\1\2{STRUCK_OUT}",
    ),
)
_DEPTH_MAX: Final = 6


def configure(level: str, form: Literal["console", "json"], stream: TextIO | None = None) -> None:
    """Send every log line of the process to `stream` (standard error), in this format, from this level on."""
    out = stream or sys.stderr
    shared: list[Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_logger_name,
        structlog.stdlib.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
    ]
    structlog.configure(
        processors=[
            structlog.stdlib.filter_by_level,
            *shared,
            structlog.processors.format_exc_info,
            structlog.stdlib.ProcessorFormatter.wrap_for_formatter,
        ],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=False,
    )
    handler = logging.StreamHandler(out)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=[*shared, structlog.stdlib.ExtraAdder(), structlog.processors.format_exc_info],
            processors=[
                structlog.stdlib.ProcessorFormatter.remove_processors_meta,
                structlog.processors.EventRenamer("action"),
                struck_out,
                action_first,
                _renderer(form, out),
            ],
        )
    )
    root = logging.getLogger()
    for old in list(root.handlers):
        if isinstance(old.formatter, structlog.stdlib.ProcessorFormatter):
            root.removeHandler(old)
    root.addHandler(handler)
    root.setLevel(level.upper())
    logging.captureWarnings(True)
    # They say every request, and everything else twice.
    for name in ("aiohttp.access", "asyncio"):
        logging.getLogger(name).setLevel(max(logging.WARNING, root.level))


def _renderer(form: str, stream: TextIO) -> Processor:
    if form == "json":
        return structlog.processors.JSONRenderer(default=str, ensure_ascii=False)
    return structlog.dev.ConsoleRenderer(
        colors=stream.isatty(),
        event_key="action",
        sort_keys=False,
        exception_formatter=structlog.dev.plain_traceback,
    )


def action_first(_: WrappedLogger, __: str, event: EventDict) -> EventDict:
    """`action` first, then when and how grave, then the rest as given; seconds to the millisecond."""
    head = {key: event.pop(key) for key in ("action", "timestamp", "level", "logger") if key in event}
    rest = {key: round(value, 3) if isinstance(value, float) else value for key, value in event.items()}
    return {**head, **rest}


def struck_out(_: WrappedLogger, __: str, event: EventDict) -> EventDict:
    """Secrets by the name of their key, and secrets within texts, replaced by `***`, however deep."""
    return {key: redacted(value, str(key)) for key, value in event.items()}


def redacted(value: Any, key: str = "", depth: int = 0) -> Any:
    """`value` without what must not be written down; `key`: the name it goes by."""
    if key and _is_secret(key):
        return STRUCK_OUT if value else value
    if isinstance(value, str):
        return redacted_text(value)
    if depth >= _DEPTH_MAX:
        return STRUCK_OUT
    if isinstance(value, Mapping):
        return {name: redacted(one, str(name), depth + 1) for name, one in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        return [redacted(one, "", depth + 1) for one in value]
    if isinstance(value, BaseException):
        return redacted_text(f"{type(value).__name__}: {value}")
    return value if isinstance(value, int | float | bool | None) else redacted_text(str(value))


@functools.lru_cache(maxsize=1000)
def _is_secret(key: str) -> bool:
    return _SECRET_KEY.search(key) is not None


def redacted_text(text: str) -> str:
    """Passwords in addresses, access tokens and `password=...` replaced by `***`."""
    for pattern, replacement in _SECRET_TEXT:
        text = pattern.sub(replacement, text)
    return text


def logger(name: str) -> structlog.stdlib.BoundLogger:
    """A logger; its first argument is the action."""
    found: structlog.stdlib.BoundLogger = structlog.stdlib.get_logger(f"tandem.{name}")
    return found


def debugged(name: str) -> Callable[[], bool]:
    """Asks whether debug lines of this logger are written: for lines of every call, whose making alone costs."""
    return functools.partial(logging.getLogger(f"tandem.{name}").isEnabledFor, logging.DEBUG)


__all__ = ["action_first", "configure", "debugged", "logger", "redacted", "redacted_text", "struck_out"]
