"""docs/getting-started.md with the types of the API: an organisation, a definition, a credential in a wallet, its record.

`chancery_client` is what openapi-python-client makes of openapi/management.json.
"""

import os
import re
import subprocess
from typing import TypeVar
from uuid import UUID

from chancery_client import AuthenticatedClient
from chancery_client.api.credential_definitions import create_credential_definition
from chancery_client.api.issuance import issue_credential, list_credential_history, read_credential_history, read_transcript
from chancery_client.api.platform import create_organisation
from chancery_client.api.signing_keys import create_signing_key
from chancery_client.models import (
    Algorithm,
    CreatedOrganisation,
    CredentialFormat,
    CredentialToIssue,
    CredentialToIssueClaimsType0,
    DefinitionAnswer,
    HistoryAnswer,
    HistoryList,
    IssuanceMode,
    IssueRequest,
    NewClaim,
    NewClaims,
    NewCredentialDefinition,
    NewDisplay,
    NewEntry,
    NewOrganisation,
    NewSigningKey,
    Problem,
    SigningKeyAnswer,
    Transcript,
)

T = TypeVar("T")


def client_with(key: str) -> AuthenticatedClient:
    return AuthenticatedClient(os.environ["CHANCERY_TEST_MANAGEMENT_URL"], token=key, prefix="ApiKey")


def answered(kind: type[T], answer: object) -> T:
    if isinstance(answer, Problem):
        raise RuntimeError(answer.detail)
    assert isinstance(answer, kind)
    return answer


def definition_of(issuer: str) -> NewCredentialDefinition:
    described = [
        NewClaim(path=["name"], mandatory=True, limit_disclosure=True),
        NewClaim(path=["card_number"], mandatory=True, limit_disclosure=True),
        NewClaim(path=["branches"], mandatory=False, limit_disclosure=False),
        NewClaim(path=["branches", None], mandatory=False, limit_disclosure=True),
    ]
    entry = NewEntry(
        credential_format=CredentialFormat.DCSD_JWT,
        vct=f"{issuer}/types/library-card",
        expiration_in_days=365,
        claims=NewClaims(claims=described),
        display=NewDisplay(name="Library card", background_color="#7a1f3d", text_color="#ffffff"),
    )
    return NewCredentialDefinition(label="Library card", credential_definitions=[entry])


def request_of(definition_id: UUID, user_pin: str, claims: dict[str, object]) -> IssueRequest:
    given = CredentialToIssueClaimsType0()
    given.additional_properties = claims
    return IssueRequest(
        issuance_mode=IssuanceMode.INTIME,
        user_pin=user_pin,
        credential_definition_id=definition_id,
        credential=CredentialToIssue(claims=given),
    )


def main() -> None:
    platform = client_with(os.environ["CHANCERY_TEST_PLATFORM_KEY"])
    wanted = NewOrganisation(slug=f"python-{os.getpid()}", name="Acme Registry")
    created = answered(CreatedOrganisation, create_organisation.sync(client=platform, body=wanted))
    issuer = created.organisation.issuer
    print(f"organisation {issuer} is {created.organisation.status}")

    acme = client_with(created.api_key.api_key)
    key = NewSigningKey(algorithm=Algorithm.ES256)
    answered(SigningKeyAnswer, create_signing_key.sync(client=acme, body=key))

    defined = answered(DefinitionAnswer, create_credential_definition.sync(client=acme, body=definition_of(issuer)))
    definition = defined.credential_definition
    print(f"definition {definition.credential_definitions[0].credential_configuration_id}")

    claims: dict[str, object] = {"name": "Ada Sallinen", "card_number": "L-0815", "branches": ["Turku", "Naantali"]}
    wish = request_of(definition.credential_definition_id, "4711", claims)
    answer = issue_credential.sync(client=acme, body=wish, idempotency_key="card-0815")
    issued = answered(HistoryAnswer, answer).credential_history
    print(f"offered: {issued.status}")

    accept = [os.environ["CHANCERY_TEST_PROGRAM"], "wallet", "accept", issued.credential_offer, "--tx-code", "4711"]
    accepted = subprocess.run(accept, check=True, capture_output=True, text=True).stdout
    assert re.search(r"signature +verified ES256", accepted) and re.search(r"name +Ada Sallinen", accepted)

    record = answered(HistoryAnswer, read_credential_history.sync(issued.id, client=acme)).credential_history
    assert record.status == "credential_accepted", record.status
    print(f"redeemed: {record.status}")

    listed = answered(HistoryList, list_credential_history.sync(client=acme, limit=10))
    assert [found.id for found in listed.credential_history] == [issued.id]
    assert listed.pagination.total_items == 1

    transcript = answered(Transcript, read_transcript.sync(issued.id, client=acme))
    print("transcript:", ", ".join(event.type_ for event in reversed(transcript.events)))

    wish = request_of(definition.credential_definition_id, "", {"name": "Ada", "shoe_size": 38})
    refused = issue_credential.sync_detailed(client=acme, body=wish)
    assert refused.status_code == 400 and isinstance(refused.parsed, Problem)
    pointers = [place.pointer for place in refused.parsed.errors]
    assert pointers == ["/credential/claims/shoe_size", "/credential/claims/card_number"], pointers
    print("refused:", refused.parsed.detail)


if __name__ == "__main__":
    main()
