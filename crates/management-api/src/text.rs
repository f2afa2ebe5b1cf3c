//! Texts that several bodies take.

use utoipa::ToSchema;

/// Words for people: something besides white space, without control characters.
#[derive(ToSchema)]
#[schema(
    min_length = 1,
    max_length = 255,
    pattern = r"^[^\x00-\x1f\x7f-\x9f]*[^\s\x00-\x1f\x7f-\x9f][^\x00-\x1f\x7f-\x9f]*$"
)]
#[expect(dead_code, reason = "only describes texts, which the use cases read")]
pub(crate) struct Words(String);

/// A text without control characters.
#[derive(ToSchema)]
#[schema(max_length = 255, pattern = r"^[^\x00-\x1f\x7f-\x9f]*$")]
#[expect(dead_code, reason = "only describes texts, which the use cases read")]
pub(crate) struct PlainText(String);
