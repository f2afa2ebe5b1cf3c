//! The body of the issue call, read into closed types.

use chancery_model::{DefinitionId, EntryId, IssuanceMode, TransactionCode};
use chancery_protocol::offer::UriScheme;
use serde_json::{Map, Value};

use crate::management::body::{Fault, Faults, Members};
use crate::management::endpoint;
use crate::outbound::Outbound;

/// What an organisation asks for when it issues.
#[derive(Debug)]
pub(in crate::management) struct IssueRequest {
    pub(super) mode: IssuanceMode,
    pub(super) pin: Pin,
    /// `None`: the credential describes itself by its `vct`.
    pub(super) definition: Option<DefinitionId>,
    pub(super) credentials: Vec<RequestedCredential>,
    /// `None`: the one of the organisation's policy.
    pub(super) url_scheme: Option<UriScheme>,
    /// Overrides what the definition says.
    pub(super) require_key_attestation: Option<bool>,
    /// Seconds for which missing claims are awaited.
    pub(super) claims_due_in: Option<u32>,
    pub(super) addressee: Addressee,
}

/// Whom the offer is made for.
#[derive(Default)]
pub(super) struct Addressee {
    /// Endpoint of the wallet that the offer is pushed to, whatever is known of the individual.
    pub(super) endpoint: Option<String>,
    pub(super) named: Option<Named>,
}

/// How the call, or a row of a bulk, names an individual.
pub(in crate::management) enum Named {
    /// By id.
    Individual(String),
    /// By external id.
    Mapper(String),
}

impl std::fmt::Debug for Addressee {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(if self.named.is_some() { "Addressee(named)" } else { "Addressee(nobody)" })
    }
}

/// `userPin`, which decides the grant.
#[derive(Clone, PartialEq, Eq)]
pub(in crate::management) enum Pin {
    /// Authorization code flow.
    Absent,
    /// `""`: pre-authorized code without transaction code.
    Empty,
    /// 4 to 12 characters: pre-authorized code with transaction code.
    Given(String),
}

impl std::fmt::Debug for Pin {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Absent => "Absent",
            Self::Empty => "Empty",
            Self::Given(_) => "Given(hidden)",
        })
    }
}

impl Pin {
    /// What the offer says about it.
    pub(in crate::management) fn shape(&self) -> Option<TransactionCode> {
        match self {
            Self::Absent | Self::Empty => None,
            Self::Given(pin) => Some(TransactionCode {
                numeric: pin.bytes().all(|c| c.is_ascii_digit()),
                length: u8::try_from(pin.chars().count()).unwrap_or(u8::MAX),
            }),
        }
    }
}

/// One element of `credentials`, or `credential`.
pub(in crate::management) struct RequestedCredential {
    /// Where it stands in the body.
    pub(in crate::management) pointer: String,
    pub(in crate::management) entry: Option<EntryId>,
    pub(in crate::management) vct: Option<String>,
    pub(in crate::management) claims: Option<Map<String, Value>>,
    pub(in crate::management) metadata: Map<String, Value>,
}

impl std::fmt::Debug for RequestedCredential {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "RequestedCredential(at {})", self.pointer)
    }
}

impl IssueRequest {
    /// One credential whose claims are complete: what a row of a bulk asks for.
    pub(in crate::management) fn of_row(
        definition: DefinitionId,
        entry: EntryId,
        claims: Map<String, Value>,
        metadata: Map<String, Value>,
        pin: Pin,
        url_scheme: Option<UriScheme>,
    ) -> Self {
        let pointer = String::new();
        let credential = RequestedCredential { pointer, entry: Some(entry), vct: None, claims: Some(claims), metadata };
        Self {
            mode: IssuanceMode::InTime,
            pin,
            definition: Some(definition),
            credentials: vec![credential],
            url_scheme,
            require_key_attestation: None,
            claims_due_in: None,
            addressee: Addressee::default(),
        }
    }
}

