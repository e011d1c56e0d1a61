"""Singer tap for any REST API: endpoints described in settings or in a manifest."""
