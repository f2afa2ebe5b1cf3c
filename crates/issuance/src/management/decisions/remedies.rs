//! Help for a holder who cannot redeem an offer: wrong transaction codes are forgotten, another transaction code is made,
//! or another offer of the same exchange.

use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use chancery_model::{
    Env, Exchange, ExchangeId, ExchangeSecrets, ExchangeStatus, GrantKind, OfferPart, Organisation, SecretHash,
    Timestamp, TransactionCode,
};
use chancery_storage::{NewOffer, NewSecrets, StoreError, Transaction};
use serde_json::{Map, Value, json};

use super::super::body::{Faults, Members};
use super::super::history::History;
use super::super::offers::offer_lifetime;
use super::super::offers::request::{Pin, read_pin};
use super::{ATTEMPTS, Rejection, can_sign, decided, find, invalid, recording, refuse_members, state, take};
use crate::sealed::Place;
use crate::{Context, Failure};

/// An offer with another transaction code.
pub struct NewPin {
    /// The record.
    pub history: History,
    /// The transaction code, if it was made here: it is told only now.
    pub drawn: Option<String>,
}

impl fmt::Debug for NewPin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("NewPin(hidden)")
    }
}

/// Forgets the wrong transaction codes of an offer that nobody has redeemed: neither the pause after them nor the lock
/// stays. It may be called at any time; one that no wrong code was sent to stays as it is.
pub async fn unlock(
    ctx: &Context,
    organisation: &Organisation,
    id: ExchangeId,
    body: &Map<String, Value>,
) -> Result<History, Failure<Rejection>> {
    refuse_members(body)?;
    let now = ctx.env().now();
    let exchange = find_offer(ctx, organisation, id).await?.exchange;
    shape_of(&exchange)?;
    let details = json!({ "failed_attempts": exchange.failed_attempts });
    let part = recording("offer.unlocked", "offer_unlocked", details).finish(ctx.env(), now).of(id, None);
    let step = async |tx: &Transaction| tx.unlock_offer(id, now).await;
    let happened = take(ctx, organisation, step, &part, None).await?;
    decided(ctx, organisation, id, happened, "unlocked").await
}

/// Puts another transaction code in the place of that of an offer that nobody has redeemed: the one that the body has, or
/// else as many random digits as it has characters. From then on the earlier one is wrong, also for a wallet whose request
/// is on its way; wrong ones are forgotten.
pub async fn new_pin(
    ctx: &Context,
    organisation: &Organisation,
    id: ExchangeId,
    body: &Map<String, Value>,
) -> Result<NewPin, Failure<Rejection>> {
    let given = read_new_pin(body).map_err(invalid)?;
    let now = ctx.env().now();
    for _ in 0..ATTEMPTS {
        let exchange = find_offer(ctx, organisation, id).await?.exchange;
        let before = shape_of(&exchange)?;
        let (pin, shape, drawn) = match &given {
            Some((pin, shape)) => (pin.clone(), *shape, None),
            None => {
                let pin = draw_digits(ctx.env(), before.length);
                (pin.clone(), before, Some(pin))
            }
        };
        let code = secrets_of(ctx, organisation, &exchange)?.code;
        let secrets = ExchangeSecrets { code, transaction_code: Some(pin) };
        let sealed = ctx.seal(organisation, Place::ExchangeSecrets, id.as_uuid(), &secrets)?;
        let secrets = NewSecrets { before: &exchange.sealed_secrets, sealed: &sealed };
        let details = json!({ "drawn": drawn.is_some() });
        let part = recording("offer.tx_code_replaced", "tx_code_replaced", details).finish(ctx.env(), now).of(id, None);
        let step = async |tx: &Transaction| -> Result<bool, StoreError> {
            let is_replaced = tx.replace_transaction_code(id, secrets, shape, now).await?;
            if is_replaced {
                tx.deliver_again(id, OfferPart::Pin, now).await?;
            }
            Ok(is_replaced)
        };
        if take(ctx, organisation, step, &part, None).await? {
            return Ok(NewPin { history: find(ctx, organisation, id).await?, drawn });
        }
    }
    Err(Failure::Rejected(Rejection::Concurrent))
}

