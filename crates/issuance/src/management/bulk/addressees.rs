//! Whom the rows of a file are for.

use std::collections::HashMap;

use chancery_model::{Contact, Individual, IndividualId, Organisation};

use super::row::Row;
use crate::management::individuals;
use crate::management::offers::request::Named;
use crate::{Context, Failure};

/// What is known of people, by id.
pub(super) type People = HashMap<IndividualId, (Individual, Contact)>;

/// Finds the people whom rows name, all of them together, and notes their ids in the rows.
///
/// The answer has the positions of rows whose person is unknown, and the member that names that person.
pub(super) async fn resolve<R>(
    ctx: &Context,
    organisation: &Organisation,
    rows: &mut [Row],
) -> Result<Vec<(usize, &'static str)>, Failure<R>> {
    let ids: Vec<IndividualId> = rows.iter().filter_map(named_id).collect();
    let external: Vec<&str> = rows.iter().filter_map(external_id).collect();
    if ids.is_empty() && external.is_empty() && rows.iter().all(|row| row.named.is_none()) {
        return Ok(Vec::new());
    }
    let known = ctx.store().read(organisation).await?.individuals_of(&ids).await?;
    let known: Vec<IndividualId> = known.into_iter().map(|individual| individual.id).collect();
    let by_external_id = individuals::by_external_ids(ctx, organisation, &external).await?;
    let mut unknown = Vec::new();
    for (position, row) in rows.iter_mut().enumerate() {
        let (found, member) = match &row.named {
            None => continue,
            Some(Named::Individual(_)) => (named_id(row).filter(|id| known.contains(id)), "/individualId"),
            Some(Named::Mapper(text)) => (by_external_id.get(text).copied(), "/mapperId"),
        };
        row.individual = found;
        if found.is_none() {
            unknown.push((position, member));
        }
    }
    Ok(unknown)
}

/// The people whom rows are for, with how they are reached now; those who were erased since are left out.
pub(super) async fn of<R>(ctx: &Context, organisation: &Organisation, rows: &[Row]) -> Result<People, Failure<R>> {
    let ids: Vec<IndividualId> = rows.iter().filter_map(|row| row.individual).collect();
    if ids.is_empty() {
        return Ok(People::new());
    }
    let mut people = People::new();
    for individual in ctx.store().read(organisation).await?.individuals_of(&ids).await? {
        let contact = individuals::open(ctx, organisation, &individual)?;
        people.insert(individual.id, (individual, contact));
    }
    Ok(people)
}

fn named_id(row: &Row) -> Option<IndividualId> {
    match &row.named {
        Some(Named::Individual(text)) => IndividualId::parse(text),
        Some(Named::Mapper(_)) | None => None,
    }
}

fn external_id(row: &Row) -> Option<&str> {
    match &row.named {
        Some(Named::Mapper(text)) => Some(text),
        Some(Named::Individual(_)) | None => None,
    }
}
