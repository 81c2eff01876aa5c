"""One file a channel, the same protocol."""
