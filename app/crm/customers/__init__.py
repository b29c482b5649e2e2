"""Companies and households, and the people to talk to there."""
