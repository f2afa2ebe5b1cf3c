//! Everything the doctor can find: one kind for each, with the clause, who would refuse, and what to change.

/// How bad a finding is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Severity {
    /// Worth knowing; nothing refuses because of it.
    Note,
    /// Some wallets stop here.
    Warning,
    /// Wallets that follow the specifications stop here.
    Error,
}

impl Severity {
    /// In lower case.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Note => "note",
            Self::Warning => "warning",
            Self::Error => "error",
        }
    }
}

/// One thing that can be wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Kind {
    /// A stable name for programs.
    pub code: &'static str,
    /// How bad it is.
    pub severity: Severity,
    /// Document and clause.
    pub clause: &'static str,
    /// Which wallets would refuse.
    pub refused_by: &'static str,
    /// What to change.
    pub fix: &'static str,
}

const ALL: &str = "every wallet";
const STRICT: &str =
    "wallets that check the answer as the specification says, the EUDI reference SDKs and this one among them";
const OLD: &str = "wallets that still look at the appended address of drafts before 16";
const BROWSERS: &str = "wallets that run in a browser, such as wwWallet";
const HAIP: &str = "wallets of the HAIP profile (EUDI wallets)";
const CACHES: &str =
    "none at once; a proxy or browser that keeps the answer hands it to the next wallet, which is then refused";

/// `(name, code, severity, clause, refused by, fix)` becomes a constant `Kind::name`.
macro_rules! kinds {
    ($(($name:ident, $code:literal, $severity:ident, $clause:expr, $by:expr, $fix:expr)),+ $(,)?) => {
        impl Kind {
            $(pub(super) const $name: Self = Self {
                code: $code, severity: Severity::$severity, clause: $clause, refused_by: $by, fix: $fix,
            };)+

            /// Every kind.
            pub const ALL: &'static [Self] = &[$(Self::$name),+];
        }
    };
}

