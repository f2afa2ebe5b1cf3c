//! One entry of a definition: one published credential configuration.

use std::collections::HashSet;

use chancery_formats::sd_jwt::{NEVER_DISCLOSABLE, SD_JWT_NAMES, SET_BY_ISSUER};
use chancery_formats::{ClaimPath, PathSegment};
use chancery_keys::Algorithm;
use chancery_model::{
    AuthorizationRequestType, ClaimDescription, ClaimDisplay, Entry, EntryId, Format, GlobalDefaults, RevocationMethod,
};
use chancery_protocol::proof::BindingMethod;

use super::{Pointers, mapping, read_display, schema};
use crate::management::body::{Faults, Members};
use crate::management::levels::read_levels;

/// Members of an entry; in the older flat shape they stand beside those of the definition.
pub(super) const MEMBERS: &[&str] = &[
    "credentialFormat",
    "type",
    "vct",
    "doctype",
    "validationPath",
    "claims",
    "credentialDefinition",
    "credentialDefinitionUri",
    "expirationInDays",
    "supportRevocation",
    "revocationMethod",
    "supportSuspension",
    "enforceCredentialUniqueness",
    "supportCredentialReissuance",
    "credentialBindingMethods",
    "authorizationRequestType",
    "scope",
    "credentialResponseInterval",
    "display",
    "credentialConfigurationId",
    "requireKeyAttestation",
    "keyStorage",
    "userAuthentication",
    "proofAlgorithms",
    "identityMapping",
];

/// Most claims that one entry describes.
pub(super) const MOST_CLAIMS: usize = 500;

const FORMATS: &[(&str, Option<Format>)] =
    &[("dc+sd-jwt", Some(Format::DcSdJwt)), ("jwt_vc_json", None), ("mso_mdoc", None)];
const REVOCATION_METHODS: &[(&str, RevocationMethod)] = &[
    ("status_list", RevocationMethod::StatusList),
    ("status_list_2021", RevocationMethod::StatusList2021),
    ("swiss_token_status_list_v1", RevocationMethod::SwissTokenStatusListV1),
];
const REQUEST_TYPES: &[(&str, AuthorizationRequestType)] = &[
    ("authorization_details", AuthorizationRequestType::AuthorizationDetails),
    ("scope_based", AuthorizationRequestType::ScopeBased),
];

pub(super) struct Reader<'r> {
    pub(super) label: &'r str,
    pub(super) previous: &'r [Entry],
    pub(super) defaults: &'r GlobalDefaults,
    pub(super) new_entry_id: &'r mut dyn FnMut() -> EntryId,
}

