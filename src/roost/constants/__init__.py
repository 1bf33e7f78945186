"""Public flags and enumerations of the libvirt API, one module by object family.

Plain integers, because clients send integers and because importing them must
cost nothing. Names are libvirt's without the family's prefix:
VIR_DOMAIN_START_PAUSED is `constants.domain.START_PAUSED`. Dry: imports nothing.
"""
