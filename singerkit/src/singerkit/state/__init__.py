"""A Singer STATE in a person's words: what it holds, what changed, and how to go back."""
