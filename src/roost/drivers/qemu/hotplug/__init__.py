"""Devices that come, go and change while the guest runs, and in the definition without starting it.

`classes` and `documents` are dry: what may be plugged, how a device is found,
where it joins a document. `plug` is the transaction that attaches one, `unplug`
the operation that takes one out, `update` what changes in place. `devices` is
contract.Devices over them. May enter: one file for each kind of change.
"""
