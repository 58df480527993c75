"""The cascade: names that words alone settle are not embedded.

Stage two of the lexical model says how probable its best answer is right. Near either end the embedding
of a name changes nothing: on vendors held out, the answers from 0.97 and below 0.03 were right or wrong
alike with and without. Between the bounds meaning decides, by the model that has it.
Without an embedding model at all nothing is settled in this sense: everything waits for a person.
"""

from __future__ import annotations

SURE = 0.97
"""The lexical probability from which the best candidate stands."""
NONE = 0.03
"""The lexical probability below which the field has no counterpart that words could name."""


def is_settled(probability: float) -> bool:
    """Whether words alone decide, given the lexical model's probability that its best answer is right."""
    return probability >= SURE or probability < NONE
