//! Token requests that are sent twice because the answer was lost on its way: the same request of the same DPoP key is
//! answered the same again, for a few seconds, at whichever process of the deployment it arrives. Another wallet, which has
//! another key, never is.

use std::time::Duration;

use chancery_formats::ClaimPath;
use chancery_model::{Organisation, SecretHash, Timestamp};
use chancery_protocol::authorization_details::{AuthorizationDetail, RequestedClaim};
use chancery_protocol::dpop::DpopProof;
use chancery_protocol::token::{TokenResponse, TokenType};
use moka::sync::Cache;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::super::access;
use crate::sealed::Place;
use crate::{Context, Failure};

/// Answers that this process gave lately, sealed, by what asked for them.
pub(crate) struct Answers(Cache<Asked, Vec<u8>>);

/// One request: a hash over whose it is, for which code, of which DPoP key, and what its body said.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub(super) struct Asked([u8; 32]);

/// An answer that is about to be given.
pub(super) struct Prepared {
    asked: Asked,
    sealed: Vec<u8>,
}

/// An answer as it is sealed. Its tokens are always bound to the DPoP key of the request.
#[derive(Serialize, Deserialize)]
struct Given {
    at: i64,
    access_token: String,
    expires_in: u64,
    refresh_token: Option<String>,
    scope: Option<String>,
    details: Option<Vec<GivenDetail>>,
}

#[derive(Serialize, Deserialize)]
struct GivenDetail {
    configuration: String,
    identifiers: Vec<String>,
    locations: Vec<String>,
    claims: Vec<(ClaimPath, bool)>,
}

impl Default for Answers {
    fn default() -> Self {
        Self(Cache::builder().max_capacity(Self::CAPACITY).time_to_live(Self::LIFETIME).build())
    }
}

impl Answers {
    const CAPACITY: u64 = 4096;
    /// Long enough for a retry, too short for anything else.
    pub(super) const LIFETIME: Duration = Duration::from_secs(10);
}

impl Asked {
    /// What identifies the request; `None` without a DPoP proof: then nothing says that it is the same wallet.
    pub(super) fn of(
        organisation: &Organisation,
        code: SecretHash,
        proof: Option<&DpopProof>,
        body: &[u8],
    ) -> Option<Self> {
        let proof = proof?;
        // Everything but the thumbprint has a fixed length, so no two requests collide.
        let mut said = organisation.id.as_uuid().as_bytes().to_vec();
        said.extend_from_slice(code.as_bytes());
        said.extend_from_slice(&chancery_keys::sha256(body));
        said.extend_from_slice(proof.thumbprint.as_bytes());
        Some(Self(chancery_keys::sha256(&said)))
    }

    /// Stands for the row in what is sealed: under another request it does not open.
    fn row(self) -> Uuid {
        self.0.first_chunk().map_or(Uuid::nil(), |first| Uuid::from_bytes(*first))
    }
}

impl Given {
    fn of(answer: &TokenResponse, at: Timestamp) -> Self {
        let TokenResponse { access_token, token_type: _, expires_in, refresh_token, scope, authorization_details } =
            answer.clone();
        let details = authorization_details.map(|details| details.into_iter().map(GivenDetail::of).collect());
        Self { at: at.millis(), access_token, expires_in, refresh_token, scope, details }
    }

    fn answer(self) -> TokenResponse {
        let Self { at: _, access_token, expires_in, refresh_token, scope, details } = self;
        let authorization_details = details.map(|details| details.into_iter().map(GivenDetail::detail).collect());
        let token_type = TokenType::Dpop;
        TokenResponse { access_token, token_type, expires_in, refresh_token, scope, authorization_details }
    }
}

impl GivenDetail {
    fn of(detail: AuthorizationDetail) -> Self {
        let AuthorizationDetail { credential_configuration_id, credential_identifiers, locations, claims } = detail;
        Self {
            configuration: credential_configuration_id,
            identifiers: credential_identifiers,
            locations,
            claims: claims.into_iter().map(|claim| (claim.path, claim.mandatory)).collect(),
        }
    }

    fn detail(self) -> AuthorizationDetail {
        let claims = self.claims.into_iter().map(|(path, mandatory)| RequestedClaim { path, mandatory });
        AuthorizationDetail {
            credential_configuration_id: self.configuration,
            credential_identifiers: self.identifiers,
            locations: self.locations,
            claims: claims.collect(),
        }
    }
}

