"""What there is to read: one row a stream, by subject. The order is that of the catalogue's pages."""

from __future__ import annotations

from tap_github.rows import accounts, actions, code, deliveries, issues, metrics, pulls, security

ENDPOINTS = (
    *accounts.ENDPOINTS,
    *issues.ENDPOINTS,
    *pulls.ENDPOINTS,
    *code.ENDPOINTS,
    *actions.ENDPOINTS,
    *deliveries.ENDPOINTS,
    *security.ENDPOINTS,
    *metrics.ENDPOINTS,
)
