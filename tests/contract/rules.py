"""Rules of the product that no schema of its description states.

A request that fits the schema and breaks one of them is refused with 400, rightly: each entry is part of the words of
such a refusal. A refusal in any other words is a failure: either the schema promises too much, or the product accepts too little.
"""

# Between members of one body, or parameters of one query.
TOGETHER = (
    "a cursor already says where to go on",
    "a display needs a name",
    "a secret is needed",
    "all entries of a definition have the same",
    "another claim has the same path",
    "another entry has this",
    "another name of this claim is in the same language",
    "at least one member is expected",
    "authorizationRequestType scope_based needs a scope",
    "claimsDueInSeconds goes only with issuanceMode Deferred",
    "credential and credentials exclude each other",
    "deliveryChannel email needs it",
    "deliveryChannel walletEndpoint needs it",
    "give credential or credentials with claims",
    "holderDid and individualId exclude each other",
    "individualId and mapperId exclude each other",
    "issuanceMode InTime needs credential or credentials with claims",
    "name a definition, or give a credential with its vct",
    "pinChannel email needs it",
    "say whose records are to be deleted",
    "scope goes only with authorizationRequestType scope_based",
    "the transaction code takes another channel than the offer",
    "this clientAuthentication takes no secret",
    "to enforce attestations, name those who may make them in trustAnchors",
    "to enforce attestations, name walletProviders in trustAnchors of the policy",
    "to require key attestations, name keyAttesters in trustAnchors of the policy",
    "true goes only with supportRevocation true",
    "whenUnavailable goes only with a URL",
)

# Between a request and what the organisation has.
KNOWN = (
    "a nextCursor of an earlier answer is expected",
    "encryption is a switch of the organisation's policy, which does not require it",
    "at least one event type is expected",
    "several definitions have this vct",
    "the claims of an InTime issuance are part of the issue call",
    "the definition describes no such claim",
    "the definition has no entry with this",
    "the definition makes the claim",
    "the id of an event of this stream is expected",
    "the organisation has a global configuration; update it",
    "the organisation has no such signing key",
    "the id of an API key is expected",
    "there is no such definition",
    "there is no such event type",
    "there is no such individual",
    "there is no such sandbox organisation",
    "this member cannot be changed; create another definition",
)

# Of texts with an inner form that JSON Schema has no words for.
FORMS = (
    "a CSS colour",
    "a DNS name or URI is expected",
    "a name is expected",
    "a scope has 1 to 128 printable ASCII characters",
    "a telephone number such as",
    "an absolute URL is expected",
    "an e-mail address in ASCII is expected",
    "at least 3 characters are expected",
    "base64 of a DER certificate is expected",
    "cannot stand in a certificate",
    "control characters",
    "neither a user name, a password nor a fragment is accepted",
    "neither white space nor control characters are allowed",
    "one scope without white space, quotes or backslashes is expected",
    "is not an absolute URI",
    "segment ",
    "the first element is the name of a claim",
    "the path has names",
    "the name of a level is expected",
    "JWK set",
    "the text is not PEM",
    "types of events with commas between them are expected",
    "words for the holder are expected, without control characters",
)

# Of the world outside: nobody answers at the address that `hooks.py` puts into every URL.
OUTSIDE = (
    "no connection could be made",
    "there was no complete answer in time",
    "the URL is not https",
    "this address is not called",
)

# Of what this release does not do yet.
LATER = (
    "certificates are always verified",
    "is not available",
)

RULES = TOGETHER + KNOWN + FORMS + OUTSIDE + LATER
