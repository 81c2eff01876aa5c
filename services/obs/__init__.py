"""Logs, metrics and health, each in one table."""
