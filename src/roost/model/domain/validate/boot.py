"""Rules about what the guest boots from and what its firmware tells it: <os>, <sysinfo>, seclabels, namespaces."""

from __future__ import annotations

import re
from typing import Any

from roost.errors import From, InternalError, XmlDetail, XmlError
from roost.model.domain.security import KeyWrapCipher
from roost.model.domain.sysinfo import FwCfgSysinfo, SmbiosSysinfo
from roost.model.domain.validate.rules import Context, Rule, Rules
from roost.xml import tag_of

_DATE = re.compile(r"\s*[+-]?(\d+)/\s*[+-]?(\d+)/\s*([+-]?\d+)")
_MAX_TIMEOUT = 65535


# -- firmware ----------------------------------------------------------------------------------


def _selected(d: Any) -> bool:
    """Whether the image is looked for, not named."""
    return d.os.firmware is not None


def _loader(d: Any, name: str) -> Any:
    return getattr(d.os.loader, name) if d.os.loader is not None else None


def _not_with_selection(name: str, wrong: Any) -> Rule:
    return Rule(
        lambda d, c: _selected(d) and wrong(d),
        f"loader attribute '{name}' cannot be specified when firmware autoselection is enabled",
        f"drop {name}, or firmware='{{d.os.firmware}}'",
        XmlDetail,
        From.DOMAIN,
        about="os.loader",
    )


def _has_variables(d: Any) -> bool:
    return d.os.nvram is not None and (d.os.nvram.path is not None or d.os.nvram.source is not None)


def _nvram_type(d: Any) -> str:
    source = d.os.nvram.source if d.os.nvram is not None else None
    return "file" if source is None else tag_of(source)


#: `{d}` is the document; those of libvirt's common part.
FIRMWARE_RULES = Rules(
    _not_with_selection("readonly", lambda d: _loader(d, "readonly") is not None),
    _not_with_selection("type", lambda d: _loader(d, "type") is not None),
    Rule(
        lambda d, c: _selected(d) and _loader(d, "path"),
        "loader path cannot be specified when firmware autoselection is enabled",
        "drop the path, or firmware='{d.os.firmware}'",
        XmlDetail,
        From.DOMAIN,
        about="os.loader",
    ),
    Rule(
        lambda d, c: _selected(d) and d.os.nvram.template is not None,
        "nvram attribute 'template' cannot be specified when firmware autoselection is enabled",
        "the firmware brings its own; ask for features of it instead",
        XmlDetail,
        From.DOMAIN,
        about="os.nvram",
    ),
    _not_with_selection("secure", lambda d: _loader(d, "secure") is False),
    Rule(
        lambda d, c: _has_variables(d),
        "firmware type '{d.os.firmware}' does not support nvram",
        "drop <nvram>",
        XmlDetail,
        From.DOMAIN,
        about="os.firmware=bios",
    ),
    Rule(
        lambda d, c: not _selected(d),
        "cannot use feature-based firmware autoselection when firmware autoselection is disabled",
        "<os firmware='efi'>",
        XmlDetail,
        From.DOMAIN,
        about="os.firmware_features",
    ),
    Rule(
        lambda d, c: (
            not _selected(d) and (d.os.loader is not None or d.os.nvram is not None) and not _loader(d, "path")
        ),
        "no loader path specified and firmware auto selection disabled",
        "<os firmware='efi'> looks for one",
        XmlDetail,
        From.DOMAIN,
    ),
    Rule(
        lambda d, c: _loader(d, "stateless") and d.os.nvram is not None and d.os.nvram.template is not None,
        "NVRAM template is not permitted when loader is stateless",
        "drop <nvram>",
        XmlDetail,
        From.DOMAIN,
        about="os.nvram",
    ),
    Rule(
        lambda d, c: _loader(d, "stateless") and _has_variables(d),
        "NVRAM is not permitted when loader is stateless",
        "drop <nvram>",
        XmlDetail,
        From.DOMAIN,
        about="os.nvram",
    ),
    Rule(
        lambda d, c: _loader(d, "stateless") is False and not _selected(d) and _loader(d, "type") != "pflash",
        "Only pflash loader type permits NVRAM",
        "type='pflash'",
        XmlDetail,
        From.DOMAIN,
        about="os.loader",
    ),
    Rule(
        lambda d, c: _loader(d, "stateless") is False and d.os.firmware == "bios",
        "Only EFI firmware permits NVRAM",
        "<os firmware='efi'>",
        XmlDetail,
        From.DOMAIN,
        about="os.loader",
    ),
    Rule(
        lambda d, c: (d.os.bootmenu_timeout or 0) > _MAX_TIMEOUT,
        "invalid value for boot menu timeout, must be in range [0,65535]",
        "milliseconds",
        origin=From.DOMAIN,
    ),
)

