"""The <capabilities> document of test:///default."""

from __future__ import annotations

#: (KiB of memory, size of its small pages in KiB, first CPU) of each NUMA cell; eight CPUs stand in each.
CELLS = ((2097152, 4, 0), (4194304, 8, 8))
CPUS_PER_CELL = 8


def capabilities() -> str:
    """Written as libvirt lays it out."""
    cells = "".join(_cell(number, *cell) for number, cell in enumerate(CELLS))
    guests = "".join(_guest(os_type) for os_type in ("hvm", "xen"))
    return f"""\
<capabilities>

  <host>
    <cpu>
      <arch>i686</arch>
      <features>
        <pae/>
        <nonpae/>
      </features>
      <pages unit='KiB' size='4'/>
      <pages unit='KiB' size='8'/>
      <pages unit='KiB' size='2048'/>
      <pages unit='KiB' size='1048576'/>
    </cpu>
    <power_management/>
    <iommu support='no'/>
    <topology>
      <cells num='{len(CELLS)}'>
{cells}      </cells>
    </topology>
    <secmodel>
      <model>testSecurity</model>
      <doi></doi>
    </secmodel>
  </host>
{guests}
</capabilities>
"""


def _cell(number: int, memory: int, page: int, first: int) -> str:
    cpus = "".join(
        f"            <cpu id='{first + core}' socket_id='{number}' die_id='0' core_id='{core}' "
        f"siblings='{first + core}'/>\n"
        for core in range(CPUS_PER_CELL)
    )
    return f"""\
        <cell id='{number}'>
          <memory unit='KiB'>{memory}</memory>
          <pages unit='KiB' size='{page}'>524288</pages>
          <pages unit='KiB' size='2048'>0</pages>
          <pages unit='KiB' size='1048576'>0</pages>
          <cpus num='{CPUS_PER_CELL}'>
{cpus}          </cpus>
        </cell>
"""


def _guest(os_type: str) -> str:
    return f"""
  <guest>
    <os_type>{os_type}</os_type>
    <arch name='i686'>
      <wordsize>32</wordsize>
      <emulator>/usr/bin/test-hv</emulator>
      <domain type='test'/>
    </arch>
    <features>
      <pae/>
      <nonpae/>
    </features>
  </guest>
"""
