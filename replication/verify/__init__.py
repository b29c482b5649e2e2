"""Compares the replicated tables of all sites, row by row: their data, their stamps, and what should not be there.

:mod:`replication.verify.digests` has PostgreSQL boil a table down, :mod:`replication.verify.suspects` finds the rows
that differ, :mod:`replication.verify.comparison` makes sure that a difference is no change on its way.
"""
