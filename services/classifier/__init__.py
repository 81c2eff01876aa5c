"""Story to verdict: pure, the whole package."""
