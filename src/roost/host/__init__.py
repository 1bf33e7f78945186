"""The only room that touches Linux.

`api` says in small protocols what drivers may ask of the host: processes,
ownership of files, network interfaces, ports, facts. `linux` does it, `fake`
pretends for tests. Drivers are given the object and import `api` alone. May
import contract and errors.
"""
