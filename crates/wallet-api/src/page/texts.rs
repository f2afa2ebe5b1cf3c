//! Every word of the pages, in every language there is.

/// The words of one language.
#[derive(Debug)]
pub(crate) struct Texts {
    pub(crate) language: &'static str,
    pub(super) consent_title: &'static str,
    pub(super) consent_introduction: &'static str,
    pub(super) claims_later: &'static str,
    pub(super) wallet: &'static str,
    pub(super) target: &'static str,
    pub(super) app: &'static str,
    pub(super) accept: &'static str,
    pub(super) cancel: &'static str,
    pub(super) yes: &'static str,
    pub(super) no: &'static str,
    pub(super) support: &'static str,
    /// The link was used, has expired, or never was.
    pub(crate) link: Message,
    /// Another browser began.
    pub(crate) browser: Message,
    /// It took too long.
    pub(crate) time_over: Message,
    /// There is a decision already.
    pub(crate) decided: Message,
    /// The wallet sent something that cannot be answered.
    pub(crate) wallet_request: Message,
    /// Signing in failed.
    pub(crate) sign_in: Message,
    /// Something is broken or away here.
    pub(crate) unavailable: Message,
    /// Too many come at once.
    pub(crate) busy: Message,
}

/// What an error page says.
#[derive(Debug)]
pub(crate) struct Message {
    pub(super) title: &'static str,
    /// What happened.
    pub(super) what: &'static str,
    /// What to do.
    pub(super) next: &'static str,
}

/// The language of `preferred`, best first, that there are words in; English when there are none.
pub(super) fn best(preferred: &[String]) -> &'static Texts {
    let primary = |tag: &str| tag.split('-').next().unwrap_or_default().to_ascii_lowercase();
    let known = |tag: &String| [&ENGLISH, &GERMAN].into_iter().find(|texts| texts.language == primary(tag));
    preferred.iter().find_map(known).unwrap_or(&ENGLISH)
}

static ENGLISH: Texts = Texts {
    language: "en",
    consent_title: "Add this to your wallet?",
    consent_introduction: "You are signed in. Please check what will be in your wallet before you continue.",
    claims_later: "The issuer adds the details later. Your wallet will fetch them when they are ready.",
    wallet: "Wallet:",
    target: "It will be sent to:",
    app: "an app on this device",
    accept: "Continue",
    cancel: "Cancel",
    yes: "Yes",
    no: "No",
    support: "If you ask for help, give this support code:",
    link: Message {
        title: "This link no longer works",
        what: "It was used before, or it has expired.",
        next: "Open your wallet and start again from there.",
    },
    browser: Message {
        title: "Please continue in the browser you started in",
        what: "You began in another browser or on another device, or this browser does not accept cookies.",
        next: "Go back to the browser you started in. If that is not possible, open your wallet and start again.",
    },
    time_over: Message {
        title: "You ran out of time",
        what: "For your safety, signing in is open for ten minutes only.",
        next: "Open your wallet and start again. Nothing was issued.",
    },
    decided: Message {
        title: "You have already decided",
        what: "Your answer was sent to your wallet. It cannot be changed on this page.",
        next: "Go back to your wallet. If you want to change your mind, start again from there.",
    },
    wallet_request: Message {
        title: "Your wallet's request could not be read",
        what: "The wallet sent something that this issuer cannot answer. You did nothing wrong.",
        next: "Open your wallet and try again. If it happens again, update the wallet or ask its provider for help.",
    },
    sign_in: Message {
        title: "Signing in did not work",
        what: "The issuer could not find out who you are, or has nothing to issue to you.",
        next: "Open your wallet and try again. If it happens again, ask the issuer for help.",
    },
    unavailable: Message {
        title: "This does not work at the moment",
        what: "Something is out of order on our side. You did nothing wrong.",
        next: "Please try again in a few minutes.",
    },
    busy: Message {
        title: "There is a queue",
        what: "Too many people are here at the moment. You did nothing wrong.",
        next: "Please reload this page in a moment.",
    },
};

