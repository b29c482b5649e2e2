"""Sample data: the Complete Journey transactions, and what they lack from a seeded generator."""
