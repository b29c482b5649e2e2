"""Where this node stands: its site and the lines to the others."""
