"""The log of a run: the library's records and the findings, in a file of the run folder."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

from poems._version import __version__
from poems.findings import Finding

logger = logging.getLogger(__name__)

LOG_NAME = "run.log"
_LEVELS = {"note": logging.INFO, "warning": logging.WARNING, "error": logging.ERROR}


@contextmanager
def run_log(folder: str | Path) -> Iterator[Path]:
    """Append everything that the library logs, and Python's warnings, to ``run.log``.

    Handlers and levels are put back when the block ends.
    """
    path = Path(folder) / LOG_NAME
    path.parent.mkdir(parents=True, exist_ok=True)
    handler = logging.FileHandler(path, encoding="utf-8")
    handler.setFormatter(logging.Formatter("%(asctime)s %(levelname)-7s %(name)s: %(message)s"))
    loggers = [logging.getLogger("poems"), logging.getLogger("py.warnings")]
    levels = [each.level for each in loggers]
    logging.captureWarnings(True)
    for each in loggers:
        each.addHandler(handler)
        each.setLevel(logging.INFO)
    try:
        logger.info("POEMS %s", __version__)
        yield path
    finally:
        logging.captureWarnings(False)
        for each, level in zip(loggers, levels, strict=True):
            each.removeHandler(handler)
            each.setLevel(level)
        handler.close()


def log_findings(findings: Iterable[Finding]) -> None:
    """Log findings, notes as information; all the names concerned follow the message."""
    for finding in findings:
        names = f" [{', '.join(finding.items)}]" if finding.items else ""
        logger.log(_LEVELS[finding.severity], "%s%s", finding, names)
