"""Many sites in memory, on virtual time, with the real merge, progress, conflict and tombstone code."""
