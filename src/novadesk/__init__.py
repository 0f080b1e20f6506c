"""NovaDesk: the desktop voice client for Amazon Nova Sonic whose conversations survive everything."""

__version__ = "0.1.0"
