"""Singer tap for PostgreSQL: Arrow from COPY BINARY, every type without loss."""
