"""Prepares a server for its judge: two organisations with something of everything, and a key of each role.

    prepare.py CREDENTIALS OWN

writes to CREDENTIALS (a Web Fuzzing Commons document) who may ask, and to OWN the ids without which nobody could. The keys of
`admin` and `other` belong to different organisations: neither may see what the other has.
"""

import json
import os
import sys
import urllib.request
from pathlib import Path

MANAGEMENT = os.environ["CHANCERY_TEST_MANAGEMENT_URL"]
PLATFORM_KEY = os.environ["CHANCERY_TEST_PLATFORM_KEY"]
OPENID = "/v2/config/digital-wallet/openid"
DOCUMENT = Path(__file__).parents[2] / "openapi" / "management.json"


def call(key: str, path: str, body: object, media_type: str = "application/json") -> dict:
    data = body.encode() if isinstance(body, str) else json.dumps(body).encode()
    headers = {"Authorization": f"ApiKey {key}", "Content-Type": media_type}
    request = urllib.request.Request(MANAGEMENT + path, data, headers, method="POST")
    with urllib.request.urlopen(request) as answer:
        return json.load(answer)


def example(path: str, media_type: str = "application/json") -> dict:
    """The example that the document gives of a `POST`."""
    document = json.loads(DOCUMENT.read_text(encoding="utf-8"))
    return document["paths"][path]["post"]["requestBody"]["content"][media_type]["example"]


def organisation(slug: str, own: list[str]) -> dict[str, str]:
    """An organisation that has issued; the secrets of its keys by role. What it cannot do without is added to `own`."""
    made = call(PLATFORM_KEY, "/v2/platform/organisations", {"slug": slug, "name": slug})
    own += [made["organisation"]["id"], made["apiKey"]["id"]]
    admin = made["apiKey"]["apiKey"]
    call(admin, f"{OPENID}/key-management", {"algorithm": "ES256"})
    claims = [{"path": ["given_name"], "mandatory": True, "limitDisclosure": True}]
    entry = {"credentialFormat": "dc+sd-jwt", "vct": "urn:example:badge", "claims": {"claims": claims}}
    definition = {"label": "Badge", "credentialDefinitions": [entry]}
    made = call(admin, f"{OPENID}/sdjwt/credential-definition", definition)
    definition_id = made["credentialDefinition"]["credentialDefinitionId"]
    common = {"userPin": "", "credentialDefinitionId": definition_id}
    given = {"issuanceMode": "InTime", "credential": {"claims": {"given_name": "Ada"}}}
    call(admin, f"{OPENID}/sdjwt/credential/issue", common | given)
    call(admin, f"{OPENID}/sdjwt/credential/issue", common | {"issuanceMode": "Deferred"})
    bulk = f"{OPENID}/sdjwt/credential/issue/bulk"
    call(admin, f"{bulk}?credentialDefinitionId={definition_id}", "given_name\nAda\n", "text/csv")
    for path in ("/v2/config/individual", "/v2/config/webhook"):
        call(admin, path, example(path))
    keys = {"admin": admin}
    for role in ("issuer", "auditor"):
        made = call(admin, "/v2/config/admin/apikey", {"name": role, "role": role})
        keys[role] = made["apiKey"]["apiKey"]
        own.append(made["apiKey"]["id"])
    return keys


def entry(name: str, key: str) -> dict:
    return {"name": name, "fixedHeaders": [{"name": "Authorization", "value": f"ApiKey {key}"}]}


def main() -> None:
    own: list[str] = []
    judged = organisation("judged", own)
    other = organisation("other", own)
    # In the order in which they are tried for an operation.
    who = {"admin": judged["admin"], "platform": PLATFORM_KEY, "other": other["admin"]}
    who |= {"issuer": judged["issuer"], "auditor": judged["auditor"]}
    entries = [entry(name, key) for name, key in who.items()]
    Path(sys.argv[1]).write_text(json.dumps({"auth": entries}), encoding="utf-8")
    Path(sys.argv[2]).write_text(json.dumps(own), encoding="utf-8")


if __name__ == "__main__":
    main()
