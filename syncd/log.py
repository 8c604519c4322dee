"""The only place that formats a line of the log; no secret gets past its end.

Everything that is logged, by us or through the standard library, takes the same
way: to stderr, for people or programs, and as JSON to a rotating file.
"""

import logging
import logging.handlers
import sys
from collections.abc import Callable, Iterable
from contextlib import suppress
from pathlib import Path
from types import ModuleType
from typing import Any, Literal, cast

from syncd.hiding import hider
from syncd.text import printable

# structlog would load rich for tracebacks that we have no use for, and take four
# times as long for it: a tenth of the daemon's start.
_RICH = sys.modules.get("rich")
sys.modules["rich"] = cast("ModuleType", None)

import structlog  # noqa: E402
from structlog.stdlib import BoundLogger, ProcessorFormatter  # noqa: E402
from structlog.typing import EventDict, Processor, WrappedLogger  # noqa: E402

del sys.modules["rich"]
if _RICH is not None:
    sys.modules["rich"] = _RICH

FILE_SIZE = 10 << 20
FILES = 5

_TALKATIVE = ("alembic", "circus", "sqlalchemy", "watchdog")
"""Only what they warn of concerns anybody."""

_BEFORE: list[Processor] = [
    structlog.contextvars.merge_contextvars,
    structlog.stdlib.add_logger_name,
    structlog.stdlib.add_log_level,
    structlog.stdlib.PositionalArgumentsFormatter(),
    structlog.processors.TimeStamper(fmt="iso", utc=True),
    structlog.processors.StackInfoRenderer(),
    structlog.processors.format_exc_info,
]

structlog.configure(
    processors=[
        structlog.stdlib.filter_by_level,
        *_BEFORE,
        ProcessorFormatter.wrap_for_formatter,
    ],
    wrapper_class=BoundLogger,
    logger_factory=structlog.stdlib.LoggerFactory(),
    cache_logger_on_first_use=True,
)


def get(name: str) -> BoundLogger:
    """Return a logger; say ``action="..."`` on every line."""
    logger: BoundLogger = structlog.stdlib.get_logger(name)
    return logger


def configure(
    level: str,
    format: Literal["console", "json"],
    secrets: Iterable[str] = (),
    file: Path | None = None,
) -> None:
    """Send lines of at least this level to stderr and, as JSON, to the file.

    The file's folder is made (mode 0700); OSError is raised if that fails.
    May be called again; the last call counts.
    """
    hide = hider(secrets)
    stderr = logging.StreamHandler(sys.stderr)
    stderr.setFormatter(_formatter(format, hide))
    handlers: list[logging.Handler] = [stderr]
    if file:
        handlers.append(_rotating(file, hide))
    root = logging.getLogger()
    # Circus calls basicConfig when imported: a handler that hides no secret.
    for old in [h for h in root.handlers if _is_replaced(h)]:
        root.removeHandler(old)
        old.close()
    for new in handlers:
        root.addHandler(new)
    _set_levels(root, getattr(logging, level.upper()))


def _formatter(format: str, hide: Callable[[str], str]) -> ProcessorFormatter:
    render: list[Processor]
    if format == "json":
        render = [structlog.processors.JSONRenderer(ensure_ascii=False)]
    else:
        console = structlog.dev.ConsoleRenderer(
            colors=sys.stderr.isatty(),
            exception_formatter=structlog.dev.plain_traceback,
        )
        render = [_on_one_line, console]
    return ProcessorFormatter(
        foreign_pre_chain=[structlog.stdlib.ExtraAdder(), *_BEFORE],
        processors=[ProcessorFormatter.remove_processors_meta, _Scrub(hide), *render],
    )


class _Scrub:
    """Hides secrets in whatever a line is made of, however deep."""

    def __init__(self, hide: Callable[[str], str]) -> None:
        self._hide = hide

    def __call__(self, _: WrappedLogger, __: str, line: EventDict) -> EventDict:
        return {self._hide(str(key)): self._clean(value) for key, value in line.items()}

    def _clean(self, value: Any) -> Any:
        if isinstance(value, str):
            return self._hide(value.encode(errors="backslashreplace").decode())
        if isinstance(value, dict):
            return {self._hide(str(k)): self._clean(v) for k, v in value.items()}
        if isinstance(value, list | tuple | set | frozenset):
            return [self._clean(item) for item in value]
        text = str(value)
        if value is None or isinstance(value, int | float):
            hidden = self._hide(text)
            return value if hidden == text else hidden
        return self._clean(text)


def _on_one_line(_: WrappedLogger, __: str, line: EventDict) -> EventDict:
    """Let no name of a file forge a line or talk to the terminal."""
    for key, value in line.items():
        if isinstance(value, str):
            lines = value.split("\n") if key in ("exception", "stack") else [value]
            line[key] = "\n".join(map(printable, lines))
    return line


class _File(logging.handlers.RotatingFileHandler):
    """Says once, on stderr, that it cannot be written to; syncd goes on."""

    _told = False

    def handleError(self, record: logging.LogRecord) -> None:  # noqa: N802
        if not self._told:
            self._told = True
            with suppress(OSError, ValueError):
                sys.stderr.write(f"syncd: cannot write {self.baseFilename}\n")

    def close(self) -> None:
        with suppress(OSError):  # what could not be written has been told
            super().close()


def _rotating(file: Path, hide: Callable[[str], str]) -> logging.Handler:
    file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    handler = _File(file, maxBytes=FILE_SIZE, backupCount=FILES - 1, encoding="utf-8")
    handler.setFormatter(_formatter("json", hide))
    return handler


def _is_replaced(handler: logging.Handler) -> bool:
    """Tell whether it is ours, or writes to a stream as basicConfig's does."""
    ours = isinstance(handler.formatter, ProcessorFormatter)
    return ours or type(handler) is logging.StreamHandler


def _set_levels(root: logging.Logger, level: int) -> None:
    root.setLevel(level)
    logging.raiseExceptions = False  # its report of a lost line would show secrets
    logging.captureWarnings(capture=True)
    for name in _TALKATIVE:
        logging.getLogger(name).setLevel(logging.WARNING)
    access = logging.getLogger("tornado.access")
    for old in list(access.filters):
        access.removeFilter(old)
    access.addFilter(_as_debug)


def _as_debug(record: logging.LogRecord) -> bool:
    """Make a line one of level debug, whatever its author thought."""
    record.levelno, record.levelname = logging.DEBUG, "DEBUG"
    return logging.getLogger().isEnabledFor(logging.DEBUG)
