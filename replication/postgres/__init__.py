"""All that touches PostgreSQL: connections, the schema ``kuroshio``, generated triggers, reading the slot, applying rows."""
