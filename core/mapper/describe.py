"""A value profile in words a person reads: how full, how different, what the values look like."""

from __future__ import annotations

from collections.abc import Mapping

_LOOKS = {
    "email": "e-mail addresses",
    "phone": "phone numbers",
    "url": "URLs",
    "date": "dates",
    "datetime": "times",
    "epoch": "counted seconds",
    "boolean": "yes or no",
    "integer": "whole numbers",
    "number": "numbers",
    "percent": "per cents",
    "fraction": "fractions of 1",
    "currency": "three capitals, as currencies",
    "country": "two capitals, as countries",
    "id": "keys",
    "worded": "several words",
}
"""What a share is of, the more telling first."""
_SAID = {"epoch_s": "seconds since 1970", "epoch_ms": "milliseconds since 1970"}
_TELLING = 0.05
_MOST = 3
"""Kinds of looks that are told."""


def describe_profile(shares: Mapping[str, float]) -> list[str]:
    """Sentences' parts, such as ``empty 2 %``; empty where nothing was measured."""
    if not shares:
        return []
    told = []
    count = shares.get("count", -1)
    if shares.get("null", 0.0) >= 1:
        return ["always empty" + (f" ({count:,.0f} seen)" if count >= 0 else "")]
    told.append(f"empty {_percent(shares.get('null', 0.0))}")
    if shares.get("unique", -1) >= 0:
        told.append(f"unique {_percent(shares['unique'])}")
    if "categories" in shares:
        many = round(shares["categories"])
        told.append("1 category" if many == 1 else f"{many} categories")
    told += _describe_looks(shares)
    if shares.get("length", -1) >= 0:
        told.append(f"{shares['length']:.0f} character{'' if round(shares['length']) == 1 else 's'}")
    if count >= 0:
        told.append(f"{count:,.0f} seen")
    return told


def _describe_looks(shares: Mapping[str, float]) -> list[str]:
    formats = {name.removeprefix("as "): share for name, share in shares.items() if name.startswith("as ")}
    told = [
        f"{_SAID.get(name, name)} {_percent(share)}" for name, share in _sort(formats) if share >= _TELLING
    ]
    looks = {name: shares.get(name, 0.0) for name in _LOOKS}
    if looks["boolean"] >= looks["integer"] > 0:
        looks["integer"] = 0.0  # 0 and 1 are both
    if looks["number"] <= looks["integer"]:
        looks["number"] = 0.0  # said by the whole ones already
    if told:
        return told[:_MOST]  # what else times written so look like says nothing
    if looks["epoch"] >= _TELLING:
        looks["integer"] = looks["number"] = looks["phone"] = 0.0  # written in figures, yet times
    told += [f"{_LOOKS[name]} {_percent(share)}" for name, share in _sort(looks) if share >= _TELLING]
    return told[:_MOST]


def _sort(shares: Mapping[str, float]) -> list[tuple[str, float]]:
    return sorted(shares.items(), key=lambda item: -item[1])


def _percent(share: float) -> str:
    """``2 %``; never 0 or 100 for what is not quite."""
    if 0 < share < 0.005:
        return "<1 %"
    if 0.995 <= share < 1:
        return ">99 %"
    return f"{share:.0%}".replace("%", " %")
