"""Arrow batches on their way into Singer messages: as RECORD lines, or as files that a BATCH message names."""
