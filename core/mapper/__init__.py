"""Mapping intelligence, the deciding part: words, evidence, the frozen model, transforms, explanations.

Pure: no numpy, no network, no database. The arithmetic over many fields at once is
``resources/mapper_features.py``; where proposals live is ``resources/proposals.py``.
"""
