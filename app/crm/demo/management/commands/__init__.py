"""`demo_data` loads a site's share, `replay` lets transactions happen."""
