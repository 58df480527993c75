"""``aos mapping edit|publish|rollback|import|export``: changing which mappings hold."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, cast

import typer

from cli.mapping_common import (
    Connector,
    Draft,
    Reason,
    Stream,
    Tenant,
    User,
    bring_into_effect,
    check_tenant,
    find_set,
    read_arg,
    show_change,
    show_replays,
    show_warnings,
)
from cli.output import Json, number_of, print_json, print_table, say
from cli.services import open_mesh
from core.errors import ConfigError, FixInput
from core.mapping import FieldMapping, Transform
from core.mapping_yaml import read_set_file, write_set
from core.names import join_name

if TYPE_CHECKING:
    from collections.abc import Iterable

    from core.mapping_yaml import SetFile
    from resources.mesh import Mesh

STEWARD = "steward"
"""Origin of a mapping a person wrote."""
File = Annotated[Path, typer.Argument(metavar="FILE", exists=True, dir_okay=False)]


def register(app: typer.Typer) -> None:
    """Add this file's commands to ``aos mapping``."""
    app.command("edit")(edit)
    app.command("publish")(publish)
    app.command("rollback")(rollback)
    app.command("import")(import_)
    app.command("export")(export)


def edit(
    tenant: Tenant,
    connector: Connector,
    stream: Stream,
    target: Annotated[str, typer.Argument(metavar="TARGET", help="The canonical field.")],
    source: Annotated[list[str] | None, typer.Option("--from", help="Source field; may be repeated.")] = None,
    transform: Annotated[str | None, typer.Option(help="One of the closed list.")] = None,
    arg: Annotated[list[str] | None, typer.Option(help="key=value (JSON or text); may be repeated.")] = None,
    remove: Annotated[bool, typer.Option("--remove", help="Leave the field without source.")] = False,
    draft: Draft = False,
    user: User = None,
    reason: Reason = "",
    as_json: Json = False,
) -> None:
    """Change what fills one canonical field: a new set, published, and its history replayed."""
    from resources.set_changes import change_mappings, drop_mapping, put_mapping
    from resources.set_warnings import list_warnings

    if remove == bool(source or transform or arg):
        raise FixInput("nothing to do", expected="--from/--transform/--arg, or --remove")
    with open_mesh() as mesh:
        check_tenant(mesh, tenant)
        key, actor = (connector, stream), user or mesh.settings.actor
        given = [] if remove else [_build_mapping(mesh, tenant, key, target, source, transform, arg)]
        change = put_mapping(given[0]) if given else drop_mapping(target)
        said = reason or f"{'removed' if remove else 'edited'} {target}"
        done = change_mappings(mesh.db, mesh.ontology, tenant, key, change, actor, said, draft=draft)
        warnings = list_warnings(mesh, tenant, key, given)
        replays = [] if draft else bring_into_effect(mesh, tenant, [key])
    show_change(done, replays, as_json=as_json, warnings=warnings)


def _build_mapping(
    mesh: Mesh,
    tenant: str,
    key: tuple[str, str],
    target: str,
    sources: list[str] | None,
    transform: str | None,
    args: list[str] | None,
) -> FieldMapping:
    """The mapping as it is, with what was given instead; the usual transform for a new one."""
    from core.baseline import usual_transform

    held = find_set(mesh, tenant, key, "active")
    before = next((one for one in held.mappings if one.target == target), None)
    field = mesh.ontology.entity(held.entity).field(target)
    chosen = transform or (before.transform if before else usual_transform(field))
    same = before is not None and chosen == before.transform
    kept = before.args if before is not None and same else {}
    read = kept | dict(map(read_arg, args or ()))
    given = tuple(sources) if sources else (before.sources if before and chosen != "constant" else ())
    # the closed list is checked when the set is published; the cast only tells the type checker
    return FieldMapping(target, given, cast(Transform, chosen), read, 1.0, STEWARD)


def publish(
    tenant: Tenant,
    file: File,
    draft: Draft = False,
    user: User = None,
    reason: Reason = "",
    as_json: Json = False,
) -> None:
    """Publish the mapping set of a YAML file for a tenant, or for all ('*')."""
    from resources.set_changes import publish_files
    from resources.set_warnings import list_warnings

    with open_mesh() as mesh:
        check_tenant(mesh, tenant)
        actor = user or mesh.settings.actor
        said = _read_file(mesh, file)
        why = reason or f"published from {file.name}"
        done = publish_files(mesh.db, tenant, [(said, why)], actor, draft=draft)[0]
        warnings = list_warnings(mesh, tenant, said.key, said.mappings)
        replays = [] if draft else bring_into_effect(mesh, tenant, [said.key])
    show_change(done, replays, as_json=as_json, warnings=warnings)


