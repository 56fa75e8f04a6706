"""Logs: a constant message and the variables in fields, as JSON lines or as text for a terminal."""

from __future__ import annotations

import logging
import sys

from pythonjsonlogger.json import JsonFormatter

_OWN = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime"}


class TextFormatter(logging.Formatter):
    """`12:00:01 INFO transition object=ml/iris reason=Promoted`."""

    def format(self, record: logging.LogRecord) -> str:
        """Append the fields that the caller gave."""
        fields = {key: value for key, value in vars(record).items() if key not in _OWN}
        return " ".join([super().format(record), *(f"{key}={value}" for key, value in fields.items())])


def configure_logs(form: str, level: str) -> None:
    """Log to standard error. kopf's own chatter about each event is kept down."""
    handler = logging.StreamHandler(sys.stderr)
    if form == "json":
        handler.setFormatter(JsonFormatter("%(asctime)s %(levelname)s %(name)s %(message)s"))
    else:
        handler.setFormatter(TextFormatter("%(asctime)s %(levelname)s %(name)s %(message)s", "%H:%M:%S"))
    logging.basicConfig(level=level.upper(), handlers=[handler], force=True)
    for noisy in ("kopf", "aiohttp", "urllib3"):
        logging.getLogger(noisy).setLevel(logging.WARNING)
    # It warns of each connection that it tries again, at every instant of an outage; the source's clock tells once.
    logging.getLogger("urllib3.connectionpool").setLevel(logging.ERROR)
