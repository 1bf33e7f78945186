"""Pieces that documents of several families have in common.

May enter: records and dry helpers that two families use, so that each exists
once. Imports no family.
"""
