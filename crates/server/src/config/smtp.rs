//! The server that takes mail.

use chancery_issuance::{MailTls, Smtp};
use zeroize::Zeroizing;

use super::check::Checker;
use super::sources::{Source, problem};

impl Checker {
    /// `Some(None)` when no mail is sent.
    pub(super) fn smtp(&mut self) -> Option<Option<Smtp>> {
        let host = self.parse("smtp.host", host);
        let port = self.number("smtp.port", 1, 65_535).and_then(|port| u16::try_from(port).ok());
        let tls = self.parse("smtp.tls", |text| match text {
            "starttls" => Ok(MailTls::StartTls),
            "implicit" => Ok(MailTls::Implicit),
            "none" => Ok(MailTls::None),
            other => Err(format!("must be starttls, implicit or none, not {other:?}")),
        });
        let username = self.parse("smtp.username", |text| Ok(text.to_owned()));
        let password = self.parse("smtp.password", |text| Ok(Zeroizing::new(text.to_owned())));
        let from = self.parse("smtp.from", |text| Ok(text.to_owned()));
        let (host, port, tls, from) = (host?, port?, tls?, from?);
        if host.is_empty() {
            return Some(None);
        }
        if !Smtp::is_sender(&from) {
            return self.refuse("smtp.from", "must be an e-mail address, or a name and an address in angle brackets");
        }
        let credentials = match (username?, password?) {
            (username, password) if username.is_empty() && password.is_empty() => None,
            (username, _) if username.is_empty() => {
                return self.refuse("smtp.username", "is empty, but smtp.password is not");
            }
            (_, password) if password.is_empty() => {
                return self.refuse("smtp.password", "is empty, but smtp.username is not");
            }
            (_, _) if tls == MailTls::None => {
                return self.refuse("smtp.tls", "must not be none with a password, which would be sent in clear");
            }
            both => Some(both),
        };
        Some(Some(Smtp { host, port, tls, credentials, from }))
    }

    fn refuse<T>(&mut self, key: &str, reason: &str) -> Option<T> {
        let source = self.values.get(key).map_or(Source::Default, |(_, source)| source.clone());
        self.problems.push(problem(key, &source, reason.to_owned()));
        None
    }
}

fn host(text: &str) -> Result<String, String> {
    let is_host = |c: char| c.is_ascii_alphanumeric() || ".-:".contains(c);
    if text.chars().all(is_host) {
        return Ok(text.to_owned());
    }
    Err("must be a host name or an address, without scheme and port".to_owned())
}
