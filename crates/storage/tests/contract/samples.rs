//! One of everything.

use std::sync::Arc;

use chancery_keys::{Algorithm, PublicJwk, SoftwareKey};
use chancery_model::{
    ApiKey, ApiKeySecret, AuthorizationRequestType, Credential, CredentialStatus, Definition, DefinitionContent,
    Demands, Entry, Event, Exchange, ExchangeStatus, Format, Grant, GrantId, GrantKind, GrantedCredential,
    IssuanceMode, Level, Organisation, OrganisationRecord, OrganisationStatus, Passage, Policy, Quotas, Record, Report,
    Reported, RevocationMethod, RevocationStatus, Role, SecretHash, SigningKey, SigningKeyState, Slug, Timestamp,
    TransactionCode, TranscriptPart, TrustAnchor, WireVersion,
};
use chancery_storage::{DefinitionChange, Store, StoreError, Tokens};
use serde_json::{Map, json};

use crate::database::TestDatabase;

/// The instant of all tests that do not move it.
pub(crate) const NOW: Timestamp = Timestamp::from_seconds(1_790_000_000);
pub(crate) const LATER: Timestamp = Timestamp::from_seconds(1_790_000_060);

/// An organisation with a definition and a signing key.
pub(crate) struct Tenant {
    pub(crate) organisation: Arc<Organisation>,
    pub(crate) api_key: ApiKey,
    pub(crate) definition: Definition,
    pub(crate) signing_key: SigningKey,
}

/// An exchange that has issued, with everything that hangs on it.
pub(crate) struct Issued {
    pub(crate) exchange: Exchange,
    pub(crate) grant: Grant,
    pub(crate) credential: Credential,
    /// Written with the grant and with the credential.
    pub(crate) carried: [Passage; 2],
    pub(crate) part: TranscriptPart,
}

impl TestDatabase {
    pub(crate) async fn organisation(&self, slug: &str) -> (Arc<Organisation>, ApiKey) {
        let record = self.organisation_record(slug, &format!("https://{slug}.example/issuer"));
        let key = self.api_key(&record);
        self.store.directory().create(&record, &key).await.unwrap().unwrap();
        (self.store.directory().organisation(record.id).await.unwrap().unwrap(), key)
    }

    pub(crate) async fn tenant(&self, slug: &str) -> Tenant {
        let (organisation, api_key) = self.organisation(slug).await;
        let definition = self.definition(&format!("Badge of {slug}"), &[&format!("{slug}-badge")]);
        let signing_key = self.signing_key();
        let write = self.store.write(&organisation, async |tx| {
            assert_eq!(tx.add_definition(&definition).await?, DefinitionChange::Saved);
            tx.add_signing_key(&signing_key).await
        });
        write.await.unwrap();
        Tenant { organisation, api_key, definition, signing_key }
    }

    pub(crate) async fn offer(&self, tenant: &Tenant) -> Exchange {
        self.offer_at(tenant, NOW).await
    }

    pub(crate) async fn offer_at(&self, tenant: &Tenant, at: Timestamp) -> Exchange {
        let exchange = self.exchange(&tenant.definition, at);
        add_exchange(&self.store, &tenant.organisation, &exchange).await;
        exchange
    }

    pub(crate) async fn issue(&self, tenant: &Tenant) -> Issued {
        let exchange = self.offer(tenant).await;
        let grant = self.grant(&exchange);
        let credential = self.credential(&exchange, &grant, &tenant.signing_key);
        let carried = [self.passage(), self.passage()];
        let part = self.part(&exchange);
        let write = self.store.write(&tenant.organisation, async |tx| {
            let tokens = Tokens { grant: &grant, refresh_token: None, passage: &carried[0] };
            assert!(tx.spend_code(&exchange, Some("wallet"), 5, Some(tokens), NOW).await?);
            let credentials = (std::slice::from_ref(&credential), &carried[1]);
            assert!(tx.record_issuance(exchange.id, (None, None), credentials, NOW).await?);
            assert_eq!(tx.reach_by_report(exchange.id, Report::Failed, NOW).await?, [ExchangeStatus::CredentialAcked]);
            tx.add_transcript_part(&part).await
        });
        write.await.unwrap();
        Issued { exchange, grant, credential, carried, part }
    }

