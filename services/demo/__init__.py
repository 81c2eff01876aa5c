"""The demo day: an invented world of feeds, and what it must lead to."""
