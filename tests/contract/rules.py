"""Rules of the product that no schema of its description states.

A request that fits the schema and breaks one of them is refused with 400, rightly. A refusal that says anything else, be it
beside one of them, is a failure: either the schema promises too much, or the product accepts too little.

A rule names where it is broken and what is said then, each as a whole. `*` stands for one step of a place, `**` for any number
of steps, and `{}` in the words for what is different each time.
"""

import re
from dataclasses import dataclass, field

ANYTHING = r"(?s:.+)"


@dataclass(frozen=True)
class Rule:
    place: str
    words: str
    pattern: tuple[re.Pattern, re.Pattern] = field(compare=False, repr=False)

    @classmethod
    def of(cls, place: str, words: str) -> "Rule":
        return cls(place, words, (re.compile(steps(place)), re.compile(ANYTHING.join(map(re.escape, words.split("{}"))))))

    def is_broken_by(self, pointer: str, detail: str) -> bool:
        where, what = self.pattern
        return bool(where.fullmatch(pointer) and what.fullmatch(detail))


def steps(place: str) -> str:
    tokens = {"*": r"/[^/]*", "**": r"(?s:/.*)?"}
    return "".join(tokens.get(step, "/" + re.escape(step)) for step in place.split("/")[1:])


def rules(*pairs: tuple[str, str]) -> tuple[Rule, ...]:
    return tuple(Rule.of(place, words) for place, words in pairs)


ENTRY = "/credentialDefinitions/*"
CREDENTIAL = "/credential"
CREDENTIALS = "/credentials/*"
ENDPOINTS = ("/claimsEndpoint/url", "/credentialOfferEndpoint", "/individual/walletEndpoint", "/webhook/payloadUrl")
NOT_HTTPS = "the URL is not https"
POLICIES = ("", "/policy")
DISPLAYS = ("/display", f"{ENTRY}/display", "/credentialBranding")

# Between members of one body, or parameters of one query.
TOGETHER = rules(
    *((f"{place}/name", "a display needs a name") for place in DISPLAYS),
    ("/offset", "a cursor already says where to go on"),
    ("/clientSecret", "this clientAuthentication takes no secret"),
    ("/claimsEndpoint/url", "whenUnavailable goes only with a URL"),
    (f"{ENTRY}/authorizationRequestType", "all entries of a definition have the same value"),
    (f"{ENTRY}/scope", "all entries of a definition have the same scope"),
    (f"{ENTRY}/scope", "authorizationRequestType scope_based needs a scope"),
    (f"{ENTRY}/scope", "scope goes only with authorizationRequestType scope_based"),
    (f"{ENTRY}/credentialConfigurationId", "another entry has this configuration id"),
    (f"{ENTRY}/supportSuspension", "true goes only with supportRevocation true"),
    (f"{ENTRY}/claims/claims/*/path", "another claim has the same path"),
    (f"{ENTRY}/claims/claims/*/display/*/locale", "another name of this claim is in the same language"),
    (f"{ENTRY}/identityMapping/*/claim", "the entry describes no such claim"),
    (f"{ENTRY}/identityMapping/*/claim", "another rule is for the same claim, or for a part of it"),
    ("/claimsDueInSeconds", "claimsDueInSeconds goes only with issuanceMode Deferred"),
    ("/credentials", "credential and credentials exclude each other"),
    ("/credentialDefinitionId", "name a definition, or give a credential with its vct"),
    ("/credential", "give credential or credentials with claims"),
    ("/mapperId", "individualId and mapperId exclude each other"),
    ("/individualId", "holderDid and individualId exclude each other"),
    ("/holderDid", "say whose records are to be deleted"),
    ("/filter", "at least one member is expected"),
    ("/individual/walletEndpoint", "{} walletEndpoint needs it"),
    ("/individual/email", "{} email needs it"),
    ("/individual/pinChannel", "the transaction code takes another channel than the offer"),
    *(
        (f"{policy}/{attestation}", "to enforce attestations, name those who may make them in trustAnchors")
        for policy in POLICIES
        for attestation in ("walletAttestation", "keyAttestation")
    ),
    *(
        (f"{policy}/responseEncryption", "a response is encrypted only where requests are: see encryption")
        for policy in POLICIES
    ),
)

