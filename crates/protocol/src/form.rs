//! `application/x-www-form-urlencoded` parameters under the rules of OAuth 2.0 (RFC 6749 §3.1, §3.2, Appendix B).

use std::fmt;

use thiserror::Error;

use crate::{Explanation, excerpt};

/// Longest form that is read, in bytes.
const LENGTH_LIMIT: usize = 64 * 1024;

/// Most parameters that are read.
const PARAMETER_LIMIT: usize = 64;

/// The one parameter that may be repeated (RFC 8707 §2).
const REPEATABLE: &str = "resource";

/// Decoded parameters, each at most once. Values are secrets and do not show in `Debug`.
#[derive(Clone, PartialEq, Eq, Default)]
pub struct Form {
    parameters: Vec<(String, String)>,
}

/// Why bytes are not an acceptable form.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum FormError {
    /// More than 64 KiB.
    #[error("the form has {got} bytes, at most {LENGTH_LIMIT} are read")]
    TooLong {
        /// Bytes received.
        got: usize,
    },
    /// More than 64 parameters.
    #[error("the form has more than {PARAMETER_LIMIT} parameters")]
    TooManyParameters,
    /// A percent escape, or the UTF-8 behind the escapes, is broken; or a NUL is in it.
    #[error("parameter number {number} of the form is not percent-encoded UTF-8")]
    Encoding {
        /// Position of the parameter, from 1.
        number: usize,
    },
    /// A parameter came twice.
    #[error("parameter `{name}` is present more than once")]
    Repeated {
        /// The parameter.
        name: String,
    },
}

impl FormError {
    /// The same for the wallet's developer.
    pub fn explain(&self) -> Explanation {
        let (help, spec_ref) = match self {
            Self::TooLong { .. } | Self::TooManyParameters => {
                ("send only the parameters of the request", "RFC 6749 §3.2")
            }
            Self::Encoding { .. } => (
                "encode names and values as UTF-8, then percent-encode them (application/x-www-form-urlencoded)",
                "RFC 6749 Appendix B",
            ),
            Self::Repeated { .. } => ("send each parameter once", "RFC 6749 §3.2"),
        };
        Explanation::new(self, help, spec_ref)
    }
}

impl Form {
    /// Decodes a form body or the query of a URL.
    ///
    /// A repeated parameter is refused (RFC 6749 §3.2), except `resource` (RFC 8707 §2). An empty value counts as absent.
    pub fn parse(bytes: &[u8]) -> Result<Self, FormError> {
        if bytes.len() > LENGTH_LIMIT {
            return Err(FormError::TooLong { got: bytes.len() });
        }
        let mut parameters: Vec<(String, String)> = Vec::new();
        for (index, pair) in bytes.split(|byte| *byte == b'&').filter(|pair| !pair.is_empty()).enumerate() {
            if index == PARAMETER_LIMIT {
                return Err(FormError::TooManyParameters);
            }
            let mut halves = pair.splitn(2, |byte| *byte == b'=');
            let mut half =
                || decode(halves.next().unwrap_or_default()).ok_or(FormError::Encoding { number: index + 1 });
            let (name, value) = (half()?, half()?);
            if name != REPEATABLE && parameters.iter().any(|(known, _)| *known == name) {
                return Err(FormError::Repeated { name: excerpt(&name) });
            }
            parameters.push((name, value));
        }
        Ok(Self { parameters })
    }

    /// The value of a parameter; `None` when it is absent or empty.
    pub fn get(&self, name: &str) -> Option<&str> {
        self.parameters
            .iter()
            .find(|(known, value)| known == name && !value.is_empty())
            .map(|(_, value)| value.as_str())
    }

    /// All values of a parameter that are not empty.
    pub fn all(&self, name: &str) -> Vec<&str> {
        let named = self.parameters.iter().filter(|(known, value)| known == name && !value.is_empty());
        named.map(|(_, value)| value.as_str()).collect()
    }

    /// The names of the parameters in wire order, empty ones included.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.parameters.iter().map(|(name, _)| name.as_str())
    }
}

impl fmt::Debug for Form {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("Form")?;
        formatter.debug_list().entries(self.names()).finish()
    }
}

/// Decodes one name or value; `None` for a broken escape, broken UTF-8 or a NUL.
fn decode(encoded: &[u8]) -> Option<String> {
    let mut out = Vec::with_capacity(encoded.len());
    let mut rest = encoded.iter().copied();
    while let Some(byte) = rest.next() {
        out.push(match byte {
            b'+' => b' ',
            b'%' => hex(rest.next()?)? << 4 | hex(rest.next()?)?,
            0x00..=0x24 | 0x26..=0x2a | 0x2c..=0xff => byte,
        });
    }
    String::from_utf8(out).ok().filter(|text| !text.contains('\0'))
}

fn hex(digit: u8) -> Option<u8> {
    char::from(digit).to_digit(16).and_then(|value| u8::try_from(value).ok())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use url::form_urlencoded;

    use super::*;

    #[test]
    fn a_repeated_parameter_is_refused_by_tok_1_even_when_one_is_empty() {
        for body in ["code=a&code=b", "code=a&code=", "c%6fde=a&code=b"] {
            assert_eq!(Form::parse(body.as_bytes()), Err(FormError::Repeated { name: "code".to_owned() }), "{body}");
        }
    }

    #[test]
    fn an_empty_value_counts_as_absent_by_tok_1() {
        let form = Form::parse(b"tx_code=&client_id&x=1").unwrap();
        assert_eq!((form.get("tx_code"), form.get("client_id"), form.get("x")), (None, None, Some("1")));
        assert_eq!(form.names().collect::<Vec<_>>(), ["tx_code", "client_id", "x"]);
    }

    #[test]
    fn resource_may_be_repeated_by_rfc_8707() {
        let form = Form::parse(b"resource=a&resource=b").unwrap();
        assert_eq!(form.all("resource"), ["a", "b"]);
    }

    #[test]
    fn broken_escapes_broken_utf8_and_nul_are_refused() {
        for body in ["a=%", "a=%4", "a=%zz", "a=%ff", "a=%00", "%ff=a", "a=%+1"] {
            assert_eq!(Form::parse(body.as_bytes()), Err(FormError::Encoding { number: 1 }), "{body}");
        }
    }

    #[test]
    fn length_and_number_of_parameters_are_bounded() {
        assert!(matches!(Form::parse(&vec![b'a'; LENGTH_LIMIT + 1]), Err(FormError::TooLong { .. })));
        let many = (0..65).map(|n| format!("p{n}=1")).collect::<Vec<_>>().join("&");
        assert_eq!(Form::parse(many.as_bytes()), Err(FormError::TooManyParameters));
    }

    #[test]
    fn debug_output_shows_names_and_never_values() {
        assert_eq!(format!("{:?}", Form::parse(b"tx_code=493027").unwrap()), "Form[\"tx_code\"]");
    }

    proptest! {
        #[test]
        fn what_an_encoder_wrote_is_read_back(value in "[^\0]{1,40}", other in "[^\0]{1,40}") {
            let body: String = form_urlencoded::Serializer::new(String::new())
                .append_pair("a", &value)
                .append_pair("b", &other)
                .finish();
            let form = Form::parse(body.as_bytes()).unwrap();
            prop_assert_eq!(form.get("a"), Some(value.as_str()));
            prop_assert_eq!(form.get("b"), Some(other.as_str()));
        }

        #[test]
        fn arbitrary_bytes_never_panic(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            let _ = Form::parse(&bytes);
        }
    }
}
