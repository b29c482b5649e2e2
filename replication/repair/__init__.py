"""Makes rows alike again that differ though nothing is on its way: through the rules, keeping stamps (README.md)."""