    /// Notes an issuance without credentials; whether that may be.
    pub(crate) async fn record_issuance(&self, tenant: &Tenant, exchange: &Exchange, grant: Option<GrantId>) -> bool {
        let passage = self.passage();
        let record = self.store.write_step(&tenant.organisation, async |tx| {
            tx.record_issuance(exchange.id, (None, grant), (&[], &passage), NOW).await
        });
        record.await.unwrap()
    }

    pub(crate) fn organisation_record(&self, slug: &str, issuer: &str) -> OrganisationRecord {
        OrganisationRecord {
            id: self.env.uuid(NOW).into(),
            parent: None,
            logo: None,
            cover: None,
            slug: Slug::parse(slug).unwrap(),
            name: format!("The {slug} company"),
            issuer: serde_json::from_value(json!(issuer)).unwrap(),
            status: OrganisationStatus::Active,
            policy: Policy { decoys: 3, ..Policy::default() },
            quotas: Quotas { exchanges_per_day: Some(1000), ..Quotas::default() },
            created_at: NOW,
            updated_at: NOW,
        }
    }

    pub(crate) fn api_key(&self, record: &OrganisationRecord) -> ApiKey {
        ApiKey {
            id: self.env.uuid(NOW).into(),
            name: "first".to_owned(),
            role: Role::Admin,
            hash: ApiKeySecret::generate(record.id, &self.env).hash(),
            created_at: NOW,
            expires_at: NOW.plus_seconds(86_400),
            revoked_at: None,
            sandbox: None,
            last_used_at: None,
        }
    }

    pub(crate) fn definition(&self, label: &str, configuration_ids: &[&str]) -> Definition {
        Definition {
            id: self.env.uuid(NOW).into(),
            revision: 1,
            content: DefinitionContent {
                label: label.to_owned(),
                version: WireVersion::Version01,
                trust_anchor: TrustAnchor::X509,
                kid: String::new(),
                enforce_wua: false,
                demands: Demands::default(),
                support_interactive_authorisation_endpoint: false,
                display: None,
                claims_endpoint: None,
                entries: configuration_ids.iter().map(|id| self.entry(id)).collect(),
            },
            created_at: NOW,
            updated_at: NOW,
        }
    }

    fn entry(&self, configuration_id: &str) -> Entry {
        Entry {
            id: self.env.uuid(NOW).into(),
            configuration_id: configuration_id.to_owned(),
            format: Format::DcSdJwt,
            vct: format!("urn:vct:{configuration_id}"),
            claims: Vec::new(),
            expiration_in_days: 30,
            support_revocation: false,
            revocation_method: RevocationMethod::StatusList,
            support_suspension: false,
            enforce_credential_uniqueness: false,
            support_credential_reissuance: false,
            binding_methods: Vec::new(),
            require_key_attestation: false,
            key_storage: Vec::new(),
            user_authentication: Vec::new(),
            proof_algorithms: Vec::new(),
            authorization_request_type: AuthorizationRequestType::AuthorizationDetails,
            scope: String::new(),
            response_interval: 5,
            display: None,
            identity_mapping: Vec::new(),
        }
    }

    pub(crate) fn signing_key(&self) -> SigningKey {
        let public_jwk = self.public_key();
        SigningKey {
            id: self.env.uuid(NOW).into(),
            kid: public_jwk.thumbprint(),
            algorithm: Algorithm::Es256,
            state: SigningKeyState::Active,
            public_jwk,
            sealed_private: vec![1, 2, 3],
            certificate_chain: String::new(),
            created_at: NOW,
            updated_at: NOW,
        }
    }

    pub(crate) fn exchange(&self, definition: &Definition, at: Timestamp) -> Exchange {
        let offer_id = self.env.uuid(at).to_string();
        Exchange {
            id: self.env.uuid(at).into(),
            definition_id: definition.id,
            definition_revision: definition.revision,
            entries: definition.content.entries.iter().map(|entry| entry.id).collect(),
            issuance_mode: IssuanceMode::InTime,
            claims_at_start: true,
            grant_kind: GrantKind::PreAuthorizedCode,
            status: ExchangeStatus::OfferSent,
            credential_status: CredentialStatus::Ready,
            revocation_status: RevocationStatus::Operational,
            code_hash: SecretHash::of(&offer_id),
            offer_id,
            url_scheme: "openid-credential-offer://".to_owned(),
            fetches: 0,
            code_spent_at: None,
            transaction_code: Some(TransactionCode { numeric: true, length: 4 }),
            failed_attempts: 0,
            require_key_attestation: false,
            client_id: None,
            denied_reason: None,
            issued_by: None,
            sealed_secrets: vec![4, 5, 6],
            sealed_submissions: Some(vec![7, 8, 9]),
            expires_at: at.plus_seconds(3600),
            claims_due_at: None,
            created_at: at,
            updated_at: at,
        }
    }

