"""Models to committed JSON Schemas (2020-12): ``python -m schemas.export [--check]``."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import schemas
from schemas.common import Wire

GENERATED = Path(__file__).parent / "generated"


def wire_models() -> dict[str, type[Wire]]:
    """Return the top-level message models by their schema name (``story``, ``feed-state`` …)."""
    models = {}
    for name in schemas.__all__:
        model = getattr(schemas, name)
        if isinstance(model, type) and issubclass(model, Wire) and "schema_" in model.model_fields:
            models[model.model_fields["schema_"].default.partition("/")[0]] = model
    models["story"] = schemas.Story
    return dict(sorted(models.items()))


def render(model: type[Wire]) -> str:
    """Return the JSON Schema of one model as committed."""
    schema = model.model_json_schema(mode="serialization", by_alias=True)
    schema = {"$schema": "https://json-schema.org/draft/2020-12/schema", **schema}
    return json.dumps(schema, indent=1, ensure_ascii=False, sort_keys=True) + "\n"


def export(directory: Path) -> list[Path]:
    """Write every schema below a directory and return the files."""
    directory.mkdir(parents=True, exist_ok=True)
    written = []
    for name, model in wire_models().items():
        path = directory / f"{name}.schema.json"
        path.write_text(render(model), encoding="utf-8")
        written.append(path)
    return written


def stale() -> list[str]:
    """Return what differs between the committed files and the models, a line each."""
    wanted = {f"{name}.schema.json": render(model) for name, model in wire_models().items()}
    present = {path.name: path.read_text(encoding="utf-8") for path in GENERATED.glob("*.schema.json")}
    return [
        f"schemas/generated/{name}"
        for name in sorted(wanted | present)
        if wanted.get(name) != present.get(name)
    ]


def main(arguments: list[str]) -> int:
    """Write the schemas, or with --check exit 1 naming the stale ones."""
    if arguments == ["--check"]:
        for line in (found := stale()):
            sys.stderr.write(f"stale: {line}; run `make schemas`\n")
        return 1 if found else 0
    export(GENERATED)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
