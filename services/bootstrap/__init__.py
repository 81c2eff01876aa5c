"""The composition root: settings to adapters to loops. The one place that knows every part."""

from services.bootstrap.opening import open_bus

__all__ = ["open_bus"]
