"""A daemon's life as its surroundings see it: processes, signals, files."""

from __future__ import annotations

import os
import shutil
import signal
import stat
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from roost import __version__
from support.daemon import RoostDaemon
from support.peer import accepts
from support.raw import RawClient

NOBODY = 65534


def roostd(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "roost.daemon", *arguments], capture_output=True, text=True, timeout=60, check=False
    )


def eventually(condition: Callable[[], bool]) -> bool:
    deadline = time.monotonic() + 30
    while not condition():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.01)
    return True


def is_alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
    except FileNotFoundError:
        return False


def test_version_and_help() -> None:
    assert roostd("--version").stdout == f"roostd {__version__}\n"
    shown = roostd("--help").stdout
    for option in ("--root", "--daemon", "--config", "--listen", "--pid-file", "--timeout", "--libvirt-sockets"):
        assert option in shown


def test_sockets_have_their_permissions_and_go_away_with_the_daemon() -> None:
    with RoostDaemon() as daemon:
        modes = [
            stat.S_IMODE(path.stat().st_mode)
            for path in (daemon.socket_path, daemon.readonly_socket_path, daemon.admin_socket_path)
        ]
        assert modes == [0o700, 0o777 if os.geteuid() == 0 else 0o700, 0o700]
        assert (daemon.root / "run" / "roostd.pid").read_text() == f"{daemon.pid}\n"
        daemon.stop()
        assert not daemon.socket_path.exists()
        assert not (daemon.root / "run" / "roostd.pid").exists()


def test_a_second_daemon_on_the_same_root_is_refused() -> None:
    with RoostDaemon() as daemon:
        second = roostd("--root", str(daemon.root))
        assert second.returncode == 1
        assert f"another roostd (pid {daemon.pid}) holds" in second.stderr
        with RawClient(daemon.socket_path) as client:
            client.open("test:///default")


def test_a_killed_daemon_leaves_nothing_that_stops_the_next() -> None:
    with RoostDaemon() as daemon:
        daemon.kill()
        assert daemon.socket_path.exists()
        daemon.start()
        with RawClient(daemon.socket_path) as client:
            client.open("test:///default")


def test_background(tmp_path: Path) -> None:
    pid_file = tmp_path / "pid"
    started = roostd("--root", str(tmp_path), "-d", "-p", str(pid_file))
    assert started.returncode == 0, started.stderr
    pid = int(pid_file.read_text())
    try:
        # Ready means ready: no waiting here.
        with RawClient(tmp_path / "run" / "roost-sock") as client:
            client.open("test:///default")
        assert os.getsid(pid) == pid
        assert "answers on" in (tmp_path / "log" / "roostd.log").read_text()
    finally:
        os.kill(pid, signal.SIGTERM)
    assert eventually(lambda: not is_alive(pid))
    assert not pid_file.exists()


