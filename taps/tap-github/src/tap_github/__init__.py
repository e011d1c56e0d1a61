"""Singer tap for GitHub: rows, schemas beside them, credentials, and the webhooks of the same streams."""
