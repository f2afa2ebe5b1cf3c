//! People whom an organisation knows.

use axum::Json;
use axum::extract::State;
use axum::response::Response;
use chancery_issuance::Context;
use chancery_issuance::management::individuals::{self, Rejection, Shown};
use chancery_model::{IndividualId, OfferChannel, PinChannel};
use serde::Serialize;
use utoipa::{IntoParams, ToSchema};

use crate::access::{Organisational, never};
use crate::list::{Done, Pagination, WindowQuery};
use crate::precondition::{IfMatch, IfMatchHeader, tagged};
use crate::problem::{Kind, Problem};
use crate::request::{Body, Id, Parameters};
use crate::routes;
use crate::text::PlainText;

/// Register an individual.
///
/// Every member may be left out. `deliveryChannel` says how offers reach the person when the issue call names them, and
/// `pinChannel` how transaction codes do: never by the same channel. `externalId` is unique in the organisation.
#[utoipa::path(
    post, path = routes::INDIVIDUAL, tag = "Individuals", operation_id = "createIndividual",
    request_body(content = NewIndividual, example = json!({ "individual": {
        "name": "Ada Lovelace", "email": "ada@example.org", "externalId": "P-4711", "externalIdType": "payroll",
        "deliveryChannel": "email", "pinChannel": "webhook"
    } })),
    responses(
        (status = 200, description = "The individual", body = IndividualAnswer),
        (status = 409, description = "Problem `external-id-taken`"),
    ),
)]
pub(crate) async fn create(
    Organisational(caller): Organisational,
    State(ctx): State<Context>,
    body: Body,
) -> Result<Response, Problem> {
    let created = individuals::create(&ctx, &caller.organisation, &body.members).await;
    created.map(|shown| answer(&shown)).map_err(|failure| Problem::of(failure, refuse))
}

/// Read an individual.
#[utoipa::path(
    get, path = routes::INDIVIDUAL_BY_ID, tag = "Individuals", operation_id = "readIndividual",
    params(("individualId" = String, Path, description = "Id of the individual", format = Uuid)),
    responses((status = 200, description = "The individual", body = IndividualAnswer)),
)]
pub(crate) async fn read(
    Organisational(caller): Organisational,
    State(ctx): State<Context>,
    Id(id): Id<IndividualId>,
) -> Result<Response, Problem> {
    let found = individuals::read(&ctx, &caller.organisation, id).await;
    found.map(|shown| answer(&shown)).map_err(|failure| Problem::of(failure, refuse))
}

/// Replace what is known of an individual.
///
/// A member that is left out is empty from then on. Offers that wait to be delivered go to the new address, by the channel
/// that they were begun with.
#[utoipa::path(
    put, path = routes::INDIVIDUAL_BY_ID, tag = "Individuals", operation_id = "updateIndividual",
    params(
        ("individualId" = String, Path, description = "Id of the individual", format = Uuid),
        IfMatchHeader,
    ),
    request_body(content = NewIndividual, example = json!({ "individual": {
        "name": "Ada King", "email": "ada.king@example.org", "externalId": "P-4711", "deliveryChannel": "email"
    } })),
    responses(
        (status = 200, description = "The individual", body = IndividualAnswer),
        (status = 409, description = "Problem `external-id-taken` or `concurrent-update`"),
        (status = 412, description = "Problem `precondition-failed`"),
    ),
)]
pub(crate) async fn update(
    Organisational(caller): Organisational,
    State(ctx): State<Context>,
    Id(id): Id<IndividualId>,
    IfMatch(expected): IfMatch,
    body: Body,
) -> Result<Response, Problem> {
    let updated = individuals::update(&ctx, &caller.organisation, id, expected, &body.members).await;
    updated.map(|shown| answer(&shown)).map_err(|failure| Problem::of(failure, refuse))
}

