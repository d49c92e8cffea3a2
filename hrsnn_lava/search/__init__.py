"""The search over distributions and other options of a spec."""
