"""What every asset of the deciding side has in common."""

GROUP = "dcl"
OWNERS = ["team:dcl"]
