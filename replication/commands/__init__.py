"""The commands of ``python -m replication``: thin, one module each, with ``run(config, options) -> exit code``."""