impl Reader<'_> {
    /// The entry, and where it was written.
    pub(super) fn read(
        &mut self,
        members: &Members<'_>,
        position: usize,
        faults: &mut Faults,
    ) -> Option<(Entry, Pointers)> {
        let format = read_format(members, faults)?;
        let vct = read_type(members, faults);
        let claims = read_claims(members, faults);
        let Revocation { supported: support_revocation, method: revocation_method, suspension: support_suspension } =
            read_revocation(members, faults);
        let enforce_credential_uniqueness = members.boolean("enforceCredentialUniqueness", false, faults);
        let support_credential_reissuance = members.boolean("supportCredentialReissuance", false, faults);
        let (authorization_request_type, scope) = read_scope(members, faults);
        let given = read_configuration_id(members, faults);
        let derived = derive_configuration_id(self.label, position);
        let expiration_in_days =
            members.integer("expirationInDays", 1..=36_500, faults).or(self.defaults.expiration_in_days).unwrap_or(30);
        let binding_methods = match members.value("credentialBindingMethods") {
            Some(_) => read_binding_methods(members, faults),
            None => self.defaults.binding_methods.clone(),
        };
        let require_key_attestation = members.boolean("requireKeyAttestation", false, faults);
        let key_storage = read_levels(members, "keyStorage", faults);
        let user_authentication = read_levels(members, "userAuthentication", faults);
        let proof_algorithms = read_proof_algorithms(members, faults);
        let response_interval = members
            .integer("credentialResponseInterval", 1..=86_400, faults)
            .or(self.defaults.response_interval)
            .unwrap_or(5);
        let display = read_display(members, faults);
        let identity_mapping = mapping::read(members, claims.as_deref().unwrap_or_default(), faults);
        // Everything was looked at; what is missing now has its fault already.
        let vct = vct?;
        let previous = self.previous_entry(members, given, vct, faults);
        let before = previous.map(|entry| (entry.id, entry.configuration_id.clone()));
        let (id, before) = match before {
            Some((id, configuration_id)) => (id, Some(configuration_id)),
            None => ((self.new_entry_id)(), None),
        };
        let configuration_id = given.map(str::to_owned).or(before).unwrap_or(derived);
        let entry = Entry {
            id,
            configuration_id,
            format,
            vct: vct.to_owned(),
            claims: claims?,
            expiration_in_days,
            support_revocation,
            revocation_method,
            support_suspension,
            enforce_credential_uniqueness,
            support_credential_reissuance,
            binding_methods,
            require_key_attestation,
            key_storage,
            user_authentication,
            proof_algorithms,
            authorization_request_type,
            scope: scope.to_owned(),
            response_interval,
            display,
            identity_mapping,
        };
        let configuration_id = given.map(|_| members.at("credentialConfigurationId"));
        let (scope, require_key_attestation) = (members.at("scope"), members.at("requireKeyAttestation"));
        Some((entry, Pointers { configuration_id, scope, require_key_attestation }))
    }

    /// The entry of the previous version that this one goes on from: named by id, else by configuration id,
    /// else the only one of its type.
    fn previous_entry(
        &self,
        members: &Members<'_>,
        configuration_id: Option<&str>,
        vct: &str,
        faults: &mut Faults,
    ) -> Option<&Entry> {
        let in_flat_shape = members.pointer().is_empty();
        if let Some(text) = members.text("id", 64, faults).filter(|_| !in_flat_shape) {
            let found = EntryId::parse(text).and_then(|id| self.previous.iter().find(|entry| entry.id == id));
            if found.is_none() {
                faults.add(members.at("id"), "the definition has no entry with this id; leave it out for a new entry");
            }
            return found;
        }
        if let Some(configuration_id) = configuration_id {
            return self.previous.iter().find(|entry| entry.configuration_id == configuration_id);
        }
        let mut of_type = self.previous.iter().filter(|entry| entry.vct == vct);
        of_type.next().filter(|_| of_type.next().is_none())
    }
}

fn read_format(members: &Members<'_>, faults: &mut Faults) -> Option<Format> {
    members.require_text("credentialFormat", faults);
    let format = members.choice("credentialFormat", FORMATS, faults)?;
    if format.is_none() {
        faults.add(members.at("credentialFormat"), "this format is not issued by this release; it issues dc+sd-jwt");
    }
    format
}

fn read_type<'v>(members: &Members<'v>, faults: &mut Faults) -> Option<&'v str> {
    members.refuse(&["type"], "type goes with jwt_vc_json; a dc+sd-jwt entry has vct", faults);
    members.refuse(&["doctype"], "doctype goes with mso_mdoc; a dc+sd-jwt entry has vct", faults);
    members.refuse(&["credentialDefinition"], "goes with jwt_vc_json; a dc+sd-jwt entry has claims", faults);
    members.refuse(&["credentialDefinitionUri"], "external claims schemas are not read by this release", faults);
    if members.text("validationPath", 64, faults).is_some_and(|path| path != "$") {
        faults.add(members.at("validationPath"), "$ goes with dc+sd-jwt");
    }
    let vct = members.text("vct", 2048, faults);
    if vct.is_none() {
        faults.add(members.at("vct"), "a dc+sd-jwt entry names its type here");
    }
    vct.filter(|vct| {
        let plain = !vct.chars().any(|c| c.is_control() || c.is_whitespace());
        if !plain {
            faults.add(members.at("vct"), "neither white space nor control characters are allowed");
        }
        plain
    })
}

/// Whether and how credentials can be withdrawn.
struct Revocation {
    supported: bool,
    method: RevocationMethod,
    suspension: bool,
}

