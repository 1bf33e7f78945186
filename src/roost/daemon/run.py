"""From options to a running daemon, and to its end."""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import gc
import logging
import os
import resource
import signal
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from roost import __version__
from roost.daemon import background, configuration, directories, logs, sockets, wiring
from roost.daemon.configuration import Configuration
from roost.daemon.directories import Directories
from roost.engine.hooks import Hooks
from roost.errors import From, RoostError, SystemCallError
from roost.host.linux import slices
from roost.host.linux.processes import LinuxProcesses
from roost.rpc import handlers
from roost.rpc.backends import Backends
from roost.rpc.dispatch import Dispatcher
from roost.rpc.server import Limits, Server

log = logging.getLogger(__name__)

#: Seconds that running calls get to end when the daemon stops.
STOP_PATIENCE = 10.0

#: Nanoseconds that the loop's thread runs at a time where guests want the processors as well: most answers take less.
SLICE = 200_000
#: Seconds after which the first clients have their answers, and what takes a few milliseconds may be done.
SETTLED = 1.0

#: Allocations between two looks for cycles. Sessions live long and calls leave
#: few cycles; the default of 700 has the collector walk young objects many
#: times within one large reply.
GC_THRESHOLD = (50_000, 20, 50)


def run(options: argparse.Namespace) -> int:
    """Raises RoostError when the daemon cannot start."""
    os.umask(0o022)
    places = directories.choose(options.root)
    config_file = options.config or places.etc / "roostd.conf"
    settings = configuration.load(config_file, required=options.config is not None)
    with _as_roost_error("cannot make the daemon's directories"):
        places.create()
    pid_path = options.pid_file or places.run / "roostd.pid"
    with _as_roost_error(f"cannot write {pid_path}"):
        pid_file = background.PidFile(pid_path)
    try:
        ready: Callable[[], None] = background.detach() if options.daemon else lambda: None
        pid_file.write()
        daemon = Daemon(options, places, settings, config_file)
        daemon.set_up_logs()
        _raise_descriptor_limit()
        with asyncio.Runner(loop_factory=_loop_factory(settings.event_loop)) as runner:
            runner.run(daemon.live(ready))
    finally:
        pid_file.remove()
    return 0


