//! From a request body to a [`DefinitionContent`], with every fault at once.

pub(in crate::management) mod entry;
mod mapping;
pub(super) mod schema;

use chancery_model::{
    Definition, DefinitionContent, Demands, Display, EntryId, GlobalDefaults, Image, TrustAnchor, WireVersion,
};
use chancery_protocol::IssuerIdentifier;
use serde_json::{Map, Value};

use super::claims_endpoint::{self, NAME as CLAIMS_ENDPOINT};
use crate::management::body::{Fault, Faults, Members};
use crate::outbound::Outbound;

/// Members of the definition itself.
const RECORD: &[&str] = &[
    "label",
    "credentialDefinitions",
    "version",
    "trustAnchor",
    "kid",
    "enforceWUA",
    DPOP,
    PAR,
    ENCRYPTION,
    CLIENT_ID,
    INTERACTIVE,
    CLAIMS_ENDPOINT,
    "display",
];
/// Members that only answers have; a client that sends back what it read is not refused.
const ANSWERED: &[&str] = &["credentialDefinitionId", "revision", "createdAt", "updatedAt"];
const DPOP: &str = "enforceDPoP";
const PAR: &str = "enforcePAR";
pub(super) const ENCRYPTION: &str = "enforceEncryption";
const CLIENT_ID: &str = "enforceClientId";
const INTERACTIVE: &str = "supportInteractiveAuthorisationEndpoint";

/// Labels that the vendor of the original contract keeps for itself.
const RESERVED_LABELS: [&str; 5] = [
    "Payment User Credential",
    "Payment Card Credential",
    "Payment Account Credential",
    "PID Issuance",
    "Photo ID Issuance",
];

const VERSIONS: &[(&str, Option<WireVersion>)] =
    &[("version_01", Some(WireVersion::Version01)), ("draft_11", None), ("draft_13", None)];
const TRUST_ANCHORS: &[(&str, Option<TrustAnchor>)] = &[
    ("did:key", Some(TrustAnchor::DidKey)),
    ("x509", Some(TrustAnchor::X509)),
    ("jwk", None),
    ("did:ebsi", None),
    ("did:web", None),
];

/// Most entries of one definition.
const MOST_ENTRIES: usize = 50;

/// What a definition body says; configuration ids still have to be found unique.
#[derive(Debug)]
pub(super) struct Draft {
    pub(super) content: DefinitionContent,
    /// Where it was written what is judged with the organisation's other data, for each entry.
    pub(super) pointers: Vec<Pointers>,
    /// What requests to the claims endpoint are to be signed with.
    pub(super) secret: Option<String>,
}

/// Where an entry says what only the organisation's other data can judge.
#[derive(Debug)]
pub(super) struct Pointers {
    /// `None` when the configuration id was derived from the label.
    pub(super) configuration_id: Option<String>,
    pub(super) scope: String,
    pub(super) require_key_attestation: String,
}

/// Reads a body. `current` is the version that an update replaces; `defaults` are taken for what the body does not say;
/// `new_entry_id` makes ids for new entries.
pub(super) fn read(
    body: &Map<String, Value>,
    current: Option<&Definition>,
    (defaults, outbound): (&GlobalDefaults, &Outbound),
    mut new_entry_id: impl FnMut() -> EntryId,
) -> Result<Draft, Vec<Fault>> {
    let mut faults = Faults::default();
    let record = Members::of_body(body);
    let (endpoint, secret) = claims_endpoint::read(outbound, &record, &mut faults).unzip();
    let draft = read_record(&record, current.map(|it| &it.content), defaults, &mut new_entry_id, &mut faults);
    let draft = draft.map(|(mut content, pointers)| {
        content.claims_endpoint = endpoint;
        Draft { content, pointers, secret: secret.flatten() }
    });
    faults.none_or(draft)
}

