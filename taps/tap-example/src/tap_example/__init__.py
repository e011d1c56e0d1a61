"""Singer tap for Example: rows in settings.py, schemas beside them."""
