"""Networks of other programs: NIR files in; see ``docs/interop.md``."""
