"""test:///default: a driver whose domains exist in memory only.

For people who write programs against the API, and for our own contract tests:
it runs the same engine as the QEMU driver, and has the objects, host facts and
answers that libvirt's test driver has. Like there, connections that are open at
the same time share one world, and the next one after the last has closed finds
a new one. May enter: engine, contract, model.
"""

from roost.drivers.test.driver import TestDriver

__all__ = ["TestDriver"]