# Between a request and what the organisation has.
KNOWN = rules(
    ("", "the organisation has a global configuration; update it"),
    ("", "the claims of an InTime issuance are part of the issue call"),
    ("/clientSecret", "a secret is needed; one that was given stays only with the same issuer and clientId"),
    ("/sandboxOrgId", "there is no such sandbox organisation"),
    ("/kid", "the organisation has no such signing key that is active or next"),
    ("/kid", "this member cannot be changed; create another definition"),
    ("/trustAnchor", "this member cannot be changed; create another definition"),
    ("/enforceWUA", "to enforce attestations, name walletProviders in trustAnchors of the policy"),
    ("/enforceEncryption", "to enforce encryption, allow it in the policy"),
    (f"{ENTRY}/requireKeyAttestation", "to require key attestations, name keyAttesters in trustAnchors of the policy"),
    (f"{ENTRY}/id", "the definition has no entry with this id; leave it out for a new entry"),
    ("/credentialRequestEncryptionRequired", "encryption is a switch of the organisation's policy, which does not require it"),
    ("/credentialDefinitionId", "there is no such definition"),
    ("/credentialDefinitionId", "there is no such definition, or more than one"),
    ("/credential/vct", "there is no such definition, or more than one"),
    ("/individualId", "there is no such individual"),
    ("/mapperId", "there is no such individual"),
    ("/credentialId", "the definition has no entry with this id"),
    ("/credentialId", "the definition has several entries: name one by its id"),
    ("/header/*", "the column {}: the definition describes no such claim"),
    *(
        rule
        for credential in (CREDENTIAL, CREDENTIALS)
        for rule in (
            (f"{credential}/id", "the definition has no entry with this id"),
            (f"{credential}/id", "the exchange has no entry with this id"),
            (f"{credential}/vct", "the definition has no entry with this vct"),
            (f"{credential}/id", "the definition has several entries: name one by its id"),
            (f"{credential}/vct", "the entry has another vct"),
            (f"{credential}/claims", "issuanceMode InTime needs the claims"),
            (f"{credential}/claims/**", "the definition describes no such claim"),
            (f"{credential}/claims/**", "the definition makes the claim {} mandatory"),
        )
    ),
    ("/credentials", "give claims for every element, or for none"),
    (
        "/userPin",
        "without userPin whoever opens the offer signs in, and nothing here says who that has to be: give a claim that "
        "identityMapping names, or an individual with an iamId, or a userPin",
    ),
    ("/credential", "issuanceMode InTime needs credential or credentials with claims, or a definition with claimsEndpoint"),
)

# Of texts with an inner form that JSON Schema has no words for, or that depends on the deployment.
FORMS = rules(
    # JSON Schema can say it (`prefixItems`), but generators of clients take that for a list of that length.
    (f"{ENTRY}/claims/claims/*/path", "the first element is the name of a claim"),
    (f"{ENTRY}/identityMapping/*/from", "the path has {}"),
    ("/cursor", "a nextCursor of an earlier answer is expected"),
    ("/eventTypes", "types of events with commas between them are expected"),
    ("/individual/email", "an e-mail address in ASCII is expected"),
    ("/certificateChain", "the text is not PEM"),
    # Deployments may allow http; this one does not.
    ("/issuer", NOT_HTTPS),
    ("/credentialDefinitionUri", NOT_HTTPS),
    *((place, f"this address is not called: {NOT_HTTPS}") for place in ENDPOINTS),
    ("/issuer", "the scheme is {}, expected `https` (or `http` on a loopback host)"),
)

# Of the world outside: nobody answers at the address that `hooks.py` puts into every URL.
OUTSIDE = rules(
    ("/credentialDefinitionUri", "no connection could be made"),
    ("/credentialDefinitionUri", "there was no complete answer in time"),
)

# Of what this release does not do yet: switches with one value only, which generators of clients cannot read in a schema.
LATER = rules(
    ("/webhook/skipSslVerification", "certificates are always verified"),
    ("/supportInteractiveAuthorisationEndpoint", "true is not available: {} by this release"),
)

RULES = TOGETHER + KNOWN + FORMS + OUTSIDE + LATER


def broken_by(pointer: str, detail: str) -> Rule | None:
    """The rule that a place of a refusal is about."""
    return next((rule for rule in RULES if rule.is_broken_by(pointer, detail)), None)


def unexcused(places: list[dict]) -> list[dict]:
    """The places of a refusal that are about no rule."""
    return [place for place in places if broken_by(place["pointer"], place["detail"]) is None]
