"""Conflicts for people: what was decided between two sites, and what somebody is asked about."""
