//! Which organisation and which endpoint a request path names.
//!
//! Paths are split from the end by a closed list of endpoints; what stands before is the path of the organisation,
//! which is empty when a proxy took it off.

/// Well-known documents (OpenID4VCI §12.2.2, RFC 8414 §3, OpenID Connect Discovery §4, SD-JWT VC §4).
const WELL_KNOWN: [&str; 4] = [
    "/.well-known/openid-credential-issuer",
    "/.well-known/oauth-authorization-server",
    "/.well-known/openid-configuration",
    "/.well-known/jwt-vc-issuer",
];

/// Endpoints without parameters.
const ENDPOINTS: [&str; 12] = [
    "/token",
    "/par",
    "/challenge",
    "/nonce",
    "/credential",
    "/deferred-credential",
    "/notification",
    "/jwks",
    "/status-lists",
    AUTHORIZE,
    CALLBACK,
    CONSENT,
];

const AUTHORIZE: &str = "/authorize";
const CALLBACK: &str = "/sign-in/callback";
const CONSENT: &str = "/consent";

/// Names of the folder of offers: ours, and the one that other issuers use.
const OFFERS: [&str; 2] = ["/credential-offers", "/credential_offers"];

/// The folder of status lists.
const STATUS_LISTS: &str = "/status-lists";

/// A request path, taken apart.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Target<'p> {
    /// Path of the organisation: empty, or with a leading and without a trailing slash. When `endpoint` is
    /// [`Endpoint::Other`] it still has the rest behind it.
    pub(crate) organisation: &'p str,
    /// What is asked of it.
    pub(crate) endpoint: Endpoint<'p>,
}

/// What a path asks of an organisation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Endpoint<'p> {
    /// One of the fixed paths of `routes.rs`.
    Fixed(&'static str),
    /// An offer by its id.
    Offer(&'p str),
    /// A status list by its id.
    StatusList(&'p str),
    /// None of these: perhaps a credential type that the organisation hosts.
    Other,
}

impl Endpoint<'_> {
    /// Whether a browser brings the request, with a cookie: no page of another origin may read the answer.
    pub(crate) fn is_front_channel(self) -> bool {
        matches!(self, Self::Fixed(AUTHORIZE | CALLBACK | CONSENT))
    }

    /// Whether requests are counted against rate limits: all but those for documents that are the same for everybody.
    pub(crate) fn is_limited(self) -> bool {
        match self {
            Self::Fixed(name) => !WELL_KNOWN.contains(&name) && !matches!(name, "/jwks" | STATUS_LISTS),
            Self::Offer(_) => true,
            Self::StatusList(_) | Self::Other => false,
        }
    }

    /// Whether answers carry a DPoP nonce (RFC 9449 §8.2): those of every endpoint that takes a DPoP proof, and of the
    /// nonce endpoint.
    pub(crate) fn hands_out_dpop_nonces(self) -> bool {
        const NEVER: [&str; 5] = ["/jwks", "/challenge", "/authorize", "/consent", "/sign-in/callback"];
        matches!(self, Self::Fixed(name) if !WELL_KNOWN.contains(&name) && !NEVER.contains(&name))
    }

    /// Whether answers carry a challenge for wallet attestations (ABCA draft-07 §8.1).
    pub(crate) fn hands_out_challenges(self) -> bool {
        matches!(self, Self::Fixed("/token" | "/par"))
    }
}

/// Takes a path apart. A trailing slash behind a well-known document's path is dropped (RFC 8414 §3.1).
pub(crate) fn split(path: &str) -> Target<'_> {
    for name in WELL_KNOWN {
        // Inserted between host and path, as the specifications have it.
        if let Some(organisation) = path.strip_prefix(name).filter(|rest| rest.is_empty() || rest.starts_with('/')) {
            return Target { organisation: organisation.trim_end_matches('/'), endpoint: Endpoint::Fixed(name) };
        }
        // Appended to the path, as drafts had it and many wallets still do.
        if let Some(organisation) = path.strip_suffix(name) {
            return Target { organisation, endpoint: Endpoint::Fixed(name) };
        }
    }
    for name in ENDPOINTS {
        if let Some(organisation) = path.strip_suffix(name) {
            return Target { organisation, endpoint: Endpoint::Fixed(name) };
        }
    }
    if let Some((folder, id)) = path.rsplit_once('/') {
        for name in OFFERS {
            if let Some(organisation) = folder.strip_suffix(name) {
                return Target { organisation, endpoint: Endpoint::Offer(id) };
            }
        }
        if let Some(organisation) = folder.strip_suffix(STATUS_LISTS) {
            return Target { organisation, endpoint: Endpoint::StatusList(id) };
        }
    }
    Target { organisation: path, endpoint: Endpoint::Other }
}

