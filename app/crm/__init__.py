"""The CRM of one site: a Django project with one folder for each domain."""
