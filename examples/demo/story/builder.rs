//! The builder: agents and workflows.

use anyhow::Result;
use http::Method;
use serde_json::json;

use super::{ACME, BETA, Cast, Made, delete};

/// Makes an agent and a workflow and edits them; gives their ids.
pub(crate) async fn make(cast: &Cast) -> Result<(String, String)> {
    let Cast { giosue, zoe, .. } = cast;
    let agents = format!("{ACME}/agents");
    let body = json!({"name": "Orders", "area": "draft", "folderId": null});
    let agent = zoe.expect(201, Method::POST, &agents, body).await?.text("/agent/id")?;
    zoe.expect(200, Method::PATCH, &format!("{agents}/{agent}"), json!({"goal": "answer about orders"})).await?;
    let workflows = format!("{ACME}/workflows");
    let body = json!({"area": "draft"});
    let workflow = giosue.expect(201, Method::POST, &workflows, body).await?.text("/workflow/id")?;
    giosue.expect(200, Method::PATCH, &format!("{workflows}/{workflow}"), json!({"name": "Returns"})).await?;
    let block = json!({"kind": "text", "text": "Buongiorno"});
    giosue.expect(200, Method::PUT, &format!("{workflows}/{workflow}/blocks/1"), block).await?;
    Ok((agent, workflow))
}

/// Deletes them by id alone, and an agent of the other workspace that has the id of one here.
pub(crate) async fn unmake(cast: &Cast, made: &Made) -> Result<()> {
    delete(&cast.zoe, &format!("{ACME}/agents/{}", made.agent)).await?;
    delete(&cast.giosue, &format!("{ACME}/workflows/{}", made.workflow)).await?;
    delete(&cast.niccolo, &format!("{BETA}/agents/609")).await
}
