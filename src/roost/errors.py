"""The error tree: one class per libvirt error code.

Raised where the cause is known, encoded once, in the dispatcher, and rebuilt by
the client with `from_wire`. Codes, domains and the leading words of each
message are libvirt's, because clients and users search for them. Dry: imports
nothing, and must stay cheap, since the command line loads it.
"""

from __future__ import annotations


class From:
    """Which part of the system reports: libvirt's error domains."""

    NONE = 0
    XEN = 1
    XEND = 2
    XENSTORE = 3
    SEXPR = 4
    XML = 5
    DOM = 6
    RPC = 7
    PROXY = 8
    CONF = 9
    QEMU = 10
    NET = 11
    TEST = 12
    REMOTE = 13
    OPENVZ = 14
    XENXM = 15
    STATS_LINUX = 16
    LXC = 17
    STORAGE = 18
    NETWORK = 19
    DOMAIN = 20
    UML = 21
    NODEDEV = 22
    XEN_INOTIFY = 23
    SECURITY = 24
    VBOX = 25
    INTERFACE = 26
    ONE = 27
    ESX = 28
    PHYP = 29
    SECRET = 30
    CPU = 31
    XENAPI = 32
    NWFILTER = 33
    HOOK = 34
    DOMAIN_SNAPSHOT = 35
    AUDIT = 36
    SYSINFO = 37
    STREAMS = 38
    VMWARE = 39
    EVENT = 40
    LIBXL = 41
    LOCKING = 42
    HYPERV = 43
    CAPABILITIES = 44
    URI = 45
    AUTH = 46
    DBUS = 47
    PARALLELS = 48
    DEVICE = 49
    SSH = 50
    LOCKSPACE = 51
    INITCTL = 52
    IDENTITY = 53
    CGROUP = 54
    ACCESS = 55
    SYSTEMD = 56
    BHYVE = 57
    CRYPTO = 58
    FIREWALL = 59
    POLKIT = 60
    THREAD = 61
    ADMIN = 62
    LOGGING = 63
    XENXL = 64
    PERF = 65
    LIBSSH = 66
    RESCTRL = 67
    FIREWALLD = 68
    DOMAIN_CHECKPOINT = 69
    TPM = 70
    BPF = 71
    CH = 72


#: Error levels on the wire.
WARNING, ERROR = 1, 2


class RoostError(Exception):
    """An error with a libvirt code.

    detail: what was wrong; it fills the class's template.
    domain: one of `From`. Left None, the dispatcher fills in the domain of
        the driver that raised it.
    hint: what would be right; it follows the message after a semicolon.
    verbatim: the detail is the whole message, as in the errors that libvirt's
        public calls raise about their own arguments.
    int1, int2, str1 .. str3: the further fields of the wire record. By
        libvirt's convention str1 is the template and str2 the detail.
    """

    code: int = 1
    bare: str = "internal error"
    detailed: str = ""

    def __init__(
        self,
        detail: str = "",
        *,
        domain: int | None = None,
        hint: str = "",
        verbatim: bool = False,
        level: int = ERROR,
        int1: int = -1,
        int2: int = -1,
        str1: str | None = None,
        str2: str | None = None,
        str3: str | None = None,
    ) -> None:
        template = "%s" if verbatim else self.detailed or self.bare + ": %s"
        message = template.replace("%s", detail, 1) if detail else self.bare
        super().__init__(f"{message}; {hint}" if hint else message)
        self.detail = detail
        self.domain = domain
        self.hint = hint
        self.level = level
        self.int1 = int1
        self.int2 = int2
        self.str1 = str1 if str1 is not None else (template if detail else self.bare)
        self.str2 = str2 if str2 is not None else (detail or None)
        self.str3 = str3

    @property
    def message(self) -> str:
        """The whole text as clients print it."""
        return str(self.args[0])

    @classmethod
    def from_wire(
        cls,
        code: int,
        domain: int,
        message: str | None,
        level: int = ERROR,
        str1: str | None = None,
        str2: str | None = None,
        str3: str | None = None,
        int1: int = -1,
        int2: int = -1,
    ) -> RoostError:
        """The inverse of encoding: the class for `code`, with `message` kept as sent."""
        error = BY_CODE.get(code, RoostError)(
            domain=domain, level=level, int1=int1, int2=int2, str1=str1, str2=str2, str3=str3
        )
        error.code = code
        error.detail = str2 or ""
        error.args = (message or error.bare,)
        return error


