"""What every domain of the CRM stands on: base models, forms with a version, folding, look."""
