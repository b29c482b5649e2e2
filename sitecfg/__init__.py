"""What a site is, and what the rules are."""
