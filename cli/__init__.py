"""The ``aos`` command: it shows and asks; the work is done in ``resources``."""
