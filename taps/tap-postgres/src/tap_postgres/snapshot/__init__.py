"""Full loads in parts: which parts a table has, and several connections that read them in one snapshot."""
