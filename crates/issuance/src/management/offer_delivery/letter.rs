//! What people are written.

use askama::Template;
use chancery_model::{Definition, Exchange, Organisation, Timestamp};
use time::OffsetDateTime;
use time::macros::format_description;

use super::qr;
use crate::Failure;
use crate::management::history::offer_link;

/// A letter, in both forms.
pub(super) struct Letter {
    pub(super) subject: String,
    pub(super) text: String,
    pub(super) html: String,
    /// A PNG.
    pub(super) picture: Option<Vec<u8>>,
}

#[derive(Template)]
#[template(path = "offer.txt")]
struct OfferText<'l>(&'l Offer<'l>);

#[derive(Template)]
#[template(path = "offer.html")]
struct OfferHtml<'l>(&'l Offer<'l>);

struct Offer<'l> {
    organisation: &'l str,
    credential: &'l str,
    name: &'l str,
    link: &'l str,
    expires_at: String,
    needs_pin: bool,
    has_picture: bool,
}

#[derive(Template)]
#[template(path = "pin.txt")]
struct PinText<'l>(&'l Pin<'l>);

#[derive(Template)]
#[template(path = "pin.html")]
struct PinHtml<'l>(&'l Pin<'l>);

struct Pin<'l> {
    organisation: &'l str,
    credential: &'l str,
    name: &'l str,
    pin: &'l str,
}

/// The offer with its link, as text and as a QR code. Never with its transaction code.
pub(super) fn offer<R>(
    organisation: &Organisation,
    exchange: &Exchange,
    definition: &Definition,
    name: &str,
) -> Result<Letter, Failure<R>> {
    let link = offer_link(organisation, exchange);
    let picture = qr::png(&link);
    let offer = Offer {
        organisation: &organisation.name,
        credential: shown_name(definition),
        name,
        link: &link,
        expires_at: instant(exchange.expires_at),
        needs_pin: exchange.transaction_code.is_some(),
        has_picture: picture.is_some(),
    };
    let subject = format!("{}: {}", one_line(offer.organisation), one_line(offer.credential));
    Ok(Letter { subject, text: rendered(&OfferText(&offer))?, html: rendered(&OfferHtml(&offer))?, picture })
}

/// The transaction code, without anything that it would open.
pub(super) fn pin<R>(
    organisation: &Organisation,
    definition: &Definition,
    name: &str,
    pin: &str,
) -> Result<Letter, Failure<R>> {
    let pin = Pin { organisation: &organisation.name, credential: shown_name(definition), name, pin };
    let subject = format!("{}: code for {}", one_line(pin.organisation), one_line(pin.credential));
    Ok(Letter { subject, text: rendered(&PinText(&pin))?, html: rendered(&PinHtml(&pin))?, picture: None })
}

/// What people call the credential.
fn shown_name(definition: &Definition) -> &str {
    let shown = definition.content.display.as_ref().map(|display| display.name.as_str());
    shown.filter(|name| !name.is_empty()).unwrap_or(&definition.content.label)
}

fn one_line(text: &str) -> String {
    text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect()
}

fn rendered<R>(template: &impl Template) -> Result<String, Failure<R>> {
    template.render().map_err(|error| Failure::Internal(error.into()))
}

/// To the minute, in UTC.
fn instant(at: Timestamp) -> String {
    let form = format_description!("[year]-[month]-[day] [hour]:[minute] UTC");
    let instant = OffsetDateTime::from_unix_timestamp(at.seconds()).ok();
    instant.and_then(|instant| instant.format(form).ok()).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_offer_tells_its_link_and_escapes_names() {
        let offer = Offer {
            organisation: "<b>Registry</b>",
            credential: "Badge",
            name: "Ada",
            link: "openid-credential-offer://?credential_offer_uri=https%3A%2F%2Fa&x",
            expires_at: instant(Timestamp::from_seconds(1_768_478_400)),
            needs_pin: true,
            has_picture: true,
        };
        let (text, html) = (OfferText(&offer).render().unwrap(), OfferHtml(&offer).render().unwrap());
        assert!(text.contains(offer.link) && text.contains("2026-01-15 12:00 UTC"), "{text}");
        assert!(text.contains("another way"), "{text}");
        assert!(html.contains("cid:offer") && !html.contains("<b>Registry"), "{html}");
    }

    #[test]
    fn a_subject_is_one_line() {
        assert_eq!(one_line("a\r\nBcc: b"), "a  Bcc: b");
    }
}
