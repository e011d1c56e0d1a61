"""Change data capture: what a logical replication slot says, as rows of streams."""
