//! `chancery organisation`.

use chancery_issuance::management::organisations::{self, CreateRejection, NewOrganisation};
use chancery_issuance::management::{Fault, Window};
use chancery_issuance::{Context, Failure};
use chancery_model::Organisation;
use clap::Subcommand;
use serde_json::json;

use super::{audited, members, say};

#[derive(Subcommand)]
pub(super) enum OrganisationCommand {
    /// Creates an organisation and prints the key of its first administrator, which is shown only now.
    Create {
        /// Short name in default URLs: a-z, 0-9 and -.
        slug: String,
        /// Name shown to people.
        #[arg(long)]
        name: String,
        /// Issuer identifier of its own, an https URL; default: {public_url}/o/{slug}.
        #[arg(long)]
        issuer: Option<String>,
    },
    /// Lists organisations.
    List,
}

pub(super) async fn execute(command: OrganisationCommand, context: &Context) -> anyhow::Result<()> {
    match command {
        OrganisationCommand::Create { slug, name, issuer } => create(context, &slug, &name, issuer.as_deref()).await,
        OrganisationCommand::List => list(context).await,
    }
}

async fn create(context: &Context, slug: &str, name: &str, issuer: Option<&str>) -> anyhow::Result<()> {
    let mut description = members(json!({"slug": slug, "name": name}));
    if let Some(issuer) = issuer {
        description.insert("issuer".to_owned(), issuer.into());
    }
    let new = NewOrganisation::read(&description).map_err(|faults| anyhow::anyhow!(faults_in_words(&faults)))?;
    let created = organisations::create(context, new).await.map_err(|failure| {
        say(failure, |rejection| match rejection {
            CreateRejection::Invalid(faults) => faults_in_words(&faults),
            CreateRejection::SlugTaken => "another organisation has this slug".to_owned(),
            CreateRejection::IssuerTaken => "another organisation has this issuer identifier".to_owned(),
        })
    })?;
    audited::creation(context, &created.organisation).await;
    println!("organisation  {}", created.organisation.id);
    println!("issuer        {}", created.organisation.issuer.as_str());
    println!("API key       {}   (admin; shown only now)", created.api_key.secret.reveal());
    Ok(())
}

async fn list(context: &Context) -> anyhow::Result<()> {
    let mut window = Window { limit: 100, ..Window::default() };
    loop {
        let page = organisations::list::<std::convert::Infallible>(context, "", window)
            .await
            .map_err(|failure: Failure<_>| say(failure, |never| match never {}))?;
        for organisation in &page.items {
            let Organisation { id, slug, issuer, status, .. } = organisation;
            println!("{id}  {slug:<20}  {status:?}  {}", issuer.as_str());
        }
        if !page.pagination.has_next {
            return Ok(());
        }
        window.offset += u64::from(window.limit);
    }
}

pub(super) fn faults_in_words(faults: &[Fault]) -> String {
    let lines: Vec<String> = faults.iter().map(|fault| format!("{}: {}", fault.pointer, fault.detail)).collect();
    lines.join("; ")
}
