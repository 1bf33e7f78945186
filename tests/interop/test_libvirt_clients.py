"""libvirt's own clients against the daemon: virsh, and Python with the C binding."""

from __future__ import annotations

import select
import shutil
import subprocess
from collections.abc import Iterator

import pytest

from support.daemon import RoostDaemon
from support.peer import libvirt_result, run, virsh, virsh_ok

pytestmark = pytest.mark.skipif(shutil.which("virsh") is None, reason="virsh is not installed")

DOMAIN = """<domain type='test'>
  <name>{name}</name>
  <memory unit='KiB'>65536</memory>
  <vcpu>1</vcpu>
  <os><type arch='i686'>hvm</type></os>
</domain>"""


@pytest.fixture(scope="module")
def daemon() -> Iterator[RoostDaemon]:
    with RoostDaemon() as running:
        yield running


@pytest.fixture
def uri(daemon: RoostDaemon) -> str:
    return daemon.uri_of("test", "default")


def test_versions_and_uri(uri: str) -> None:
    printed = virsh_ok(uri, "version", "--daemon")
    assert f"Using API: TEST {run(['virsh', '--version']).stdout.strip()}" in printed
    assert "Running against daemon: 12.6.0" in printed
    assert virsh_ok(uri, "uri").strip() == uri


def test_a_session_of_commands_in_one_world(uri: str) -> None:
    """The world of test:///default lasts as long as a connection: one virsh does all."""
    commands = "; ".join(
        [
            "list --all",
            "domstate --reason test",
            "suspend test",
            "domstate --reason test",
            "resume test",
            "destroy test",
            "domstate test",
            "start test",
            "domid test",
            "autostart test",
            "dominfo test",
            "undefine test",
            "list --all",
        ]
    )
    printed = virsh_ok(uri, commands)
    for expected in ("paused (user)", "shut off", "Autostart:      enable", "2   test   running"):
        assert expected in printed


def test_errors_as_virsh_shows_them(uri: str) -> None:
    answer = virsh(uri, "domstate", "nope")
    assert (answer.returncode, answer.stderr.splitlines()[0]) == (1, "error: failed to get domain 'nope'")
    answer = virsh(uri, "net-list")
    assert "this function is not supported by the connection driver: virConnect" in answer.stderr
    answer = run(["virsh", "-c", uri.replace("test+unix", "xen+unix"), "list"])
    assert "no connection driver available for xen:///default" in answer.stderr


def test_readonly_clients(daemon: RoostDaemon, uri: str) -> None:
    assert "test" in virsh(uri, "list", readonly=True).stdout
    answer = virsh(uri, "destroy", "test", readonly=True)
    assert "operation forbidden: read only access prevents virDomainDestroy" in answer.stderr
    # Whatever the client asks for, the socket it came by decides.
    by_socket = f"test+unix:///default?socket={daemon.readonly_socket_path}"
    answer = virsh(by_socket, "destroy", "test")
    assert "operation forbidden: read only access prevents virDomainDestroy" in answer.stderr


def test_virsh_event_loop(uri: str) -> None:
    """A waiting virsh hears what another connection does."""
    waiting = subprocess.Popen(
        ["virsh", "-c", uri, "event", "--event", "lifecycle", "--loop", "--timeout", "60"],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    try:
        assert waiting.stdout is not None
        suspended = "event 'lifecycle' for domain 'test': Suspended Paused"
        # It may not listen yet when the first of them happens.
        for _ in range(100):
            virsh_ok(uri, "suspend test; resume test")
            if select.select([waiting.stdout], [], [], 0.2)[0] and suspended in waiting.stdout.readline():
                break
        else:
            pytest.fail("virsh event printed nothing")
    finally:
        waiting.kill()
        waiting.communicate()


def test_admin_clients(daemon: RoostDaemon) -> None:
    if shutil.which("virt-admin") is None:
        pytest.skip("virt-admin is not installed")
    admin = ["virt-admin", "-c", f"libvirtd+unix:///system?socket={daemon.admin_socket_path}"]
    answer = run([*admin, "srv-list"])
    assert answer.ok, answer.stderr
    assert "roostd" in answer.stdout
    answer = run([*admin, "srv-clients-info", "roostd"])
    assert "nclients_max" in answer.stdout, answer.stderr
    assert run([*admin, "srv-threadpool-info", "roostd"]).ok


def test_the_c_binding(uri: str) -> None:
    result = libvirt_result(
        """
uri, xml = sys.argv[1:]
conn = libvirt.open(uri)
out = {"type": conn.getType(), "lib": conn.getLibVersion(), "uri": conn.getURI(), "secure": conn.isSecure(),
       "encrypted": conn.isEncrypted(), "alive": conn.isAlive(), "cpus": conn.getInfo()[2]}
dom = conn.defineXML(xml)
out["defined"] = sorted(d.name() for d in conn.listAllDomains(libvirt.VIR_CONNECT_LIST_DOMAINS_INACTIVE))
out["ids"] = [dom.ID()]
dom.create()
out["ids"] += [dom.ID() > 0, sorted(conn.listDomainsID())[-1] == dom.ID()]
out["info"] = [dom.info()[0], dom.maxMemory(), dom.maxVcpus(), dom.state(), dom.isActive(), dom.isPersistent()]
uuid = dom.UUIDString()
out["same"] = conn.lookupByID(dom.ID()).UUIDString() == uuid == conn.lookupByUUIDString(uuid).UUIDString()
out["stats"] = [s["state.state"] for d, s in conn.getAllDomainStats() if d.name() == dom.name()]
dom.destroy()
out["after"] = [dom.isActive(), conn.numOfDefinedDomains(), conn.listDefinedDomains()]
dom.undefine()
try:
    conn.lookupByName("binding")
except libvirt.libvirtError as error:
    out["error"] = [error.get_error_code(), error.get_error_domain(), error.get_error_message()]
print(json.dumps(out))
""",
        uri,
        DOMAIN.format(name="binding"),
    )
    assert result == {
        "type": "TEST",
        "lib": 12006000,
        "uri": uri,
        "secure": 1,
        "encrypted": 0,
        "alive": 1,
        "cpus": 16,
        "defined": ["binding"],
        "ids": [-1, True, True],
        "info": [1, 65536, 1, [1, 1], 1, 1],
        "same": True,
        "stats": [1],
        "after": [0, 1, ["binding"]],
        "error": [42, 12, "Domain not found: no domain with matching name 'binding'"],
    }


def test_events_through_the_c_binding(uri: str) -> None:
    """New-style registration with the client's own event loop, keepalive running."""
    seen = libvirt_result(
        """
libvirt.virEventRegisterDefaultImpl()
conn = libvirt.open(sys.argv[1])
conn.setKeepAlive(1, 3)
seen = []
conn.domainEventRegisterAny(None, libvirt.VIR_DOMAIN_EVENT_ID_LIFECYCLE,
                            lambda c, dom, event, detail, _: seen.append([dom.name(), event, detail]), None)
conn.registerCloseCallback(lambda *_: None, None)
dom = conn.lookupByName("test")
for step in (dom.suspend, dom.resume, dom.destroy):
    step()
while len(seen) < 3:
    libvirt.virEventRunDefaultImpl()
conn.unregisterCloseCallback()
conn.close()
print(json.dumps(seen))
""",
        uri,
    )
    assert seen == [["test", 3, 0], ["test", 4, 0], ["test", 5, 1]]
