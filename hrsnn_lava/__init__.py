"""hrsnn-lava: heterogeneous recurrent spiking networks, from a spec to a neuromorphic chip.

Names are loaded on first use, so that importing the package stays quick; ``__init__.pyi`` says
which there are and where each lives.
"""

import lazy_loader

__version__ = "0.1.0"

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