fn read_record(
    record: &Members<'_>,
    current: Option<&DefinitionContent>,
    defaults: &GlobalDefaults,
    new_entry_id: &mut dyn FnMut() -> EntryId,
    faults: &mut Faults,
) -> Option<(DefinitionContent, Vec<Pointers>)> {
    let flat = record.value("credentialDefinitions").is_none() && record.filled("credentialFormat").is_some();
    if flat {
        record.refuse_others(&[RECORD, ANSWERED, entry::MEMBERS], faults);
    } else {
        let misplaced = "this member belongs into an element of credentialDefinitions";
        let own: Vec<&str> = entry::MEMBERS.iter().copied().filter(|name| *name != "display").collect();
        record.refuse(&own, misplaced, faults);
        record.refuse_others(&[RECORD, ANSWERED, entry::MEMBERS], faults);
    }

    let label = read_label(record, faults);
    let version = supported(record, "version", VERSIONS, "version_01", faults).unwrap_or(WireVersion::Version01);
    let trust_anchor = supported(record, "trustAnchor", TRUST_ANCHORS, "did:key and x509", faults);
    let kid = record.string("kid", 128, faults);
    let enforce_wua = record.boolean("enforceWUA", false, faults);
    let demands = Demands {
        dpop: record.boolean(DPOP, false, faults),
        pushed_authorization: record.boolean(PAR, false, faults),
        encryption: record.boolean(ENCRYPTION, false, faults),
        client_id: record.boolean(CLIENT_ID, false, faults),
    };
    refuse_unenforced(record, INTERACTIVE, "there is no interactive authorisation endpoint", faults);
    if let Some(current) = current {
        let changed = [
            ("version", record.value("version").is_some() && version != current.version),
            ("trustAnchor", trust_anchor.is_some_and(|anchor| anchor != current.trust_anchor)),
            ("kid", kid.is_some_and(|kid| kid != current.kid)),
        ];
        for (name, _) in changed.into_iter().filter(|(_, changed)| *changed) {
            faults.add(record.at(name), "this member cannot be changed; create another definition");
        }
    }
    // The flat shape has one entry and one display for both.
    let display = if flat { None } else { read_display(record, faults) };

    let previous = current.map(|content| content.entries.as_slice()).unwrap_or_default();
    let mut reader = entry::Reader { label: label.unwrap_or_default(), previous, defaults, new_entry_id };
    let read = if flat { vec![reader.read(record, 0, faults)] } else { read_entries(record, &mut reader, faults) };
    let mut entries = Vec::with_capacity(read.len());
    let mut pointers = Vec::with_capacity(read.len());
    for read in read {
        let (entry, its) = read?;
        entries.push(entry);
        pointers.push(its);
    }
    check_together(record, flat, &entries, faults);
    let content = DefinitionContent {
        label: label?.to_owned(),
        version,
        trust_anchor: trust_anchor.or(current.map(|it| it.trust_anchor)).unwrap_or(TrustAnchor::DidKey),
        kid: kid.or(current.map(|it| it.kid.as_str())).unwrap_or_default().to_owned(),
        enforce_wua,
        demands,
        support_interactive_authorisation_endpoint: false,
        display,
        claims_endpoint: None,
        entries,
    };
    Some((content, pointers))
}

fn read_label<'v>(record: &Members<'v>, faults: &mut Faults) -> Option<&'v str> {
    record.require("label", faults);
    let label = record.string("label", 255, faults)?.trim();
    if label.chars().count() < 3 {
        faults.add(record.at("label"), "at least 3 characters are expected");
        return None;
    }
    if RESERVED_LABELS.iter().any(|reserved| reserved.eq_ignore_ascii_case(label)) {
        faults.add(record.at("label"), "this label is reserved");
        return None;
    }
    Some(label)
}

fn read_entries(
    record: &Members<'_>,
    reader: &mut entry::Reader<'_>,
    faults: &mut Faults,
) -> Vec<Option<(chancery_model::Entry, Pointers)>> {
    record.require("credentialDefinitions", faults);
    let Some(elements) = record.array("credentialDefinitions", MOST_ENTRIES, faults) else { return vec![None] };
    if elements.is_empty() {
        faults.add(record.at("credentialDefinitions"), "at least one entry is expected");
        return vec![None];
    }
    let mut entries = Vec::with_capacity(elements.len());
    for (position, (pointer, value)) in elements.into_iter().enumerate() {
        let members = Members::of(value, pointer, faults);
        if let Some(members) = &members {
            let misplaced = "this member belongs to the definition, not to an entry";
            let record_level: Vec<&str> = RECORD.iter().copied().filter(|name| *name != "display").collect();
            for name in record_level.iter().filter(|name| members.value(name).is_some()) {
                faults.add(members.at(name), misplaced);
            }
            members.refuse_others(&[RECORD, entry::MEMBERS, &["id"]], faults);
        }
        entries.push(members.and_then(|members| reader.read(&members, position, faults)));
    }
    entries
}

