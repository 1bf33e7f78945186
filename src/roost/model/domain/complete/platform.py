"""Defaults of what belongs to the platform: TPMs, shared memory, panic devices, vsocks, random sources."""

from __future__ import annotations

from msgspec.structs import replace

from roost.errors import ConfigUnsupported, From, XmlError
from roost.model.domain.devices.pstore import Pstore
from roost.model.domain.devices.shmem import Shmem, ShmemMsi
from roost.model.domain.devices.small import Panic, RandomBackend, Vsock
from roost.model.domain.devices.tpm import EmulatorTpm, ExternalTpm, PassthroughTpm, Tpm
from roost.model.domain.draft import Draft

#: Bytes of shared memory unless told otherwise.
_SHMEM_SIZE = 4 << 20
_TPM_DEVICE = "/dev/tpm0"


def complete_platform(draft: Draft) -> None:
    """Each device by itself."""
    draft.tpms[:] = [_tpm(draft, tpm) for tpm in draft.tpms]
    draft.shmems[:] = [_shmem(shmem) for shmem in draft.shmems]
    if draft.board.panic_implied and all(panic.model not in (None, draft.board.panic) for panic in draft.panics):
        draft.panics.append(Panic(model=draft.board.panic))
    draft.panics[:] = [_panic(draft, panic) for panic in draft.panics]
    draft.vsock[:] = [_vsock(vsock) for vsock in draft.vsock]
    draft.pstore[:] = [_pstore(draft, pstore) for pstore in draft.pstore]
    for place, rng in enumerate(draft.rngs):
        if isinstance(rng.backend, RandomBackend) and not rng.backend.path:
            draft.rngs[place] = rng = replace(rng, backend=RandomBackend(path="/dev/random"))
        if rng.rate is not None and rng.rate.bytes is None:
            draft.rngs[place] = replace(rng, rate=None)


def reject_duplicate_panics(draft: Draft) -> None:
    """Raises XmlError for two panic devices of one model."""
    models: set[str | None] = set()
    for panic in draft.panics:
        if panic.model in models:
            raise XmlError(
                f"Multiple panic devices with model '{panic.model}'", domain=From.DOMAIN, hint="one of each is enough"
            )
        models.add(panic.model)


def _tpm(draft: Draft, tpm: Tpm) -> Tpm:
    backend = tpm.backend
    model = tpm.model or ("tpm-spapr" if draft.arch.startswith("ppc64") else "tpm-tis")
    if isinstance(backend, PassthroughTpm) and backend.path is None:
        backend = PassthroughTpm(path=_TPM_DEVICE)
    elif isinstance(backend, EmulatorTpm) and backend.version is None:
        modern = model in ("tpm-spapr", "tpm-crb") or draft.arch in ("aarch64", "armv7l")
        backend = replace(backend, version="2.0" if modern else "1.2")
    elif isinstance(backend, ExternalTpm) and backend.mode is None:
        backend = replace(backend, mode="connect")
    if model is tpm.model and backend is tpm.backend:
        return tpm
    return replace(tpm, model=model, backend=backend)


def _shmem(shmem: Shmem) -> Shmem:
    model = shmem.model
    if model != "ivshmem-doorbell" and not shmem.size:
        shmem = replace(shmem, size=_SHMEM_SIZE)
    if model == "ivshmem":
        return replace(shmem, role=None) if shmem.role is not None else shmem
    if shmem.server is None:
        if model == "ivshmem-doorbell":
            raise _wrong_shmem(f"shmem model '{model}' is supported only with server option enabled", "add <server>")
        return shmem
    if model == "ivshmem-plain":
        raise _wrong_shmem(
            f"shmem model '{model}' is supported only with server option disabled", "'ivshmem-doorbell' has a server"
        )
    if shmem.size:
        raise _wrong_shmem(
            f"shmem model '{model}' does not support size setting", "leave <size> out: the server decides"
        )
    msi = shmem.msi or ShmemMsi()
    return shmem if msi.ioeventfd is not None else replace(shmem, msi=replace(msi, ioeventfd=True))


def _wrong_shmem(text: str, hint: str) -> ConfigUnsupported:
    return ConfigUnsupported(text, domain=From.QEMU, hint=hint)


def _panic(draft: Draft, panic: Panic) -> Panic:
    if panic.model is not None:
        return panic
    return replace(panic, model=draft.board.panic)


def _vsock(vsock: Vsock) -> Vsock:
    automatic = vsock.cid_auto if vsock.cid_auto is not None else not vsock.cid
    return replace(vsock, model=vsock.model or "virtio", cid_auto=automatic)


def _pstore(draft: Draft, pstore: Pstore) -> Pstore:
    if pstore.path is not None:
        return pstore
    return replace(pstore, path=f"{draft.facts.nvram_directory}/{draft.domain.name}_PSTORE.raw")


__all__ = ["complete_platform", "reject_duplicate_panics"]
