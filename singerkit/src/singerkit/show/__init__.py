"""What a person sees on a terminal: tables, previews, and how far a run has come."""
