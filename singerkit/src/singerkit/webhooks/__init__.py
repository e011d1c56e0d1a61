"""Webhooks: a receiver that proves and spools deliveries, and a drain that makes them rows of the same streams."""
