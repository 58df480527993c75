"""Runs a dlt pipeline through dagster-dlt inside a step.

Its materializations are dropped: they tell of text columns and dlt's tables, where the assets tell of the
streams' real types and counts. What it takes from the live dlt schema it also destroys there (a second
run of the same pipeline fails), so that reading is left out.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from dagster import AssetExecutionContext, AssetKey, AssetSpec
from dagster_dlt import DagsterDltResource, DagsterDltTranslator
from dagster_dlt.translator import DltResourceTranslatorData

from core.names import raw_key

if TYPE_CHECKING:
    from dlt import Pipeline
    from dlt.sources import DltSource


class StreamTranslator(DagsterDltTranslator):  # type: ignore[misc]
    """Names a dlt resource's asset: the raw stream of the same name."""

    def __init__(self, connector: str) -> None:
        self._connector = connector

    def get_asset_spec(self, data: DltResourceTranslatorData) -> AssetSpec:
        """The asset of a stream; only its key counts."""
        return AssetSpec(AssetKey(raw_key(self._connector, data.resource.name)))


class StreamRunner(DagsterDltResource):  # type: ignore[misc]
    """dagster-dlt's runner without its look into the dlt schema."""

    def extract_resource_metadata(self, *_: Any, **__: Any) -> Mapping[str, Any]:
        """Nothing; see the module's docstring."""
        return {}


def build_runner(context: AssetExecutionContext, connector: str) -> Callable[[DltSource, Pipeline], None]:
    """What ``load_connector`` takes as ``run``, for the step of ``context``."""

    def run(source: DltSource, pipeline: Pipeline) -> None:
        # its working folder is new: there is nothing to drop, which would take a tenth of the run's time
        pipeline.drop = lambda *_, **__: pipeline
        events = StreamRunner().run(
            context=context,
            dlt_source=source,
            dlt_pipeline=pipeline,
            dagster_dlt_translator=StreamTranslator(connector),
        )
        deque(events, maxlen=0)

    return run
