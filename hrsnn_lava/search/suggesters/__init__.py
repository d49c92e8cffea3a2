"""What proposes trials, a file each. Parts of the kind ``suggester``."""
