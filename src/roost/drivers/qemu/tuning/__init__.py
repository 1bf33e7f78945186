"""What the host gives a guest: processors, time, memory, block I/O, bandwidth; at its start and while it runs.

`plan` is dry: what a document asks for. `start` makes the guest's control group and puts its threads in their places;
`resctrl` does the same for parts of caches and of memory bandwidth, which `schemata` (dry) gives out.
Who plugs in a processor or an I/O thread calls `start.tune_vcpu` and `start.tune_iothread`. The others serve the
calls of contract.tuning, a module a kind of limit, on top of `change`.
"""
