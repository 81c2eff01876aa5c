"""The composition root: settings to adapters to loops. The one place that knows every part."""

from services.bootstrap.log import open_bus
from services.bootstrap.parts import Outside, Parts

__all__ = ["Outside", "Parts", "open_bus"]
