"""What every driver shares: live records and the rules for them.

`table` keeps the domains and libvirt's rules for names, UUIDs and ids;
`record` is one of them; `jobs` lets one change at a time happen to it; `bus`
carries events; `store` puts definitions and running state on disk so that
nothing is lost whenever the daemon is killed. `registry` and `inspection`
serve the contract's interfaces from these for any driver.

A record's documents are typed (`model.domain`), frozen, and replaced whole.
Reads never take a job. May import contract, model and host.api.
"""
