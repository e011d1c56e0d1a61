"""Settings of a plugin: described once, as rows; everything else is derived from the rows."""
