"""Lines of the log in which nothing that a stranger sent can pass for another line."""

from __future__ import annotations

import logging
import re

_CONTROL = re.compile(r"[\x00-\x08\x0a-\x1f\x7f-\x9f\u2028\u2029]")


class OneLine(logging.Filter):
    """Writes control characters in a message out, ends of lines among them.

    Tracebacks, which Python adds later, keep theirs.
    """

    def filter(self, record: logging.LogRecord) -> bool:
        """Change a record of ours where it has to be; let every one pass."""
        if record.name.partition(".")[0] == "gwbroker":
            message = record.getMessage()
            if _CONTROL.search(message):
                record.msg = _CONTROL.sub(lambda found: ascii(found[0])[1:-1], message)
                record.args = ()
        return True


def attach(logger: logging.Logger) -> None:
    """Let all that a logger's handlers write be such lines."""
    for handler in logger.handlers:
        if not any(isinstance(each, OneLine) for each in handler.filters):
            handler.addFilter(OneLine())