/// Suspension is part of revocation unless it is left out: without it an entry of a list has one bit.
fn read_revocation(members: &Members<'_>, faults: &mut Faults) -> Revocation {
    let supported = members.boolean("supportRevocation", false, faults);
    let suspension = members.boolean("supportSuspension", supported, faults);
    if suspension && !supported {
        faults.add(members.at("supportSuspension"), "true goes only with supportRevocation true");
    }
    let method = members.choice("revocationMethod", REVOCATION_METHODS, faults).unwrap_or(RevocationMethod::StatusList);
    match method {
        RevocationMethod::StatusList => {}
        RevocationMethod::StatusList2021 => {
            faults.add(members.at("revocationMethod"), "status_list_2021 goes only with jwt_vc_json; use status_list");
        }
        RevocationMethod::SwissTokenStatusListV1 => {
            let detail = "swiss_token_status_list_v1 is not published by this release; use status_list";
            faults.add(members.at("revocationMethod"), detail);
        }
    }
    Revocation { supported, method, suspension }
}

fn read_scope<'v>(members: &Members<'v>, faults: &mut Faults) -> (AuthorizationRequestType, &'v str) {
    let request_type = members
        .choice("authorizationRequestType", REQUEST_TYPES, faults)
        .unwrap_or(AuthorizationRequestType::AuthorizationDetails);
    let scope = members.string("scope", 255, faults).unwrap_or_default();
    // RFC 6749 §3.3: one scope token.
    let is_token = scope.bytes().all(|c| c.is_ascii_graphic() && c != b'"' && c != b'\\');
    match request_type {
        AuthorizationRequestType::AuthorizationDetails if !scope.is_empty() => {
            faults.add(members.at("scope"), "scope goes only with authorizationRequestType scope_based");
        }
        AuthorizationRequestType::ScopeBased if scope.is_empty() => {
            faults.add(members.at("scope"), "authorizationRequestType scope_based needs a scope");
        }
        AuthorizationRequestType::ScopeBased if !is_token => {
            faults.add(members.at("scope"), "one scope without white space, quotes or backslashes is expected");
        }
        AuthorizationRequestType::AuthorizationDetails | AuthorizationRequestType::ScopeBased => {}
    }
    (request_type, scope)
}

fn read_configuration_id<'v>(members: &Members<'v>, faults: &mut Faults) -> Option<&'v str> {
    let id = members.text("credentialConfigurationId", 255, faults)?;
    if !id.bytes().all(|c| c.is_ascii_graphic() && c != b'"' && c != b'\\') {
        faults.add(
            members.at("credentialConfigurationId"),
            "printable ASCII without space, quote and backslash is expected",
        );
        return None;
    }
    Some(id)
}

pub(in crate::management) fn read_binding_methods(members: &Members<'_>, faults: &mut Faults) -> Vec<BindingMethod> {
    let mut methods = Vec::new();
    for (pointer, value) in members.array("credentialBindingMethods", 8, faults).unwrap_or_default() {
        if value.as_str() == Some("cose_key") {
            faults.add(pointer, "cose_key goes only with mso_mdoc");
        } else if let Ok(method) = serde_json::from_value::<BindingMethod>(value.clone()) {
            if !methods.contains(&method) {
                methods.push(method);
            }
        } else {
            faults.add(pointer, "one of jwk, did:key, did:jwk is expected");
        }
    }
    methods
}

fn read_proof_algorithms(members: &Members<'_>, faults: &mut Faults) -> Vec<Algorithm> {
    let mut algorithms = Vec::new();
    for (pointer, value) in members.array("proofAlgorithms", 8, faults).unwrap_or_default() {
        match serde_json::from_value::<Algorithm>(value.clone()) {
            Ok(algorithm) if !algorithms.contains(&algorithm) => algorithms.push(algorithm),
            Ok(_) => {}
            Err(_) => faults.add(pointer, "one of ES256, ES384, EdDSA is expected"),
        }
    }
    algorithms
}

