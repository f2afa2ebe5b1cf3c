//! The tables as rows. Instants are Unix milliseconds; JSON is text; the migrations say what refers to what.

use sea_orm::entity::prelude::*;

/// A table whose rows belong to one organisation each.
pub(crate) trait Owned: EntityTrait {
    /// The column that says to which.
    const ORGANISATION: Self::Column;
}

macro_rules! tables {
    ($(
        $(#[$doc:meta])*
        $table:ident $name:literal ($($owned:ident)?) {
            key { $($key:ident: $key_type:ty,)* }
            $($column:ident: $type:ty,)*
        }
    )*) => { $(
        $(#[$doc])*
        #[expect(unreachable_pub, reason = "the derived items beside the model are `pub` too")]
        pub(crate) mod $table {
            use sea_orm::entity::prelude::*;

            #[derive(Clone, Debug, DeriveEntityModel)]
            #[sea_orm(table_name = $name)]
            pub struct Model {
                $(#[sea_orm(primary_key, auto_increment = false)] pub $key: $key_type,)*
                $(pub $column: $type,)*
            }

            #[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
            pub enum Relation {}

            impl ActiveModelBehavior for ActiveModel {}

            $(tables!(@owned $owned);)?
        }
    )* };
    (@owned organisation_id) => {
        impl super::Owned for Entity {
            const ORGANISATION: Self::Column = Column::OrganisationId;
        }
    };
}

tables! {
    /// The directory, the one table that belongs to no organisation.
    organisation "organisation" () {
        key { id: Uuid, }
        slug: String,
        name: String,
        issuer: String,
        issuer_host: String,
        issuer_path: String,
        status: String,
        policy: String,
        created_at: i64,
        updated_at: i64,
        quotas: String,
        parent_id: Option<Uuid>,
        logo: Option<String>,
        cover: Option<String>,
    }
    /// Keys for the management API.
    api_key "api_key" (organisation_id) {
        key { organisation_id: Uuid, id: Uuid, }
        name: String,
        role: String,
        hash: Vec<u8>,
        created_at: i64,
        expires_at: i64,
        revoked_at: Option<i64>,
        last_used_at: Option<i64>,
        sandbox_id: Option<Uuid>,
    }
    /// Keys that sign credentials.
    signing_key "signing_key" (organisation_id) {
        key { organisation_id: Uuid, id: Uuid, }
        kid: String,
        algorithm: String,
        state: String,
        public_jwk: String,
        sealed_private: Vec<u8>,
        certificate_chain: String,
        created_at: i64,
        updated_at: i64,
    }
    /// Keys that wallets encrypt requests for.
    encryption_key "encryption_key" (organisation_id) {
        key { organisation_id: Uuid, generation: i64, }
        id: Uuid,
        kid: String,
        sealed_private: Vec<u8>,
        created_at: i64,
        retired_at: Option<i64>,
    }
    /// What can be offered now.
    definition "definition" (organisation_id) {
        key { organisation_id: Uuid, id: Uuid, }
        revision: i64,
        created_at: i64,
    }
    /// Versions of definitions; never changed.
    definition_revision "definition_revision" (organisation_id) {
        key { organisation_id: Uuid, definition_id: Uuid, revision: i64, }
        content: String,
        search_label: String,
        definition_created_at: i64,
        created_at: i64,
    }
    /// The identity provider of an organisation.
    identity_provider "identity_provider" (organisation_id) {
        key { organisation_id: Uuid, }
        issuer: String,
        client_id: String,
        authentication: String,
        sealed_secret: Option<Vec<u8>>,
        scopes: String,
        created_at: i64,
        updated_at: i64,
    }
    /// Secrets for the claims endpoints of definitions.
    claims_endpoint "claims_endpoint" (organisation_id) {
        key { organisation_id: Uuid, definition_id: Uuid, }
        sealed_secrets: Vec<u8>,
        updated_at: i64,
    }
    /// The access provider of an organisation.
    access_provider "access_provider" (organisation_id) {
        key { organisation_id: Uuid, }
        revision: i64,
        terms: String,
        created_at: i64,
        updated_at: i64,
    }
    /// Configuration ids that are taken.
    configuration "configuration" (organisation_id) {
        key { organisation_id: Uuid, configuration_id: String, }
        definition_id: Uuid,
        vct: String,
    }
    /// Issuances.
    exchange "exchange" (organisation_id) {
        key { organisation_id: Uuid, id: Uuid, }
        definition_id: Uuid,
        definition_revision: i64,
        entries: String,
        issuance_mode: String,
        claims_at_start: bool,
        grant_kind: String,
        status: String,
        credential_status: String,
        revocation_status: String,
        offer_id: String,
        url_scheme: String,
        code_hash: Vec<u8>,
        fetches: i64,
        fetch_part: Option<String>,
        code_spent_at: Option<i64>,
        transaction_code: Option<String>,
        failed_attempts: i64,
        require_key_attestation: bool,
        client_id: Option<String>,
        denied_reason: Option<String>,
        sealed_secrets: Vec<u8>,
        sealed_submissions: Option<Vec<u8>>,
        expires_at: i64,
        created_at: i64,
        updated_at: i64,
        claims_due_at: Option<i64>,
        answers: i64,
        issued_by: Option<Uuid>,
        issued_from: Option<String>,
        issued_by_person: Option<String>,
    }
    /// What authorisations allow.
    exchange_grant "exchange_grant" (organisation_id) {
        key { organisation_id: Uuid, id: Uuid, }
        exchange_id: Uuid,
        client_id: Option<String>,
        dpop_thumbprint: Option<String>,
        credentials: String,
        by_identifier: bool,
        access_token_hash: Vec<u8>,
        access_token_expires_at: i64,
        created_at: i64,
        transcript_part: Option<String>,
        refreshed: bool,
    }
    /// Credentials that left the building.
    credential "credential" (organisation_id) {
        key { organisation_id: Uuid, id: Uuid, }
        exchange_id: Uuid,
        grant_id: Uuid,
        entry_id: Uuid,
        format: String,
        holder_key: String,
        signing_key_id: Uuid,
        proof: String,
        sealed_token: Vec<u8>,
        issued_at: i64,
        expires_at: i64,
        transcript_part: Option<String>,
        status_list_id: Option<Uuid>,
        status_index: Option<i64>,
        status: Option<String>,
        dataset: i64,
        notification_hash: Option<Vec<u8>>,
        accepted_at: Option<i64>,
        failed_at: Option<i64>,
        deleted_at: Option<i64>,
    }
    /// Lists of statuses.
    status_list "status_list" (organisation_id) {
        key { organisation_id: Uuid, id: Uuid, }
        bits: i64,
        ordinal: i64,
        capacity: i64,
        sealed_seed: Vec<u8>,
        leased: i64,
        version: i64,
        created_at: i64,
        changed_at: i64,
    }
    /// Files of rows to be issued.
    bulk "bulk" (organisation_id) {
        key { organisation_id: Uuid, id: Uuid, }
        definition_id: Uuid,
        definition_revision: i64,
        entry_id: Uuid,
        generate_pins: bool,
        url_scheme: Option<String>,
        state: String,
        rows: i64,
        invalid: i64,
        created_at: i64,
        started_at: Option<i64>,
        ended_at: Option<i64>,
        fetched_at: Option<i64>,
        erased_at: Option<i64>,
    }
    /// Neighbouring rows of a bulk.
    bulk_part "bulk_part" (organisation_id) {
        key { organisation_id: Uuid, id: Uuid, }
        bulk_id: Uuid,
        ordinal: i64,
        rows: i64,
        settled: bool,
        issued: i64,
        failed: i64,
        sealed_rows: Option<Vec<u8>>,
        sealed_result: Option<Vec<u8>>,
        sealed_pins: Option<Vec<u8>>,
        faults: String,
    }
    /// Changes of statuses.
    status_change "status_change" (organisation_id) {
        key { organisation_id: Uuid, list_id: Uuid, version: i64, list_index: i64, }
        exchange_id: Uuid,
        credential_id: Uuid,
        from_status: String,
        to_status: String,
        actor: String,
        reason: String,
        at: i64,
    }
    /// Deferred issuances.
    exchange_transaction "exchange_transaction" (organisation_id) {
        key { organisation_id: Uuid, exchange_id: Uuid, id: Uuid, }
        id_hash: Vec<u8>,
        grant_id: Uuid,
        entry_id: Uuid,
        dataset: i64,
        keys: String,
        poll_interval: i64,
        polls: i64,
        polled_at: i64,
        issued_at: Option<i64>,
        sealed_answer: Option<Vec<u8>>,
        expires_at: i64,
        created_at: i64,
    }
    /// What one request added to a transcript.
    transcript_part "transcript_part" (organisation_id) {
        key { organisation_id: Uuid, id: Uuid, }
        exchange_id: Uuid,
        at: i64,
        support_code: Option<String>,
        records: String,
        events: String,
    }
    /// Answers that are repeated for a repeated key.
    idempotency "idempotency" (organisation_id) {
        key { organisation_id: Uuid, id: Uuid, }
        key: String,
        request_hash: Vec<u8>,
        sealed_response: Vec<u8>,
        expires_at: i64,
    }
    /// Authorization requests on their way to a code.
    authorization_request "authorization_request" (organisation_id) {
        key { organisation_id: Uuid, id: Uuid, }
        client_id: String,
        redirect_uri: String,
        redirect_uri_named: bool,
        state: Option<String>,
        code_challenge: Option<String>,
        definition_id: Uuid,
        definition_revision: i64,
        requested: String,
        by_details: bool,
        exchange_id: Option<Uuid>,
        dpop_jkt: Option<String>,
        instance_thumbprint: Option<String>,
        request_uri_hash: Option<Vec<u8>>,
        request_uri_expires_at: Option<i64>,
        status: String,
        browser_hash: Option<Vec<u8>>,
        sealed_signed_in: Option<Vec<u8>>,
        locale: Option<String>,
        code_hash: Option<Vec<u8>>,
        expires_at: i64,
        created_at: i64,
        updated_at: i64,
    }
    /// Refresh tokens.
    refresh_token "refresh_token" (organisation_id) {
        key { organisation_id: Uuid, id: Uuid, }
        exchange_id: Uuid,
        hash: Vec<u8>,
        client_id: Option<String>,
        dpop_thumbprint: Option<String>,
        instance_thumbprint: Option<String>,
        credentials: String,
        by_identifier: bool,
        expires_at: i64,
        replaced_at: Option<i64>,
        created_at: i64,
    }
    /// Defaults of organisations.
    global_configuration "global_configuration" (organisation_id) {
        key { organisation_id: Uuid, }
        id: Uuid,
        revision: i64,
        content: String,
        created_at: i64,
        updated_at: i64,
    }
    /// Pictures of definitions.
    image "image" (organisation_id) {
        key { organisation_id: Uuid, definition_id: Uuid, purpose: String, }
        media_type: String,
        name: String,
        bytes: Vec<u8>,
        created_at: i64,
    }
    /// What background workers have to do, across organisations.
    work "work" (organisation_id) {
        key { organisation_id: Uuid, kind: String, subject_id: Uuid, }
        due_at: i64,
        attempts: i64,
        lease: Option<Uuid>,
        again_at: Option<i64>,
    }
    /// Steps of exchanges that somebody wants to hear of.
    exchange_event "exchange_event" (organisation_id) {
        key { organisation_id: Uuid, id: Uuid, }
        exchange_id: Uuid,
        status: String,
        at: i64,
        number: Option<i64>,
    }
    /// Whether and since when an organisation is watched.
    event_watch "event_watch" (organisation_id) {
        key { organisation_id: Uuid, }
        since: i64,
        until: i64,
        first: i64,
        last: i64,
    }
    /// Where an organisation wants events to be sent.
    webhook "webhook" (organisation_id) {
        key { organisation_id: Uuid, id: Uuid, }
        url: String,
        content_type: String,
        events: String,
        disabled: bool,
        disabled_reason: Option<String>,
        disabled_at: Option<i64>,
        failing_since: Option<i64>,
        sealed_secrets: Vec<u8>,
        created_at: i64,
        updated_at: i64,
    }
    /// One event for one webhook.
    webhook_delivery "webhook_delivery" (organisation_id) {
        key { organisation_id: Uuid, id: Uuid, }
        exchange_id: Uuid,
        webhook_id: Uuid,
        event: String,
        event_at: i64,
        state: String,
        attempts: i64,
        next_attempt_at: i64,
        attempted_at: Option<i64>,
        duration: Option<i64>,
        response_status: Option<i64>,
        response_excerpt: Option<String>,
        failure: Option<String>,
        created_at: i64,
    }
    /// People whom organisations know.
    individual "individual" (organisation_id) {
        key { organisation_id: Uuid, id: Uuid, }
        revision: i64,
        external_id_hash: Option<Vec<u8>>,
        sealed_contact: Vec<u8>,
        created_at: i64,
        updated_at: i64,
    }
    /// Offers on their way to people.
    offer_delivery "offer_delivery" (organisation_id) {
        key { organisation_id: Uuid, exchange_id: Uuid, part: String, }
        individual_id: Option<Uuid>,
        channel: String,
        sealed_endpoint: Option<Vec<u8>>,
        state: String,
        round: i64,
        attempts: i64,
        next_attempt_at: i64,
        attempted_at: Option<i64>,
        failure: Option<String>,
        created_at: i64,
    }
    /// Parts of long histories.
    history_segment "history_segment" (organisation_id) {
        key { organisation_id: Uuid, last_created_at: i64, last_id: Uuid, }
        counts: Option<String>,
        counted_at: i64,
        marks: i64,
    }
    /// Pictures of organisations themselves.
    organisation_image "organisation_image" (organisation_id) {
        key { organisation_id: Uuid, purpose: String, }
        media_type: String,
        name: String,
        bytes: Vec<u8>,
        created_at: i64,
    }
    /// What is erased when.
    retention "retention" (organisation_id) {
        key { organisation_id: Uuid, }
        claims: Option<i64>,
        tokens: Option<i64>,
        transcripts: Option<i64>,
        exchanges: Option<i64>,
        claims_until: i64,
        tokens_until: i64,
        transcripts_until: i64,
        exchanges_until: i64,
        updated_at: i64,
    }
    /// Who changed what, and who tried to.
    audit_entry "audit_entry" (organisation_id) {
        key { organisation_id: Uuid, id: Uuid, }
        at: i64,
        actor_kind: String,
        actor_id: Option<Uuid>,
        actor_name: String,
        actor_role: String,
        address: String,
        action: String,
        target: String,
        outcome: String,
        status: i64,
        problem: Option<String>,
        request_id: String,
        before: Option<String>,
        after: Option<String>,
        sequence: Option<i64>,
        mac: Option<Vec<u8>>,
    }
    /// Refused requests of wallets that belong to no exchange.
    refused_request "refused_request" (organisation_id) {
        key { organisation_id: Uuid, id: Uuid, }
        at: i64,
        support_code: String,
        records: String,
    }
    /// Where the chain of audit entries ends.
    audit_head "audit_head" (organisation_id) {
        key { organisation_id: Uuid, }
        sequence: i64,
        mac: Vec<u8>,
    }
}
