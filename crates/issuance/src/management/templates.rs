//! Ready-made definitions, after the public rulebooks of their credentials.

use Disclosure::{Always, Withheld};
use serde_json::{Value, json};

/// A definition that can be created as it is, or changed first.
#[derive(Clone, Debug)]
pub struct Template {
    /// Name in the API.
    pub id: &'static str,
    /// Name for people.
    pub name: &'static str,
    /// What it follows.
    pub source: &'static str,
    /// The body of the call that creates the definition.
    pub definition: Value,
}

/// Whether the holder can withhold a claim.
#[derive(Clone, Copy)]
enum Disclosure {
    /// Disclosed with every presentation.
    Always,
    /// Disclosed when the holder agrees.
    Withheld,
}

/// A claim: its path (`.` between names, `*` for every element), whether it is mandatory, and who discloses it.
type Claim = (&'static str, bool, Disclosure);

/// Every template.
pub fn all() -> Vec<Template> {
    vec![
        template(
            "pid",
            "Person identification data",
            "EUDI PID Rulebook, SD-JWT VC encoding",
            "urn:eudi:pid:1",
            90,
            PID,
        ),
        template(
            "mdl",
            "Mobile driving licence (SD-JWT)",
            "ISO/IEC 18013-5 §7.2 data elements, as SD-JWT VC",
            "urn:eu.europa.ec.eudi:mdl:1",
            365,
            MDL,
        ),
        template(
            "age-verification",
            "Age verification",
            "EU age verification profile",
            "urn:eu.europa.ec.av:1",
            90,
            AGE_VERIFICATION,
        ),
        template(
            "diploma",
            "Diploma",
            "European Learning Model, main elements",
            "urn:eu.europa.ec.eudi:diploma:1",
            3650,
            DIPLOMA,
        ),
        template(
            "staff-badge",
            "Staff badge",
            "Names of OpenID Connect Core §5.1",
            "urn:example:staff-badge:1",
            365,
            BADGE,
        ),
        template(
            "pda1",
            "Portable document A1",
            "DC4EU PDA1 rulebook, SD-JWT VC encoding",
            "urn:eudi:pda1:1",
            365,
            PDA1,
        ),
        template(
            "ehic",
            "European health insurance card",
            "DC4EU EHIC rulebook, SD-JWT VC encoding",
            "urn:eudi:ehic:1",
            365,
            EHIC,
        ),
    ]
}

const PID: &[Claim] = &[
    ("family_name", true, Withheld),
    ("given_name", true, Withheld),
    ("birthdate", true, Withheld),
    ("place_of_birth", true, Withheld),
    ("place_of_birth.country", false, Withheld),
    ("place_of_birth.region", false, Withheld),
    ("place_of_birth.locality", false, Withheld),
    ("nationalities", true, Withheld),
    ("address", false, Withheld),
    ("address.formatted", false, Withheld),
    ("address.street_address", false, Withheld),
    ("address.house_number", false, Withheld),
    ("address.postal_code", false, Withheld),
    ("address.locality", false, Withheld),
    ("address.region", false, Withheld),
    ("address.country", false, Withheld),
    ("personal_administrative_number", false, Withheld),
    ("picture", false, Withheld),
    ("birth_family_name", false, Withheld),
    ("birth_given_name", false, Withheld),
    ("sex", false, Withheld),
    ("email", false, Withheld),
    ("phone_number", false, Withheld),
    ("date_of_expiry", true, Always),
    ("issuing_authority", true, Always),
    ("issuing_country", true, Always),
    ("document_number", false, Withheld),
    ("issuing_jurisdiction", false, Withheld),
    ("date_of_issuance", false, Withheld),
];

const MDL: &[Claim] = &[
    ("family_name", true, Withheld),
    ("given_name", true, Withheld),
    ("birth_date", true, Withheld),
    ("issue_date", true, Withheld),
    ("expiry_date", true, Always),
    ("issuing_country", true, Always),
    ("issuing_authority", true, Always),
    ("document_number", true, Withheld),
    ("portrait", true, Withheld),
    ("driving_privileges", true, Withheld),
    ("un_distinguishing_sign", true, Withheld),
    ("administrative_number", false, Withheld),
    ("sex", false, Withheld),
    ("height", false, Withheld),
    ("weight", false, Withheld),
    ("eye_colour", false, Withheld),
    ("hair_colour", false, Withheld),
    ("birth_place", false, Withheld),
    ("resident_address", false, Withheld),
    ("portrait_capture_date", false, Withheld),
    ("age_in_years", false, Withheld),
    ("age_birth_year", false, Withheld),
    ("age_over_18", false, Withheld),
    ("age_over_21", false, Withheld),
    ("issuing_jurisdiction", false, Withheld),
    ("nationality", false, Withheld),
    ("resident_city", false, Withheld),
    ("resident_state", false, Withheld),
    ("resident_postal_code", false, Withheld),
    ("resident_country", false, Withheld),
];

const AGE_VERIFICATION: &[Claim] = &[
    ("age_over_18", true, Withheld),
    ("age_over_13", false, Withheld),
    ("age_over_15", false, Withheld),
    ("age_over_16", false, Withheld),
    ("age_over_21", false, Withheld),
    ("age_over_65", false, Withheld),
];

const DIPLOMA: &[Claim] = &[
    ("family_name", true, Withheld),
    ("given_name", true, Withheld),
    ("birthdate", false, Withheld),
    ("student_id", false, Withheld),
    ("title", true, Always),
    ("awarding_body", true, Always),
    ("awarding_body.id", false, Always),
    ("awarding_body.name", true, Always),
    ("awarding_body.country", false, Always),
    ("awarding_date", true, Withheld),
    ("eqf_level", false, Withheld),
    ("field_of_education", false, Withheld),
    ("credit_points", false, Withheld),
    ("grade", false, Withheld),
];

const BADGE: &[Claim] = &[
    ("given_name", true, Withheld),
    ("family_name", true, Withheld),
    ("email", false, Withheld),
    ("picture", false, Withheld),
    ("employee_id", true, Withheld),
    ("job_title", false, Withheld),
    ("department", false, Withheld),
    ("employer", true, Always),
];

const PDA1: &[Claim] = &[
    ("personal_administrative_number", true, Withheld),
    ("employer", true, Always),
    ("employer.id", true, Always),
    ("employer.name", true, Always),
    ("employer.country", true, Always),
    ("work_address", true, Always),
    ("work_address.formatted", false, Always),
    ("work_address.street_address", false, Always),
    ("work_address.building_number", false, Always),
    ("work_address.postal_code", false, Always),
    ("work_address.locality", false, Always),
    ("work_address.region", false, Always),
    ("work_address.country", false, Always),
    ("legislation_country", true, Always),
    ("status_confirmation", true, Always),
    ("issuing_authority", true, Always),
    ("issuing_authority.id", true, Always),
    ("issuing_authority.name", true, Always),
    ("issuing_country", true, Always),
    ("date_of_expiry", true, Always),
    ("date_of_issuance", true, Always),
    ("authentic_source", true, Always),
    ("authentic_source.id", true, Always),
    ("authentic_source.name", true, Always),
    ("starting_date", false, Always),
    ("ending_date", false, Always),
    ("document_number", true, Withheld),
];

const EHIC: &[Claim] = &[
    ("personal_administrative_number", true, Withheld),
    ("issuing_authority", true, Always),
    ("issuing_authority.id", true, Always),
    ("issuing_authority.name", true, Always),
    ("issuing_country", true, Always),
    ("date_of_expiry", true, Always),
    ("date_of_issuance", true, Always),
    ("authentic_source", true, Always),
    ("authentic_source.id", true, Always),
    ("authentic_source.name", true, Always),
    ("starting_date", false, Always),
    ("ending_date", false, Always),
    ("document_number", true, Withheld),
];

fn template(
    id: &'static str,
    name: &'static str,
    source: &'static str,
    vct: &str,
    days: u32,
    claims: &[Claim],
) -> Template {
    let claims: Vec<Value> = claims.iter().map(described).collect();
    let definition = json!({
        "label": name,
        "version": "version_01",
        "credentialDefinitions": [{
            "credentialFormat": "dc+sd-jwt",
            "vct": vct,
            "expirationInDays": days,
            "claims": { "claims": claims },
            "display": { "name": name },
        }],
    });
    Template { id, name, source, definition }
}

fn described((path, mandatory, disclosure): &Claim) -> Value {
    let path: Vec<Value> =
        path.split('.').map(|name| if name == "*" { Value::Null } else { Value::from(name) }).collect();
    let limit_disclosure = match disclosure {
        Always => false,
        Withheld => true,
    };
    json!({ "path": path, "mandatory": mandatory, "limitDisclosure": limit_disclosure })
}
