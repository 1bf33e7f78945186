"""Where the daemon's log goes."""

from __future__ import annotations

import logging
import sys
from pathlib import Path

_LEVELS = {1: logging.DEBUG, 2: logging.INFO, 3: logging.WARNING, 4: logging.ERROR}
_FORMAT = "%(asctime)s %(levelname)s %(name)s: %(message)s"


def set_up(level: int, file: Path | None) -> None:
    """level: 1 debugging to 4 errors only. file: None for standard error. A second call reopens the file."""
    handler: logging.Handler = logging.FileHandler(file) if file is not None else logging.StreamHandler(sys.stderr)
    handler.setFormatter(logging.Formatter(_FORMAT))
    root = logging.getLogger()
    for old in tuple(root.handlers):
        root.removeHandler(old)
        old.close()
    root.addHandler(handler)
    root.setLevel(_LEVELS[level])
    # asyncio reports slow callbacks and its choice of selector at this level.
    logging.getLogger("asyncio").setLevel(max(logging.WARNING, _LEVELS[level]))