#: `{d}` is the document; those of the QEMU driver.
BOOT_RULES = Rules(
    Rule(
        lambda d, c: _loader(d, "secure") and not c.is_q35,
        "Secure boot is supported with q35 machine types only",
        "<type machine='q35'>",
        about="os.loader",
    ),
    Rule(
        lambda d, c: _loader(d, "secure") and d.os.arch != "x86_64",
        "Secure boot is supported for x86_64 architecture only",
        "<type arch='x86_64'>",
        about="os.loader",
    ),
    Rule(
        lambda d, c: _loader(d, "secure") and not _selected(d) and not (d.features is not None and d.features.smm),
        "Secure boot requires SMM feature enabled",
        "add <features><smm state='on'/></features>",
        about="os.loader",
    ),
    Rule(
        lambda d, c: _nvram_type(d) not in ("file", "block", "network"),
        "unsupported nvram disk type '{d.os.nvram.source.__struct_config__.tag}'",
        "'file', 'block' or 'network'",
        about="os.nvram",
    ),
)


# -- sysinfo -----------------------------------------------------------------------------------


def _entries(d: Any, kind: type) -> Any:
    return [entry for info in d.sysinfo if isinstance(info, kind) for entry in getattr(info, "entries", ())]


def _bad_date(d: Any) -> bool:
    for info in d.sysinfo:
        for entry in info.bios if isinstance(info, SmbiosSysinfo) else ():
            if entry.name == "date":
                found = _DATE.fullmatch(entry.value or "")
                if found is None:
                    return True
                month, day, year = (int(number) for number in found.groups())
                return not (1 <= month <= 12 and 1 <= day <= 31 and (0 <= year <= 99 or year >= 1900))
    return False


def _other_uuid(d: Any) -> bool:
    uuids = [entry.value for info in d.sysinfo for entry in getattr(info, "system", ()) if entry.name == "uuid"]
    return any(uuid != d.uuid for uuid in uuids)


SYSINFO_RULES = Rules(
    Rule(
        lambda d, c: _bad_date(d), "Invalid BIOS 'date' format", "mm/dd/yyyy", XmlDetail, From.DOMAIN, about="sysinfo"
    ),
    Rule(
        lambda d, c: _other_uuid(d),
        "UUID mismatch between <uuid> and <sysinfo>",
        "the entry 'uuid' of <system> must be {d.uuid}",
        XmlDetail,
        From.DOMAIN,
        about="sysinfo",
    ),
    Rule(
        lambda d, c: any(not entry.value and entry.file is None for entry in _entries(d, FwCfgSysinfo)),
        "Firmware entry must have either value or 'file' attribute",
        "<entry name='opt/…'>text</entry>",
        XmlError,
        From.DOMAIN,
        about="sysinfo",
    ),
    Rule(
        lambda d, c: any(not entry.name.startswith("opt/") for entry in _entries(d, FwCfgSysinfo)),
        "Invalid firmware name",
        "names begin with opt/",
        about="sysinfo",
    ),
    Rule(
        lambda d, c: any(entry.name.startswith(("opt/ovmf/", "opt/org.qemu/")) for entry in _entries(d, FwCfgSysinfo)),
        "That firmware name is reserved",
        "opt/ovmf/ and opt/org.qemu/ are QEMU's own; choose another, such as opt/com.example/",
        about="sysinfo",
    ),
)


# -- security ----------------------------------------------------------------------------------


