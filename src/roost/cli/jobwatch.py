"""A call that takes long: its progress on stderr, and its end when the user presses Ctrl-C."""

from __future__ import annotations

import signal
import sys
import threading

from roost.errors import RoostError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from roost.cli.shell import Shell
    from roost.client.blocking import Client
    from roost.client.records import Domain

#: Seconds between two looks.
_INTERVAL = 0.5
#: Where virDomainJobInfo has them.
_TOTAL, _REMAINING = 3, 5


def watch(shell: Shell, domain: Domain, label: str, work: Callable[[], object], *, verbose: bool) -> None:
    """Do `work`, which waits for the daemon. label: what the progress is called; shown when verbose.

    The looks, and the abort, go over a connection of their own. Raises what `work` raises.
    """
    over, interrupted = threading.Event(), threading.Event()
    uri = shell.client.uri
    # A thread of Python's is not where signals are handled: its handler only leaves word.
    handler = signal.signal(signal.SIGINT, lambda *_: interrupted.set())
    watcher = threading.Thread(target=_watch, args=(uri, domain, label, verbose, over, interrupted), daemon=True)
    watcher.start()
    try:
        work()
    finally:
        over.set()
        watcher.join()
        signal.signal(signal.SIGINT, handler)
    if verbose:
        _show(label, 0, 1)


def _watch(
    uri: str, domain: Domain, label: str, verbose: bool, over: threading.Event, interrupted: threading.Event
) -> None:
    from roost.client.blocking import Client

    client: Client | None = None
    try:
        while not over.wait(_INTERVAL):
            if not verbose and not interrupted.is_set():
                continue
            try:
                if client is None:
                    client = Client.open(uri)
                if interrupted.is_set():
                    interrupted.clear()
                    client.call("DOMAIN_ABORT_JOB", domain)
                elif (info := client.call("DOMAIN_GET_JOB_INFO", domain))[_TOTAL]:
                    _show(label, info[_REMAINING], info[_TOTAL])
            except RoostError:
                # The job may be over by now; whether it went well, the call itself will tell.
                continue
    finally:
        if client is not None:
            client.close()


def _show(label: str, remaining: int, total: int) -> None:
    percent = 100 if not remaining else min(99, int(100 - remaining * 100 / total))
    sys.stdout.flush()
    sys.stderr.write(f"\r{label}: [{percent:3} %]")
    sys.stderr.flush()