    pub(crate) fn grant(&self, exchange: &Exchange) -> Grant {
        let id = self.env.uuid(NOW);
        Grant {
            id: id.into(),
            exchange_id: exchange.id,
            client_id: Some("wallet".to_owned()),
            dpop_thumbprint: None,
            credentials: vec![GrantedCredential {
                entry: exchange.entries[0],
                dataset: 0,
                configuration_id: "badge".to_owned(),
                identifier: "dataset".to_owned(),
            }],
            by_identifier: true,
            access_token_hash: SecretHash::of(&id.to_string()),
            access_token_expires_at: exchange.expires_at.plus_seconds(600),
            refreshed: false,
            created_at: NOW,
        }
    }

    pub(crate) fn credential(&self, exchange: &Exchange, grant: &Grant, key: &SigningKey) -> Credential {
        Credential {
            id: self.env.uuid(NOW).into(),
            exchange_id: exchange.id,
            grant_id: grant.id,
            entry: exchange.entries[0],
            dataset: 0,
            format: Format::DcSdJwt,
            holder_key: self.public_key(),
            signing_key_id: key.id,
            proof: object(&json!({ "header": { "alg": "ES256" } })),
            sealed_token: vec![10, 11, 12],
            issued_at: NOW,
            expires_at: LATER,
            status_place: None,
            revocation_status: RevocationStatus::Operational,
            notification_hash: Some(SecretHash::of("notification")),
            reported: Reported::default(),
        }
    }

    pub(crate) fn part(&self, exchange: &Exchange) -> TranscriptPart {
        let passage = self.passage();
        let support_code = passage.id.as_uuid().simple().to_string().to_uppercase();
        passage.of(exchange.id, Some(support_code))
    }

    pub(crate) fn passage(&self) -> Passage {
        Passage {
            id: self.env.uuid(NOW).into(),
            at: NOW,
            records: vec![Record {
                level: Level::Error,
                endpoint: "/token".to_owned(),
                message: "token.refused".to_owned(),
                data: object(&json!({ "reason": "wrong code" })),
            }],
            events: vec![Event { kind: "token_exchanged".to_owned(), details: Map::new() }],
        }
    }

    fn public_key(&self) -> PublicJwk {
        SoftwareKey::generate(Algorithm::Es256).unwrap().public_jwk().clone()
    }
}

pub(crate) async fn add_exchange(store: &Store, organisation: &Organisation, exchange: &Exchange) {
    let added = store.write(organisation, async |tx| tx.add_exchange(exchange).await).await;
    assert!(added.unwrap());
}

/// Adds an exchange unless its definition is gone.
pub(crate) async fn try_offer(store: &Store, organisation: &Organisation, exchange: &Exchange) -> bool {
    let add =
        store.write(
            organisation,
            async |tx| {
                if tx.add_exchange(exchange).await? { Ok(()) } else { Err(Refused::ByUseCase) }
            },
        );
    match add.await {
        Ok(()) => true,
        Err(Refused::ByUseCase) => false,
        Err(Refused::ByStore(error)) => panic!("{error:?}"),
    }
}

pub(crate) async fn exchange_now(store: &Store, organisation: &Organisation, exchange: &Exchange) -> Exchange {
    store.read(organisation).await.unwrap().exchange(exchange.id).await.unwrap().unwrap()
}

/// An error of a use case.
#[derive(Debug)]
pub(crate) enum Refused {
    ByUseCase,
    ByStore(StoreError),
}

impl From<StoreError> for Refused {
    fn from(error: StoreError) -> Self {
        Self::ByStore(error)
    }
}

fn object(value: &serde_json::Value) -> Map<String, serde_json::Value> {
    value.as_object().unwrap().clone()
}