kinds! {
    (UNREACHABLE, "unreachable", Error, "OpenID4VCI §12.2.2", ALL,
        "make the public URL reach the wallet face: look at DNS, firewall, proxy and certificate"),
    (TLS_FAILED, "tls-failed", Error, "OpenID4VCI §13.9, BCP 195", ALL,
        "install a certificate of a public authority for this host, with its intermediate certificates"),
    (TLS_EXPIRED, "tls-expired", Error, "OpenID4VCI §13.9, RFC 5280 §4.1.2.5", ALL, "renew the certificate of the proxy"),
    (TLS_NAME, "tls-name", Error, "OpenID4VCI §13.9, RFC 9525 §6", ALL,
        "install a certificate whose subject alternative names have this host"),
    (TLS_ENDING, "tls-ending", Warning, "RFC 5280 §4.1.2.5", "none today, every wallet soon",
        "renew the certificate of the proxy, best by a program that does it always"),
    (NO_TLS, "no-tls", Note, "OpenID4VCI §12.2.1", "every wallet that is not on this machine",
        "fine for development; before go-live the identifier must be an https URL"),
    (ISSUER_METADATA_MISSING, "issuer-metadata-missing", Error, "OpenID4VCI §12.2.2", ALL,
        "the proxy must hand on paths that begin with /.well-known/openid-credential-issuer, before the path of the issuer"),
    (SERVER_METADATA_MISSING, "server-metadata-missing", Error, "RFC 8414 §3.1, OpenID4VCI §12.2.4", ALL,
        "the proxy must hand on paths that begin with /.well-known/oauth-authorization-server, before the path of the issuer"),
    (APPENDED_MISSING, "appended-form-missing", Warning, "OpenID4VCI draft 15 §11.2.2", OLD,
        "the proxy must also hand on paths that have /.well-known/ behind the path of the issuer"),
    (OPENID_CONFIGURATION_MISSING, "openid-configuration-missing", Warning, "RFC 8414 §5",
        "wallets that look for openid-configuration instead of oauth-authorization-server",
        "the proxy must also hand on paths that end with /.well-known/openid-configuration"),
    (FORMS_DIFFER, "forms-differ", Warning, "OpenID4VCI §12.2.2", "wallets that read the other address",
        "serve the same document at every address; look for a cache or an older server behind one of them"),
    (REDIRECTED, "redirected", Error, "OpenID4VCI §12.2.2", "wallets that do not follow redirects, to not be led elsewhere",
        "answer with 200 at this address; do not add or remove a slash by redirect"),
    (CONTENT_TYPE, "content-type", Error, "OpenID4VCI §12.2.2, RFC 8414 §3.2", STRICT,
        "send Content-Type: application/json; a proxy or an error page may have replaced the answer"),
    (NOT_JSON, "not-json", Error, "OpenID4VCI §12.2.2", ALL, "answer with the metadata; a proxy may have replaced the answer"),
    (ISSUER_DIFFERS, "issuer-differs", Error, "OpenID4VCI §12.2.4", STRICT,
        "set server.public_url, or the issuer identifier of the organisation, to exactly the URL that wallets use"),
    (ISSUER_SLASH, "issuer-trailing-slash", Error, "OpenID4VCI §12.2.4", STRICT,
        "identifiers are compared byte for byte: take the slash away in one place or add it in the other"),
    (SERVER_ISSUER_DIFFERS, "server-issuer-differs", Error, "RFC 8414 §3.3", STRICT,
        "the `issuer` must be exactly the identifier the metadata were asked for"),
    (ISSUER_METADATA_INVALID, "issuer-metadata-invalid", Error, "OpenID4VCI §12.2.4", STRICT,
        "correct the definition or policy that the member comes from"),
    (SERVER_METADATA_INVALID, "server-metadata-invalid", Error, "RFC 8414 §2", STRICT,
        "correct the policy that the member comes from"),
    (NO_CONFIGURATIONS, "no-configurations", Warning, "OpenID4VCI §12.2.4", "none, but there is nothing to fetch",
        "publish a credential definition"),
    (HTTP_ENDPOINT, "http-endpoint", Error, "OpenID4VCI §12.2.4", ALL,
        "set server.public_url to the https URL of the proxy; the scheme behind it does not matter"),
    (FOREIGN_ENDPOINT, "foreign-endpoint", Warning, "OpenID4VCI §12.2.4, RFC 9700 §4.4",
        "wallets that expect the endpoints under the issuer; DPoP proofs fail when `htu` is another URL",
        "set server.public_url to the URL that wallets use, and let the proxy keep the path"),
    (CLOCK_OFF, "clock-off", Error, "RFC 7519 §4.1, FAPI 2.0 §5.3.2.1",
        "wallets that check times at once; and this issuer refuses their proofs as too old or from the future",
        "synchronise the clocks (NTP) of the issuer, and of the machine the doctor runs on"),
    (CLOCK_UNKNOWN, "clock-unknown", Note, "RFC 9110 §6.6.1", "none", "send a Date header, so that clocks can be compared"),
    (NONCE_WRONG, "nonce-endpoint-wrong", Error, "OpenID4VCI §7.2", ALL, "look at the answer of the nonce endpoint"),
    (NONCE_MISSING, "nonce-endpoint-missing", Warning, "HAIP §4.1", HAIP, "publish a nonce_endpoint"),
    (NONCE_REPEATED, "nonce-repeated", Warning, "OpenID4VCI §7.2, §13.8",
        "none, but the second wallet that uses the nonce is refused", "take a cache out of the way of the nonce endpoint"),
    (CACHEABLE, "cacheable", Error, "OpenID4VCI §7.2, RFC 6749 §5.1", CACHES,
        "let Cache-Control: no-store through; a proxy may have replaced the header"),
    (ERROR_SHAPE, "error-shape", Error, "RFC 6749 §5.2, OpenID4VCI §8.3.1",
        "none at once, but the person sees no reason and the wallet cannot try again the right way",
        "let error answers through as they are; a proxy may replace them by pages of its own"),
    (NO_CHALLENGE, "no-authenticate-challenge", Error, "RFC 6750 §3, OpenID4VCI §8.3.1.1",
        "wallets that look for WWW-Authenticate, to get a DPoP nonce or a new token",
        "let the WWW-Authenticate header through; a proxy may take it away"),
    (ENDPOINT_MISSING, "endpoint-missing", Error, "OpenID4VCI §12.2.4", ALL,
        "the proxy must hand on every path under the issuer, and every method"),
    (ENDPOINT_OPEN, "endpoint-open", Error, "OpenID4VCI §8", "none, but it must not answer without an access token",
        "look at what answers there"),
    (PKCE_MISSING, "pkce-missing", Warning, "RFC 9700 §2.1.1, HAIP §4", HAIP,
        "publish code_challenge_methods_supported with S256"),
    (ISS_MISSING, "iss-missing", Warning, "RFC 9207 §3, HAIP §4", "wallets that defend against mix-up, and those of the HAIP profile",
        "publish authorization_response_iss_parameter_supported: true"),
    (REDIRECTS_WITHOUT_CLIENT, "redirects-without-client", Error, "RFC 6749 §4.1.2.1, RFC 9700 §4.11",
        "none, but it is an open redirector", "show an error page when client or redirect URI are not valid"),
    (CORS_MISSING, "cors-missing", Warning, "RFC 9449 §7.1, Fetch §3.2", BROWSERS,
        "let OPTIONS through and do not take away Access-Control-* headers"),
    (CORS_HIDDEN, "cors-hidden-headers", Warning, "RFC 9449 §7.1, §8", BROWSERS,
        "expose DPoP-Nonce and WWW-Authenticate in Access-Control-Expose-Headers"),
    (CORS_FORBIDDEN, "cors-forbidden", Error, "RFC 9700 §2.6", "none, but scripts of other sites can read the page of a signed-in person",
        "no Access-Control-Allow-Origin at the authorization endpoint; a proxy may add it everywhere"),
    (ENCRYPTION_KEY, "encryption-key", Error, "OpenID4VCI §10, §12.2.4", "wallets that encrypt",
        "publish P-256 keys with kid, alg ECDH-ES and use enc"),
    (ENCRYPTION_GCM, "encryption-algorithms", Warning, "HAIP §4.3, §7", HAIP, "list A128GCM and A256GCM"),
    (SIGNED_METADATA, "signed-metadata", Error, "OpenID4VCI §12.2.3", "wallets that ask for signed metadata (EUDI wallets)",
        "look at the signing key and its certificates"),
    (VERIFICATION_KEYS, "verification-keys", Error, "SD-JWT VC §4", "wallets and verifiers that check signatures",
        "publish the keys at /.well-known/jwt-vc-issuer, before the path of the issuer, or sign with x5c"),
    (CERTIFICATE_ORDER, "certificate-order", Error, "RFC 7515 §4.1.6", STRICT,
        "put the certificate of the signing key first, then each one's issuer"),
    (CERTIFICATE_MISSING, "certificate-missing", Warning, "HAIP §4.1, §6.1, §6.1.1", HAIP,
        "have an authority certify the signing key (`chancery key csr` makes the request), and upload the chain"),
    (CERTIFICATE_ANCHOR, "certificate-anchor", Warning, "HAIP §6.1.1", HAIP,
        "upload the chain without the root certificate: wallets have that, and trust it from nobody else"),
    (CERTIFICATE_SELF_SIGNED, "certificate-self-signed", Warning, "HAIP §6.1.1", HAIP,
        "let an authority sign the key: `chancery key csr` makes the request"),
    (CERTIFICATE_EXPIRED, "certificate-expired", Error, "RFC 5280 §4.1.2.5", STRICT, "renew the certificate of the signing key"),
    (CERTIFICATE_ENDING, "certificate-ending", Warning, "RFC 5280 §4.1.2.5", "none today, every verifier soon",
        "renew the certificate of the signing key; credentials must not outlive it"),
    (CERTIFICATE_NAME, "certificate-name", Warning, "HAIP §6.1.1, SD-JWT VC §2.5",
        "wallets and verifiers that hold the issuer against the names of the certificate",
        "have the issuer's host (DNS) or identifier (URI) among the subject alternative names"),
    (CERTIFICATE_USAGE, "certificate-usage", Error, "RFC 5280 §4.2.1.3, §4.2.1.12", STRICT,
        "the leaf needs the key usage digitalSignature, no CA flag, and no extended key usage of TLS servers only"),
    (OFFER_FAILED, "offer-failed", Error, "OpenID4VCI §4, §6, §8", "this one", "see the reason; the transcript of the exchange has more"),
    (OFFER_CONSUMED, "offer-consumed", Error, "OpenID4VCI §4.1.3",
        "wallets whose messenger fetched the link for a preview", "fetching an offer must not use it up"),
    (STATUS_LIST, "status-list", Error, "Token Status List §8", "verifiers, which take a credential without status for revoked",
        "serve the list at the URI of the credential as application/statuslist+jwt"),
}
