use lettre::transport::smtp::client::Certificate as Root;
use tokio::io::{AsyncBufReadExt as _, AsyncRead, AsyncWrite, AsyncWriteExt as _, BufReader};
use tokio::net::TcpStream;
use tokio_rustls::TlsAcceptor;

use super::*;
use crate::tls_server::{Authorities, Certificate, FAULTS, HOST, Heard, listen};

#[test]
fn addresses_are_bare_and_in_ascii() {
    for good in ["ada@example.org", "a.b+c@sub.example.org"] {
        assert!(is_address(good), "{good}");
    }
    for bad in
        ["", "ada", "Ada <ada@example.org>", "ada@example.org, eve@example.org", "ada@example.org\r\n", "ä@b.org"]
    {
        assert!(!is_address(bad), "{bad}");
    }
    assert!(Smtp::is_sender("Registry <registry@example.org>") && Smtp::is_sender("registry@example.org"));
    assert!(!Smtp::is_sender("Registry"));
}

#[test]
fn a_mail_has_text_html_and_an_inline_picture() {
    let mail =
        Mail { subject: "Your badge\r\nBcc: eve@example.org".to_owned(), picture: Some(vec![1, 2, 3]), ..mail() };
    let message = Mailer::new(smtp(25, MailTls::None, None)).message(mail).unwrap().formatted();
    let message = String::from_utf8(message).unwrap();
    for expected in [
        "multipart/alternative",
        "text/plain",
        "text/html",
        "Content-ID: <offer>",
        "<abc@example.org>",
        "Auto-Submitted: auto-generated",
    ] {
        assert!(message.contains(expected), "{expected} in {message}");
    }
    assert!(!message.lines().any(|line| line.starts_with("Bcc")), "{message}");
}

fn smtp(port: u16, tls: MailTls, password: Option<&str>) -> Smtp {
    Smtp {
        host: HOST.to_owned(),
        port,
        tls,
        credentials: password.map(|password| ("registry".to_owned(), Zeroizing::new(password.to_owned()))),
        from: "Registry <registry@example.org>".to_owned(),
    }
}

fn mail() -> Mail {
    Mail {
        id: "abc".to_owned(),
        to: "ada@example.org".to_owned(),
        subject: "Your badge".to_owned(),
        text: "Hello".to_owned(),
        html: "<p>Hello</p>".to_owned(),
        picture: None,
        at: Timestamp::from_seconds(0),
    }
}

/// The mailer of [`Mailer::new`], which trusts one authority more.
fn trusting(authorities: &Authorities, smtp: Smtp) -> Mailer {
    let root = Root::from_der(authorities.root().to_vec()).unwrap();
    let protection = TlsParameters::builder(smtp.host.clone()).add_root_certificate(root);
    Mailer { transport: OnceLock::from(transport_with(&smtp, protection)), smtp }
}

/// A mail server as its operator set it up.
#[derive(Clone)]
struct Offers {
    acceptor: Option<TlsAcceptor>,
    tls: MailTls,
}

/// Speaks SMTP (RFC 5321) and keeps the commands that come, each with whether it came through TLS.
async fn serve(stream: TcpStream, heard: Heard, offers: Offers) -> std::io::Result<()> {
    let mut stream = BufReader::new(stream);
    match (&offers.acceptor, offers.tls) {
        (Some(acceptor), MailTls::Implicit) => {
            let mut stream = BufReader::new(acceptor.accept(stream.into_inner()).await?);
            stream.write_all(b"220 mail.example\r\n").await?;
            converse(&mut stream, &heard, "tls", false).await.map(drop)
        }
        (acceptor, _) => {
            stream.write_all(b"220 mail.example\r\n").await?;
            let wants_tls = converse(&mut stream, &heard, "clear", acceptor.is_some()).await?;
            let (Some(acceptor), true) = (acceptor, wants_tls) else { return Ok(()) };
            let mut stream = BufReader::new(acceptor.accept(stream.into_inner()).await?);
            converse(&mut stream, &heard, "tls", false).await.map(drop)
        }
    }
}

