"""Bytes and headers to entries, in a worker process; the one importer of feed parsers."""
