"""What is asked of a language model, what may come of its answer, and how much that may weigh. Pure.

Who calls it, with which budget, is ``resources/llm.py``.
"""
