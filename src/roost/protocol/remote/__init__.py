"""The procedures of the REMOTE program, one module by object family.

Each module has PROCEDURES, in the order of their numbers. `roost.protocol.REMOTE` finds them.
"""
