"""The console of those who watch replication."""
