"""Which disks want the managed helper for reservations, and where documents say that it listens."""

from __future__ import annotations

from pathlib import Path

import pytest

from roost.drivers.qemu import plan
from roost.drivers.qemu.held import Held, part_of
from roost.drivers.qemu.live import make_live, without_sockets
from roost.drivers.qemu.plan.reservations import uses_managed, without_socket
from roost.model.domain import Domain, parse
from roost.model.domain.complete import complete
from support import machines

DIRECTORY = Path("/lib/domain-3-x")
SOCKET = f"{DIRECTORY}/pr-helper0.sock"
MANAGED = "<reservations managed='yes'/>"
OWN = "<reservations managed='no'><source type='unix' path='/run/pr.sock' mode='client'/></reservations>"


def disk(reservations: str, target: str = "sda", rest: str = "") -> str:
    return (
        f"<disk type='block' device='lun'><driver name='qemu' type='raw'/><source dev='/dev/{target}'>{reservations}"
        f"</source>{rest}<target dev='{target}' bus='scsi'/></disk>"
    )


def live(*disks: str) -> Domain:
    xml = (
        "<domain type='qemu'><name>x</name><memory unit='MiB'>64</memory><os><type arch='x86_64' machine='pc'>hvm"
        f"</type></os><devices>{''.join(disks)}</devices></domain>"
    )
    return make_live(complete(parse(xml), machines.facts()), 3, DIRECTORY)


@pytest.mark.parametrize(
    ("xml", "wanted"),
    [
        (disk(""), False),
        (disk(OWN), False),
        (disk(MANAGED), True),
        (disk("", rest=f"<mirror type='block' job='copy'><source dev='/dev/m'>{MANAGED}</source></mirror>"), True),
        (
            disk("", rest=f"<backingStore type='block'><format type='raw'/><source dev='/dev/b'>{MANAGED}</source>"
                 "<backingStore/></backingStore>"),
            True,
        ),
    ],
)  # fmt: skip
def test_who_wants_it(xml: str, wanted: bool) -> None:
    document = parse(f"<domain type='qemu'><name>x</name><memory>1</memory><os><type>hvm</type></os><devices>{xml}"
                     "</devices></domain>", live=True)  # fmt: skip
    assert uses_managed(document) is wanted


def test_one_for_all_disks() -> None:
    document = live(disk(MANAGED), disk(MANAGED, "sdb"), disk(OWN, "sdc"))
    caps = machines.capabilities()
    needs = plan.device_needs(document, caps)
    assert needs.reservations == (plan.ReservationsHelper("pr-helper0.sock"),)
    launch = plan.argv(document, caps, plan.Grants(directory=str(DIRECTORY)))
    managers = [word for word in launch.argv if "pr-manager-helper" in word]
    assert [SOCKET in word for word in managers] == [True, False]
    assert plan.device_needs(live(disk(OWN)), caps).reservations == ()


def test_where_it_listens_is_known_while_the_guest_runs() -> None:
    document = live(disk(MANAGED), disk(OWN, "sdb"))
    first, second = (each.source.reservations for each in document.devices.disks)
    assert first is not None
    assert first.source is not None
    assert first.source.path == SOCKET
    assert second is not None
    assert second.source is not None
    assert second.source.path == "/run/pr.sock"
    bare = without_sockets(document, "/lib/")
    held = [each.source.reservations for each in bare.devices.disks]
    assert [each is not None and each.source is None for each in held] == [True, False]
    # What a user has written stays.
    assert without_sockets(document, "/run/") == document
    source = bare.devices.disks[0].source
    assert without_socket(source) is source


def test_it_is_no_part_of_what_a_disk_gives_back() -> None:
    caps = machines.capabilities()
    needs = plan.device_needs(live(disk(MANAGED)), caps)
    held = Held(helpers=(f"{DIRECTORY}/pr-helper.pid", f"{DIRECTORY}/net0-passt.pid"), directory=str(DIRECTORY))
    assert part_of(held, needs, plan.Needs(), ()).helpers == ()
    card = plan.Needs(passts=(plan.Passt("net0", ()),))
    assert part_of(held, card, needs, ()).helpers == (f"{DIRECTORY}/net0-passt.pid",)