#: `{d}` is one <seclabel>.
SECLABEL_RULES = Rules(
    Rule(
        lambda d, c: d.relabel is False,
        "dynamic label type must use resource relabeling",
        "drop relabel='no', or type='static'",
        origin=From.DOMAIN,
        about="type=dynamic",
    ),
    Rule(
        lambda d, c: d.relabel,
        "resource relabeling is not compatible with 'none' label type",
        "drop relabel='yes'",
        origin=From.DOMAIN,
        about="type=none",
    ),
    Rule(
        lambda d, c: not d.label,
        "security label is missing",
        "<label>…</label>",
        XmlError,
        From.DOMAIN,
        about="type=static",
    ),
    Rule(
        lambda d, c: sum(other.model == d.model for other in c.domain.seclabels) > 1,
        "seclabel for model {d.model} is already provided",
        "one for each model",
        XmlDetail,
        From.DOMAIN,
        about="model",
    ),
    Rule(
        lambda d, c: d.model is None and len(c.domain.seclabels) > 1,
        "missing security model when using multiple labels",
        "model='dac', for instance",
        XmlError,
        From.DOMAIN,
    ),
    Rule(
        lambda d, c: d.model is None,
        "missing security model in domain seclabel",
        "model='dac', for instance",
        XmlError,
        From.DOMAIN,
    ),
)


def _ciphers(c: Context) -> tuple[KeyWrapCipher, ...]:
    return c.domain.keywrap.ciphers if c.domain.keywrap is not None else ()


#: `{d}` is one <cipher>.
KEYWRAP_RULES = Rules(
    Rule(
        lambda d, c: sum(other.name == d.name for other in _ciphers(c)) > 1,
        "A domain definition can have no more than one cipher node with name {d.name}",
        "keep one",
        InternalError,
        From.DOMAIN,
    ),
)

_PROTECTIONS = (("sev", "SEV"), ("sev-snp", "SEV SNP"), ("s390-pv", "S390 PV"), ("tdx", "Intel TDX"))


def _unprotected(kind: str, called: str) -> Rule:
    return Rule(
        lambda d, c: tag_of(d) == kind and kind not in c.facts.protections,
        f"{called} launch security is not supported with this QEMU binary",
        "the host's processor, its kernel and QEMU must all have it",
    )


#: `{d}` is <launchSecurity>.
LAUNCH_SECURITY_RULES = Rules(*(_unprotected(*each) for each in _PROTECTIONS))


# -- the namespace of QEMU ---------------------------------------------------------------------


def _bad_value(d: Any, c: Context) -> bool:
    if d.type == "bool":
        return d.value not in ("true", "false")
    if d.type in ("signed", "unsigned"):
        return _NUMBER[d.type].fullmatch(d.value) is None
    return False


_NUMBER = {"signed": re.compile(r"\s*[+-]?\d+"), "unsigned": re.compile(r"\s*\+?\d+")}

#: `{d}` is one <qemu:property>.
PROPERTY_RULES = Rules(
    Rule(
        lambda d, c: d.name == "id",
        "property with name 'id' can't be overridden",
        "give the device an alias of your own, <alias name='ua-…'/>",
        XmlError,
        about="name",
    ),
    Rule(
        lambda d, c: d.value is None and d.type != "remove",
        "missing 'value' attribute for 'qemu:property'",
        "value='…', or type='remove'",
        XmlError,
    ),
    Rule(
        lambda d, c: d.type != "remove" and _bad_value(d, c),
        "invalid value '{d.value}' of 'value' attribute of 'qemu:property'",
        "a value of type {d.type}",
        XmlError,
        about="value",
    ),
    Rule(
        lambda d, c: d.type == "remove",
        "setting 'value' attribute of 'qemu:property' doesn't make sense with 'remove' type",
        "drop the value",
        XmlError,
        about="value",
    ),
)

__all__ = [
    "BOOT_RULES", "FIRMWARE_RULES", "KEYWRAP_RULES", "LAUNCH_SECURITY_RULES", "PROPERTY_RULES", "SECLABEL_RULES",
    "SYSINFO_RULES",
]  # fmt: skip