fn read_claims(members: &Members<'_>, faults: &mut Faults) -> Option<Vec<ClaimDescription>> {
    members.require("claims", faults);
    let claims = members.object("claims", faults)?;
    if claims.value("claims").is_none()
        && (claims.raw().contains_key("properties") || claims.raw().contains_key("type"))
    {
        return Some(schema::convert(&claims, faults));
    }
    claims.require("claims", faults);
    claims.refuse_others(&[&["claims"]], faults);
    let items = claims.array("claims", MOST_CLAIMS, faults)?;
    let mut seen = HashSet::with_capacity(items.len());
    let mut described = Vec::with_capacity(items.len());
    for (pointer, value) in items {
        let Some(item) = Members::of(value, pointer, faults) else { continue };
        item.refuse_others(&[&["path", "mandatory", "limitDisclosure", "display"]], faults);
        let path = read_path(&item, faults);
        let mandatory = item.boolean("mandatory", true, faults);
        let limit_disclosure = item.boolean("limitDisclosure", false, faults);
        let display = read_claim_display(&item, faults);
        let Some(path) = path else { continue };
        check_path(&path, limit_disclosure, &item.at("path"), faults);
        if !seen.insert(path.clone()) {
            faults.add(item.at("path"), "another claim has the same path");
        }
        described.push(ClaimDescription { path, mandatory, limit_disclosure, display });
    }
    Some(described)
}

fn read_path(item: &Members<'_>, faults: &mut Faults) -> Option<ClaimPath> {
    item.require("path", faults);
    match ClaimPath::try_from(item.value("path")?.clone()) {
        Ok(path) => Some(path),
        Err(error) => {
            faults.add(item.at("path"), error.to_string());
            None
        }
    }
}

/// Names that a definition may not describe, because the issuer or SD-JWT itself sets them.
pub(super) fn check_path(path: &ClaimPath, limit_disclosure: bool, pointer: &str, faults: &mut Faults) {
    let Some(first) = path.top_level_name() else {
        faults.add(pointer, "the first element is the name of a claim");
        return;
    };
    if SET_BY_ISSUER.contains(&first) {
        faults.add(pointer, format!("the claim {first} is set by the issuer and cannot be described"));
    } else if limit_disclosure && NEVER_DISCLOSABLE.contains(&first) {
        faults.add(pointer, format!("the claim {first} is never selectively disclosable"));
    }
    let reserved = path.segments().iter().find_map(|segment| match segment {
        PathSegment::Name(name) if SD_JWT_NAMES.contains(&name.as_str()) => Some(name),
        PathSegment::Name(_) | PathSegment::Index(_) | PathSegment::All => None,
    });
    if let Some(name) = reserved {
        faults.add(pointer, format!("the name {name} is reserved by SD-JWT (RFC 9901)"));
    }
}

fn read_claim_display(item: &Members<'_>, faults: &mut Faults) -> Vec<ClaimDisplay> {
    let mut names: Vec<ClaimDisplay> = Vec::new();
    for (pointer, value) in item.array("display", 50, faults).unwrap_or_default() {
        let Some(display) = Members::of(value, pointer, faults) else { continue };
        display.require_text("name", faults);
        display.refuse_others(&[&["name", "locale"]], faults);
        let locale = display.text("locale", 35, faults).map(str::to_owned);
        // OpenID4VCI §12.2.4: one name per language.
        if names.iter().any(|earlier| earlier.locale == locale) {
            faults.add(display.at("locale"), "another name of this claim is in the same language");
        }
        if let Some(name) = display.text("name", 255, faults) {
            names.push(ClaimDisplay { name: name.to_owned(), locale });
        }
    }
    names
}

/// `Staff Badge` becomes `staff-badge`, its second entry `staff-badge-2`.
fn derive_configuration_id(label: &str, position: usize) -> String {
    let mut id = String::with_capacity(label.len());
    for c in label.chars() {
        if c.is_ascii_alphanumeric() {
            id.push(c.to_ascii_lowercase());
        } else if !id.is_empty() && !id.ends_with('-') {
            id.push('-');
        }
    }
    let id = id.trim_end_matches('-');
    let id = if id.is_empty() { "credential" } else { id };
    if position == 0 { id.to_owned() } else { format!("{id}-{}", position + 1) }
}

#[cfg(test)]
mod tests {
    use super::derive_configuration_id;

    #[test]
    fn a_configuration_id_is_derived_from_the_label() {
        assert_eq!(derive_configuration_id("Staff Badge (2026)", 0), "staff-badge-2026");
        assert_eq!(derive_configuration_id("Staff Badge", 1), "staff-badge-2");
        assert_eq!(derive_configuration_id("身分証", 0), "credential");
    }
}
