"""What is done to tables beside loading them: looked at, mended, kept fast, taken back. One room a verb."""
