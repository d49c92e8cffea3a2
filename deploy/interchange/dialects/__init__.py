"""One file a dialect, found by its name; see `hrsnn_lava.deploy.interchange.dialect`."""
