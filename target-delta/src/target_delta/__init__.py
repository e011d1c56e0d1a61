"""Singer into Delta Lake: exact in values, flat in memory, never loses or doubles a row."""
