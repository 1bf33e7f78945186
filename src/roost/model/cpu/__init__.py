"""Processors: what libvirt's model names mean, and how processors compare.

`x86_features` and `x86_models` are tables (written by scripts/cpu_tables.py),
`x86` resolves them; `document` is the <cpu> of its own that clients send;
`decode` names a set of features, `compare`, `baseline` and `expand` are the
operations. May enter: facts and arithmetic about processors. Dry.
"""
