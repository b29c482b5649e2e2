"""Visits, calls and what else was said."""
