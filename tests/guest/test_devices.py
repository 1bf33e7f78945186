"""Which devices of the host a running guest's QEMU may open."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import stat
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from roost.host.linux import bpf
from support.daemon import RoostDaemon
from support.groups import groups_of, hierarchies
from support.loops import loop_device
from support.peer import propagation, virsh, virsh_ok

pytestmark = [pytest.mark.groups, pytest.mark.guest, pytest.mark.root]

NAME = f"opens{os.getpid()}"
XML = """<domain type='qemu'><name>{name}</name><memory unit='MiB'>32</memory><vcpu>1</vcpu>
<os><type arch='x86_64' machine='pc'>hvm</type></os><devices><controller type='scsi' model='virtio-scsi'/>
<disk type='block'><driver name='qemu' type='raw'/><source dev='{device}'/><target dev='sda' bus='scsi'/></disk>
</devices></domain>"""
DISK = (
    "<disk type='block' device='{kind}'><driver name='qemu' type='raw'/><source dev='{device}'/>"
    "<target dev='{target}' bus='scsi'/>{more}</disk>"
)


class Places:
    """Three devices that everybody may open, as far as permission bits go, and a directory."""

    def __init__(self, stack: ExitStack) -> None:
        # Not pytest's own directory: QEMU's user must be able to enter.
        self.directory = Path(tempfile.mkdtemp(prefix="roost-opens-", dir="/tmp"))
        self.directory.chmod(0o755)
        stack.callback(shutil.rmtree, self.directory)
        self.loops = [loop_device(stack, self.directory / str(number), 1) for number in range(3)]
        for loop in self.loops:
            before = loop.stat()
            loop.chmod(0o666)
            stack.callback(os.chown, loop, before.st_uid, before.st_gid)
            stack.callback(loop.chmod, stat.S_IMODE(before.st_mode))

    def document(self) -> str:
        path = self.directory / "guest.xml"
        path.write_text(XML.format(name=NAME, device=self.loops[0]))
        return str(path)

    def disk(self, device: Path, target: str, *, kind: str = "disk", more: str = "") -> str:
        path = self.directory / f"{target}.xml"
        path.write_text(DISK.format(kind=kind, device=device, target=target, more=more))
        return str(path)


@pytest.fixture
def places() -> Iterator[Places]:
    with ExitStack() as stack:
        yield Places(stack)


def rule(path: Path, access: str) -> str:
    numbers = path.stat().st_rdev
    return f"b {os.major(numbers)}:{os.minor(numbers)} {access}"


def group_of(daemon: RoostDaemon, hierarchy: str) -> Path | None:
    pid = int(next(daemon.root.rglob(f"{NAME}.pid")).read_text())
    root = hierarchies()[hierarchy]
    return next((group for group in groups_of([pid]) if group.is_relative_to(root)), None)


def allowed(daemon: RoostDaemon) -> set[str]:
    group = group_of(daemon, "devices")
    assert group is not None
    return set((group / "devices.list").read_text().splitlines())


def needs_first_version() -> None:
    if not os.access(hierarchies().get("devices", "/missing"), os.W_OK):
        pytest.skip("no devices controller of version 1 here")


def opened(uri: str, path: Path, *, readonly: bool = True) -> str:
    """What QEMU says to opening a device; "" when it has."""
    add = {"driver": "host_device", "filename": str(path), "node-name": "tried", "read-only": readonly}
    words = ("qemu-monitor-command", NAME)
    answer = json.loads(virsh_ok(uri, *words, json.dumps({"execute": "blockdev-add", "arguments": add})))
    if "error" in answer:
        return str(answer["error"]["desc"])
    remove = {"execute": "blockdev-del", "arguments": {"node-name": "tried"}}
    assert "error" not in json.loads(virsh_ok(uri, *words, json.dumps(remove)))
    return ""


def test_a_device_that_no_document_names(places: Places) -> None:
    needs_first_version()
    with RoostDaemon() as daemon:
        virsh_ok(daemon.uri, "create", places.document(), "--paused")
        found = allowed(daemon)
        assert {rule(places.loops[0], "rw"), "c 1:3 rw", "c 136:* rw", "c 5:2 rw"} <= found
        assert "Operation not permitted" in opened(daemon.uri, places.loops[1])
        readonly = places.disk(places.loops[1], "sdb", more="<readonly/>")
        virsh_ok(daemon.uri, "attach-device", NAME, readonly)
        assert allowed(daemon) == found | {rule(places.loops[1], "r")}
        assert opened(daemon.uri, places.loops[1]) == ""
        assert "Operation not permitted" in opened(daemon.uri, places.loops[1], readonly=False)
        virsh_ok(daemon.uri, "detach-disk", NAME, "sdb")
        assert allowed(daemon) == found
        assert "Operation not permitted" in opened(daemon.uri, places.loops[1])
        virsh_ok(daemon.uri, "destroy", NAME)


def test_a_device_stays_as_long_as_one_disk_has_it(places: Places) -> None:
    needs_first_version()
    link = places.directory / "link"
    link.symlink_to(places.loops[1])
    with RoostDaemon() as daemon:
        virsh_ok(daemon.uri, "create", places.document(), "--paused")
        before = allowed(daemon)
        written = places.disk(places.loops[1], "sdb", more="<shareable/>")
        virsh_ok(daemon.uri, "attach-device", NAME, written)
        virsh_ok(daemon.uri, "attach-device", NAME, places.disk(link, "sdc", more="<shareable/>"))
        assert allowed(daemon) == before | {rule(places.loops[1], "rw")}
        virsh_ok(daemon.uri, "detach-disk", NAME, "sdb")
        assert allowed(daemon) == before | {rule(places.loops[1], "rw")}
        virsh_ok(daemon.uri, "detach-disk", NAME, "sdc")
        assert allowed(daemon) == before
        virsh_ok(daemon.uri, "destroy", NAME)


def test_a_failed_attach_leaves_the_list_as_it_was(places: Places) -> None:
    needs_first_version()
    with RoostDaemon() as daemon:
        virsh_ok(daemon.uri, "create", places.document(), "--paused")
        before = allowed(daemon)
        wrong = places.disk(places.loops[1], "sdb")
        Path(wrong).write_text(Path(wrong).read_text().replace("type='raw'", "type='vdi'"))
        assert "unable to execute QEMU command" in virsh(daemon.uri, "attach-device", NAME, wrong).stderr
        assert allowed(daemon) == before
        # Its own device once more is refused, and still its own.
        again = places.disk(places.loops[0], "sdc", more="<shareable/>")
        assert 'Failed to get "write" lock' in virsh(daemon.uri, "attach-device", NAME, again).stderr
        assert allowed(daemon) == before
        virsh_ok(daemon.uri, "destroy", NAME)


def test_a_guest_whose_partition_may_not_use_its_devices(places: Places) -> None:
    needs_first_version()
    partition = hierarchies()["devices"] / f"{NAME}.partition"
    partition.mkdir()
    try:
        (partition / "devices.deny").write_text("b *:* rwm")
        document = Path(places.document())
        named = f"<resource><partition>/{NAME}</partition></resource><vcpu>"
        document.write_text(document.read_text().replace("<vcpu>", named))
        with RoostDaemon() as daemon:
            refused = virsh(daemon.uri, "create", str(document)).stderr
            assert "devices.allow': Operation not permitted" in refused
            numbers = rule(places.loops[0], "rw").removesuffix(" rw")
            assert f"for the device '{places.loops[0]}' ({numbers} rw): the group above may not use it" in refused
            assert not [found for found in partition.iterdir() if found.is_dir()]
    finally:
        for root in set(hierarchies().values()):
            with contextlib.suppress(FileNotFoundError):
                (root / partition.name).rmdir()


def test_a_medium_upon_the_one_before(places: Places) -> None:
    """What is out is given back before what comes in is opened: both have the same device."""
    with RoostDaemon() as daemon:
        virsh_ok(daemon.uri, "create", places.document(), "--paused")
        virsh_ok(daemon.uri, "attach-device", NAME, places.disk(places.loops[1], "sdb", kind="cdrom"))
        image = places.directory / "overlay"
        make = ["qemu-img", "create", "-q", "-f", "qcow2", "-b", str(places.loops[1]), "-F", "raw", str(image)]
        subprocess.run(make, check=True)
        image.chmod(0o666)
        medium = places.directory / "sdb.xml"
        medium.write_text(
            f"<disk type='file' device='cdrom'><driver name='qemu' type='qcow2'/><source file='{image}'/>"
            "<target dev='sdb' bus='scsi'/></disk>"
        )
        virsh_ok(daemon.uri, "update-device", NAME, str(medium))
        assert f"<source dev='{places.loops[1]}'" in virsh_ok(daemon.uri, "dumpxml", NAME)
        virsh_ok(daemon.uri, "destroy", NAME)


def test_a_new_daemon_knows_what_was_allowed(places: Places) -> None:
    needs_first_version()
    with RoostDaemon() as daemon:
        virsh_ok(daemon.uri, "create", places.document(), "--paused")
        before = allowed(daemon)
        virsh_ok(daemon.uri, "attach-device", NAME, places.disk(places.loops[1], "sdb"))
        daemon.kill()
        daemon.start()
        assert allowed(daemon) == before | {rule(places.loops[1], "rw")}
        daemon.kill()
        # As if it had died before the kernel was told of the one, and after something else had left.
        group = group_of(daemon, "devices")
        assert group is not None
        (group / "devices.deny").write_text(rule(places.loops[1], "rw"))
        (group / "devices.allow").write_text(rule(places.loops[2], "rw"))
        daemon.start()
        # Changes wait until the guest has been taken up again.
        virsh_ok(daemon.uri, "schedinfo", NAME, "--set", "cpu_shares=500", "--live")
        assert allowed(daemon) == before | {rule(places.loops[1], "rw")}
        virsh_ok(daemon.uri, "detach-disk", NAME, "sdb")
        assert allowed(daemon) == before
        virsh_ok(daemon.uri, "destroy", NAME)


def test_the_administrator_says_which_devices(places: Places) -> None:
    needs_first_version()
    configuration = 'cgroup_device_acl = [\n  "/dev/null", # always\n  "/dev/fuse", "/dev/missing",\n]\n'
    with RoostDaemon() as daemon:
        directory = daemon.root / "etc"
        (directory / "qemu.conf").write_text(configuration)
        daemon.kill()
        daemon.start()
        virsh_ok(daemon.uri, "create", places.document(), "--paused")
        assert allowed(daemon) == {rule(places.loops[0], "rw"), "c 1:3 rw", "c 10:229 rw", "c 136:* rw"}
        virsh_ok(daemon.uri, "destroy", NAME)
        (directory / "qemu.conf").write_text('cgroup_controllers = [ "cpu", "memory" ]\n')
        daemon.kill()
        daemon.start()
        virsh_ok(daemon.uri, "create", places.document(), "--paused")
        assert group_of(daemon, "devices") is None
        assert group_of(daemon, "memory") is not None
        assert opened(daemon.uri, places.loops[1]) == ""
        virsh_ok(daemon.uri, "attach-device", NAME, places.disk(places.loops[1], "sdb"))
        virsh_ok(daemon.uri, "detach-disk", NAME, "sdb")
        virsh_ok(daemon.uri, "destroy", NAME)


def test_by_a_program_of_the_second_version(places: Places) -> None:
    root = hierarchies().get("")
    if root is None or not bpf.is_available(root):
        pytest.skip("no control groups of version 2 here")
    hide = ("unshare", "--mount", *propagation(), "sh", "-c", 'umount -l /sys/fs/cgroup/devices; exec "$@"', "sh")
    with RoostDaemon(prefix=hide) as daemon:
        virsh_ok(daemon.uri, "create", places.document(), "--paused")
        group = group_of(daemon, "")
        assert group is not None
        assert opened(daemon.uri, places.loops[0], readonly=True) == ""
        assert "Operation not permitted" in opened(daemon.uri, places.loops[1])
        virsh_ok(daemon.uri, "attach-device", NAME, places.disk(places.loops[1], "sdb"))
        assert opened(daemon.uri, places.loops[1]) == ""
        daemon.kill()
        daemon.start()
        assert opened(daemon.uri, places.loops[1]) == ""
        assert "Operation not permitted" in opened(daemon.uri, places.loops[2])
        virsh_ok(daemon.uri, "detach-disk", NAME, "sdb")
        assert "Operation not permitted" in opened(daemon.uri, places.loops[1])
        assert opened(daemon.uri, places.loops[0]) == ""
        virsh_ok(daemon.uri, "destroy", NAME)
        assert not group.exists()


def test_images_that_jobs_write_to_where_files_stay_their_owners(places: Places) -> None:
    needs_first_version()
    with RoostDaemon() as daemon:
        (daemon.root / "etc" / "qemu.conf").write_text("dynamic_ownership = 0\n")
        daemon.kill()
        daemon.start()
        virsh_ok(daemon.uri, "create", places.document(), "--paused")
        before = allowed(daemon)
        copy = ("blockcopy", NAME, "sda", str(places.loops[1]), "--blockdev", "--format", "raw", "--reuse-external")
        virsh_ok(daemon.uri, *copy, "--transient-job")
        assert allowed(daemon) == before | {rule(places.loops[1], "rw")}
        virsh_ok(daemon.uri, "blockjob", NAME, "sda", "--abort")
        assert allowed(daemon) == before
        virsh_ok(daemon.uri, "destroy", NAME)
