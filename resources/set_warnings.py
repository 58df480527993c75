"""What a steward ought to hear of a set that is in order and yet may never fill anything.

A set may come before its config or its data, so neither is an error.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from core.mapping import FieldMapping
from core.names import join_name, parse_path
from resources.registry_rows import StreamKey
from resources.schema_versions import read_columns

if TYPE_CHECKING:
    from resources.mesh import Mesh


def list_warnings(mesh: Mesh, tenant_id: str, key: StreamKey, mappings: Iterable[FieldMapping]) -> list[str]:
    """Sentences: no config names the stream; sources that no load of it had (``*``: of any tenant).

    Nested paths count by their column. Nothing is said of sources before anything was recorded.
    """
    name, found = join_name(*key), []
    spec = mesh.specs.get(key[0])
    if spec is None or key[1] not in spec.streams:
        found.append(f"no connector config describes {name}: the set fills nothing before one does")
    columns = read_columns(mesh.db, tenant_id, key)
    paths = dict.fromkeys(path for one in mappings for path in _list_paths(one))
    unseen = [path for path in paths if columns and parse_path(path)[0] not in columns]
    if unseen:
        fields = f"field{'s' if len(unseen) > 1 else ''} {', '.join(map(repr, unseen))}"
        found.append(f"no load of {name} ever had the {fields}")
    return found


def _list_paths(one: FieldMapping) -> list[str]:
    """What the mapping reads."""
    currency = one.args.get("currency_from")
    return [*one.sources, *([currency] if isinstance(currency, str) else [])]
