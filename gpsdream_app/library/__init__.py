"""What was made and what is installed: SQLite store, picture metadata, model folders, paths."""
