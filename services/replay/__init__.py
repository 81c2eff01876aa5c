"""Tapes: WARC in, WARC out; a player that answers as the recorded world did."""
