"""HTTP to stories: due, fetch, parse, decide, publish."""
