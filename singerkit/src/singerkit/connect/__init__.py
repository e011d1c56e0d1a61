"""How a source is reached: which hosts may be, through which tunnel, with whose credentials."""
