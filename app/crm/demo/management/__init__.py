"""Django commands of the sample data."""
