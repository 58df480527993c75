"""What talks to the outside, one system a file or folder. Decisions stay in ``core``."""