static GERMAN: Texts = Texts {
    language: "de",
    consent_title: "In Ihre Wallet aufnehmen?",
    consent_introduction: "Sie sind angemeldet. Bitte prüfen Sie, was in Ihre Wallet kommt, bevor Sie fortfahren.",
    claims_later: "Der Aussteller ergänzt die Angaben später. Ihre Wallet holt sie ab, sobald sie bereitstehen.",
    wallet: "Wallet:",
    target: "Wird gesendet an:",
    app: "eine App auf diesem Gerät",
    accept: "Fortfahren",
    cancel: "Abbrechen",
    yes: "Ja",
    no: "Nein",
    support: "Wenn Sie Hilfe brauchen, nennen Sie diesen Support-Code:",
    link: Message {
        title: "Dieser Link funktioniert nicht mehr",
        what: "Er wurde schon benutzt oder ist abgelaufen.",
        next: "Öffnen Sie Ihre Wallet und beginnen Sie dort von vorn.",
    },
    browser: Message {
        title: "Bitte im ursprünglichen Browser fortfahren",
        what: "Sie haben in einem anderen Browser oder auf einem anderen Gerät begonnen, oder dieser Browser nimmt keine \
               Cookies an.",
        next: "Wechseln Sie zurück in den ersten Browser. Geht das nicht, beginnen Sie in Ihrer Wallet von vorn.",
    },
    time_over: Message {
        title: "Die Zeit ist abgelaufen",
        what: "Zu Ihrer Sicherheit bleibt die Anmeldung nur zehn Minuten offen.",
        next: "Öffnen Sie Ihre Wallet und beginnen Sie von vorn. Es wurde nichts ausgestellt.",
    },
    decided: Message {
        title: "Sie haben schon entschieden",
        what: "Ihre Antwort wurde an Ihre Wallet gesendet. Auf dieser Seite lässt sie sich nicht mehr ändern.",
        next: "Wechseln Sie zurück in Ihre Wallet. Wenn Sie es sich anders überlegen, beginnen Sie dort von vorn.",
    },
    wallet_request: Message {
        title: "Die Anfrage Ihrer Wallet ist nicht lesbar",
        what: "Die Wallet hat etwas gesendet, das dieser Aussteller nicht beantworten kann. Sie haben nichts falsch \
               gemacht.",
        next: "Öffnen Sie Ihre Wallet und versuchen Sie es noch einmal. Hilft das nicht, aktualisieren Sie die Wallet \
               oder fragen Sie ihren Anbieter.",
    },
    sign_in: Message {
        title: "Die Anmeldung hat nicht geklappt",
        what: "Der Aussteller konnte nicht feststellen, wer Sie sind, oder hat nichts für Sie auszustellen.",
        next: "Öffnen Sie Ihre Wallet und versuchen Sie es noch einmal. Hilft das nicht, wenden Sie sich an den \
               Aussteller.",
    },
    unavailable: Message {
        title: "Das funktioniert im Moment nicht",
        what: "Bei uns ist etwas gestört. Sie haben nichts falsch gemacht.",
        next: "Bitte versuchen Sie es in ein paar Minuten noch einmal.",
    },
    busy: Message {
        title: "Es gibt eine Warteschlange",
        what: "Im Moment sind zu viele Menschen hier. Sie haben nichts falsch gemacht.",
        next: "Bitte laden Sie diese Seite gleich noch einmal.",
    },
};

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_language_with_words_is_taken_and_english_otherwise() {
        let best = |tags: &[&str]| best(&tags.iter().map(|tag| (*tag).to_owned()).collect::<Vec<_>>()).language;
        assert_eq!(best(&["fr", "de-AT", "en"]), "de");
        assert_eq!(best(&["EN-gb", "de"]), "en");
        assert_eq!(best(&["fr"]), "en");
        assert_eq!(best(&[]), "en");
    }
}
