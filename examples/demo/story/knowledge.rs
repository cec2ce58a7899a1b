//! Documents, conversations, issues, evaluators, variables and secrets.

use anyhow::Result;
use http::Method;
use serde_json::json;

use super::{ACME, BETA, Cast, Made, Payload, SECRET_VALUES, delete};

/// Makes one of each; gives the ids of the issue, the variable and the secret.
pub(crate) async fn make(cast: &Cast) -> Result<(String, String, String)> {
    documents(cast).await?;
    conversations(cast).await?;
    evaluators(cast).await?;
    let issue = issues(cast).await?;
    let (variable, secret) = variables(cast).await?;
    graphql(cast).await?;
    Ok((issue, variable, secret))
}

async fn documents(cast: &Cast) -> Result<()> {
    let Cast { giosue, zoe, niccolo, .. } = cast;
    let two = Payload::Files("files", vec![("Product_Manual.pdf", manual()), ("Prezzi 2026.pdf", manual())]);
    giosue.expect(201, Method::POST, &format!("{ACME}/documents"), two).await?;
    let one = json!({"url": "https://www.example.com/faq"});
    giosue.expect(201, Method::POST, &format!("{ACME}/documents/urls"), one).await?;
    let several = json!({"urls": ["https://www.example.com/orari", "https://me:pw@example.com/b?token=1"]});
    zoe.expect(201, Method::POST, &format!("{BETA}/documents/urls"), several).await?;
    giosue.expect(200, Method::POST, &format!("{ACME}/documents/902/tags"), json!({"tag": "listinov2"})).await?;
    // Nobody listed this workspace's documents: the name comes with the answer.
    let tags = json!({"tags": ["estate", "mare"]});
    niccolo.expect(200, Method::POST, &format!("{BETA}/documents/901/tags"), tags).await?;
    Ok(())
}

fn manual() -> Vec<u8> {
    b"%PDF-1.7 a manual of few words\n".repeat(2000)
}

async fn conversations(cast: &Cast) -> Result<()> {
    let taken = format!("{ACME}/conversations/1734638990/takeover");
    cast.zoe.expect(200, Method::POST, &taken, json!({})).await?;
    let search = format!("{ACME}/conversations/search");
    cast.giosue.expect(200, Method::POST, &search, json!({"text": "heron"})).await?;
    let export = format!("{ACME}/conversation-logs/export");
    let body = json!({"format": "csv", "filters": [], "from": "2026-01-01", "to": "2026-01-31"});
    cast.cosimo.expect(200, Method::POST, &export, body).await?;
    cast.zoe.get(&format!("{BETA}/conversation-logs/export?format=csv")).await?;
    Ok(())
}

async fn evaluators(cast: &Cast) -> Result<()> {
    let all = format!("{ACME}/evaluators");
    let body = json!({"kind": "builtin", "template": "chat_success"});
    let id = cast.giosue.expect(201, Method::POST, &all, body).await?.text("/evaluator/id")?;
    let one = format!("{all}/{id}");
    let body = json!({"name": "Chat Success", "prompt": "Was it solved?", "threshold": 0.7, "showInAnalytics": true});
    cast.giosue.expect(200, Method::PUT, &one, body).await?;
    cast.giosue.expect(200, Method::PATCH, &one, json!({"active": true})).await?;
    // As it is already, then off: the specification has no event for either.
    cast.giosue.expect(200, Method::PATCH, &one, json!({"active": true})).await?;
    cast.giosue.expect(200, Method::PATCH, &one, json!({"active": false})).await?;
    cast.desiree.get(&format!("{all}/export?format=csv")).await?;
    Ok(())
}

async fn issues(cast: &Cast) -> Result<String> {
    let all = format!("{ACME}/issues");
    let body = json!({"subject": "Prezzo sbagliato", "priority": "high", "status": "backlog", "tags": ["Bug"]});
    let id = cast.zoe.expect(201, Method::POST, &all, body).await?.text("/issue/id")?;
    cast.giosue.expect(200, Method::PATCH, &format!("{all}/{id}"), json!({"status": "in_progress"})).await?;
    let comment = json!({"text": "visto anch'io"});
    cast.giosue.expect(201, Method::POST, &format!("{all}/{id}/comments"), comment).await?;
    Ok(id)
}

async fn variables(cast: &Cast) -> Result<(String, String)> {
    let Cast { giosue, cosimo, .. } = cast;
    let all = format!("{ACME}/variables");
    let body = json!({"name": "order_id", "type": "text", "fallbackValue": null, "testValue": "123"});
    let variable = giosue.expect(201, Method::POST, &all, body).await?.text("/variable/id")?;
    let secrets = format!("{ACME}/secrets");
    let body = json!({"name": "ZENDESK_TOKEN", "value": SECRET_VALUES[0], "visibility": "masked"});
    let secret = cosimo.expect(201, Method::POST, &secrets, body).await?.text("/secret/id")?;
    cosimo.expect(403, Method::GET, &format!("{secrets}/{secret}/value"), Payload::Nothing).await?;
    Ok((variable, secret))
}

/// The same actions over GraphQL: two aliases of which one fails, variables, a batch.
async fn graphql(cast: &Cast) -> Result<()> {
    let two = "mutation M($w: ID!) { a: createVariable(workspace: $w, name: \"trip_id\", type: text) { id name } \
               b: createVariable(workspace: $w, name: \"1st\", type: text) { id name } }";
    let body = json!({"query": two, "variables": {"w": "40"}});
    cast.niccolo.expect(200, Method::POST, "/graphql", body).await?;
    let secret = "mutation Harmless($w: ID!, $v: String!) { createSecret(workspace: $w, name: \"CRM_KEY\", value: $v) { id name } }";
    let batch = json!([
        {"operationName": "Harmless", "query": secret, "variables": {"w": "40", "v": SECRET_VALUES[1]}},
        {"query": "query Q { variables(workspace: \"40\") { id name } }"},
    ]);
    cast.valentina.expect(200, Method::POST, "/graphql", batch).await?;
    let edit = "mutation { updateVariable(workspace: \"40\", id: \"76\", fallbackValue: \"n/a\") { id } }";
    cast.niccolo.expect(200, Method::POST, "/graphql", json!({"query": edit})).await?;
    Ok(())
}

/// What is changed and deleted by id alone.
pub(crate) async fn unmake(cast: &Cast, made: &Made) -> Result<()> {
    let Cast { giosue, cosimo, .. } = cast;
    let file = Payload::Files("file", vec![("Listino 2026.pdf", manual())]);
    giosue.expect(200, Method::PUT, &format!("{ACME}/documents/901/file"), file).await?;
    delete(giosue, &format!("{ACME}/documents/902/tags/listinov2")).await?;
    delete(&cast.zoe, &format!("{ACME}/issues/{}", made.issue)).await?;
    let variable = format!("{ACME}/variables/{}", made.variable);
    giosue.expect(200, Method::PATCH, &variable, json!({"fallbackValue": "n/a"})).await?;
    delete(giosue, &variable).await?;
    delete(cosimo, &format!("{ACME}/secrets/{}", made.secret)).await?;
    // Never seen by anybody: its name is asked for before it goes.
    delete(cosimo, &format!("{ACME}/secrets/8")).await
}
