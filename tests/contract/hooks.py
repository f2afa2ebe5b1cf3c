"""What the judge must know of the product, and what it is kept from. Everything else is asked as it comes."""

import json
import os
import re
import sys
import uuid
from base64 import b64decode
from pathlib import Path
from typing import Any

import schemathesis
from hypothesis import strategies
from schemathesis.core.failures import AcceptedNegativeData, Failure
from schemathesis.core.transport import Response
from schemathesis.openapi.checks import RejectedPositiveData

sys.path.insert(0, str(Path(__file__).parent))
import rules  # noqa: E402

USED = Path(os.environ["CONTRACT_USED_RULES"])
OWN = set(json.loads(os.environ["CONTRACT_OWN"]))
KEY = re.compile(r"[!-~]([ -~]{0,253}[!-~])?\Z")
ADDRESS = re.compile(r"^(https?://)[^/?#]*", re.IGNORECASE)
PNG = b64decode("iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mP8z8BQDwAEhQGAhKmMIQAAAABJRU5ErkJggg==")

JPEG = bytes.fromhex("ffd8ffe000104a46494600010100000100010000ffd9")
# Files that are what their media type says, which no schema describes.
FILES = {
    "image/png": [PNG],
    "image/jpeg": [JPEG],
    "text/csv": [b"given_name\nAda\n", b"given_name\nAda\nGrace\n"],
    "application/jsonl": [b'{"claims":{"given_name":"Ada"}}\n'],
}
for media_type, files in FILES.items():
    schemathesis.openapi.media_type(media_type, strategies.sampled_from(files))


@schemathesis.deserializer(*FILES)
def as_text(context: Any, response: Response) -> str:
    return response.content.decode("latin-1")


@schemathesis.hook
def before_load_schema(context: schemathesis.HookContext, raw_schema: dict[str, Any]) -> None:
    # Examples of files are texts in the document; those above take their place.
    for item in raw_schema["paths"].values():
        for operation in item.values():
            content = operation.get("requestBody", {}).get("content", {}) if isinstance(operation, dict) else {}
            for media_type in FILES.keys() & content.keys():
                content[media_type].pop("example", None)


@schemathesis.hook
def before_call(context: schemathesis.HookContext, case: schemathesis.Case, kwargs: dict[str, Any]) -> None:
    # Its own keys and organisations: without them the rest of the run would be 401 and 403. Others may be deleted.
    if case.method == "DELETE" or case.path.endswith("/suspend"):
        for name, value in (case.path_parameters or {}).items():
            if str(value) in OWN:
                case.path_parameters[name] = str(uuid.uuid4())
    # What is drawn repeats itself: under one key, all requests but the first would be refused (422).
    headers = case.headers if case.headers is not None else {}
    if KEY.match(str(headers.get("Idempotency-Key", ""))):
        headers["Idempotency-Key"] = str(uuid.uuid4())
    # Webhooks and identity providers of made-up hosts: a name that was drawn may exist. This one never does (RFC 6761 §6.4).
    if isinstance(case.body, (dict, list)):
        case.body = nowhere(case.body)


def nowhere(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: nowhere(member) for name, member in value.items()}
    if isinstance(value, list):
        return [nowhere(element) for element in value]
    if isinstance(value, str):
        return ADDRESS.sub(r"\1contract.invalid", value)
    return value


@schemathesis.hook
def filter_failure(
    context: schemathesis.HookContext, failure: Failure, case: schemathesis.Case, response: Response
) -> bool:
    if isinstance(failure, AcceptedNegativeData):
        return not is_about_absent_parameter(failure, case)
    return not (isinstance(failure, RejectedPositiveData) and breaks_only_rules(response))


def is_about_absent_parameter(failure: AcceptedNegativeData, case: schemathesis.Case) -> bool:
    """Whether the parameter that was made invalid is an empty one: in queries that counts as absent, whatever the schema
    says about texts."""
    found = re.search("parameter `([^`]+)` in query", failure.message)
    return found is not None and (case.query or {}).get(found.group(1)) == ""


def breaks_only_rules(response: Response) -> bool:
    """Whether everything that was wrong is a rule that no schema states."""
    if response.status_code != 400:
        return False
    places = response.json()["errors"]
    unexcused = rules.unexcused(places)
    # The report cuts long answers.
    for place in unexcused:
        print(f"No rule excuses this: {place['pointer']}: {place['detail']}", file=sys.stderr)
    if unexcused or not places:
        return False
    with USED.open("a", encoding="utf-8") as used:
        for place in places:
            rule = rules.broken_by(place["pointer"], place["detail"])
            used.write(f"{json.dumps([rule.place, rule.words])}\n")
    return True