const MODES: &[(&str, IssuanceMode)] = &[("InTime", IssuanceMode::InTime), ("Deferred", IssuanceMode::Deferred)];
const URL_SCHEMES: &[(&str, UriScheme)] = &[
    ("openid-credential-offer://", UriScheme::OpenidCredentialOffer),
    ("haip://", UriScheme::Haip),
    ("haip-vci://", UriScheme::HaipVci),
];
const MEMBERS: &[&str] = &[
    "issuanceMode",
    "userPin",
    "credentialDefinitionId",
    "credential",
    "credentials",
    "urlScheme",
    "requireKeyAttestation",
    "claimsDueInSeconds",
    "credentialOfferEndpoint",
    "individualId",
    "mapperId",
];
/// Documented members whose function is not there yet. Ignoring one would issue something else than was asked
/// for.
const LATER: &[(&str, &str)] = &[
    ("credentialDefinitionUri", "external definitions are not available; name credentialDefinitionId"),
    ("presentationDefinitionId", "demanding a presentation is not available"),
    ("transactionData", "transaction data is not available"),
    ("signatureStamp", "signed documents are not available"),
    ("signatureCoordinate", "signed documents are not available"),
];
/// Longest time for which claims may be awaited, in seconds: a year.
pub(crate) const LONGEST_WAIT: u32 = 365 * 86_400;
/// Most credentials in one offer.
const MOST_CREDENTIALS: usize = 50;

/// Reads the body; the definition is not looked at yet.
pub(super) fn read(outbound: &Outbound, body: &Map<String, Value>) -> Result<IssueRequest, Vec<Fault>> {
    let mut faults = Faults::default();
    let request = read_members(outbound, &Members::of_body(body), &mut faults);
    faults.none_or(request)
}

fn read_members(outbound: &Outbound, members: &Members<'_>, faults: &mut Faults) -> Option<IssueRequest> {
    let later: Vec<&str> = LATER.iter().map(|(name, _)| *name).collect();
    members.refuse_others(&[MEMBERS, &later], faults);
    refuse_exclusive(members, faults);
    for (name, why) in LATER {
        members.refuse(&[name], why, faults);
    }
    members.require_text("issuanceMode", faults);
    let mode = members.choice("issuanceMode", MODES, faults);
    let pin = read_pin(members, faults);
    let definition = read_definition(members, faults);
    let credentials = read_credentials(members, faults);
    if definition.is_none() && credentials.iter().all(|credential| credential.vct.is_none()) {
        let how = "name a definition, or give a credential with its vct";
        faults.add(members.at("credentialDefinitionId"), how);
    }
    let url_scheme = members.choice("urlScheme", URL_SCHEMES, faults);
    let require_key_attestation =
        members.value("requireKeyAttestation").map(|_| members.boolean("requireKeyAttestation", false, faults));
    let claims_due_in = members.integer("claimsDueInSeconds", 60..=LONGEST_WAIT, faults);
    if claims_due_in.is_some() && mode == Some(IssuanceMode::InTime) {
        faults.add(members.at("claimsDueInSeconds"), "claimsDueInSeconds goes only with issuanceMode Deferred");
    }
    let addressee = read_addressee(outbound, members, faults);
    Some(IssueRequest {
        mode: mode?,
        pin: pin?,
        definition,
        credentials,
        url_scheme,
        require_key_attestation,
        claims_due_in,
        addressee,
    })
}

fn read_addressee(outbound: &Outbound, members: &Members<'_>, faults: &mut Faults) -> Addressee {
    Addressee {
        endpoint: endpoint::read(outbound, members, "credentialOfferEndpoint", faults),
        named: read_individual(members, faults),
    }
}

/// `individualId` or `mapperId` of the call, or of a row of a bulk.
pub(in crate::management) fn read_individual(members: &Members<'_>, faults: &mut Faults) -> Option<Named> {
    let individual = members.text("individualId", 64, faults).map(|text| Named::Individual(text.to_owned()));
    let mapper = members.text("mapperId", 255, faults).map(|text| Named::Mapper(text.to_owned()));
    if individual.is_some() && mapper.is_some() {
        faults.add(members.at("mapperId"), "individualId and mapperId exclude each other");
    }
    individual.or(mapper)
}

/// Combinations that the contract excludes, whatever becomes available later.
fn refuse_exclusive(members: &Members<'_>, faults: &mut Faults) {
    let both = |one: &str, other: &str| members.filled(one).is_some() && members.filled(other).is_some();
    if members.filled("presentationDefinitionId").is_some() && members.value("userPin").is_some() {
        faults.add(members.at("userPin"), "userPin and presentationDefinitionId exclude each other");
    }
    if members.filled("transactionData").is_some() && members.filled("credentialDefinitionId").is_none() {
        faults.add(members.at("transactionData"), "transactionData goes only with credentialDefinitionId");
    }
    if both("credential", "credentials") {
        faults.add(members.at("credentials"), "credential and credentials exclude each other");
    }
}

