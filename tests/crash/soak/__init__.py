"""A real server for hours of its own time: who writes to it, what happens to it, and what must be true of it then."""
