"""The evidence about (source field, canonical field): its names, in the order of the model's columns.

How each is computed for many pairs at once is ``resources/mapper_features.py``. A name starting with
``cos_`` needs embeddings; without them the model of the lexical mode is used, which has none of these.
"""

from __future__ import annotations

EXACT = ("exact_last", "exact_full", "exact_bare_last", "exact_bare", "exact_squashed")
WORDS = (
    "overlap_full",
    "full_explained",
    "form_covered",
    "overlap_last",
    "last_explained",
    "last_form_covered",
    "name_explains",
    "name_covered",
)
KNOWN = ("alias_spread", "alias_doubt", "exact_kinds")
"""How many entities know the spelling for a field of this name, how many for another; ways it is exact."""
LETTERS = ("jaro_winkler", "edit_ratio")
MEANING = ("cos_text", "cos_name")
LEFT = ("leftover", "leftover_rarest", "leftover_unknown", "form_leftover", "leftover_last")
KIND = (
    "head_same",
    "head_differs",
    "head_missing",
    "time_both",
    "time_only_field",
    "time_only_name",
    "boolean_both",
    "boolean_only_field",
    "boolean_only_name",
    "id_field_other_name",
    "context_same",
    "context_differs",
    "context_missing",
    "context_unasked",
    "context_twin",
    "opposite",
    "digits_unexplained",
)
NAME = (
    "words_full",
    "words_last",
    "stripped_own",
    "stripped_alike",
    "custom",
    "indexed",
    "depth",
    "mean_weight",
    "top_weight",
)
RELATIVE_TO = (
    "exact_squashed",
    "overlap_full",
    "overlap_last",
    "jaro_winkler",
    "name_explains",
    "cos_text",
)
"""Columns of which margin to the best other field and rank among the fields are evidence too."""
RELATIVE = tuple(f"{kind}_{name}" for name in RELATIVE_TO for kind in ("margin", "rank"))

FEATURES = (*EXACT, *KNOWN, *WORDS, *LETTERS, *MEANING, *LEFT, *KIND, *NAME, *RELATIVE)
"""All columns of stage one, in order."""

TYPE = ("type_contradicts", "type_doubtful", "type_agrees")
VALUES = ("values_contradict", "values_agree", "values_elsewhere", "key_repeats")
TOLD = ("told_near", "told_lead", "told_explains")
"""Of the source's description: cosine with the canonical field, its lead, share of the name's words in it."""
VOTED = ("votes_for", "votes_against")
FACTS = (*TYPE, *VALUES, *TOLD, *VOTED)
"""Columns of what may be known beside the name; all 0 where nothing is."""
HELPS = frozenset({"type_agrees", "values_agree", "votes_for", *TOLD})
"""Facts that can only speak for a field; all others only against it."""

TRUST_HEAD = ("logit_best", "logit_second", "margin", "mass", "rival", "rival_ahead", "facts")
STAGE_TWO = (
    *TRUST_HEAD,
    *EXACT,
    *WORDS,
    *LETTERS,
    *MEANING,
    "head_differs",
    "time_only_name",
    "context_twin",
    "stripped_alike",
    "custom",
)
"""Columns of stage two: is the best answer right. ``rival``: another field of the stream wants it too.

``facts``: the logit that type, values and description add to the best one.
"""


def is_lexical(name: str) -> bool:
    """Whether a column can be computed without embeddings."""
    return "cos_" not in name
