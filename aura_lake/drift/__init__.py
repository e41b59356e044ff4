"""Drift that heals: what changed in the fields of a feed, and the patch of its contracts that would read it.

Nothing here reads a lake or writes one: `aura_lake.steps.drift` gathers records and keeps what is found.
"""