/// `userPin` of the call, or of a row of a bulk.
pub(in crate::management) fn read_pin(members: &Members<'_>, faults: &mut Faults) -> Option<Pin> {
    if members.value("userPin").is_none() {
        return Some(Pin::Absent);
    }
    // No length limit here: the rule below says it better.
    let pin = members.string("userPin", usize::MAX, faults)?;
    let length = pin.chars().count();
    if length == 0 {
        return Some(Pin::Empty);
    }
    if !(4..=12).contains(&length) {
        faults.add(members.at("userPin"), format!("4 to 12 characters, or none, are expected; got {length}"));
        return None;
    }
    if pin.chars().any(char::is_control) {
        faults.add(members.at("userPin"), "control characters cannot be typed into a wallet");
        return None;
    }
    Some(Pin::Given(pin.to_owned()))
}

fn read_definition(members: &Members<'_>, faults: &mut Faults) -> Option<DefinitionId> {
    let text = members.text("credentialDefinitionId", 255, faults)?;
    let id = DefinitionId::parse(text);
    if id.is_none() {
        faults.add(members.at("credentialDefinitionId"), "there is no such definition");
    }
    id
}

/// `credentials`, or `credential` as the only one.
pub(in crate::management) fn read_credentials(members: &Members<'_>, faults: &mut Faults) -> Vec<RequestedCredential> {
    let mut values = members.array("credentials", MOST_CREDENTIALS, faults).unwrap_or_default();
    if values.is_empty() {
        values.extend(members.filled("credential").map(|value| (members.at("credential"), value)));
    }
    let read = |(pointer, value): (String, &Value)| read_credential(&Members::of(value, pointer, faults)?, faults);
    values.into_iter().filter_map(read).collect()
}