class InternalError(RoostError):
    code, bare = 1, "internal error"


class OutOfMemory(RoostError):
    code, bare = 2, "out of memory"


class NoSupport(RoostError):
    code, bare = 3, "this function is not supported by the connection driver"


class UnknownHost(RoostError):
    code, bare = 4, "unknown host"
    detailed = "unknown host %s"


class NoConnect(RoostError):
    code, bare = 5, "no connection driver available"
    detailed = "no connection driver available for %s"


class InvalidConn(RoostError):
    code, bare = 6, "invalid connection pointer in"
    detailed = "invalid connection pointer in %s"


class InvalidDomain(RoostError):
    code, bare = 7, "invalid domain pointer in"
    detailed = "invalid domain pointer in %s"


class InvalidArg(RoostError):
    code, bare = 8, "invalid argument"


class OperationFailed(RoostError):
    code, bare = 9, "operation failed"


class GetFailed(RoostError):
    code, bare = 10, "GET operation failed"


class PostFailed(RoostError):
    code, bare = 11, "POST operation failed"


class HttpError(RoostError):
    code, bare = 12, "got unknown HTTP error code"
    detailed = "got unknown HTTP error code %s"


class SexprSerial(RoostError):
    code, bare = 13, "failed to serialize S-Expr"


class NoXen(RoostError):
    code, bare = 14, "could not use Xen hypervisor entry"
    detailed = "could not use Xen hypervisor entry %s"


class XenCall(RoostError):
    code, bare = 15, "failed Xen syscall"
    detailed = "failed Xen syscall %s"


class OsType(RoostError):
    code, bare = 16, "unknown OS type"
    detailed = "unknown OS type %s"


class NoKernel(RoostError):
    code, bare = 17, "missing kernel information"


class NoRoot(RoostError):
    code, bare = 18, "missing root device information"
    detailed = "missing root device information in %s"


class NoSource(RoostError):
    code, bare = 19, "missing source information for device"
    detailed = "missing source information for device %s"


class NoTarget(RoostError):
    code, bare = 20, "missing target information for device"
    detailed = "missing target information for device %s"


class NoName(RoostError):
    code, bare = 21, "missing name information"
    detailed = "missing name information in %s"


class NoOs(RoostError):
    code, bare = 22, "missing operating system information"
    detailed = "missing operating system information for %s"


class NoDevice(RoostError):
    code, bare = 23, "missing devices information"
    detailed = "missing devices information for %s"


class NoXenstore(RoostError):
    code, bare = 24, "could not connect to Xen Store"
    detailed = "could not connect to Xen Store %s"


class DriverFull(RoostError):
    code, bare = 25, "too many drivers registered"
    detailed = "too many drivers registered in %s"


class CallFailed(RoostError):
    code, bare = 26, "library call failed"


class XmlError(RoostError):
    code, bare = 27, "XML description is invalid or not well formed"
    detailed = "XML error: %s"


class DomExist(RoostError):
    code, bare = 28, "this domain exists already"
    detailed = "domain %s exists already"


class OperationDenied(RoostError):
    code, bare = 29, "operation forbidden for read only access"
    detailed = "operation forbidden: %s"


class OpenFailed(RoostError):
    code, bare = 30, "failed to open configuration file"
    detailed = "failed to open configuration file %s"


class ReadFailed(RoostError):
    code, bare = 31, "failed to read configuration file"
    detailed = "failed to read configuration file %s"


class ParseFailed(RoostError):
    code, bare = 32, "failed to parse configuration file"
    detailed = "failed to parse configuration file %s"


