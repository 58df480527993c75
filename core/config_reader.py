"""Reads connector configs: YAML files to connector specs, every mistake with file, line and path.

What may stand in a config is ``core/connector.py``; what YAML is allowed is ``core/strict_yaml.py``.
"""

from __future__ import annotations

import copy
import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path as FilePath
from typing import Any

from pydantic import ValidationError

from core.config_errors import mistake, show, suggest, translate
from core.connector import ConnectorSpec
from core.errors import ConfigError
from core.mapping import TRANSFORMS
from core.strict_yaml import MAX_BYTES, Document, read_yaml


@dataclass
class ConfigReport:
    """What the config folders gave: specs by connector, and an error for whatever could not be read."""

    specs: dict[str, ConnectorSpec] = field(default_factory=dict)
    errors: list[ConfigError] = field(default_factory=list)
    files: dict[str, FilePath] = field(default_factory=dict)


def load_configs(folders: Sequence[FilePath]) -> ConfigReport:
    """Read every ``*.yaml`` of the folders (or single files); a broken file leaves the others.

    A connector that stands in two places is an error naming both, and neither is taken.
    """
    report = ConfigReport()
    doubled: set[str] = set()
    for file in _files(folders, report.errors):
        found = report.files.get(file.stem)
        if found is not None:
            doubled.add(file.stem)
            report.errors.append(_twice(file, found))
            continue
        report.files[file.stem] = file
        spec, errors = check_config_file(file)
        report.errors.extend(errors)
        if spec is not None:
            report.specs[spec.connector] = spec
    for name in doubled:
        report.specs.pop(name, None)
    return report


def check_config_file(file: FilePath) -> tuple[ConnectorSpec | None, list[ConfigError]]:
    """Read one file; the spec, or every mistake found in it."""
    try:
        with file.open("rb") as stream:
            text = stream.read(MAX_BYTES + 1).decode("utf-8")
    except OSError as error:
        return None, [ConfigError(f"cannot be read: {error.strerror}", where=str(file))]
    except UnicodeDecodeError as error:
        return None, [ConfigError("is not UTF-8 text", found=f"byte {error.start}", where=str(file))]
    return check_config(text, str(file))


def read_config(text: str, path: FilePath | str) -> ConnectorSpec:
    """The spec in ``text``; ConfigError (the first mistake) names file, line, path, expected, found."""
    spec, errors = check_config(text, str(path))
    if spec is None:
        raise errors[0]
    return spec


def check_config(text: str, path: str) -> tuple[ConnectorSpec | None, list[ConfigError]]:
    """The spec in ``text``, or every mistake, in order of lines. ``path`` must be ``<connector>.yaml``."""
    try:
        document = read_yaml(text, path)
    except ConfigError as error:
        return None, [error]
    if not isinstance(document.data, dict):
        found = show(document.data)
        return None, [mistake(document, (), "not a config", expected="keys and values", found=found)]
    try:
        spec = ConnectorSpec.model_validate_json(json.dumps(_longhand(document.data)))
    except ValidationError as error:
        return None, translate(error, document)
    errors = [*_check_name(spec, document), *_check_transforms(spec, document)]
    return (None if errors else spec), errors


def _files(folders: Sequence[FilePath], errors: list[ConfigError]) -> Iterator[FilePath]:
    for folder in folders:
        if folder.is_file():
            yield folder
        elif folder.is_dir():
            yield from sorted(f for f in folder.glob("*.yaml") if not f.name.startswith("."))
            for stray in sorted(folder.glob("*.yml")):
                errors.append(
                    ConfigError("is not read", where=str(stray), remedy=f"Rename it to {stray.stem}.yaml.")
                )
        else:
            errors.append(ConfigError("no such file or folder", where=str(folder)))


def _twice(file: FilePath, first: FilePath) -> ConfigError:
    return ConfigError(
        f"connector {file.stem!r} stands in two places",
        expected="one file a connector",
        found=f"{first} and {file}",
        where=str(file),
        remedy="Remove or rename one of them.",
    )


def _longhand(data: dict[str, Any]) -> dict[str, Any]:
    """Write out the shorthand of mappings: ``name: a`` and ``from: a`` mean ``from: [a]``."""
    full = copy.deepcopy(data)
    streams = full.get("streams")
    for stream in streams.values() if isinstance(streams, dict) else ():
        mappings = stream.get("mappings") if isinstance(stream, dict) else None
        if not isinstance(mappings, dict):
            continue
        for target, mapping in mappings.items():
            if isinstance(mapping, str):
                mappings[target] = {"from": [mapping]}
            elif isinstance(mapping, dict) and isinstance(mapping.get("from"), str):
                mapping["from"] = [mapping["from"]]
    return full


def _check_name(spec: ConnectorSpec, document: Document) -> list[ConfigError]:
    stem = FilePath(document.file).stem
    if stem == spec.connector:
        return []
    return [
        mistake(
            document,
            ("connector",),
            "the connector's name is not the file's",
            expected=repr(stem),
            found=repr(spec.connector),
            remedy=f"Name the file {spec.connector}.yaml, or the connector {stem}.",
        )
    ]


def _check_transforms(spec: ConnectorSpec, document: Document) -> list[ConfigError]:
    return [
        mistake(
            document,
            ("streams", name, "mappings", target, "transform"),
            "unknown transform",
            expected="one of " + ", ".join(TRANSFORMS),
            found=repr(mapping.transform),
            remedy=suggest(mapping.transform, TRANSFORMS),
        )
        for name, stream in spec.streams.items()
        for target, mapping in stream.mappings.items()
        if mapping.transform is not None and mapping.transform not in TRANSFORMS
    ]
