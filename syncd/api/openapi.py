"""The OpenAPI description, made from the routes and the types they answer."""

import re
from collections.abc import Iterable
from http import HTTPStatus
from typing import Any

import msgspec

from syncd.api.credentials import COOKIE
from syncd.api.front import Ready
from syncd.api.handler import Handler, Routes
from syncd.api.operation import Operation, Parameter
from syncd.api.rooms import Rooms

TEMPLATE = "#/components/schemas/{name}"
PROBLEM = {
    "type": "object",
    "description": "Why it was refused.",
    "properties": {"status": {"const": "error"}, "reason": {"type": "string"}},
    "required": ["status", "reason"],
    "additionalProperties": False,
}
VALUE = {
    "description": "Whatever JSON can say, with numbers that everybody can read.",
    "anyOf": [
        {"type": ["string", "boolean", "null"]},
        {"type": "number", "minimum": -1e15, "maximum": 1e15},
        {"type": "array", "items": {"$ref": "#/components/schemas/Value"}},
        {
            "type": "object",
            "additionalProperties": {"$ref": "#/components/schemas/Value"},
        },
    ],
}
PARTS: dict[str, dict[str, Any]] = {
    "fid": {
        "description": "Id of a file: the UUIDv5 of its path.",
        "schema": {"type": "string", "format": "uuid"},
    },
    "job": {
        "description": "Id of a job, or the name of the vault that it makes.",
        "schema": {"type": "string", "minLength": 1},
    },
    "vault": {
        "description": "Name of a vault.",
        "schema": {"type": "string", "minLength": 1},
    },
    "name": {
        "description": "Name of an entry, exactly.",
        "schema": {"type": "string", "minLength": 1},
    },
    "backup": {
        "description": "Id of a backup.",
        "schema": {"type": "string", "minLength": 1},
    },
    "id": {
        "description": "Id of a backup to restore, or of a restore.",
        "schema": {"type": "string", "minLength": 1},
    },
    "number": {
        "description": "Number of a record.",
        "schema": {"type": "integer", "minimum": 1},
    },
    "attachment": {
        "description": "Name of what is attached.",
        "schema": {"type": "string", "minLength": 1},
    },
    "transaction": {
        "description": "Id of a restore.",
        "schema": {"type": "string", "minLength": 1},
    },
    "more": {
        "description": "Anything; it makes no difference.",
        "schema": {"type": "string", "minLength": 1},
    },
}
PROOFS: dict[str, dict[str, Any]] = {
    "basic": {
        "type": "http",
        "scheme": "basic",
        "description": "A user's address and password, or a token's KEY and SECRET.",
    },
    "bearer": {
        "type": "http",
        "scheme": "bearer",
        "description": "KEY:SECRET of a token, or a signed token.",
    },
    "session": {"type": "apiKey", "in": "cookie", "name": COOKIE},
}
"""What is needed once there are accounts or credentials; before, nothing is."""

PROBLEMS: dict[str, dict[str, Any]] = {
    "Problem": PROBLEM,
    "Down": {
        "type": "object",
        "description": "What is in the way.",
        "properties": {"status": {"const": "DOWN"}, "reason": {"type": "string"}},
        "required": ["status", "reason"],
        "additionalProperties": False,
    },
    "OpToolsProblem": {
        "type": "object",
        "description": "Why it was refused: in message, msg, msgs, error or reason.",
    },
    "DaemonProblem": {
        "type": ["object", "string"],
        "description": "Why it was refused: a text, or an object with a message.",
    },
    "CyborgProblem": {
        "type": "object",
        "description": "Why it was refused: a detail, or the reasons by field.",
    },
}
"""How refusals look, by the name that a handler gives."""
BARE = (HTTPStatus.NO_CONTENT, HTTPStatus.NOT_MODIFIED)
"""Answers without a body."""
EVERYWHERE = (
    HTTPStatus.BAD_REQUEST,
    HTTPStatus.UNAUTHORIZED,
    HTTPStatus.FORBIDDEN,
    HTTPStatus.TOO_MANY_REQUESTS,
    HTTPStatus.INTERNAL_SERVER_ERROR,
)
WITH_A_BODY = (
    HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
    HTTPStatus.UNSUPPORTED_MEDIA_TYPE,
)


