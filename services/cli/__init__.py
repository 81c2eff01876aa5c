"""The command line: one file per command group; a command is one call into bootstrap."""
