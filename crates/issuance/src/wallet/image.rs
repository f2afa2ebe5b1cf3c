//! Pictures that metadata refers to.

use std::convert::Infallible;

use chancery_model::{Organisation, StoredImage};

use crate::{Context, Failure};

/// Characters of a picture's name.
const NAME_LENGTH: usize = 22;

/// The picture with this last segment of its URL.
///
/// # Errors
/// Those of the database.
pub async fn retrieve(
    context: &Context,
    organisation: &Organisation,
    name: &str,
) -> Result<Option<StoredImage>, Failure<Infallible>> {
    let is_possible =
        name.len() == NAME_LENGTH && name.bytes().all(|c| c.is_ascii_alphanumeric() || b"-_".contains(&c));
    if !is_possible {
        return Ok(None);
    }
    Ok(context.store().read(organisation).await?.image_by_name(name).await?)
}