def rollback(
    tenant: Tenant,
    connector: Connector,
    stream: Stream,
    to: Annotated[str | None, typer.Option(help="A number, or global; default: what held before.")] = None,
    user: User = None,
    reason: Reason = "",
    as_json: Json = False,
) -> None:
    """Make an earlier mapping set hold and replay the stream's history under it.

    Killed in between, the next sync completes it, or the same command with --to.
    """
    from resources.set_changes import roll_back

    if to not in (None, "global") and not str(to).isdecimal():
        raise FixInput("that names no earlier set", expected="a number, or global", found=repr(to))
    with open_mesh() as mesh:
        check_tenant(mesh, tenant)
        key, actor = (connector, stream), user or mesh.settings.actor
        done = roll_back(
            mesh.db,
            tenant,
            key,
            actor,
            reason or "rollback",
            to=int(to) if to not in (None, "global") else None,
            to_global=to == "global",
        )
        replays = bring_into_effect(mesh, tenant, [key])
    show_change(done, replays, as_json=as_json)


def export(
    tenant: Tenant,
    connector: Annotated[str | None, typer.Argument(metavar="[CONNECTOR]")] = None,
    stream: Annotated[str | None, typer.Argument(metavar="[STREAM]")] = None,
    name: Annotated[str, typer.Option("--set", help="active, a number, global or global:NUMBER.")] = "active",
    to: Annotated[Path | None, typer.Option(help="Folder: one file a stream.")] = None,
    as_json: Json = False,
) -> None:
    """Write mapping sets as YAML: one to standard output, or those that hold into a folder."""
    from resources.registry import active_sets

    if stream is None and name != "active":
        raise FixInput("a set has its number within a stream", expected="CONNECTOR STREAM", found=name)
    with open_mesh() as mesh:
        check_tenant(mesh, tenant)
        if connector is not None and stream is not None:
            chosen = [find_set(mesh, tenant, (connector, stream), name)]
        else:
            only = None if connector is None else [connector]
            chosen = list(active_sets(mesh.db, tenant, only).values())
    if to is None:
        if len(chosen) != 1:
            raise FixInput(
                "several sets need a folder", found=f"{len(chosen)} sets", remedy="Add --to FOLDER"
            )
        text = write_set(chosen[0])
        if as_json:
            print_json({"yaml": text, "fingerprint": chosen[0].fingerprint})
        else:
            sys.stdout.write(text)
        return
    paths = []
    for one in sorted(chosen, key=lambda one: (one.connector, one.stream)):
        path = to / one.connector / f"{one.stream}.yaml"
        _write_file(path, write_set(one))
        paths.append({"file": str(path), "fingerprint": one.fingerprint})
    if as_json:
        print_json(paths)
    else:
        say(f"{number_of(len(paths), 'mapping set')} written to {to}")


def _write_file(path: Path, text: str) -> None:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    except OSError as error:
        raise FixInput("the file cannot be written", where=str(path), found=error.strerror) from error


def import_(
    tenant: Tenant,
    paths: Annotated[list[Path], typer.Argument(metavar="FILE|FOLDER...", exists=True)],
    user: User = None,
    reason: Reason = "",
    as_json: Json = False,
) -> None:
    """Publish every mapping set of YAML files or folders; nothing is published unless all can be."""
    from resources.set_changes import publish_files
    from resources.set_warnings import list_warnings

    with open_mesh() as mesh:
        check_tenant(mesh, tenant)
        actor = user or mesh.settings.actor
        said = read_files(mesh, find_files(paths))
        files = [(one, reason or f"imported from {path.name}") for path, one in said.items()]
        done = publish_files(mesh.db, tenant, files, actor)
        warnings = [
            line for one in said.values() for line in list_warnings(mesh, tenant, one.key, one.mappings)
        ]
        replays = bring_into_effect(mesh, tenant, [one.key for one in said.values()])
    rows = [
        [one.after.connector, one.after.stream, one.after.number, one.after.entity, len(one.after.mappings),
         one.before is None or one.before.set_id != one.after.set_id]
        for one in done if one.after is not None
    ]  # fmt: skip
    columns = ["connector", "stream", "number", "entity", "fields", "changed"]
    if as_json:
        sets = [dict(zip(columns, row, strict=True)) for row in rows]
        print_json({"sets": sets, "replays": replays, "warnings": warnings})
    else:
        print_table("Imported", columns, rows)
        show_warnings(warnings)
        show_replays(replays)


def find_files(paths: Iterable[Path]) -> list[Path]:
    """The YAML files among files and below folders, hidden and archived ones left out."""
    found: list[Path] = []
    for path in paths:
        below = sorted([*path.rglob("*.yaml"), *path.rglob("*.yml")]) if path.is_dir() else [path]
        hidden = (".", "archive-")
        found += [one for one in below if not any(p.startswith(hidden) for p in one.relative_to(path).parts)]
    if not found:
        raise FixInput("no YAML files", where=", ".join(map(str, paths)))
    return found


def read_files(mesh: Mesh, paths: Iterable[Path]) -> dict[Path, SetFile]:
    """The sets of files, each stream once; raises what is wrong with the first bad one."""
    said: dict[Path, SetFile] = {}
    first: dict[tuple[str, str], Path] = {}
    for path in paths:
        one = _read_file(mesh, path)
        if one.key in first:
            raise ConfigError(
                f"two files hold mappings of {join_name(*one.key)}",
                where=str(path),
                found=str(first[one.key]),
            )
        first[one.key] = path
        said[path] = one
    return said


def _read_file(mesh: Mesh, path: Path) -> SetFile:
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError("the file cannot be read", where=str(path), found=str(error)) from error
    return read_set_file(text, str(path), mesh.ontology)
