"""People who work with the CRM: log-in, role by code, language and time zone."""
