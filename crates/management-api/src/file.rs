//! Bodies that are files.

use utoipa::ToSchema;

/// The bytes of a file.
#[derive(ToSchema)]
#[schema(value_type = String, format = Binary)]
#[expect(dead_code, reason = "only describes bodies, which handlers read and write themselves")]
pub(crate) struct File(Vec<u8>);

/// Form of a file of rows.
#[derive(ToSchema)]
#[schema(rename_all = "lowercase")]
#[expect(dead_code, reason = "only describes queries, which handlers read")]
pub(crate) enum FileFormat {
    Csv,
    Jsonl,
}
