"""What a plan asks of a QEMU binary's capabilities."""

from __future__ import annotations

from typing import Protocol


class Machine(Protocol):
    """A machine type, as query-machines tells it."""

    @property
    def name(self) -> str:
        """The canonical name: `pc-i440fx-7.2` for `pc`."""
        ...

    @property
    def numa_memory(self) -> bool:
        """Whether the board itself can divide its memory among NUMA nodes."""
        ...

    @property
    def default_ram_id(self) -> str | None:
        """The id of the board's memory backend (`pc.ram`); None: the board takes no backend."""
        ...


class Capabilities(Protocol):
    @property
    def version(self) -> tuple[int, int, int]: ...

    @property
    def binary(self) -> str: ...

    @property
    def arch(self) -> str:
        """libvirt's name of the emulated architecture: `x86_64`."""
        ...

    def has(self, name: str) -> bool:
        """Whether the binary knows something, as QMP tells.

        name: `virtio-blk-pci` a device or object type, `virtio-blk-pci.queue-size`
        a property of it, `command:blockdev-add` a QMP command, `option:sandbox`
        an option of the command line, `audiodev:none` a member of a QAPI union
        or enum where named so.
        """
        ...

    def machine(self, name: str) -> Machine | None:
        """The machine type of that name or alias."""
        ...