/// Makes another offer of an exchange whose offer nobody has redeemed: another link and another code, which live as long
/// as those of a new offer. From then on the earlier link and code are worthless, also to a wallet whose request is on its
/// way; the transaction code stays, and wrong ones are forgotten.
pub async fn reoffer(
    ctx: &Context,
    organisation: &Organisation,
    id: ExchangeId,
    body: &Map<String, Value>,
) -> Result<History, Failure<Rejection>> {
    refuse_members(body)?;
    let now = ctx.env().now();
    let expires_at = now.plus_seconds(offer_lifetime(ctx, organisation).await?);
    for _ in 0..ATTEMPTS {
        let History { exchange, definition, .. } = find_offer(ctx, organisation, id).await?;
        can_sign(ctx, organisation, &definition, now).await?;
        let code = URL_SAFE_NO_PAD.encode(ctx.env().random::<32>());
        let offer_id = URL_SAFE_NO_PAD.encode(ctx.env().random::<16>());
        let code_hash = SecretHash::of(&code);
        let offer = NewOffer { offer_id: &offer_id, code_hash: &code_hash, expires_at };
        let transaction_code = secrets_of(ctx, organisation, &exchange)?.transaction_code;
        let secrets = ExchangeSecrets { code, transaction_code };
        let sealed = ctx.seal(organisation, Place::ExchangeSecrets, id.as_uuid(), &secrets)?;
        let secrets = NewSecrets { before: &exchange.sealed_secrets, sealed: &sealed };
        if replace(ctx, organisation, id, secrets, offer, now).await? {
            ctx.remembered().forget_offer(organisation, exchange.code_hash);
            return find(ctx, organisation, id).await;
        }
    }
    Err(Failure::Rejected(Rejection::Concurrent))
}

async fn replace(
    ctx: &Context,
    organisation: &Organisation,
    id: ExchangeId,
    secrets: NewSecrets<'_>,
    offer: NewOffer<'_>,
    now: Timestamp,
) -> Result<bool, StoreError> {
    let details = json!({ "expires_at": offer.expires_at.seconds() });
    let part = recording("offer.replaced", "offer_replaced", details).finish(ctx.env(), now).of(id, None);
    let step = async |tx: &Transaction| tx.replace_offer(id, secrets, offer, now).await;
    take(ctx, organisation, step, &part, None).await
}

/// The record of an exchange whose offer has a pre-authorized code that nobody has redeemed.
async fn find_offer(ctx: &Context, organisation: &Organisation, id: ExchangeId) -> Result<History, Failure<Rejection>> {
    let history = find(ctx, organisation, id).await?;
    let exchange = &history.exchange;
    match exchange.grant_kind {
        GrantKind::PreAuthorizedCode => {}
        GrantKind::AuthorizationCode => {
            return Err(state("the offer has no pre-authorized code: the person signs in".to_owned()));
        }
    }
    let is_redeemable = matches!(exchange.status, ExchangeStatus::OfferSent | ExchangeStatus::OfferReceived);
    if !is_redeemable || exchange.code_spent_at.is_some() {
        return Err(state(format!("the offer of an exchange with the status {} is over", exchange.status.name())));
    }
    Ok(history)
}

fn shape_of(exchange: &Exchange) -> Result<TransactionCode, Failure<Rejection>> {
    exchange.transaction_code.ok_or_else(|| state("the offer has no transaction code".to_owned()))
}

fn secrets_of(
    ctx: &Context,
    organisation: &Organisation,
    exchange: &Exchange,
) -> Result<ExchangeSecrets, Failure<Rejection>> {
    ctx.open(organisation, Place::ExchangeSecrets, exchange.id.as_uuid(), &exchange.sealed_secrets)
}

/// The transaction code of the body with its shape; `None` when one is to be drawn.
fn read_new_pin(body: &Map<String, Value>) -> Result<Option<(String, TransactionCode)>, Vec<super::Fault>> {
    let mut faults = Faults::default();
    let members = Members::of_body(body);
    members.refuse_others(&[&["userPin"]], &mut faults);
    let pin = read_pin(&members, &mut faults);
    if pin == Some(Pin::Empty) {
        faults.add(members.at("userPin"), "4 to 12 characters are expected; leave it out to have one drawn");
    }
    let pin = faults.none_or(pin)?;
    let shape = pin.shape();
    Ok(match pin {
        Pin::Given(text) => shape.map(|shape| (text, shape)),
        Pin::Absent | Pin::Empty => None,
    })
}

/// `length` random digits, at most twelve: the bias of 2^64 values is below one in ten million.
fn draw_digits(env: &Env, length: u8) -> String {
    let length = length.min(12);
    let number = u64::from_be_bytes(env.random::<8>()) % 10_u64.pow(u32::from(length));
    format!("{number:0width$}", width = usize::from(length))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn as_many_digits_are_drawn_as_asked_for_and_others_each_time() {
        let env = Env::system();
        for length in [4, 6, 12] {
            let pin = draw_digits(&env, length);
            assert!(pin.len() == usize::from(length) && pin.bytes().all(|c| c.is_ascii_digit()), "{pin}");
        }
        assert_ne!(draw_digits(&env, 12), draw_digits(&env, 12));
    }

    #[test]
    fn an_empty_pin_is_no_new_one() {
        let body = |pin: Value| Map::from_iter([("userPin".to_owned(), pin)]);
        assert!(read_new_pin(&body(json!(""))).is_err());
        assert!(read_new_pin(&body(json!("123"))).is_err());
        assert!(matches!(read_new_pin(&Map::new()), Ok(None)));
        let given = read_new_pin(&body(json!("12ab"))).unwrap().unwrap();
        assert_eq!((given.0.as_str(), given.1.numeric, given.1.length), ("12ab", false, 4));
    }
}
