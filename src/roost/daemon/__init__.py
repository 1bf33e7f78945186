"""`roostd`, the composition root: options, configuration, wiring, signals, order of start and stop.

The only room that names concrete classes of other rooms: `wiring` lists the
drivers, `run` puts servers and drivers together. Everything else here is what
a daemon needs around them: directories, the configuration file, the pid file
and going into the background.

`roost.daemon:main` is the entry point; it is imported on call, so that asking
this package for a name costs nothing.
"""

from __future__ import annotations


def main() -> int:
    """Run the daemon with the process's arguments; the exit status."""
    from roost.daemon.options import main as run  # start-up: `roostd --version` needs nothing else

    return run()
