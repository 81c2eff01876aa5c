"""What a person looks at: page, API, live stream."""