def described(routes: Routes, rooms: Rooms) -> dict[str, Any]:
    """Return the OpenAPI 3.1 document of the routes."""
    names = [entry.name for entry in rooms.entries.list()]
    types = [Ready, *_types(routes)]
    references, schemas = msgspec.json.schema_components(types, ref_template=TEMPLATE)
    known = dict(zip(map(id, types), references, strict=True))
    rules, nested = _lifted(rooms.rules_schema())
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "syncd",
            "version": rooms.version(),
            "description": "Keeps files in step between storages, by rules.",
            "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"},
        },
        "servers": [{"url": "/"}],
        "security": [{}, *({name: []} for name in PROOFS)],
        "paths": {where: _path(where, kind, known) for where, kind in routes},
        "components": {
            "schemas": {
                **schemas,
                **nested,
                "EntryName": {"type": "string", "enum": names},
                **PROBLEMS,
                "Value": VALUE,
                "Rules": rules,
            },
            "securitySchemes": PROOFS,
        },
    }


def _types(routes: Routes) -> Iterable[Any]:
    for _, handler in routes:
        for operation in handler.operations.values():
            if operation.answer is not None:
                yield operation.answer


def _lifted(schema: dict[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return a schema and its definitions, which become components."""
    text = msgspec.json.encode(schema).replace(b"#/$defs/", b"#/components/schemas/")
    schema = msgspec.json.decode(text)
    return schema, schema.pop("$defs", {})


def _path(where: str, handler: type[Handler], known: dict[int, Any]) -> dict[str, Any]:
    names = re.findall(r"{(\w+)}", where)
    item: dict[str, Any] = {
        method.lower(): _operation(where, method, operation, known, handler.problem)
        for method, operation in handler.operations.items()
    }
    if names:
        item["parameters"] = [
            {"name": name, "in": "path", "required": True, **PARTS[name]}
            for name in names
        ]
    return item


def _operation(
    where: str,
    method: str,
    operation: Operation,
    known: dict[int, Any],
    problem: str,
) -> dict[str, Any]:
    summary, _, more = operation.about.partition("\n")
    words = re.findall(r"\w+", where)
    described: dict[str, Any] = {
        "operationId": "_".join([method.lower(), *words]),
        "summary": summary,
        "description": more.strip() or summary,
        "responses": {
            **{str(int(s)): _answer(s, operation, known) for s in operation.status},
            **{
                str(int(s)): _refusal(s, problem)
                for s in _errors(where, method, operation)
            },
        },
    }
    if operation.query:
        described["parameters"] = [_parameter(one) for one in operation.query]
    if operation.body is not None:
        content = {"application/json": {"schema": operation.body}}
        described["requestBody"] = {
            "required": not operation.optional,
            "content": content,
        }
    return described


def _answer(
    status: HTTPStatus, operation: Operation, known: dict[int, Any]
) -> dict[str, Any]:
    answer: dict[str, Any] = {"description": status.phrase}
    if operation.content and status not in BARE:
        answer["content"] = {
            kind: {"schema": schema} if schema else {}
            for kind, schema in operation.content.items()
        }
    elif operation.answer is not None:
        schema = known[id(operation.answer)]
        answer["content"] = {"application/json": {"schema": schema}}
    return answer


def _refusal(status: HTTPStatus, problem: str) -> dict[str, Any]:
    schema = {"$ref": TEMPLATE.format(name=problem)}
    content = {"application/json": {"schema": schema}}
    return {"description": status.phrase, "content": content}


def _errors(where: str, method: str, operation: Operation) -> list[HTTPStatus]:
    found = {*EVERYWHERE, *operation.errors}
    if "{" in where:
        found.add(HTTPStatus.NOT_FOUND)
    if method != "GET":
        found.update(WITH_A_BODY)
    return sorted(found)


def _parameter(one: Parameter) -> dict[str, Any]:
    return {
        "name": one.name,
        "in": "query",
        "description": one.about,
        "schema": one.schema(),
    }
