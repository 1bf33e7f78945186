"""Guests whose memory the host cannot read, and the keys it wraps for them."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

from roost.drivers.qemu.plan.context import Context
from roost.drivers.qemu.plan.pieces import Piece, Props, compact, on_off
from roost.drivers.qemu.plan.resources import Made
from roost.errors import ConfigUnsupported, From
from roost.model.domain.security import (
    AnyLaunchSecurity,
    S390PvSecurity,
    SevSecurity,
    SevSnpSecurity,
    TdxSecurity,
)

_ID = "lsec0"


def _sev(security: SevSecurity, ctx: Context) -> Props:
    directory = ctx.grants.directory
    return {
        "cbitpos": security.cbitpos or 0,
        "reduced-phys-bits": security.reduced_phys_bits or 0,
        "policy": security.policy,
        "dh-cert-file": f"{directory}/dh_cert.base64" if security.dh_cert else None,
        "session-file": f"{directory}/session.base64" if security.session else None,
        "kernel-hashes": security.kernel_hashes,
    }


def _sev_snp(security: SevSnpSecurity, ctx: Context) -> Props:
    return {
        "cbitpos": security.cbitpos or 0,
        "reduced-phys-bits": security.reduced_phys_bits or 0,
        "policy": security.policy,
        "guest-visible-workarounds": security.guest_visible_workarounds,
        "id-block": security.id_block,
        "id-auth": security.id_auth,
        "host-data": security.host_data,
        "kernel-hashes": security.kernel_hashes,
        "author-key-enabled": security.author_key,
        "vcek-disabled": None if security.vcek is None else not security.vcek,
    }


def _s390_pv(security: S390PvSecurity, ctx: Context) -> Props:
    return {}


def _tdx(security: TdxSecurity, ctx: Context) -> Props:
    quotes = None if security.quotes is None else {"type": "unix", "path": security.quotes}
    return {
        "attributes": security.policy,
        "mrconfigid": security.mr_config_id,
        "mrowner": security.mr_owner,
        "mrownerconfig": security.mr_owner_config,
        "quote-generation-socket": quotes,
    }


#: By the document's type: QEMU's object, what libvirt calls it in its refusals, the object's properties.
_OBJECTS: Mapping[type, tuple[str, str, Callable[[Any, Context], Props]]] = {
    SevSecurity: ("sev-guest", "SEV", _sev),
    SevSnpSecurity: ("sev-snp-guest", "SEV SNP", _sev_snp),
    S390PvSecurity: ("s390-pv-guest", "S390 PV", _s390_pv),
    TdxSecurity: ("tdx-guest", "TDX", _tdx),
}


def needs(ctx: Context) -> Iterator[Made]:
    """What the owner of a SEV guest has sent, as files."""
    security = ctx.domain.launch_security
    if isinstance(security, SevSecurity):
        for name, text in (("dh_cert.base64", security.dh_cert), ("session.base64", security.session)):
            if text:
                yield Made(name, text=text)


def machine_words(ctx: Context) -> Iterator[str]:
    if ctx.domain.launch_security is not None:
        yield f"confidential-guest-support={_ID}"


def section(ctx: Context) -> Iterator[Piece]:
    security: AnyLaunchSecurity | None = ctx.domain.launch_security
    if security is None:
        return
    name, called, properties = _OBJECTS[type(security)]
    if not ctx.caps.has(name):
        raise ConfigUnsupported(
            f"{called} launch security is not supported with this QEMU binary",
            domain=From.QEMU,
            hint=f"it has no object '{name}'",
        )
    yield Piece("object", compact({"qom-type": name, "id": _ID, **properties(security, ctx)}))


def keywrap_words(ctx: Context) -> Iterator[str]:
    keywrap = ctx.domain.keywrap
    if keywrap is not None and keywrap.ciphers and not (ctx.domain.os.arch or "").startswith("s390"):
        raise ConfigUnsupported(
            f"{keywrap.ciphers[0].name}-key-wrap is not available with this QEMU binary",
            domain=From.QEMU,
            hint="only s390x machines wrap keys; drop <keywrap>",
        )
    for cipher in keywrap.ciphers if keywrap is not None else ():
        yield f"{cipher.name}-key-wrap={on_off(cipher.state)}"
