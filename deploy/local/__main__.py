"""`python -m deploy.local`; see cli."""

from deploy.local.cli import main

if __name__ == "__main__":
    raise SystemExit(main())