class Daemon:
    """One daemon, from its wiring to its last breath."""

    def __init__(
        self, options: argparse.Namespace, places: Directories, settings: Configuration, config_file: Path
    ) -> None:
        self._options = options
        self._directories = places
        self._settings = settings
        self._config_file = config_file
        self._privileged = os.geteuid() == 0
        self._stopping = asyncio.Event()
        self._servers: dict[str, Server] = {}
        self._services: list[wiring.Service] = []
        self._reloading: asyncio.Task[None] | None = None
        self._idle_timer: asyncio.TimerHandle | None = None

    def set_up_logs(self) -> None:
        level = 1 if self._options.verbose else self._settings.log_level
        file = Path(self._settings.log_file) if self._settings.log_file else None
        if file is None and self._options.daemon:
            file = self._directories.log / "roostd.log"
        with _as_roost_error(f"cannot open the log {file}"):
            logs.set_up(level, file)

    async def live(self, ready: Callable[[], None]) -> None:
        """Start, serve until told to stop, stop. ready: called once clients are answered."""
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self._stopping.set)
        loop.add_signal_handler(signal.SIGHUP, self._reload)
        try:
            drivers = self._make_drivers()
            self._make_servers(loop, drivers)
            self._listen()
            for driver in drivers:
                await self._start_service(driver)
            for server in self._servers.values():
                server.start()
            _tune_collector()
            log.info("roostd %s answers on %s", __version__, self._socket_directory())
            await self._call_hook("start", extra="start")
            ready()
            loop.call_later(SETTLED, slices.shorten, SLICE)
            self._watch_idleness()
            await self._stopping.wait()
            log.info("stopping; guests go on")
            await self._call_hook("shutdown", extra="shutdown")
        finally:
            await self._stop()

    def _make_drivers(self) -> Sequence[wiring.Driver]:
        place = wiring.Place(self._directories, self._privileged)
        return [factory(place) for factory in wiring.FACTORIES]

    def _make_servers(self, loop: asyncio.AbstractEventLoop, drivers: Sequence[wiring.Driver]) -> None:
        openers = {scheme: driver.open for driver in drivers for scheme in driver.schemes}
        place = wiring.Place(self._directories, self._privileged)
        backends = Backends(wiring.default_uri(place), openers)
        main, admin = _limits(self._settings)
        for name, tables, limits in (("roostd", handlers.MAIN, main), ("admin", handlers.ADMINISTRATION, admin)):
            self._servers[name] = Server(name, loop, Dispatcher(tables), backends, limits, self._servers)

    def _socket_directory(self) -> Path:
        return Path(self._settings.unix_sock_dir or self._directories.run)

    def _listen(self) -> None:
        privileged = self._privileged
        wanted: list[sockets.SocketSet] = []
        if self._options.libvirt_sockets:
            place = self._settings.libvirt_sock_dir or sockets.libvirt_directory(privileged)
            wanted += sockets.libvirt(Path(place), self._settings, privileged=privileged)
        # Our own come last, and of them the read-write one: when it answers, all do.
        wanted.append(sockets.own(self._socket_directory(), self._settings, privileged=privileged))
        for group in wanted:
            for name, files in reversed([*zip(self._servers, group, strict=True)]):
                for file in reversed(files):
                    self._servers[name].listen(
                        file.path, mode=file.mode, group=file.group, readonly=file.readonly, auth=file.auth
                    )

    async def _start_service(self, driver: wiring.Driver) -> None:
        if driver.service is None:
            return
        self._services.append(driver.service)
        try:
            await driver.service.start()
        except Exception:
            # The other drivers, and what this one could recover, must stay reachable.
            log.exception("the driver for %s did not start completely", ", ".join(driver.schemes))

    async def _stop(self) -> None:
        if self._idle_timer is not None:
            self._idle_timer.cancel()
        for server in self._servers.values():
            await server.stop(STOP_PATIENCE)
        for service in reversed(self._services):
            try:
                await service.stop()
            except Exception:
                log.exception("a driver did not stop cleanly")

    def _reload(self) -> None:
        try:
            self._settings = configuration.load(self._config_file, required=self._options.config is not None)
            self.set_up_logs()
        except RoostError as error:
            log.error("configuration not reloaded: %s", error)  # noqa: TRY400 - the text says it all
            return
        for server, limits in zip(self._servers.values(), _limits(self._settings), strict=True):
            server.set_limits(limits)
        log.info("configuration reloaded from %s", self._config_file)
        self._reloading = asyncio.get_running_loop().create_task(self._call_hook("reload", "begin", "SIGHUP"))

    async def _call_hook(self, operation: str, suboperation: str = "-", extra: str = "-") -> None:
        """Tell the administrator's scripts; what they say is in the log."""
        hooks = Hooks(self._directories.etc / "hooks", LinuxProcesses())
        try:
            await hooks.run("daemon", "-", operation, suboperation, extra)
        except RoostError as error:
            log.warning("%s", error)

    def _watch_idleness(self) -> None:
        if self._options.timeout:
            for server in self._servers.values():
                server.clients_changed = self._restart_idle_timer
            self._restart_idle_timer()

    def _restart_idle_timer(self) -> None:
        if self._idle_timer is not None:
            self._idle_timer.cancel()
            self._idle_timer = None
        if not any(server.sessions for server in self._servers.values()):
            loop = asyncio.get_running_loop()
            self._idle_timer = loop.call_later(self._options.timeout, self._idle)

    def _idle(self) -> None:
        self._idle_timer = None
        if any(service.is_busy for service in self._services):
            self._restart_idle_timer()
        else:
            log.info("idle for %d s", self._options.timeout)
            self._stopping.set()


def _limits(settings: Configuration) -> tuple[Limits, Limits]:
    """Of the main server and the admin server."""
    return (
        Limits(
            settings.max_clients,
            settings.max_queued_clients,
            settings.max_anonymous_clients,
            settings.max_client_requests,
            settings.keepalive_interval,
            settings.keepalive_count,
            settings.busy_poll / 1e6,
        ),
        Limits(
            settings.admin_max_clients,
            settings.admin_max_queued_clients,
            settings.max_anonymous_clients,
            settings.admin_max_client_requests,
            settings.admin_keepalive_interval,
            settings.admin_keepalive_count,
        ),
    )


def _loop_factory(name: str) -> Callable[[], asyncio.AbstractEventLoop]:
    if name != "asyncio":
        try:
            import uvloop  # optional: asyncio's own loop does everything that is needed
        except ImportError:
            if name == "uvloop":
                raise SystemCallError('event_loop = "uvloop", but uvloop is not installed', domain=From.CONF) from None
        else:
            return uvloop.new_event_loop
    return asyncio.new_event_loop


def _raise_descriptor_limit() -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft != hard:
        with contextlib.suppress(OSError, ValueError):
            resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))


def _tune_collector() -> None:
    """What lives now lives until the end: the collector need not look at it again."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(*GC_THRESHOLD)


@contextlib.contextmanager
def _as_roost_error(what: str) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise SystemCallError(
            f"{what}: {error.strerror} ({error.filename})", domain=From.NONE, int1=error.errno or -1
        ) from error