/// Erase an individual.
///
/// Everything that is known of the person is gone, and offers on their way are not delivered any more. Records of what was
/// issued stay, under the id of somebody who is not known any more: `DELETE` on the history with `individualId` erases
/// those.
#[utoipa::path(
    delete, path = routes::INDIVIDUAL_BY_ID, tag = "Individuals", operation_id = "eraseIndividual",
    params(
        ("individualId" = String, Path, description = "Id of the individual", format = Uuid),
        IfMatchHeader,
    ),
    responses(
        (status = 200, description = "The individual is gone", body = Done),
        (status = 412, description = "Problem `precondition-failed`"),
    ),
)]
pub(crate) async fn erase(
    Organisational(caller): Organisational,
    State(ctx): State<Context>,
    Id(id): Id<IndividualId>,
    IfMatch(expected): IfMatch,
) -> Result<Json<Done>, Problem> {
    let erased = individuals::erase(&ctx, &caller.organisation, id, expected).await;
    erased.map(|()| Json(Done::DONE)).map_err(|failure| Problem::of(failure, refuse))
}

/// List the individuals.
#[utoipa::path(
    get, path = routes::INDIVIDUALS, tag = "Individuals", operation_id = "listIndividuals",
    params(WindowQuery, IndividualQuery),
    responses((status = 200, description = "One page", body = IndividualList)),
)]
pub(crate) async fn list(
    Organisational(caller): Organisational,
    State(ctx): State<Context>,
    mut query: Parameters,
) -> Result<Json<IndividualList>, Problem> {
    let external_id = query.text("externalIndividualId");
    let window = query.window();
    query.finish()?;
    let page = individuals::list(&ctx, &caller.organisation, &external_id, window).await.map_err(never)?;
    let individuals = page.items.iter().map(Individual::from).collect();
    Ok(Json(IndividualList { individuals, pagination: page.pagination.into() }))
}

fn answer(shown: &Shown) -> Response {
    tagged(shown.individual.revision, Json(IndividualAnswer { individual: Individual::from(shown) }))
}

fn refuse(rejection: Rejection) -> Problem {
    match rejection {
        Rejection::NotFound => Problem::not_found("individual"),
        Rejection::Invalid(faults) => Problem::invalid(faults),
        Rejection::ExternalIdTaken => Problem::new(Kind::ExternalIdTaken, "another individual has this externalId"),
        Rejection::Stale => Problem::stale(),
        Rejection::Concurrent => Problem::new(Kind::ConcurrentUpdate, "read the individual and try again"),
    }
}

/// An individual.
#[derive(Serialize, ToSchema)]
pub(crate) struct IndividualAnswer {
    individual: Individual,
}

/// One page of individuals.
#[derive(Serialize, ToSchema)]
pub(crate) struct IndividualList {
    individuals: Vec<Individual>,
    pagination: Pagination,
}

/// A person whom the organisation knows.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Individual {
    #[schema(format = Uuid)]
    id: String,
    #[schema(example = "Ada Lovelace")]
    name: String,
    #[schema(example = "ada@example.org")]
    email: String,
    phone: String,
    /// What the organisation's own systems call the person.
    #[schema(example = "P-4711")]
    external_id: String,
    /// What kind of id that is.
    #[schema(example = "payroll")]
    external_id_type: String,
    identity_provider_id: String,
    iam_id: String,
    /// The same as `externalId`: what the issue call's `mapperId` names.
    #[schema(example = "P-4711")]
    mapper_id: String,
    device_type: String,
    /// How offers reach the person.
    #[schema(value_type = DeliveryChannelSchema)]
    delivery_channel: OfferChannel,
    /// Endpoint of the person's wallet that takes offers.
    wallet_endpoint: String,
    /// How transaction codes reach the person.
    #[schema(value_type = PinChannelSchema)]
    pin_channel: PinChannel,
    /// 1 at first, counting up; also in the `ETag`.
    revision: u32,
    /// Unix seconds.
    created_at: i64,
    /// Unix seconds.
    updated_at: i64,
}

