"""How an interface tells the network where it is: VIR_DOMAIN_ANNOUNCE_INTERFACE_*."""

#: Milliseconds before the first repetition, and at most between two.
INITIAL = "initial"
MAX = "max"
#: How often, and by how many milliseconds more the pauses get longer.
ROUNDS = "rounds"
STEP = "step"