class ConfSyntax(RoostError):
    code, bare = 33, "configuration file syntax error"


class WriteFailed(RoostError):
    code, bare = 34, "failed to write configuration file"


class XmlDetail(RoostError):
    code, bare = 35, "parser error"
    detailed = "%s"


class InvalidNetwork(RoostError):
    code, bare = 36, "invalid network pointer in"
    detailed = "invalid network pointer in %s"


class NetworkExist(RoostError):
    code, bare = 37, "this network exists already"
    detailed = "network %s exists already"


class SystemCallError(RoostError):
    code, bare = 38, "system call error"
    detailed = "%s"


class RpcError(RoostError):
    code, bare = 39, "RPC error"
    detailed = "%s"


class TlsError(RoostError):
    code, bare = 40, "GNUTLS call error"
    detailed = "%s"


class WarnNoNetwork(RoostError):
    code, bare = 41, "Failed to find the network"


class NoDomain(RoostError):
    code, bare = 42, "Domain not found"


class NoNetwork(RoostError):
    code, bare = 43, "Network not found"


class InvalidMac(RoostError):
    code, bare = 44, "invalid MAC address"


class AuthFailed(RoostError):
    code, bare = 45, "authentication failed"


class InvalidStoragePool(RoostError):
    code, bare = 46, "invalid storage pool pointer in"
    detailed = "invalid storage pool pointer in %s"


class InvalidStorageVol(RoostError):
    code, bare = 47, "invalid storage volume pointer in"
    detailed = "invalid storage volume pointer in %s"


class WarnNoStorage(RoostError):
    code, bare = 48, "Failed to find a storage driver"


class NoStoragePool(RoostError):
    code, bare = 49, "Storage pool not found"


class NoStorageVol(RoostError):
    code, bare = 50, "Storage volume not found"


class WarnNoNode(RoostError):
    code, bare = 51, "Failed to find a node driver"


class InvalidNodeDevice(RoostError):
    code, bare = 52, "invalid node device pointer"
    detailed = "invalid node device pointer in %s"


class NoNodeDevice(RoostError):
    code, bare = 53, "Node device not found"


class NoSecurityModel(RoostError):
    code, bare = 54, "Security model not found"


class OperationInvalid(RoostError):
    code, bare = 55, "Requested operation is not valid"


class WarnNoInterface(RoostError):
    code, bare = 56, "Failed to find the interface"


class NoInterface(RoostError):
    code, bare = 57, "Interface not found"


class InvalidInterface(RoostError):
    code, bare = 58, "invalid interface pointer in"
    detailed = "invalid interface pointer in %s"


class MultipleInterfaces(RoostError):
    code, bare = 59, "multiple matching interfaces found"


class WarnNoNwfilter(RoostError):
    code, bare = 60, "Failed to start the nwfilter driver"


class InvalidNwfilter(RoostError):
    code, bare = 61, "Invalid network filter"


class NoNwfilter(RoostError):
    code, bare = 62, "Network filter not found"


class BuildFirewall(RoostError):
    code, bare = 63, "Error while building firewall"


class WarnNoSecret(RoostError):
    code, bare = 64, "Failed to find a secret storage driver"


class InvalidSecret(RoostError):
    code, bare = 65, "Invalid secret"


class NoSecret(RoostError):
    code, bare = 66, "Secret not found"


class ConfigUnsupported(RoostError):
    code, bare = 67, "unsupported configuration"


class OperationTimeout(RoostError):
    code, bare = 68, "Timed out during operation"


class MigratePersistFailed(RoostError):
    code, bare = 69, "Failed to make domain persistent after migration"


class HookScriptFailed(RoostError):
    code, bare = 70, "Hook script execution failed"


class InvalidDomainSnapshot(RoostError):
    code, bare = 71, "Invalid domain snapshot"


class NoDomainSnapshot(RoostError):
    code, bare = 72, "Domain snapshot not found"