/// The path and everything shorter that could name an organisation, longest first; the empty path comes last.
pub(crate) fn prefixes(path: &str) -> impl Iterator<Item = (&str, &str)> {
    let mut end = Some(path.len());
    std::iter::from_fn(move || {
        let here = end?;
        let (prefix, rest) = path.split_at_checked(here)?;
        end = if prefix.is_empty() { None } else { Some(prefix.rfind('/').unwrap_or_default()) };
        Some((prefix, rest))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fixed<'p>(organisation: &'p str, endpoint: &'static str) -> Target<'p> {
        Target { organisation, endpoint: Endpoint::Fixed(endpoint) }
    }

    #[test]
    fn well_known_documents_are_found_inserted_and_appended_by_met_2_and_asm_1() {
        for name in WELL_KNOWN {
            for organisation in ["", "/o/acme", "/igrantio/issuer-backend"] {
                assert_eq!(split(&format!("{name}{organisation}")), fixed(organisation, name));
                assert_eq!(split(&format!("{organisation}{name}")), fixed(organisation, name));
            }
            assert_eq!(split(&format!("{name}/o/acme/")), fixed("/o/acme", name));
            assert_eq!(split(&format!("{name}/")), fixed("", name));
        }
    }

    #[test]
    fn a_name_that_only_begins_like_a_well_known_document_is_none() {
        let path = "/.well-known/openid-credential-issuers";
        assert_eq!(split(path), Target { organisation: path, endpoint: Endpoint::Other });
    }

    #[test]
    fn endpoints_are_taken_from_the_end_of_the_path() {
        assert_eq!(split("/token"), fixed("", "/token"));
        assert_eq!(split("/o/token/token"), fixed("/o/token", "/token"));
        assert_eq!(split("/igrantio/issuer-backend/credential"), fixed("/igrantio/issuer-backend", "/credential"));
        assert_eq!(split("/o/acme/deferred-credential"), fixed("/o/acme", "/deferred-credential"));
        assert_eq!(split("/o/acme/tokens").endpoint, Endpoint::Other);
    }

    #[test]
    fn offers_are_found_under_both_spellings_of_their_folder() {
        for folder in OFFERS {
            let path = format!("/o/acme{folder}/17Z9-DMR3M51EXX5lBUT3w");
            let target = split(&path);
            assert_eq!((target.organisation, target.endpoint), ("/o/acme", Endpoint::Offer("17Z9-DMR3M51EXX5lBUT3w")));
        }
    }

    #[test]
    fn status_lists_are_found_with_and_without_an_id() {
        assert_eq!(split("/o/acme/status-lists"), fixed("/o/acme", "/status-lists"));
        let target = split("/o/acme/status-lists/018f");
        assert_eq!((target.organisation, target.endpoint), ("/o/acme", Endpoint::StatusList("018f")));
    }

    #[test]
    fn prefixes_get_shorter_segment_by_segment() {
        let all: Vec<_> = prefixes("/o/acme/types/pid").collect();
        assert_eq!(
            all,
            [
                ("/o/acme/types/pid", ""),
                ("/o/acme/types", "/pid"),
                ("/o/acme", "/types/pid"),
                ("/o", "/acme/types/pid"),
                ("", "/o/acme/types/pid")
            ]
        );
        assert_eq!(prefixes("").collect::<Vec<_>>(), [("", "")]);
        assert_eq!(prefixes("no-slash").collect::<Vec<_>>(), [("no-slash", ""), ("", "no-slash")]);
    }
}
