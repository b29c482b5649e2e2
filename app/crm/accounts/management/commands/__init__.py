"""`add_user` adds a person."""
