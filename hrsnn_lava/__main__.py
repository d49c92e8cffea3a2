"""``python -m hrsnn_lava``."""

from hrsnn_lava.cli.main import main

main()