/// Rules that concern all entries of a definition.
fn check_together(record: &Members<'_>, flat: bool, entries: &[chancery_model::Entry], faults: &mut Faults) {
    let at = |position: usize, name: &str| {
        if flat { record.at(name) } else { format!("/credentialDefinitions/{position}/{name}") }
    };
    let Some(first) = entries.first() else { return };
    for (position, entry) in entries.iter().enumerate().skip(1) {
        if entry.authorization_request_type != first.authorization_request_type {
            faults.add(at(position, "authorizationRequestType"), "all entries of a definition have the same value");
        }
        if entry.scope != first.scope {
            faults.add(at(position, "scope"), "all entries of a definition have the same scope");
        }
        let earlier = entries.iter().take(position);
        if earlier.clone().any(|other| other.configuration_id == entry.configuration_id) {
            faults.add(at(position, "credentialConfigurationId"), "another entry has this configuration id");
        }
        if earlier.clone().any(|other| other.id == entry.id) {
            faults.add(at(position, "id"), "another entry has this id");
        }
    }
}

pub(super) fn read_display(members: &Members<'_>, faults: &mut Faults) -> Option<Display> {
    read_display_at(members, "display", faults)
}

/// The display under the name `name`.
pub(in crate::management) fn read_display_at(
    members: &Members<'_>,
    name: &str,
    faults: &mut Faults,
) -> Option<Display> {
    const KNOWN: &[&str] =
        &["name", "description", "locale", "backgroundColor", "textColor", "logo", "backgroundImage"];
    let given = members.object(name, faults)?;
    given.refuse_others(&[KNOWN], faults);
    let text = |name: &str, longest, faults: &mut Faults| given.text(name, longest, faults).map(str::to_owned);
    let display = Display {
        name: text("name", 255, faults).unwrap_or_default(),
        locale: text("locale", 35, faults),
        description: text("description", 1024, faults),
        background_color: text("backgroundColor", 64, faults),
        text_color: text("textColor", 64, faults),
        logo: read_image(&given, "logo", faults),
        background_image: read_image(&given, "backgroundImage", faults),
    };
    // What an answer shows for "no display" may be sent back.
    if display == Display::default() {
        return None;
    }
    // OpenID4VCI §12.2.4: a display that is published has a name.
    if display.name.is_empty() {
        faults.add(given.at("name"), "a display needs a name");
    }
    Some(display)
}

fn read_image(display: &Members<'_>, name: &str, faults: &mut Faults) -> Option<Image> {
    let image = display.object(name, faults)?;
    image.refuse_others(&[&["uri", "altText"]], faults);
    let alt_text = image.text("altText", 255, faults).map(str::to_owned);
    let uri = image.text("uri", 65_536, faults);
    let shown = |uri: &str| uri.starts_with("https://") || uri.starts_with("data:image/") || is_stored_here(uri);
    if let Some(uri) = uri.filter(|uri| !shown(uri)) {
        let scheme: String = uri.chars().take_while(|c| *c != ':').take(16).collect();
        faults.add(image.at("uri"), format!("an https: or data:image/ URI is expected; got scheme {scheme}"));
    }
    // Clients of the original contract send {"uri": "", "altText": ""} for "no picture".
    uri.map(|uri| Image { uri: uri.to_owned(), alt_text })
}

/// What an answer shows for a picture that was uploaded may be sent back, also where the issuer identifier is an http URL of
/// this machine.
fn is_stored_here(uri: &str) -> bool {
    uri.rsplit_once("/images/").is_some_and(|(issuer, _)| IssuerIdentifier::parse(issuer).is_ok())
}

/// A member whose enumeration is wider than what this release does.
fn supported<T: Copy>(
    members: &Members<'_>,
    name: &str,
    choices: &[(&str, Option<T>)],
    done: &str,
    faults: &mut Faults,
) -> Option<T> {
    let chosen = members.choice(name, choices, faults)?;
    if chosen.is_none() {
        faults.add(members.at(name), format!("this value is known but not available; available: {done}"));
    }
    chosen
}

