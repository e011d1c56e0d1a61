"""What the contract needs to try this tap: rows of most page styles, with a parent and a child."""

from __future__ import annotations

_IDS = {"properties": {"id": {"type": "integer"}, "updated_at": {"type": "string", "format": "date-time"}}}
_STYLES = (
    {"style": "link"},
    {"style": "next_url", "path": "links.next"},
    {"style": "cursor", "param": "cursor", "path": "meta.cursor", "more": "meta.more"},
    {"style": "offset", "total": "total"},
    {"style": "page_number", "total_pages": "pages"},
    {"style": "last_id"},
    {"style": "continue"},
)

EXAMPLE = {
    "base_url": "http://replaced",
    "auth": {"method": "bearer", "token": "{token}"},
    "secrets": {"token": "canary-9b1f4e"},
    "defaults": {"keys": ["id"], "schema": _IDS, "records": "$.data"},
    "endpoints": [
        {
            "name": "forms",
            "path": "/forms",
            "pages": {"style": "cursor", "param": "cursor", "path": "next"},
            "bookmarks": [{"field": "updated_at", "param": "since", "order": "asc"}],
        },
        {
            "name": "answers",
            "path": "/forms/{form_id}/answers",
            "keys": ["form_id", "id"],
            "pages": {"style": "link"},
            "records": "$",
            "parents": [{"stream": "forms", "params": {"form_id": "id"}}],
        },
        *(
            {"name": style["style"], "path": f"/{style['style']}", "pages": style}
            | ({"records": "$"} if style["style"] == "link" else {})
            for style in _STYLES
        ),
    ],
}
"""Settings that read an API made of these rows."""
