"""Bundles: a network as a folder that runs without this package.

`lava_target` makes the files for Intel Lava, `folder` writes them and reads them back, `manifest`,
`host` and `runner` go into the bundle themselves.
"""

from __future__ import annotations

from hrsnn_lava.deploy.bundle.folder import Bundle, load, write

__all__ = ["Bundle", "load", "write"]