/// One credential. Members that we do not know pass by, as documented.
fn read_credential(members: &Members<'_>, faults: &mut Faults) -> Option<RequestedCredential> {
    let entry = members.text("id", 64, faults).map(|text| (members.at("id"), EntryId::parse(text)));
    if let Some((pointer, None)) = &entry {
        faults.add(pointer.clone(), "the definition has no entry with this id");
    }
    members.refuse(&["type"], "type goes with jwt_vc_json; a dc+sd-jwt credential has vct", faults);
    members.refuse(&["credentialSubject"], "goes with jwt_vc_json; a dc+sd-jwt credential has claims", faults);
    members.refuse(&["doctype"], "doctype goes with mso_mdoc; a dc+sd-jwt credential has vct", faults);
    let object = |name: &str, faults: &mut Faults| members.object(name, faults).map(|object| object.raw().clone());
    Some(RequestedCredential {
        pointer: members.pointer().to_owned(),
        entry: entry.and_then(|(_, id)| id),
        vct: members.text("vct", 2048, faults).map(str::to_owned),
        claims: object("claims", faults),
        metadata: object("credentialMetadata", faults).unwrap_or_default(),
    })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::Addresses;

    const DEFINITION: &str = "018f0000-0000-7000-8000-000000000001";

    fn request(changes: &Value) -> Result<IssueRequest, Vec<Fault>> {
        let mut body = json!({
            "issuanceMode": "InTime",
            "credentialDefinitionId": DEFINITION,
            "credential": { "vct": "badge", "claims": { "name": "Ada" } }
        });
        for (name, value) in changes.as_object().unwrap() {
            body[name] = value.clone();
        }
        read(&Outbound::new(Addresses::Public), body.as_object().unwrap())
    }

    fn pointers(changes: &Value) -> Vec<String> {
        request(changes).unwrap_err().into_iter().map(|fault| fault.pointer).collect()
    }

    #[test]
    fn the_user_pin_decides_the_grant() {
        assert_eq!(request(&json!({})).unwrap().pin, Pin::Absent);
        assert_eq!(request(&json!({ "userPin": "" })).unwrap().pin, Pin::Empty);
        for (pin, numeric, length) in [("1234", true, 4), ("12ab56", false, 6), ("123456789012", true, 12)] {
            let shape = request(&json!({ "userPin": pin })).unwrap().pin.shape().unwrap();
            assert_eq!((shape.numeric, shape.length), (numeric, length), "{pin}");
        }
        for wrong in [json!("123"), json!("1234567890123"), json!(1234), json!("12\n4")] {
            assert_eq!(pointers(&json!({ "userPin": wrong })), ["/userPin"]);
        }
    }

    #[test]
    fn digits_of_other_scripts_are_text() {
        assert!(!request(&json!({ "userPin": "١٢٣٤" })).unwrap().pin.shape().unwrap().numeric);
    }

    #[test]
    fn the_issuance_mode_is_mandatory_and_closed() {
        assert_eq!(pointers(&json!({ "issuanceMode": null })), ["/issuanceMode"]);
        assert_eq!(pointers(&json!({ "issuanceMode": "Later" })), ["/issuanceMode"]);
    }

    #[test]
    fn excluded_combinations_are_refused() {
        let found = pointers(&json!({ "presentationDefinitionId": "p", "userPin": "" }));
        assert!(found.contains(&"/userPin".to_owned()), "{found:?}");
        let found = pointers(&json!({ "individualId": "i", "mapperId": "m" }));
        assert!(found.contains(&"/mapperId".to_owned()), "{found:?}");
        let found = pointers(&json!({ "transactionData": { "payload": {} }, "credentialDefinitionId": null }));
        assert!(found.contains(&"/transactionData".to_owned()), "{found:?}");
        assert_eq!(pointers(&json!({ "credentials": [{ "vct": "badge" }] })), ["/credentials"]);
    }

    #[test]
    fn members_of_later_releases_are_refused_by_name_unless_empty() {
        for (name, _) in LATER.iter().filter(|(name, _)| *name != "transactionData") {
            assert_eq!(pointers(&json!({ *name: "x" })), [format!("/{name}")]);
            assert!(request(&json!({ *name: "" })).is_ok(), "{name}");
        }
        assert_eq!(pointers(&json!({ "transactionData": { "payload": {} } })), ["/transactionData"]);
    }

    #[test]
    fn an_offer_is_made_for_one_individual_or_endpoint() {
        let by = |changes: &Value| request(changes).unwrap().addressee;
        assert!(matches!(by(&json!({ "individualId": "i" })).named, Some(Named::Individual(id)) if id == "i"));
        assert!(matches!(by(&json!({ "mapperId": "P-1" })).named, Some(Named::Mapper(id)) if id == "P-1"));
        let pushed = by(&json!({ "credentialOfferEndpoint": "https://wallet.example/offer" }));
        assert_eq!(pushed.endpoint.as_deref(), Some("https://wallet.example/offer"));
        let empty = by(&json!({ "individualId": "", "mapperId": "", "credentialOfferEndpoint": "" }));
        assert!(empty.named.is_none() && empty.endpoint.is_none());
        for wrong in ["http://wallet.example/offer", "https://127.0.0.1/", "wallet", "https://a@wallet.example/"] {
            let found = pointers(&json!({ "credentialOfferEndpoint": wrong }));
            assert_eq!(found, ["/credentialOfferEndpoint"], "{wrong}");
        }
    }

    #[test]
    fn the_url_scheme_is_closed() {
        assert_eq!(request(&json!({ "urlScheme": "haip-vci://" })).unwrap().url_scheme, Some(UriScheme::HaipVci));
        assert_eq!(request(&json!({})).unwrap().url_scheme, None);
        assert_eq!(pointers(&json!({ "urlScheme": "https://evil.example/" })), ["/urlScheme"]);
    }

    #[test]
    fn a_self_describing_credential_needs_no_definition_id() {
        assert!(request(&json!({ "credentialDefinitionId": "" })).is_ok());
        let found = pointers(&json!({ "credentialDefinitionId": "", "credential": { "claims": {} } }));
        assert_eq!(found, ["/credentialDefinitionId"]);
    }

    #[test]
    fn unknown_members_of_a_credential_pass_by_and_those_of_the_call_do_not() {
        assert!(request(&json!({ "credential": { "vct": "badge", "claims": {}, "extra": 1 } })).is_ok());
        assert_eq!(pointers(&json!({ "userpin": "1234" })), ["/userpin"]);
    }

    #[test]
    fn a_pin_never_shows_in_debug_output() {
        assert!(!format!("{:?}", request(&json!({ "userPin": "4711" })).unwrap()).contains("4711"));
    }
}