/// A switch without effect yet must not look as if it protected anything.
fn refuse_unenforced(members: &Members<'_>, name: &str, why: &str, faults: &mut Faults) {
    if members.boolean(name, false, faults) {
        faults.add(members.at(name), format!("true is not available: {why} by this release"));
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;
    use uuid::Uuid;

    use super::*;
    use crate::Addresses;

    fn read_new(body: &Value) -> Result<Draft, Vec<Fault>> {
        let mut counter = 0_u128;
        read(body.as_object().unwrap(), None, (&GlobalDefaults::default(), &Outbound::new(Addresses::Public)), || {
            counter += 1;
            EntryId::from(Uuid::from_u128(counter))
        })
    }

    fn pointers(body: &Value) -> Vec<String> {
        read_new(body).unwrap_err().into_iter().map(|fault| fault.pointer).collect()
    }

    fn badge() -> Value {
        json!({
            "label": "Staff Badge",
            "credentialDefinitions": [{
                "credentialFormat": "dc+sd-jwt",
                "vct": "https://issuer.example/badge",
                "claims": { "claims": [{ "path": ["name"], "limitDisclosure": true }, { "path": ["desk"], "mandatory": false }] }
            }]
        })
    }

    #[test]
    fn a_display_is_an_object_and_so_are_its_pictures() {
        for nothing in [json!(false), json!(""), json!([])] {
            let mut body = badge();
            body["display"] = nothing.clone();
            assert_eq!(pointers(&body), ["/display"]);
            body["display"] = json!({ "name": "Badge", "logo": nothing, "backgroundImage": {} });
            assert_eq!(pointers(&body), ["/display/logo"]);
        }
    }

    #[test]
    fn a_claims_endpoint_is_an_object_and_its_url_a_text() {
        for nothing in [json!(false), json!([]), json!({})] {
            let mut body = badge();
            body["claimsEndpoint"] = json!({ "url": nothing, "deadlineInSeconds": 5 });
            assert_eq!(pointers(&body), ["/claimsEndpoint/url"]);
        }
        let mut body = badge();
        body["claimsEndpoint"] = json!([]);
        assert_eq!(pointers(&body), ["/claimsEndpoint"]);
        body["claimsEndpoint"] = json!({ "url": "" });
        assert!(read_new(&body).unwrap().content.claims_endpoint.is_none());
    }

    #[test]
    fn empty_texts_are_no_format_and_no_type() {
        let mut body = badge();
        body["credentialDefinitions"][0]["credentialFormat"] = json!("");
        assert_eq!(pointers(&body), ["/credentialDefinitions/0/credentialFormat"]);
        let mut body = badge();
        body["credentialDefinitions"][0]["vct"] = json!("");
        body["credentialDefinitions"][0]["claims"]["claims"][0]["display"] = json!([{ "name": "" }]);
        let expected = ["/credentialDefinitions/0/vct", "/credentialDefinitions/0/claims/claims/0/display/0/name"];
        assert_eq!(pointers(&body), expected);
    }

    #[test]
    fn a_small_definition_takes_the_documented_defaults() {
        let content = read_new(&badge()).unwrap().content;
        let entry = &content.entries[0];
        assert_eq!((content.version, content.trust_anchor), (WireVersion::Version01, TrustAnchor::DidKey));
        assert_eq!((entry.configuration_id.as_str(), entry.expiration_in_days), ("staff-badge", 30));
        assert_eq!(entry.claims.iter().map(|claim| claim.mandatory).collect::<Vec<_>>(), [true, false]);
        assert_eq!(entry.claims.iter().map(|claim| claim.limit_disclosure).collect::<Vec<_>>(), [true, false]);
    }

    #[test]
    fn every_fault_of_a_definition_is_named_at_once() {
        let body = json!({
            "label": "PI", "version": "draft_13", "trustAnchor": "did:ebsi", "enforceWUA": "yes", "typo": 1,
            "credentialDefinitions": [{
                "credentialFormat": "dc+sd-jwt", "vct": "", "doctype": "x", "validationPath": "$.vc", "kid": "k",
                "expirationInDays": 0, "credentialBindingMethods": ["cose_key"], "scope": "s",
                "revocationMethod": "status_list_2021",
                "claims": { "claims": [{ "path": [] }, { "path": ["iss"] }, { "path": ["a"] }, { "path": ["a"] }] }
            }]
        });
        let found = pointers(&body);
        for expected in [
            "/label",
            "/version",
            "/trustAnchor",
            "/enforceWUA",
            "/typo",
            "/credentialDefinitions/0/kid",
            "/credentialDefinitions/0/vct",
            "/credentialDefinitions/0/doctype",
            "/credentialDefinitions/0/validationPath",
            "/credentialDefinitions/0/expirationInDays",
            "/credentialDefinitions/0/credentialBindingMethods/0",
            "/credentialDefinitions/0/scope",
            "/credentialDefinitions/0/revocationMethod",
            "/credentialDefinitions/0/claims/claims/0/path",
            "/credentialDefinitions/0/claims/claims/1/path",
            "/credentialDefinitions/0/claims/claims/3/path",
        ] {
            assert!(found.iter().any(|pointer| pointer == expected), "{expected} is missing in {found:?}");
        }
    }

    #[test]
    fn formats_of_later_releases_are_refused_by_name() {
        for format in ["jwt_vc_json", "mso_mdoc"] {
            let mut body = badge();
            body["credentialDefinitions"][0]["credentialFormat"] = json!(format);
            let faults = read_new(&body).unwrap_err();
            assert_eq!(faults[0].pointer, "/credentialDefinitions/0/credentialFormat");
            assert!(faults[0].detail.contains("dc+sd-jwt"), "{faults:?}");
        }
    }

    #[test]
    fn reserved_labels_are_refused() {
        let mut body = badge();
        body["label"] = json!("photo id issuance");
        assert_eq!(pointers(&body), ["/label"]);
    }

    #[test]
    fn an_entry_member_at_the_top_is_refused() {
        let mut body = badge();
        body["vct"] = json!("https://issuer.example/badge");
        assert_eq!(pointers(&body), ["/vct"]);
    }

    #[test]
    fn the_flat_shape_becomes_one_entry_with_path_pointers() {
        let body = json!({
            "label": "Resident", "credentialFormat": "dc+sd-jwt", "vct": "resident", "expirationInDays": 90,
            "claims": {
                "type": "object",
                "required": ["address"],
                "properties": {
                    "nick": { "type": "string", "limitDisclosure": true, "title": "Nickname" },
                    "address": { "type": "object", "required": ["city"], "properties": {
                        "city": { "type": "string" }, "zip": { "type": "string", "limitDisclosure": true } } }
                }
            }
        });
        let content = read_new(&body).unwrap().content;
        let claims: Vec<(String, bool, bool)> = content.entries[0]
            .claims
            .iter()
            .map(|claim| (claim.path.to_string(), claim.mandatory, claim.limit_disclosure))
            .collect();
        assert_eq!(content.entries[0].expiration_in_days, 90);
        assert_eq!(
            claims,
            [
                (r#"["nick"]"#.to_owned(), false, true),
                (r#"["address"]"#.to_owned(), true, false),
                (r#"["address","city"]"#.to_owned(), true, false),
                (r#"["address","zip"]"#.to_owned(), false, true),
            ]
        );
    }

    #[test]
    fn an_update_keeps_entry_ids_and_refuses_immutable_members() {
        let first = read_new(&badge()).unwrap().content;
        let id = first.entries[0].id;
        let at = chancery_model::Timestamp::from_seconds(0);
        let definition =
            Definition { id: Uuid::from_u128(9).into(), revision: 1, content: first, created_at: at, updated_at: at };
        let (defaults, outbound) = (GlobalDefaults::default(), Outbound::new(Addresses::Public));
        let around = (&defaults, &outbound);
        let fresh = || EntryId::from(Uuid::from_u128(77));
        let kept = read(badge().as_object().unwrap(), Some(&definition), around, fresh).unwrap();
        assert_eq!(kept.content.entries[0].id, id);
        let mut body = badge();
        body["trustAnchor"] = json!("x509");
        let faults = read(body.as_object().unwrap(), Some(&definition), around, fresh).unwrap_err();
        assert_eq!(faults[0].pointer, "/trustAnchor");
    }
}
