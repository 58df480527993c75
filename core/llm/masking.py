"""Text of strangers made fit for a prompt: nothing invisible, nothing long, nothing personal or secret.

Descriptions of custom fields do hold addresses, numbers, keys and names of people. What is masked is
replaced by what it was, such as ``[email]``: that is the evidence, the value is not.
"""

from __future__ import annotations

import re
import unicodedata

NAME_LENGTH = 120
DESCRIPTION_LENGTH = 240
_BEFORE_MASKING = 1000
"""Longer text is cut before the patterns see it, so that none can be made to work for long."""
_INVISIBLE = frozenset({"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"})
"""Unicode categories dropped: control, format (bidi, zero width, tags), surrogates, private, unassigned."""
_SELECTORS = re.compile(
    "[\u034f\u115f\u1160\u17b4\u17b5\u180b-\u180f\u3164\ufe00-\ufe0f\uffa0\U000e0100-\U000e01ef]"
)
"""Marks that show nothing and can carry bytes."""

_CUES = r"by|contact|ask|named|called|e\.?g\.?|example|such as|like|from|von|bei|z\.\s?B\.|par|chez|por"
_UPPER = "A-ZÀ-ÖØ-ÞĀĂĄĆČĎĐĒĘĚĞĢĪİĶŁĻŃŅŇŌŐŒŔŘŚŞŠŢŤŪŮŰŸŹŻŽА-ЯΑ-Ω"
_CAPITAL = rf"[{_UPPER}][\w'’-]*[^\W\d_{_UPPER}]"
"""A capitalised word of at least two letters that does not end in a capital."""
_GIVEN = (
    "Aisha|Alan|Alex|Alice|Ana|Andrea|Anna|Anne|Antonio|Barbara|Bob|Brian|Carlos|Carol|Charles|Chen|"
    "Claire|Daniel|David|Elena|Emily|Emma|Eric|Erika|Eva|Fatima|Francois|François|Frank|George|Giulia|"
    "Hans|Helen|Ivan|Jack|James|Jane|Jean|Jennifer|Joao|João|Johann|John|Jose|José|Juan|Julia|Karen|"
    "Kevin|Laura|Lee|Li|Linda|Lisa|Luca|Lucas|Luis|Maria|María|Marie|Mario|Martin|Mary|Mia|"
    "Michael|Mike|Mohamed|Mohammed|Muhammad|Nancy|Nina|Olga|Olivia|Omar|Pablo|Patricia|Paul|Pedro|Peter|"
    "Pierre|Priya|Rahul|Raj|Richard|Robert|Sandra|Sara|Sarah|Sofia|Sophie|Stefan|Steve|Steven|Susan|"
    "Thomas|Tim|Tom|Wang|Wei|William|Yuki|Zhang"
)
_ISSUERS = r"sk|pk|rk|whsec|shpat|shpss|ghp|gho|ghs|github_pat|glpat|xox[abeprs]|pat|dop_v1|npg|hf"
_NAMED_SECRET = (
    r"pass(?:wor[dt]|wd|phrase)?|pwd|contraseña|mot de passe|secret|api[ _-]?key|access[ _-]?key|bearer|"
    r"authorization"
)
_TITLES = r"Mr|Mrs|Ms|Dr\.|Prof|Sir|Herr|Frau|Monsieur|Madame|Mme|Sra|Señora?|Doña|Signora?"
_STOPS = r"\s@<>()\[\],;:\"'/="
_MASKS = tuple(
    (what, re.compile(pattern))
    for what, pattern in (
        ("key", r"-----BEGIN [\s\S]*?(?:-----END [A-Z ]*-----|$)"),
        ("key", r"\beyJ[\w-]{5,}(?:\.[\w-]*){0,2}"),
        ("key", rf"\b(?:{_ISSUERS})[-_][\w-]{{8,}}"),
        ("key", r"\b(?:AKIA|ASIA|AIza|SG\.)[\w.-]{12,}"),
        ("key", rf"(?i)\b(?:{_NAMED_SECRET})(?:\s*[:=]\s*|\s+is\s+)[^\s,;]+"),
        ("key", r"(?i)\b(?:[a-z]+_)?token\s*[:=]\s*[^\s,;&]{4,}"),
        ("url", r"(?i)\b[a-z][a-z0-9+.-]{1,15}://[^\s/@]*@[^\s]+"),
        ("email", rf"[^{_STOPS}]{{1,64}}\s?(?:@|%40|&#64;|\(at\)|\[at\])\s?[^{_STOPS}]{{2,190}}"),
        ("account", r"\b[A-Z]{2}\d{2}(?: ?[A-Z0-9]{4}){3,7}(?: ?[A-Z0-9]{1,3})?\b"),
        ("key", r"(?<![A-Za-z0-9])(?=[A-Za-z]*\d[A-Za-z]*\d)(?=\d*[A-Za-z])[A-Za-z0-9]{16,}"),
        ("key", r"(?<![\w/+-])(?=[\w/+-]*\d)(?=[\w/+-]*[a-z])(?=[\w/+-]*[A-Z])[\w/+-]{24,}={0,2}"),
        ("key", r"\b[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}\b"),
        (
            "device",
            r"(?i)(?<![\w:])(?:(?:[0-9a-f]{2}[:-]){5}[0-9a-f]{2}|(?:[0-9a-f]{1,4}::?){4,7}[0-9a-f]{1,4})(?!\w)",
        ),
        ("canary", r"(?i)(?<![a-z])canary[\w.:-]*"),
        ("number", r"(?<!\w)[+(]?\d(?:[\s().\-/·–—]{0,3}\d){6,}"),
        ("number", r"\d{6,}"),
        ("person", rf"\b(?:{_TITLES})\.?\s+{_CAPITAL}(?:\s+{_CAPITAL}){{0,3}}"),
        (
            "person",
            rf"(?<!\w)(?:{_GIVEN})"
            rf"(?:\s+(?:[A-Z]\.\s*)?(?:(?:van|von|de|da|la|el|bin)\s+){{0,2}}{_CAPITAL}){{1,3}}",
        ),
        ("person", rf"(?<!\w)(?:{_GIVEN})(?=['’]s\b)"),
        ("person", rf"(?<=[\"“„«‘'`]){_CAPITAL}(?:\s+{_CAPITAL}){{1,2}}(?=[\"”“»’'`])"),
        ("person", rf"(?<!\w)(?i:(?P<cue>{_CUES}))(?P<gap>[:,]?\s+){_CAPITAL}(?:\s+{_CAPITAL}){{1,2}}"),
    )
)
"""What is masked as what, in this order: the more certain first."""


def clean_text(text: str, length: int) -> str:
    """One line of visible characters in compatibility form, at most ``length`` of them."""
    seen = unicodedata.normalize("NFKC", text[:_BEFORE_MASKING])
    spaced = re.sub(r"[\s\u2028\u2029]+", " ", _SELECTORS.sub("", seen))
    visible = "".join(one for one in spaced if unicodedata.category(one) not in _INVISIBLE).strip()
    return visible if len(visible) <= length else visible[: length - 1] + "…"


def mask_text(text: str) -> str:
    """The text with addresses, numbers, keys and names of people replaced by what they are."""
    for what, pattern in _MASKS:
        with_cue = "cue" in pattern.groupindex
        text = pattern.sub(rf"\g<cue>\g<gap>[{what}]" if with_cue else f"[{what}]", text)
    return text


def prepare_text(text: str, length: int) -> str:
    """Cleaned, masked, then cut: a cut before masking could leave half a secret unrecognised."""
    return clean_text(mask_text(clean_text(text, _BEFORE_MASKING)), length)
