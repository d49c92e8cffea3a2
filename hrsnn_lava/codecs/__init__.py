"""How each type is written to files: one module a stage, named as the stage, with a `CODEC`.

Nothing imports these modules: `hrsnn_lava.artifacts.container` loads the one of a stage by name.
"""
