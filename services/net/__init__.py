"""Which addresses may be reached: the one gate of every outbound call."""