/// Whether the client began TLS.
async fn converse<S: AsyncRead + AsyncWrite + Unpin>(
    stream: &mut BufReader<S>,
    heard: &Heard,
    through: &str,
    offers_tls: bool,
) -> std::io::Result<bool> {
    let mut in_data = false;
    loop {
        let mut line = String::new();
        if stream.read_line(&mut line).await? == 0 {
            return Ok(false);
        }
        let command = line.trim_end();
        if !in_data {
            heard.lock().unwrap().push(format!("{through} {}", command.split([' ', ':']).next().unwrap_or_default()));
        }
        let answer = match command.split(' ').next().unwrap_or_default() {
            "." => "250 Taken",
            _ if in_data => continue,
            "EHLO" if offers_tls => "250-mail.example\r\n250-AUTH PLAIN LOGIN\r\n250 STARTTLS",
            "EHLO" => "250-mail.example\r\n250 AUTH PLAIN LOGIN",
            "STARTTLS" => "220 Go on",
            "AUTH" => "235 Welcome",
            "DATA" => "354 Go on",
            "QUIT" => "221 Bye",
            _ => "250 OK",
        };
        in_data = command == "DATA";
        stream.write_all(format!("{answer}\r\n").as_bytes()).await?;
        if command == "STARTTLS" {
            return Ok(true);
        }
    }
}

/// Sends a mail to a server that shows `certificate`: what became of it, and what the server was told.
async fn sent(
    authorities: &Authorities,
    certificate: Option<Certificate>,
    tls: MailTls,
) -> (Result<(), MailError>, Vec<String>) {
    let offers = Offers { acceptor: certificate.map(|certificate| authorities.acceptor(certificate)), tls };
    let (port, heard) = listen(move |stream, heard| serve(stream, heard, offers.clone())).await;
    let outcome = trusting(authorities, smtp(port, tls, Some("secret"))).send(mail()).await;
    let heard = heard.lock().unwrap().clone();
    (outcome, heard)
}

#[tokio::test]
async fn a_mail_server_that_cannot_prove_its_name_gets_neither_password_nor_mail_by_sec_11() {
    let authorities = Authorities::new();
    for tls in [MailTls::Implicit, MailTls::StartTls] {
        let (outcome, heard) = sent(&authorities, Some(Certificate::Good), tls).await;
        outcome.unwrap();
        for command in ["tls AUTH", "tls MAIL", "tls DATA"] {
            assert!(heard.iter().any(|heard| heard == command), "{command} in {heard:?}");
        }
        for (certificate, fault) in FAULTS {
            let (outcome, heard) = sent(&authorities, Some(certificate), tls).await;
            let is_named = matches!(outcome, Err(MailError::Certificate(said)) if said == fault);
            assert!(is_named, "{tls:?} {certificate:?}: {outcome:?}");
            assert!(heard.iter().all(|heard| ["clear EHLO", "clear STARTTLS"].contains(&heard.as_str())), "{heard:?}");
        }
    }
}

#[tokio::test]
async fn nobody_logs_in_where_tls_is_not_offered_by_sec_11() {
    let (outcome, heard) = sent(&Authorities::new(), None, MailTls::StartTls).await;
    assert!(matches!(outcome, Err(MailError::Unreachable)), "{outcome:?}");
    assert!(heard.iter().all(|heard| heard == "clear EHLO" || heard == "clear QUIT"), "{heard:?}");
}

#[tokio::test]
async fn mail_servers_are_trusted_by_the_authorities_of_the_system_only_by_sec_11() {
    let authorities = Authorities::new();
    let offers = Offers { acceptor: Some(authorities.acceptor(Certificate::Good)), tls: MailTls::Implicit };
    let (port, heard) = listen(move |stream, heard| serve(stream, heard, offers.clone())).await;
    let outcome = Mailer::new(smtp(port, MailTls::Implicit, Some("secret"))).send(mail()).await;
    assert!(matches!(outcome, Err(MailError::Certificate(_))), "{outcome:?}");
    assert!(heard.lock().unwrap().is_empty());
}
