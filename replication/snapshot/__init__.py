"""A site's life: it joins, comes back from a backup, was away for too long, leaves (README.md beside this)."""
