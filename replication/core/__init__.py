"""The pure core: stamps, merge, rules and progress. No driver, socket, clock, random or logging is imported here."""
