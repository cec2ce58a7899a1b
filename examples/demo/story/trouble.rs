//! What goes wrong: refused, impossible, broken, unknown.

use anyhow::Result;
use http::Method;
use serde_json::json;

use super::{ACME, BETA, Cast, Client, Payload, SECRET_VALUES};

/// One request for each sort of error.
pub(crate) async fn run(cast: &Cast) -> Result<()> {
    let Cast { cosimo, giosue, ilaria, desiree, zoe, .. } = cast;
    // 403: a member of another workspace; a viewer; a secret's value that must not be kept either.
    ilaria.expect(403, Method::DELETE, &format!("{ACME}/documents/902/tags/pricing"), Payload::Nothing).await?;
    desiree.expect(403, Method::POST, &format!("{ACME}/publish"), json!({"target": "production"})).await?;
    let secret = json!({"name": "OPENAI_KEY", "value": SECRET_VALUES[2]});
    giosue.expect(403, Method::POST, &format!("{ACME}/secrets"), secret).await?;
    // 404: deleted before.
    ilaria.expect(404, Method::DELETE, &format!("{BETA}/agents/609"), Payload::Nothing).await?;
    // 409: taken.
    zoe.expect(409, Method::POST, &format!("{ACME}/conversations/1734638990/takeover"), json!({})).await?;
    ilaria.expect(409, Method::PATCH, BETA, json!({"slug": "acme"})).await?;
    // 400: no JSON; 500: the platform's own trouble.
    cosimo.expect(400, Method::POST, &format!("{ACME}/issues"), Payload::Raw("{\"subject\": ")).await?;
    let corrupt = Payload::Files("files", vec![("corrupt.pdf", b"%PDF".to_vec())]);
    giosue.expect(500, Method::POST, &format!("{ACME}/documents"), corrupt).await?;
    // 401: nobody.
    let nobody = Client::new(&giosue.base);
    nobody.expect(401, Method::DELETE, &format!("{ACME}/documents/902/tags/x"), Payload::Nothing).await?;
    Ok(())
}