impl From<&Shown> for Individual {
    fn from(shown: &Shown) -> Self {
        let Shown { individual, contact } = shown;
        Self {
            id: individual.id.to_string(),
            name: contact.name.clone(),
            email: contact.email.clone(),
            phone: contact.phone.clone(),
            external_id: contact.external_id.clone(),
            external_id_type: contact.external_id_type.clone(),
            identity_provider_id: contact.identity_provider_id.clone(),
            iam_id: contact.iam_id.clone(),
            mapper_id: contact.external_id.clone(),
            device_type: contact.device_type.clone(),
            delivery_channel: contact.offer_channel,
            wallet_endpoint: contact.wallet_endpoint.clone(),
            pin_channel: contact.pin_channel,
            revision: individual.revision,
            created_at: individual.created_at.seconds(),
            updated_at: individual.updated_at.seconds(),
        }
    }
}

/// An individual to be registered or replaced.
#[derive(ToSchema)]
#[expect(dead_code, reason = "only describes the body, which the use case reads")]
pub(crate) struct NewIndividual {
    individual: IndividualBody,
}

/// What is known of a person, in texts without control characters. Every member may be left out.
#[derive(ToSchema)]
#[schema(rename_all = "camelCase")]
#[expect(dead_code, reason = "only describes the body, which the use case reads")]
pub(crate) struct IndividualBody {
    #[schema(value_type = Option<PlainText>)]
    name: Option<String>,
    /// An e-mail address in ASCII.
    #[schema(max_length = 255, format = "email")]
    email: Option<String>,
    /// A telephone number, such as +32 2 123 45 67: 3 to 15 digits.
    #[schema(max_length = 32, pattern = r"^(\+?([ ./()-]*[0-9]){3,15}[ ./()-]*)?$")]
    phone: Option<String>,
    /// What the organisation's own systems call the person; unique in the organisation.
    #[schema(value_type = Option<PlainText>)]
    external_id: Option<String>,
    #[schema(value_type = Option<PlainText>)]
    external_id_type: Option<String>,
    #[schema(value_type = Option<PlainText>)]
    identity_provider_id: Option<String>,
    #[schema(value_type = Option<PlainText>)]
    iam_id: Option<String>,
    #[schema(value_type = Option<PlainText>)]
    device_type: Option<String>,
    /// How offers reach the person; `email` and `walletEndpoint` need that member.
    delivery_channel: Option<DeliveryChannelSchema>,
    /// Endpoint of the person's wallet that takes offers: an https URL.
    #[schema(max_length = 2048, format = "uri")]
    wallet_endpoint: Option<String>,
    /// How transaction codes reach the person: another channel than that of offers.
    pin_channel: Option<PinChannelSchema>,
}

/// How offers reach a person: the organisation hands them over itself, the wallet's endpoint is called, by mail, or by
/// the event `openid.individual.offer` to the organisation's webhooks.
#[derive(ToSchema)]
#[schema(as = DeliveryChannel, rename_all = "camelCase")]
#[expect(dead_code, reason = "only describes the model's channel")]
pub(crate) enum DeliveryChannelSchema {
    None,
    WalletEndpoint,
    Email,
    Webhook,
}

/// How transaction codes reach a person: the organisation tells them itself, by mail, or by the event
/// `openid.individual.pin` to the organisation's webhooks.
#[derive(ToSchema)]
#[schema(as = PinChannel, rename_all = "camelCase")]
#[expect(dead_code, reason = "only describes the model's channel")]
pub(crate) enum PinChannelSchema {
    None,
    Email,
    Webhook,
}

#[derive(IntoParams)]
#[into_params(parameter_in = Query, rename_all = "camelCase")]
#[expect(dead_code, reason = "only describes the query, which `request.rs` reads")]
struct IndividualQuery {
    /// Only the individual with this `externalId`.
    external_individual_id: Option<String>,
}
