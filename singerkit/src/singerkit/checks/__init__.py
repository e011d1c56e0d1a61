"""Looking before a sync: whether the source lets itself be read, and whether what it holds may be written."""
