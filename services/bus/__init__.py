"""The log, at arm's length: ports, the topic table, the codec and the adapters."""
