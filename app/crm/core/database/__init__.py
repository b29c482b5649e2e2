"""Django's PostgreSQL backend with the password in a file."""
