//! Mail, handed to the deployment's own mail server.

use std::fmt;
use std::str::FromStr as _;
use std::sync::OnceLock;
use std::time::{Duration, UNIX_EPOCH};

use chancery_model::Timestamp;
use lettre::message::header::{ContentType, HeaderName, HeaderValue};
use lettre::message::{Attachment, Mailbox, MultiPart, SinglePart};
use lettre::transport::smtp::authentication::Credentials;
use lettre::transport::smtp::client::{Tls, TlsParameters, TlsParametersBuilder};
use lettre::transport::smtp::extension::ClientId;
use lettre::{Address, AsyncSmtpTransport, AsyncTransport as _, Message, Tokio1Executor};
use zeroize::Zeroizing;

use crate::certificate_fault::certificate_fault;

/// Time for one mail, connection included.
const TIME_LIMIT: Duration = Duration::from_secs(30);

/// The server that takes mail.
#[derive(Clone)]
pub struct Smtp {
    /// Its name or address.
    pub host: String,
    /// Its port.
    pub port: u16,
    /// How the connection is protected.
    pub tls: MailTls,
    /// User name and password, where it wants them.
    pub credentials: Option<(String, Zeroizing<String>)>,
    /// Whom mail comes from: an address, or a name with an address in angle brackets.
    pub from: String,
}

/// How the connection to the mail server is protected.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MailTls {
    /// From the first byte (RFC 8314 §3.3).
    Implicit,
    /// After `STARTTLS`, which the server must offer (RFC 3207).
    StartTls,
    /// Not at all.
    None,
}

impl Smtp {
    /// Whether mail can come from there.
    pub fn is_sender(text: &str) -> bool {
        Mailbox::from_str(text).is_ok_and(|sender| sender.email.to_string().is_ascii())
    }
}

impl fmt::Debug for Smtp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Smtp({}:{})", self.host, self.port)
    }
}

/// A bare address, in ASCII: what every mail server takes.
pub(crate) fn is_address(text: &str) -> bool {
    text.is_ascii() && Address::from_str(text).is_ok()
}

/// One mail to one person.
pub(crate) struct Mail {
    /// The same through all attempts, so that a mail program shows a repeated one once.
    pub(crate) id: String,
    pub(crate) to: String,
    pub(crate) subject: String,
    pub(crate) text: String,
    pub(crate) html: String,
    /// A PNG that the HTML shows as `cid:offer`.
    pub(crate) picture: Option<Vec<u8>>,
    pub(crate) at: Timestamp,
}

/// Why a mail was not taken. Names nobody.
#[derive(Debug, thiserror::Error)]
pub(crate) enum MailError {
    /// It cannot be written.
    #[error("the mail cannot be written")]
    Unwritable,
    /// The server refuses it now.
    #[error("the mail server answered {0}")]
    Refused(u16),
    /// The server will not take it at any time.
    #[error("the mail server answered {0}")]
    RefusedForGood(u16),
    /// The server cannot prove who it is.
    #[error("the certificate of the mail server is not accepted: {0}")]
    Certificate(&'static str),
    /// No connection, no protection as configured, or it broke.
    #[error("the mail server cannot be reached as configured")]
    Unreachable,
    /// No answer within the time limit.
    #[error("the mail server did not answer in time")]
    TimedOut,
}

/// Sends mail.
pub(crate) struct Mailer {
    smtp: Smtp,
    transport: OnceLock<Option<AsyncSmtpTransport<Tokio1Executor>>>,
}

impl Mailer {
    pub(crate) fn new(smtp: Smtp) -> Self {
        Self { smtp, transport: OnceLock::new() }
    }

    /// Hands a mail to the server. When this succeeds the server has taken it over.
    pub(crate) async fn send(&self, mail: Mail) -> Result<(), MailError> {
        let message = self.message(mail).ok_or(MailError::Unwritable)?;
        let transport = self.transport.get_or_init(|| transport(&self.smtp)).as_ref();
        let transport = transport.ok_or(MailError::Unreachable)?;
        match tokio::time::timeout(TIME_LIMIT, transport.send(message)).await {
            Ok(Ok(_taken)) => Ok(()),
            Ok(Err(error)) => Err(classified(&error)),
            Err(_elapsed) => Err(MailError::TimedOut),
        }
    }

    fn message(&self, mail: Mail) -> Option<Message> {
        let from = Mailbox::from_str(&self.smtp.from).ok()?;
        let to = Mailbox::new(None, Address::from_str(&mail.to).ok()?);
        let id = format!("<{}@{}>", mail.id, from.email.domain());
        let date = UNIX_EPOCH + Duration::from_millis(u64::try_from(mail.at.millis()).ok()?);
        let html = SinglePart::html(mail.html);
        let html = match mail.picture {
            Some(png) => {
                let picture =
                    Attachment::new_inline("offer".to_owned()).body(png, ContentType::parse("image/png").ok()?);
                MultiPart::related().singlepart(html).singlepart(picture)
            }
            None => MultiPart::mixed().singlepart(html),
        };
        let body = MultiPart::alternative().singlepart(SinglePart::plain(mail.text)).multipart(html);
        let message = Message::builder().from(from).to(to).subject(mail.subject).message_id(Some(id)).date(date);
        // No out-of-office notes, please (RFC 3834 §5).
        let automatic = HeaderName::new_from_ascii_str("Auto-Submitted");
        let message = message.raw_header(HeaderValue::new(automatic, "auto-generated".to_owned()));
        message.multipart(body).ok()
    }
}

/// The library's own words could quote an address.
fn classified(error: &lettre::transport::smtp::Error) -> MailError {
    match error.status().map(u16::from) {
        Some(code) if error.is_permanent() => MailError::RefusedForGood(code),
        Some(code) => MailError::Refused(code),
        None => match certificate_fault(error) {
            Some(fault) => MailError::Certificate(fault),
            None if error.is_timeout() => MailError::TimedOut,
            None => MailError::Unreachable,
        },
    }
}

fn transport(smtp: &Smtp) -> Option<AsyncSmtpTransport<Tokio1Executor>> {
    transport_with(smtp, TlsParameters::builder(smtp.host.clone()))
}

fn transport_with(smtp: &Smtp, protection: TlsParametersBuilder) -> Option<AsyncSmtpTransport<Tokio1Executor>> {
    let parameters = || protection.build().ok();
    let tls = match smtp.tls {
        MailTls::Implicit => Tls::Wrapper(parameters()?),
        MailTls::StartTls => Tls::Required(parameters()?),
        MailTls::None => Tls::None,
    };
    let sender = Mailbox::from_str(&smtp.from).ok()?;
    let mut builder = AsyncSmtpTransport::<Tokio1Executor>::builder_dangerous(&smtp.host)
        .port(smtp.port)
        .tls(tls)
        .hello_name(ClientId::Domain(sender.email.domain().to_owned()))
        .timeout(Some(TIME_LIMIT));
    if let Some((username, password)) = &smtp.credentials {
        builder = builder.credentials(Credentials::new(username.clone(), password.to_string()));
    }
    Some(builder.build())
}

#[cfg(test)]
mod tests;
