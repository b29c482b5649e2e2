"""The control plane: what sites ask each other besides their changes, and the daemon that answers (README.md)."""
