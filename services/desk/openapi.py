"""OpenAPI 3.1 of the desk, made from the table of endpoints and the models: it cannot go stale."""

from __future__ import annotations

import json
import re
from functools import cache
from http import HTTPStatus
from typing import TYPE_CHECKING, Any

from pydantic.json_schema import models_json_schema

import services
from services.desk.api import ENDPOINTS, PROBLEM, Endpoint, Problem, Query

if TYPE_CHECKING:
    from pydantic import BaseModel

_REF = "#/components/schemas/{model}"


@cache
def openapi() -> bytes:
    """Return the description as JSON; the models do not change while we run."""
    answers = {endpoint.answer for endpoint in ENDPOINTS if endpoint.answer is not None} | {Problem}
    refs, definitions = models_json_schema(
        [(model, "serialization") for model in sorted(answers, key=lambda model: model.__name__)],
        by_alias=True,
        ref_template=_REF,
    )
    document = {
        "openapi": "3.1.0",
        "info": {
            "title": "tumen desk",
            "version": services.__version__,
            "summary": "Alerts on Russia - North Korea arms ties, with the words that caused them",
            "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"},
        },
        "paths": {endpoint.path: {"get": _operation(endpoint, refs)} for endpoint in ENDPOINTS},
        "components": {"schemas": definitions["$defs"]},
    }
    return json.dumps(document, ensure_ascii=False).encode()


def _operation(endpoint: Endpoint, refs: dict[Any, Any]) -> dict[str, Any]:
    schema = refs[endpoint.answer, "serialization"] if endpoint.answer else _bare(endpoint)
    problem = {"content": {PROBLEM: {"schema": refs[Problem, "serialization"]}}}
    return {
        "operationId": endpoint.operation,
        "summary": endpoint.summary,
        "parameters": [*_path_parameters(endpoint.path), *_query_parameters(endpoint.query)],
        "responses": {
            "200": {"description": "OK", "content": {endpoint.media_type: {"schema": schema}}},
            **{str(code): {"description": HTTPStatus(code).phrase, **problem} for code in endpoint.problems},
        },
    }


def _bare(endpoint: Endpoint) -> dict[str, str]:
    return {"type": "string" if endpoint.media_type.startswith("text/") else "object"}


def _path_parameters(path: str) -> list[dict[str, Any]]:
    return [
        {"name": name, "in": "path", "required": True, "schema": {"type": "string"}}
        for name in re.findall(r"{(\w+)}", path)
    ]


def _query_parameters(query: type[Query]) -> list[dict[str, Any]]:
    properties: dict[str, Any] = _schema(query).get("properties", {})
    return [
        {
            "name": name,
            "in": "query",
            "required": False,
            "schema": {k: v for k, v in schema.items() if k != "title"},
        }
        for name, schema in properties.items()
    ]


def _schema(model: type[BaseModel]) -> dict[str, Any]:
    return model.model_json_schema(mode="validation")