impl Context {
    /// Seals an answer that is to be given.
    pub(super) fn prepare_answer<R>(
        &self,
        organisation: &Organisation,
        asked: Option<Asked>,
        answer: &TokenResponse,
        at: Timestamp,
    ) -> Result<Option<Prepared>, Failure<R>> {
        let Some(asked) = asked else { return Ok(None) };
        let sealed = self.seal(organisation, Place::RepeatedAnswer, asked.row(), &Given::of(answer, at))?;
        Ok(Some(Prepared { asked, sealed }))
    }

    /// Does the work that makes an answer good, and keeps the answer for a moment. It travels to the other processes while
    /// the work is done, so that nobody waits for it; where it got there and the work failed, it opens nothing.
    pub(super) async fn keeping_answer<T, E>(
        &self,
        prepared: Option<Prepared>,
        work: impl Future<Output = Result<T, E>>,
    ) -> Result<T, E> {
        let Some(Prepared { asked, sealed }) = prepared else { return work.await };
        let shared = self.replay().shared_values();
        let share = async {
            match &shared {
                Some(shared) => shared.keep_first(&asked.0, &sealed, Answers::LIFETIME).await,
                None => Ok(true),
            }
        };
        let (first, done) = tokio::join!(share, work);
        let done = done?;
        let kept = match (&shared, first) {
            // Something is there that an earlier request left and could not make good.
            (Some(shared), Ok(false)) => shared.keep(&asked.0, &sealed, Answers::LIFETIME).await,
            (_, first) => first.map(drop),
        };
        if let Err(error) = kept {
            tracing::warn!(%error, "a repeated token request will be answered by this process only");
        }
        self.token_answers().0.insert(asked, sealed);
        Ok(done)
    }

    /// The answer that the same request was given, if that was a moment ago, here or at another process.
    pub(super) async fn earlier_token_answer<R>(
        &self,
        organisation: &Organisation,
        asked: Option<Asked>,
        now: Timestamp,
    ) -> Result<Option<TokenResponse>, Failure<R>> {
        let Some(asked) = asked else { return Ok(None) };
        if let Some(sealed) = self.token_answers().0.get(&asked) {
            return self.open_answer(organisation, asked, &sealed, now);
        }
        let Some(shared) = self.replay().shared_values() else { return Ok(None) };
        let kept = shared.kept(&asked.0).await.map_err(|error| Failure::Unavailable(error.into()))?;
        let Some(sealed) = kept else { return Ok(None) };
        let Some(answer) = self.open_answer(organisation, asked, &sealed, now)? else { return Ok(None) };
        // It was sent before its tokens were good, and they may be worth nothing by now.
        let granted = access::find(self, organisation, SecretHash::of(&answer.access_token)).await?;
        Ok(granted.filter(|granted| now < granted.grant.access_token_expires_at).map(|_| answer))
    }

    fn open_answer<R>(
        &self,
        organisation: &Organisation,
        asked: Asked,
        sealed: &[u8],
        now: Timestamp,
    ) -> Result<Option<TokenResponse>, Failure<R>> {
        let given: Given = self.open(organisation, Place::RepeatedAnswer, asked.row(), sealed)?;
        let is_over = now >= Timestamp::from_millis(given.at).plus(Answers::LIFETIME);
        Ok((!is_over).then(|| given.answer()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_is_the_same_after_it_was_kept() {
        let path: ClaimPath = r#"["degrees",null,"type"]"#.parse().unwrap();
        let detail = AuthorizationDetail {
            credential_configuration_id: "badge".to_owned(),
            credential_identifiers: vec!["one".to_owned(), "two".to_owned()],
            locations: vec!["https://issuer.example".to_owned()],
            claims: vec![RequestedClaim { path, mandatory: true }],
        };
        let answer = TokenResponse {
            access_token: "access".to_owned(),
            token_type: TokenType::Dpop,
            expires_in: 300,
            refresh_token: Some("refresh".to_owned()),
            scope: Some("staff".to_owned()),
            authorization_details: Some(vec![detail]),
        };
        let bare = TokenResponse { refresh_token: None, scope: None, authorization_details: None, ..answer.clone() };
        for answer in [answer, bare] {
            let kept = serde_json::to_vec(&Given::of(&answer, Timestamp::from_seconds(7))).unwrap();
            let given: Given = serde_json::from_slice(&kept).unwrap();
            assert_eq!(given.at, 7000);
            assert!(given.answer() == answer);
        }
    }
}
