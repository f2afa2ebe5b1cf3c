//! Token requests that are sent twice because the answer was lost on its way: the same request of the same DPoP key is
//! answered the same again, for a few seconds. Another wallet, which has another key, never is.

use std::time::Duration;

use chancery_model::{Organisation, OrganisationId, SecretHash, Timestamp};
use chancery_protocol::dpop::DpopProof;
use chancery_protocol::token::TokenResponse;
use moka::sync::Cache;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::sealed::Place;
use crate::{Context, Failure};

/// Answers that were given lately, by what asked for them. They are kept by this process only.
pub(crate) struct Answers(Cache<Asked, Given>);

/// One request: whose, for which code, of which DPoP key, and what its body said.
#[derive(Clone, PartialEq, Eq, Hash)]
pub(super) struct Asked {
    organisation: OrganisationId,
    code: SecretHash,
    dpop_thumbprint: String,
    body: [u8; 32],
}

/// An answer whose tokens are sealed.
#[derive(Clone)]
struct Given {
    answer: TokenResponse,
    at: Timestamp,
    row: Uuid,
    sealed: Vec<u8>,
}

#[derive(Serialize, Deserialize)]
struct Tokens {
    access_token: String,
    refresh_token: Option<String>,
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
        proof.map(|proof| Self {
            organisation: organisation.id,
            code,
            dpop_thumbprint: proof.thumbprint.clone(),
            body: chancery_keys::sha256(body),
        })
    }
}

impl Context {
    /// Keeps an answer for a moment.
    pub(super) fn keep_answer<R>(
        &self,
        organisation: &Organisation,
        asked: Option<Asked>,
        answer: &TokenResponse,
        row: Uuid,
        at: Timestamp,
    ) -> Result<(), Failure<R>> {
        let Some(asked) = asked else { return Ok(()) };
        let tokens = Tokens { access_token: answer.access_token.clone(), refresh_token: answer.refresh_token.clone() };
        let sealed = self.seal(organisation, Place::RepeatedAnswer, row, &tokens)?;
        let answer = TokenResponse { access_token: String::new(), refresh_token: None, ..answer.clone() };
        self.token_answers().0.insert(asked, Given { answer, at, row, sealed });
        Ok(())
    }

    /// The answer that the same request was given, if that was a moment ago.
    pub(super) fn earlier_token_answer<R>(
        &self,
        organisation: &Organisation,
        asked: Option<&Asked>,
        now: Timestamp,
    ) -> Result<Option<TokenResponse>, Failure<R>> {
        let Some(given) = asked.and_then(|asked| self.token_answers().0.get(asked)) else { return Ok(None) };
        if now >= given.at.plus(Answers::LIFETIME) {
            return Ok(None);
        }
        let tokens: Tokens = self.open(organisation, Place::RepeatedAnswer, given.row, &given.sealed)?;
        let Tokens { access_token, refresh_token } = tokens;
        Ok(Some(TokenResponse { access_token, refresh_token, ..given.answer }))
    }
}
