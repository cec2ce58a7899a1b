//! A day of work at the sample platform: all 41 actions of the specification,
//! by several people in two workspaces, with reads and failures between them.
//!
//! In two acts, so that sidetrail can be restarted between them: what the
//! second act touches is sent by id only; its names passed by in the first.

mod builder;
mod knowledge;
mod settings;
mod trouble;

use anyhow::Result;
use http::Method;
use serde_json::json;

use super::client::{Client, Payload};
use super::platform::PEOPLE;

/// A workspace's API.
pub(crate) const ACME: &str = "/api/v1/workspaces/39";
/// The other workspace's API.
pub(crate) const BETA: &str = "/api/v1/workspaces/40";

/// Values that must not be found anywhere but at the platform.
pub(crate) const SECRET_VALUES: [&str; 3] = ["zd-Vela-77-0192", "crm-Bompresso-4141", "sk-Randa-9f2c"];

/// The people, signed in.
pub(crate) struct Cast {
    /// Owner of Acme.
    pub(crate) cosimo: Client,
    /// Admin of both.
    pub(crate) valentina: Client,
    /// Editor of Acme.
    pub(crate) giosue: Client,
    /// Owner of Beta.
    pub(crate) ilaria: Client,
    /// Editor of Beta.
    pub(crate) niccolo: Client,
    /// Viewer of Acme.
    pub(crate) desiree: Client,
    /// Editor of both; has a cookie only.
    pub(crate) zoe: Client,
}

impl Cast {
    /// Signs everybody in; before that somebody fails to.
    pub(crate) async fn sign_in(base: &str) -> Result<Cast> {
        let nobody = Client::new(base);
        let guess = json!({"email": "anna@acme.it", "password": "Bolina-000"});
        nobody.expect(401, Method::POST, "/api/v1/auth/sign-in", guess).await?;
        let [cosimo, valentina, giosue, ilaria, niccolo, desiree, zoe] = PEOPLE;
        Ok(Cast {
            cosimo: nobody.sign_in(cosimo.email, cosimo.password).await?,
            valentina: nobody.sign_in(valentina.email, valentina.password).await?,
            giosue: nobody.sign_in(giosue.email, giosue.password).await?,
            ilaria: nobody.sign_in(ilaria.email, ilaria.password).await?,
            niccolo: nobody.sign_in(niccolo.email, niccolo.password).await?,
            desiree: nobody.sign_in(desiree.email, desiree.password).await?,
            zoe: nobody.sign_in(zoe.email, zoe.password).await?,
        })
    }
}

/// What the first act made, for the second.
pub(crate) struct Made {
    /// The member who was invited.
    pub(crate) member: String,
    /// The issue that was filed.
    pub(crate) issue: String,
    /// The variable that was added.
    pub(crate) variable: String,
    /// The secret that was added.
    pub(crate) secret: String,
    /// The agent that was created.
    pub(crate) agent: String,
    /// The workflow that was created.
    pub(crate) workflow: String,
}

/// Lists, creations, settings: here every name passes by.
pub(crate) async fn first_act(cast: &Cast) -> Result<Made> {
    for list in ["", "/members", "/documents", "/conversations", "/agents", "/workflows"] {
        cast.cosimo.get(&format!("{ACME}{list}")).await?;
    }
    cast.ilaria.get(BETA).await?;
    cast.zoe.get("/api/v1/me").await?;
    let member = settings::run(cast).await?;
    let (issue, variable, secret) = knowledge::make(cast).await?;
    let (agent, workflow) = builder::make(cast).await?;
    Ok(Made { member, issue, variable, secret, agent, workflow })
}

/// Changes and deletions by id alone, and everything that goes wrong.
pub(crate) async fn second_act(cast: &Cast, made: &Made) -> Result<()> {
    settings::part(cast, made).await?;
    knowledge::unmake(cast, made).await?;
    builder::unmake(cast, made).await?;
    trouble::run(cast).await
}

/// A DELETE that must be answered 204.
async fn delete(client: &Client, path: &str) -> Result<()> {
    client.expect(204, Method::DELETE, path, Payload::Nothing).await?;
    Ok(())
}
