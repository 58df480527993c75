"""dlt's naming convention for the lake: every field keeps the source's own spelling, to the letter.

dlt's ``direct`` convention still replaces quotes and line breaks, so that two fields may become one.
What may not be a column name is decided before, in ``core/columns.py`` and ``core/records.py``.
dlt finds this class by its module's name.
"""

from __future__ import annotations

from dlt.common.normalizers.naming.naming import NamingConvention as DltNamingConvention


class NamingConvention(DltNamingConvention):  # type: ignore[misc]
    """Names pass unchanged; case matters."""

    PATH_SEPARATOR = "\0"  # in no name, so no name is ever taken for a path

    @property
    def is_case_sensitive(self) -> bool:
        """True: twins by case are told apart before they get here."""
        return True

    def normalize_identifier(self, identifier: str) -> str:
        """The name itself."""
        return identifier

    def make_path(self, *identifiers: str) -> str:
        """Names joined; blank ones count."""
        return self.PATH_SEPARATOR.join(identifiers)

    def break_path(self, path: str) -> list[str]:
        """The path's names; blank ones count."""
        return path.split(self.PATH_SEPARATOR)
