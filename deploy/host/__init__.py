"""What the host of one site needs that follows from the configuration: secrets, server settings, its database."""
