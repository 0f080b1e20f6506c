"""Local first, remote later: SQLite is the truth, Bedrock Agent Runtime the copy."""