class InvalidStream(RoostError):
    code, bare = 73, "invalid stream pointer"
    detailed = "invalid stream pointer in %s"


class ArgumentUnsupported(RoostError):
    code, bare = 74, "argument unsupported"


class StorageProbeFailed(RoostError):
    code, bare = 75, "Storage pool probe failed"


class StoragePoolBuilt(RoostError):
    code, bare = 76, "Storage pool already built"


class SnapshotRevertRisky(RoostError):
    code, bare = 77, "revert requires force"


class OperationAborted(RoostError):
    code, bare = 78, "operation aborted"


class AuthCancelled(RoostError):
    code, bare = 79, "authentication cancelled"


class NoDomainMetadata(RoostError):
    code, bare = 80, "metadata not found"


class MigrateUnsafe(RoostError):
    code, bare = 81, "Unsafe migration"


class NumericOverflow(RoostError):
    code, bare = 82, "numerical overflow"


class BlockCopyActive(RoostError):
    code, bare = 83, "block copy still active"


class OperationUnsupported(RoostError):
    code, bare = 84, "Operation not supported"


class SshError(RoostError):
    code, bare = 85, "SSH transport error"


class AgentUnresponsive(RoostError):
    code, bare = 86, "Guest agent is not responding"


class ResourceBusy(RoostError):
    code, bare = 87, "resource busy"


class AccessDenied(RoostError):
    code, bare = 88, "access denied"


class DbusService(RoostError):
    code, bare = 89, "error from service"


class StorageVolExist(RoostError):
    code, bare = 90, "this storage volume exists already"
    detailed = "storage volume %s exists already"


class CpuIncompatible(RoostError):
    code, bare = 91, "the CPU is incompatible with host CPU"


class XmlInvalidSchema(RoostError):
    code, bare = 92, "XML document failed to validate against schema"


class MigrateFinishOk(RoostError):
    code, bare = 93, "migration successfully aborted"


class AuthUnavailable(RoostError):
    code, bare = 94, "authentication unavailable"


class NoServer(RoostError):
    code, bare = 95, "Server not found"


class NoClient(RoostError):
    code, bare = 96, "Client not found"


class AgentUnsynced(RoostError):
    code, bare = 97, "guest agent replied with wrong id to guest-sync command"


class LibsshError(RoostError):
    code, bare = 98, "libssh transport error"


class DeviceMissing(RoostError):
    code, bare = 99, "device not found"


class InvalidNwfilterBinding(RoostError):
    code, bare = 100, "Invalid network filter binding"


class NoNwfilterBinding(RoostError):
    code, bare = 101, "Network filter binding not found"


class InvalidDomainCheckpoint(RoostError):
    code, bare = 102, "Invalid domain checkpoint"


class NoDomainCheckpoint(RoostError):
    code, bare = 103, "Domain checkpoint not found"


class NoDomainBackup(RoostError):
    code, bare = 104, "Domain backup job id not found"


class InvalidNetworkPort(RoostError):
    code, bare = 105, "Invalid network port pointer"


class NetworkPortExist(RoostError):
    code, bare = 106, "this network port exists already"
    detailed = "network port %s exists already"


class NoNetworkPort(RoostError):
    code, bare = 107, "network port not found"


class NoHostname(RoostError):
    code, bare = 108, "no hostname found"


class CheckpointInconsistent(RoostError):
    code, bare = 109, "checkpoint inconsistent"


class MultipleDomains(RoostError):
    code, bare = 110, "multiple matching domains found"


class NoNetworkMetadata(RoostError):
    code, bare = 111, "network metadata not found"


class AgentCommandTimeout(RoostError):
    code, bare = 112, "guest agent command timed out"


class AgentCommandFailed(RoostError):
    code, bare = 113, "guest agent command failed"


class InvalidSecretKey(RoostError):
    code, bare = 114, "invalid encryption key for the secret"


#: Error code to class.
BY_CODE: dict[int, type[RoostError]] = {c.code: c for c in RoostError.__subclasses__()}
