"""Verdict to storyline to alert."""
