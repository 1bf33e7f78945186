"""The client of both daemons: libvirt's C library under Debian's own interpreter, told what to time by lines of JSON.

Each line on standard input is `[operation, arguments]`; the answer is a line with `{"seconds": [...]}`, one number
for each sample, or `{"error": text}`. Only the operation is timed, not the making of its arguments.
"""

from __future__ import annotations

import json
import os
import select
import subprocess
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from time import perf_counter
from typing import Any

import libvirt  # type: ignore[import-not-found,unused-ignore]


class Client:
    """Operations on one connection. Methods return seconds: of a single call on average, or of each call."""

    def __init__(self, uri: str) -> None:
        libvirt.registerErrorHandler(lambda *_: None, None)
        self._uri = uri
        self._connection: Any = None

    def reopen(self) -> list[float]:
        """Open the connection, with a first question answered."""
        begin = perf_counter()
        self._connection = libvirt.open(self._uri)
        self._connection.numOfDefinedDomains()
        return [perf_counter() - begin]

    def close(self) -> list[float]:
        """Leave the daemon alone until `reopen`."""
        self._connection.close()
        return []

    def small_call(self, calls: int) -> list[float]:
        """A question that needs no object."""
        return [mean_of(calls, self._connection.getLibVersion)]

    def state_call(self, name: str, calls: int) -> list[float]:
        """A question about one domain."""
        return [mean_of(calls, self._connection.lookupByName(name).state)]

    def lookup(self, name: str, calls: int) -> list[float]:
        """A domain by its name."""
        return [mean_of(calls, lambda: self._connection.lookupByName(name))]

    def lookup_uuid(self, uuid: str, calls: int) -> list[float]:
        """A domain by its UUID."""
        return [mean_of(calls, lambda: self._connection.lookupByUUIDString(uuid))]

    def xml(self, name: str, calls: int) -> list[float]:
        """A domain's document."""
        return [mean_of(calls, self._connection.lookupByName(name).XMLDesc)]

    def capabilities(self, calls: int) -> list[float]:
        """The host's document."""
        return [mean_of(calls, self._connection.getCapabilities)]

    def domain_capabilities(self, calls: int) -> list[float]:
        """The default emulator's document."""
        return [mean_of(calls, lambda: self._connection.getDomainCapabilities(None, None, None, None, 0))]

    def list_all(self, calls: int) -> list[float]:
        """All domains as objects."""
        return [mean_of(calls, self._connection.listAllDomains)]

    def statistics(self, calls: int) -> list[float]:
        """All groups of statistics of all domains."""
        return [mean_of(calls, self._connection.getAllDomainStats)]

    def running_statistics(self, calls: int) -> list[float]:
        """All groups of statistics of those that run."""
        flag = libvirt.VIR_CONNECT_GET_ALL_DOMAINS_STATS_ACTIVE
        return [timed(lambda: self._connection.getAllDomainStats(0, flag)) for _ in range(calls)]

    def block_statistics(self, name: str, calls: int) -> list[float]:
        """The counters of a running domain's disk."""
        domain = self._connection.lookupByName(name)
        return [mean_of(calls, lambda: domain.blockStats("vda"))]

    def memory_statistics(self, name: str, calls: int) -> list[float]:
        """What a running domain's balloon knows."""
        return [mean_of(calls, self._connection.lookupByName(name).memoryStats)]

    def interface_statistics(self, name: str, calls: int) -> list[float]:
        """The counters of a running domain's interface."""
        domain = self._connection.lookupByName(name)
        xml = domain.XMLDesc()
        target = xml[xml.index("<target dev='vnet") + 13 :].partition("'")[0]
        return [mean_of(calls, lambda: domain.interfaceStats(target))]

    def define(self, documents: list[str]) -> list[float]:
        """Each document made a persistent domain."""
        return [timed(partial(self._connection.defineXML, xml)) for xml in documents]

    def undefine(self, names: list[str]) -> list[float]:
        """Each of the domains removed."""
        domains = [self._connection.lookupByName(name) for name in names]
        return [timed(domain.undefine) for domain in domains]

    def start(self, name: str) -> list[float]:
        """A defined domain started."""
        return [timed(self._connection.lookupByName(name).create)]

    def start_many(self, names: list[str]) -> list[float]:
        """All started at once, paused so that the guests' own work is not measured; seconds until the last runs."""
        domains = [self._connection.lookupByName(name) for name in names]
        with ThreadPoolExecutor(len(domains)) as pool:
            begin = perf_counter()
            list(pool.map(lambda domain: domain.createWithFlags(libvirt.VIR_DOMAIN_START_PAUSED), domains))
            return [perf_counter() - begin]

    def reads_during_starts(self, name: str, names: list[str]) -> list[float]:
        """Of small reads of one domain, each a millisecond after the last, while others start: what 99 in 100 take."""
        domain = self._connection.lookupByName(name)
        command = [sys.executable, __file__, self._uri]
        seconds = []
        with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as other:
            assert other.stdin is not None
            assert other.stdout is not None
            for line in (["reopen", []], ["start_many", [names]]):
                other.stdin.write(json.dumps(line) + "\n")
            other.stdin.close()
            other.stdout.readline()
            while not select.select([other.stdout], [], [], 0.001)[0]:
                seconds.append(timed(domain.state))
            answer = json.loads(other.stdout.readline())
        if "error" in answer:
            raise libvirt.libvirtError(answer["error"])
        return [sorted(seconds)[len(seconds) * 99 // 100]]

    def suspend_and_resume(self, name: str, _: str) -> list[float]:
        """A running domain stopped, and on its way again."""
        domain = self._connection.lookupByName(name)
        return [timed(lambda: (domain.suspend(), domain.resume()))]

    def attach_and_detach(self, name: str, device: str) -> list[float]:
        """A device that comes and goes."""
        domain = self._connection.lookupByName(name)
        live = libvirt.VIR_DOMAIN_AFFECT_LIVE
        return [timed(lambda: (domain.attachDeviceFlags(device, live), domain.detachDeviceFlags(device, live)))]

    def snapshot(self, name: str, document: str) -> list[float]:
        """A snapshot of memory and disk, deleted afterwards."""
        domain = self._connection.lookupByName(name)
        figure = timed(lambda: domain.snapshotCreateXML(document, 0))
        domain.snapshotLookupByName("bench").delete()
        return [figure]

    def save_and_restore(self, name: str, path: str) -> list[float]:
        """A running domain that goes to a file and comes back."""
        domain = self._connection.lookupByName(name)
        figure = timed(lambda: (domain.save(path), self._connection.restore(path)))
        os.unlink(path)
        return [figure]

    def destroy(self, names: list[str]) -> list[float]:
        """Each of the running domains ended."""
        domains = [self._connection.lookupByName(name) for name in names]
        return [timed(domain.destroy) for domain in domains]


def timed(operation: Callable[[], object]) -> float:
    """Seconds that one call takes."""
    begin = perf_counter()
    operation()
    return perf_counter() - begin


def mean_of(calls: int, operation: Callable[[], object]) -> float:
    """Seconds that one of many calls in a row takes."""
    begin = perf_counter()
    for _ in range(calls):
        operation()
    return (perf_counter() - begin) / calls


def main() -> None:
    """Answer until the input ends."""
    client = Client(sys.argv[1])
    for line in sys.stdin:
        operation, arguments = json.loads(line)
        answer: dict[str, Any]
        try:
            answer = {"seconds": getattr(client, operation)(*arguments)}
        except libvirt.libvirtError as error:
            answer = {"error": str(error)}
        print(json.dumps(answer), flush=True)


if __name__ == "__main__":
    main()
