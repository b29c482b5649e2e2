"""Run as: python -m deploy.host."""

from deploy.host.cli import main

raise SystemExit(main())
