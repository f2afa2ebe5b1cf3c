//! Logo and cover of a definition, stored here and shown by wallets.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use chancery_model::{
    Definition, DefinitionContent, DefinitionId, Display, Image, ImagePurpose, ImageType, Organisation, StoredImage,
    Timestamp,
};
use chancery_storage::{DefinitionChange, Transaction};

use super::definitions;
use crate::{Context, Failure};

/// Largest picture, in bytes.
pub const LARGEST_IMAGE: usize = 512 * 1024;

/// Why no picture was stored or shown.
#[derive(Debug)]
pub enum Rejection {
    /// The organisation has no such definition, or the definition no such picture.
    NotFound,
    /// The file is larger than [`LARGEST_IMAGE`].
    TooLarge,
    /// The file is neither PNG nor JPEG.
    NotAPicture,
    /// The definition is not the version that the caller knows.
    Stale,
    /// Somebody else changed the definition at the same time.
    Concurrent,
}

/// Stores a picture and makes a version of the definition that shows it: in its display and in those of its entries.
/// `expected` is the revision of the definition that the caller knows.
pub async fn put(
    ctx: &Context,
    organisation: &Organisation,
    definition_id: DefinitionId,
    purpose: ImagePurpose,
    expected: Option<u32>,
    bytes: Vec<u8>,
) -> Result<Definition, Failure<Rejection>> {
    let now = ctx.env().now();
    let Some(current) = ctx.store().read(organisation).await?.definition(definition_id).await? else {
        return Err(Failure::Rejected(Rejection::NotFound));
    };
    if expected.is_some_and(|expected| expected != current.revision) {
        return Err(Failure::Rejected(Rejection::Stale));
    }
    let image = picture(bytes, Some(definition_id), purpose, now).map_err(|fault| {
        Failure::Rejected(match fault {
            PictureFault::TooLarge => Rejection::TooLarge,
            PictureFault::NotAPicture => Rejection::NotAPicture,
        })
    })?;
    let mut content = current.content.clone();
    show(&mut content, purpose, &organisation.image_url(&image.name));
    let definition = Definition { revision: current.revision.saturating_add(1), content, updated_at: now, ..current };
    let work = async |tx: &Transaction| -> Result<(), Failure<Rejection>> {
        let rejection = match tx.revise_definition(&definition).await? {
            DefinitionChange::Saved => return Ok(tx.put_image(definition_id, &image).await?),
            DefinitionChange::NotFound => Rejection::NotFound,
            DefinitionChange::Stale | DefinitionChange::ConfigurationIdTaken(_) if expected.is_some() => {
                Rejection::Stale
            }
            DefinitionChange::Stale | DefinitionChange::ConfigurationIdTaken(_) => Rejection::Concurrent,
        };
        Err(Failure::Rejected(rejection))
    };
    let outcome = ctx.store().write(organisation, work).await;
    definitions::forget(ctx, organisation, definition_id).await;
    outcome.map(|()| definition)
}

/// Why a file is no picture to be shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum PictureFault {
    /// It is larger than [`LARGEST_IMAGE`].
    TooLarge,
    /// It is neither PNG nor JPEG.
    NotAPicture,
}

/// A file as a picture of a definition, or of an organisation itself.
pub(super) fn picture(
    bytes: Vec<u8>,
    definition_id: Option<DefinitionId>,
    purpose: ImagePurpose,
    now: Timestamp,
) -> Result<StoredImage, PictureFault> {
    if bytes.len() > LARGEST_IMAGE {
        return Err(PictureFault::TooLarge);
    }
    let media_type = ImageType::of(&bytes).ok_or(PictureFault::NotAPicture)?;
    let name: String = URL_SAFE_NO_PAD.encode(chancery_keys::sha256(&bytes)).chars().take(22).collect();
    Ok(StoredImage { definition_id, purpose, media_type, name, bytes, created_at: now })
}

/// The picture that a definition has for a purpose.
pub async fn read(
    ctx: &Context,
    organisation: &Organisation,
    definition_id: DefinitionId,
    purpose: ImagePurpose,
) -> Result<StoredImage, Failure<Rejection>> {
    let reader = ctx.store().read(organisation).await?;
    // Those of a deleted definition are gone with it.
    reader.image(definition_id, purpose).await?.ok_or(Failure::Rejected(Rejection::NotFound))
}

fn show(content: &mut DefinitionContent, purpose: ImagePurpose, uri: &str) {
    let label = content.label.clone();
    let own = content.display.get_or_insert_with(|| Display { name: label, ..Display::default() });
    let entries = content.entries.iter_mut().filter_map(|entry| entry.display.as_mut());
    for display in std::iter::once(own).chain(entries) {
        let place = match purpose {
            ImagePurpose::Logo => &mut display.logo,
            ImagePurpose::Cover => &mut display.background_image,
        };
        place.get_or_insert_with(Image::default).uri = uri.to_owned();
    }
}
