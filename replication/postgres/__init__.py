"""All that touches PostgreSQL: connections, the schema ``kuroshio``, its triggers, the slot, the rows."""
