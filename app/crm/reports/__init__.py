"""Figures across the sites."""
