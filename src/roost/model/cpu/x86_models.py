"""x86 CPU models: written by scripts/cpu_tables.py."""

from __future__ import annotations

from typing import NamedTuple


class _Row(NamedTuple):
    """A model as the difference to an earlier one: `base`, with the features in `adds`, without those in `drops`."""

    name: str
    vendor: str = ""
    base: str = ""
    adds: str = ""
    drops: str = ""
    removed: str = ""
    signatures: tuple[tuple[int, ...], ...] = ()
    for_guests: bool = True
    for_hosts: bool = True


#: Oldest first.
ROWS = (
    _Row("486", adds="fpu vme pse"),
    _Row("pentium", base="486", adds="de tsc msr mce cx8 mmx"),
    _Row("pentium2", base="pentium", adds="pae sep mtrr pge mca cmov pat pse36 fxsr"),
    _Row("pentium3", base="pentium2", adds="sse"),
    _Row("pentiumpro", base="pentium3", adds="apic sse2", drops="vme mtrr mca pse36"),
    _Row(
        "coreduo",
        vendor="Intel",
        base="pentium3",
        adds="apic clflush sse2 pni monitor nx",
        drops="pse36",
        signatures=((6, 14),),
    ),
    _Row("n270", vendor="Intel", base="coreduo", adds="ssse3", signatures=((6, 28),)),
    _Row("core2duo", vendor="Intel", base="n270", adds="pse36 syscall lm", signatures=((6, 15),)),
    _Row("qemu32", base="pentiumpro", adds="pni"),
    _Row("kvm32", base="qemu32", adds="mtrr mca pse36 clflush"),
    _Row("cpu64-rhel5", base="kvm32", adds="syscall nx lm", for_guests=False, for_hosts=False),
    _Row("cpu64-rhel6", base="cpu64-rhel5", adds="cx16 lahf_lm", for_guests=False, for_hosts=False),
    _Row("qemu64", base="cpu64-rhel5", adds="cx16 svm"),
    _Row("kvm64", base="cpu64-rhel5", adds="cx16"),
    _Row("Conroe", vendor="Intel", base="cpu64-rhel5", adds="ssse3 lahf_lm", signatures=((6, 15), (6, 22))),
    _Row("Penryn", vendor="Intel", base="cpu64-rhel6", adds="ssse3 sse4.1", signatures=((6, 23), (6, 29))),
    _Row(
        "Nehalem", vendor="Intel", base="Penryn", adds="sse4.2 popcnt", signatures=((6, 26), (6, 30), (6, 31), (6, 46))
    ),
    _Row(
        "Nehalem-IBRS",
        vendor="Intel",
        base="Nehalem",
        adds="spec-ctrl",
        signatures=((6, 26), (6, 30), (6, 31), (6, 46)),
    ),
    _Row("Westmere", vendor="Intel", base="Nehalem", adds="aes", signatures=((6, 44), (6, 37), (6, 47))),
    _Row("Westmere-IBRS", vendor="Intel", base="Nehalem-IBRS", adds="aes", signatures=((6, 44), (6, 37), (6, 47))),
    _Row(
        "SandyBridge",
        vendor="Intel",
        base="Westmere",
        adds="pclmuldq x2apic tsc-deadline xsave avx rdtscp",
        signatures=((6, 42), (6, 45)),
    ),
    _Row("SandyBridge-IBRS", vendor="Intel", base="SandyBridge", adds="spec-ctrl", signatures=((6, 42), (6, 45))),
    _Row(
        "IvyBridge",
        vendor="Intel",
        base="SandyBridge",
        adds="vme f16c rdrand fsgsbase smep erms",
        signatures=((6, 58), (6, 62)),
    ),
    _Row("IvyBridge-IBRS", vendor="Intel", base="IvyBridge", adds="spec-ctrl", signatures=((6, 58), (6, 62))),
    _Row(
        "Haswell-noTSX",
        vendor="Intel",
        base="SandyBridge",
        adds="fma pcid movbe fsgsbase bmi1 avx2 smep bmi2 erms invpcid",
        signatures=((6, 60), (6, 63), (6, 69), (6, 70)),
    ),
    _Row(
        "Haswell-noTSX-IBRS",
        vendor="Intel",
        base="Haswell-noTSX",
        adds="spec-ctrl",
        signatures=((6, 60), (6, 63), (6, 69), (6, 70)),
    ),
    _Row(
        "Haswell", vendor="Intel", base="Haswell-noTSX", adds="hle rtm", signatures=((6, 60), (6, 63), (6, 69), (6, 70))
    ),
    _Row(
        "Haswell-IBRS",
        vendor="Intel",
        base="Haswell",
        adds="spec-ctrl",
        signatures=((6, 60), (6, 63), (6, 69), (6, 70)),
    ),
    _Row(
        "Broadwell-noTSX",
        vendor="Intel",
        base="Haswell-noTSX",
        adds="rdseed adx smap 3dnowprefetch",
        signatures=((6, 61), (6, 71), (6, 79), (6, 86)),
    ),
    _Row(
        "Broadwell-noTSX-IBRS",
        vendor="Intel",
        base="Broadwell-noTSX",
        adds="spec-ctrl",
        signatures=((6, 61), (6, 71), (6, 79), (6, 86)),
    ),
    _Row(
        "Broadwell",
        vendor="Intel",
        base="Broadwell-noTSX",
        adds="hle rtm",
        signatures=((6, 61), (6, 71), (6, 79), (6, 86)),
    ),
    _Row(
        "Broadwell-IBRS",
        vendor="Intel",
        base="Broadwell",
        adds="spec-ctrl",
        signatures=((6, 61), (6, 71), (6, 79), (6, 86)),
    ),
    _Row(
        "Skylake-Client",
        vendor="Intel",
        base="Broadwell",
        adds="vme f16c rdrand arat mpx xsaveopt xsavec xgetbv1 abm",
        signatures=((6, 94), (6, 78), (6, 142), (6, 158)),
    ),
    _Row(
        "Skylake-Client-IBRS",
        vendor="Intel",
        base="Skylake-Client",
        adds="spec-ctrl",
        signatures=((6, 94), (6, 78), (6, 142), (6, 158)),
    ),
    _Row(
        "Skylake-Client-noTSX-IBRS",
        vendor="Intel",
        base="Skylake-Client-IBRS",
        drops="hle rtm",
        removed="hle rtm",
        signatures=((6, 94), (6, 78), (6, 142), (6, 158)),
        for_guests=False,
    ),
    _Row(
        "Skylake-Server",
        vendor="Intel",
        base="Skylake-Client",
        adds="avx512f avx512dq clwb avx512cd avx512bw avx512vl pdpe1gb",
        signatures=((6, 85, 0, 4),),
    ),
    _Row("Skylake-Server-IBRS", vendor="Intel", base="Skylake-Server", adds="spec-ctrl", signatures=((6, 85, 0, 4),)),
    _Row(
        "Skylake-Server-noTSX-IBRS",
        vendor="Intel",
        base="Skylake-Server-IBRS",
        drops="hle rtm",
        removed="hle rtm",
        signatures=((6, 85, 0, 4),),
        for_guests=False,
    ),
    _Row(
        "Cascadelake-Server",
        vendor="Intel",
        base="Skylake-Server-IBRS",
        adds="clflushopt avx512vnni ssbd",
        signatures=((6, 85, 5, 7),),
    ),
    _Row(
        "Cascadelake-Server-noTSX",
        vendor="Intel",
        base="Cascadelake-Server",
        drops="hle rtm",
        removed="hle rtm",
        signatures=((6, 85, 5, 7),),
        for_guests=False,
    ),
    _Row(
        "Icelake-Client",
        vendor="Intel",
        base="Skylake-Client-IBRS",
        adds=(
            "avx512vbmi umip pku avx512vbmi2 gfni vaes vpclmulqdq avx512vnni avx512bitalg avx512-vpopcntdq "
            "ssbd wbnoinvd"
        ),
        removed="intel-pt",
        signatures=((6, 126), (6, 125)),
    ),
    _Row(
        "Icelake-Client-noTSX",
        vendor="Intel",
        base="Skylake-Client-IBRS",
        adds=(
            "avx512vbmi umip pku avx512vbmi2 gfni vaes vpclmulqdq avx512vnni avx512bitalg avx512-vpopcntdq "
            "ssbd wbnoinvd"
        ),
        drops="hle rtm",
        removed="hle intel-pt rtm",
        signatures=((6, 126), (6, 125)),
        for_guests=False,
    ),
    _Row(
        "Icelake-Server",
        vendor="Intel",
        base="Cascadelake-Server",
        adds="avx512vbmi umip pku avx512vbmi2 gfni vaes vpclmulqdq avx512bitalg avx512-vpopcntdq la57 wbnoinvd",
        removed="intel-pt",
        signatures=((6, 134), (6, 106), (6, 108)),
    ),
    _Row(
        "Icelake-Server-noTSX",
        vendor="Intel",
        base="Cascadelake-Server",
        adds="avx512vbmi umip pku avx512vbmi2 gfni vaes vpclmulqdq avx512bitalg avx512-vpopcntdq la57 wbnoinvd",
        drops="hle rtm",
        removed="hle intel-pt rtm",
        signatures=((6, 134), (6, 106), (6, 108)),
        for_guests=False,
    ),
    _Row(
        "Cooperlake",
        vendor="Intel",
        base="Cascadelake-Server",
        adds=(
            "pku stibp arch-capabilities avx512-bf16 rdctl-no ibrs-all skip-l1dfl-vmentry mds-no pschange-mc-no taa-no"
        ),
        drops="mpx",
        signatures=((6, 85, 10, 11),),
    ),
    _Row(
        "Snowridge",
        vendor="Intel",
        base="IvyBridge-IBRS",
        adds=(
            "movbe arat rdseed smap clflushopt clwb sha-ni umip gfni cldemote movdiri movdir64b "
            "arch-capabilities core-capability ssbd xsaveopt xsavec xgetbv1 pdpe1gb 3dnowprefetch "
            "split-lock-detect"
        ),
        drops="avx f16c",
        signatures=((6, 134),),
    ),
    _Row(
        "athlon",
        vendor="AMD",
        base="pentium3",
        adds="apic sse2 mmxext 3dnowext 3dnow",
        drops="mca",
        signatures=((6, 2),),
    ),
    _Row(
        "phenom",
        vendor="AMD",
        base="cpu64-rhel5",
        adds="monitor mmxext fxsr_opt 3dnowext 3dnow svm",
        signatures=((16, 2),),
    ),
    _Row("Opteron_G1", vendor="AMD", base="cpu64-rhel5", signatures=((15, 6),)),
    _Row("Opteron_G2", vendor="AMD", base="cpu64-rhel6", adds="rdtscp svm", signatures=((15, 6),)),
    _Row(
        "Opteron_G3",
        vendor="AMD",
        base="Opteron_G2",
        adds="popcnt abm sse4a misalignsse",
        removed="monitor",
        signatures=((16, 2),),
    ),
    _Row(
        "Opteron_G4",
        vendor="AMD",
        base="Opteron_G2",
        adds=("pclmuldq ssse3 sse4.1 sse4.2 popcnt aes xsave avx pdpe1gb abm sse4a misalignsse 3dnowprefetch xop fma4"),
        signatures=((21, 1),),
    ),
    _Row("Opteron_G5", vendor="AMD", base="Opteron_G4", adds="fma f16c tbm", signatures=((21, 2),)),
    _Row(
        "EPYC",
        vendor="AMD",
        base="Opteron_G5",
        adds=(
            "vme movbe rdrand arat fsgsbase bmi1 avx2 smep bmi2 rdseed adx smap clflushopt sha-ni xsaveopt "
            "xsavec xgetbv1 mmxext fxsr_opt cr8legacy osvw"
        ),
        drops="xop fma4 tbm",
        removed="monitor",
        signatures=((23, 1),),
    ),
    _Row(
        "EPYC-IBPB",
        vendor="AMD",
        base="Opteron_G5",
        adds=(
            "vme movbe rdrand arat fsgsbase bmi1 avx2 smep bmi2 rdseed adx smap clflushopt sha-ni xsaveopt "
            "xsavec xgetbv1 mmxext fxsr_opt cr8legacy osvw ibpb"
        ),
        drops="xop fma4 tbm",
        removed="monitor",
        signatures=((23, 1),),
    ),
    _Row(
        "EPYC-Rome",
        vendor="AMD",
        base="Opteron_G5",
        adds=(
            "vme movbe rdrand arat fsgsbase bmi1 avx2 smep bmi2 rdseed adx smap clflushopt clwb sha-ni umip "
            "rdpid xsaveopt xsavec xgetbv1 mmxext fxsr_opt cr8legacy osvw perfctr_core clzero xsaveerptr "
            "wbnoinvd ibpb amd-stibp npt nrip-save"
        ),
        drops="xop fma4 tbm",
        signatures=((23, 49),),
    ),
    _Row(
        "EPYC-Milan",
        vendor="AMD",
        base="EPYC-Rome",
        adds="pcid erms invpcid pku fsrm xsaves ibrs amd-ssbd svme-addr-chk",
        signatures=((25, 1),),
    ),
    _Row(
        "Dhyana",
        vendor="Hygon",
        base="cpu64-rhel6",
        adds=(
            "vme ssse3 fma sse4.1 sse4.2 movbe popcnt xsave avx f16c rdrand arat fsgsbase bmi1 avx2 smep bmi2 "
            "rdseed adx smap clflushopt xsaveopt xsavec xgetbv1 mmxext fxsr_opt pdpe1gb rdtscp svm cr8legacy "
            "abm sse4a misalignsse 3dnowprefetch osvw ibpb"
        ),
        removed="monitor",
        signatures=((24, 0),),
    ),
)
