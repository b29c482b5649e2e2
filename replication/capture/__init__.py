"""Capture: reads this site's slot, makes messages of what was written here, appends them to this site's streams."""
