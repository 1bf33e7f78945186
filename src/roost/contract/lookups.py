"""What one driver asks of another: volumes of storage pools, values of secrets, bridges of networks, filters.

Until a driver for them is there, none of either exists.
"""

from __future__ import annotations

from typing import NamedTuple

from roost.errors import From, InternalError, NoNetwork, NoSecret, NoStoragePool
from roost.model.domain.devices.disk import AnyDiskSource


class VolumeLookup:
    """The storage driver, as a guest's start sees it."""

    async def source(self, pool: str, volume: str, mode: str | None) -> AnyDiskSource:
        """Where a volume is: a file, a block device, a directory or an image at a server.

        mode: for iSCSI, `host` for the host's device, `direct` for the server.
        Raises NoStoragePool, NoStorageVol, and OperationInvalid for a pool that is not active.
        """
        raise NoStoragePool(
            f"no storage pool with matching name '{pool}'",
            domain=From.STORAGE,
            hint="no storage driver is here yet; name the file or block device instead of the volume",
        )


class SecretLookup:
    """The secret driver, as a guest's start sees it."""

    async def value(self, kind: str, *, uuid: str | None = None, usage: str | None = None) -> bytes:
        """The value of a secret, by its UUID or by its kind (volume, ceph, iscsi, tls, vtpm) and usage.

        Raises NoSecret for one that is not defined or has no value.
        """
        what = f"uuid '{uuid}'" if uuid is not None else f"usage '{usage}'"
        raise NoSecret(
            f"no secret with matching {what}", domain=From.SECRET, hint=f"of kind {kind}; no secret driver is here yet"
        )


class NetworkLookup:
    """The network driver, as a guest's start sees it."""

    async def bridge(self, network: str, portgroup: str | None) -> str:
        """The bridge of the host that a network's guests are connected to.

        Raises NoNetwork, and OperationInvalid for a network that is not active.
        """
        raise NoNetwork(
            f"no network with matching name '{network}'",
            domain=From.NETWORK,
            hint="no network driver is here yet; connect to a bridge with <interface type='bridge'>",
        )


class FilterLookup:
    """The network filter driver, as a guest's start sees it."""

    async def require(self, name: str) -> None:
        """Raises InternalError for a filter that is not there: no guest runs without the protection it was given."""
        raise InternalError(
            f"referenced filter '{name}' is missing",
            domain=From.NWFILTER,
            hint="no filter driver is here yet; drop <filterref>, and protect the bridge by rules of the host",
        )


class Lookups(NamedTuple):
    """Whom the hypervisor driver asks."""

    volumes: VolumeLookup = VolumeLookup()
    secrets: SecretLookup = SecretLookup()
    networks: NetworkLookup = NetworkLookup()
    filters: FilterLookup = FilterLookup()


__all__ = ["FilterLookup", "Lookups", "NetworkLookup", "SecretLookup", "VolumeLookup"]