def test_background_reports_a_failed_start(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    config = tmp_path / "conf"
    config.write_text(f'unix_sock_dir = "{tmp_path}/file"\n')
    failed = roostd("--root", str(tmp_path / "root"), "-d", "-f", str(config))
    assert failed.returncode == 1
    assert f"cannot listen on {tmp_path}/file/roost-admin-sock" in failed.stderr


def test_a_mistake_in_the_configuration_stops_the_start(tmp_path: Path) -> None:
    config = tmp_path / "conf"
    config.write_text("# first\nmax_client = 3\n")
    failed = roostd("--root", str(tmp_path), "-f", str(config))
    assert failed.returncode == 1
    assert f"{config}:2: unknown key 'max_client'; did you mean 'max_clients'?" in failed.stderr
    assert roostd("--root", str(tmp_path), "-f", str(tmp_path / "absent")).returncode == 1
    assert roostd("--root", str(tmp_path), "--listen").returncode == 2


def test_idle_exit_waits_for_the_last_client() -> None:
    with RoostDaemon(options=["--timeout", "1"]) as daemon:
        with RawClient(daemon.socket_path) as client:
            client.open("test:///default")
            time.sleep(1.5)
            assert client.call("CONNECT_GET_TYPE") == ("TEST",)
        assert eventually(lambda: not daemon.is_running)
        assert "idle for 1 s" in daemon.log


def test_reload_changes_limits_and_survives_mistakes() -> None:
    with RoostDaemon() as daemon:
        config = daemon.root / "etc" / "roostd.conf"
        config.write_text("max_clients = 2\n")
        os.kill(daemon.pid, signal.SIGHUP)
        assert eventually(lambda: "configuration reloaded" in daemon.log)
        with RawClient(daemon.socket_path) as first, RawClient(daemon.socket_path) as second:
            first.open("test:///default")
            second.open("test:///default")
            third = RawClient(daemon.socket_path)
            third.sock.settimeout(0.3)
            with third, pytest.raises(TimeoutError):
                third.call("AUTH_LIST")
        config.write_text("max_clients = many\n")
        os.kill(daemon.pid, signal.SIGHUP)
        assert eventually(lambda: "configuration not reloaded" in daemon.log)
        with RawClient(daemon.socket_path) as client:
            client.open("test:///default")


@pytest.mark.parametrize("loop", ["asyncio", "uvloop"])
def test_either_loop(loop: str) -> None:
    with RoostDaemon() as daemon:
        daemon.stop()
        (daemon.root / "etc" / "roostd.conf").write_text(f'event_loop = "{loop}"\n')
        daemon.start()
        maps = Path(f"/proc/{daemon.pid}/maps").read_text()
        assert ("uvloop" in maps) == (loop == "uvloop")
        with RawClient(daemon.socket_path) as client:
            client.open("test:///default")


def test_libvirts_sockets(tmp_path: Path) -> None:
    there = tmp_path / "libvirt"
    config = tmp_path / "conf"
    config.write_text(f'libvirt_sock_dir = "{there}"\n')
    with RoostDaemon(options=["--libvirt-sockets", "-f", str(config)]) as daemon:
        for name in ("libvirt-sock", "libvirt-sock-ro", "virtqemud-sock", "virtnetworkd-sock"):
            with RawClient(there / name) as client:
                client.open("test:///default")
        daemon.stop()
        assert not any(there.iterdir())


def test_memory_when_idle() -> None:
    with RoostDaemon() as daemon:
        with RawClient(daemon.socket_path) as client:
            client.open("test:///default")
        status = Path(f"/proc/{daemon.pid}/status").read_text()
        resident = next(int(line.split()[1]) for line in status.splitlines() if line.startswith("VmRSS"))
        assert resident <= 60 * 1024


def test_stop_is_clean_with_a_client_connected() -> None:
    with RoostDaemon() as daemon, RawClient(daemon.socket_path) as client:
        client.open("test:///default")
        daemon.stop()
        assert "Traceback" not in daemon.log
        assert not accepts(daemon.socket_path)


def nobody_can_run_us() -> bool:
    """Whether the interpreter and the package lie where another user may read them."""
    try:
        done = subprocess.run(
            [sys.executable, "-c", "import roost"], user=NOBODY, group=NOBODY, extra_groups=[], cwd="/", check=False
        )
    except PermissionError:
        return False
    return done.returncode == 0


@pytest.mark.root
def test_a_user_has_a_daemon_of_their_own() -> None:
    """Session mode, in the user's XDG directories."""
    if not nobody_can_run_us():
        pytest.skip("other users cannot read this checkout")
    home = Path(tempfile.mkdtemp(prefix="roost-home-", dir="/tmp"))
    os.chown(home, NOBODY, NOBODY)
    environment = {"HOME": str(home), "XDG_RUNTIME_DIR": str(home), "PATH": os.environ["PATH"]}
    daemon = subprocess.Popen(
        [sys.executable, "-m", "roost.daemon"],
        user=NOBODY,
        group=NOBODY,
        extra_groups=[],
        env=environment,
        cwd="/",
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        path = home / "roost" / "roost-sock"
        assert eventually(lambda: daemon.poll() is not None or accepts(path))
        assert daemon.poll() is None, daemon.communicate()[1]
        with RawClient(path) as client:
            client.open("")
            assert client.call("CONNECT_GET_URI") == ("qemu:///session",)
        with RawClient(path) as client:
            refusal = client.call("CONNECT_OPEN", "qemu:///system", 0)
            assert "open qemu:///session" in refusal.message
    finally:
        daemon.terminate()
        daemon.communicate()
        shutil.rmtree(home)
