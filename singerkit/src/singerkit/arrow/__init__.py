"""Arrow batches on their way into Singer messages: as RECORD lines, or as files that a BATCH message names."""

from singerkit.arrow.tables import table_from_iterator

__all__ = ["table_from_iterator"]
