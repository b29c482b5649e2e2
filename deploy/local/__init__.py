"""The embedded stack: every site of a configuration on this machine, under one supervisor."""
