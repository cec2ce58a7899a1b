//! Settings, the team, publishing.

use anyhow::Result;
use http::Method;
use serde_json::json;

use super::{ACME, BETA, Cast, Client, Made, Payload, delete};

/// Everything in the settings; gives the id of the invited member.
pub(crate) async fn run(cast: &Cast) -> Result<String> {
    workspace(cast).await?;
    around_the_agents(cast).await?;
    publish(cast).await?;
    invite(cast).await
}

async fn workspace(cast: &Cast) -> Result<()> {
    let Cast { cosimo, valentina, .. } = cast;
    // Three fields, one of them as it was: two events.
    let sent = json!({"name": "Acme Assistant", "slug": "acme-assicurazioni", "timezone": "Europe/Rome"});
    valentina.expect(200, Method::PATCH, ACME, sent).await?;
    valentina.expect(200, Method::PATCH, ACME, json!({"slug": "acme"})).await?;
    cosimo.expect(200, Method::PATCH, ACME, json!({"multilanguage": true})).await?;
    cosimo.expect(200, Method::PATCH, ACME, json!({"primaryLanguage": "it"})).await?;
    let reset = cosimo.expect(202, Method::POST, &format!("{ACME}/translations/reset"), json!({})).await?;
    wait(cosimo, ACME, &reset.text("/job/id")?).await?;
    let body = json!({"include": ["chats", "knowledge_base"]});
    let export = cast.ilaria.expect(202, Method::POST, &format!("{BETA}/export"), body).await?;
    let job = export.text("/job/id")?;
    wait(&cast.ilaria, BETA, &job).await?;
    cast.ilaria.get(&format!("{BETA}/exports/{job}/download")).await?;
    Ok(())
}

/// Asks for a job until it is done; the sample's are done when asked for the second time.
async fn wait(client: &Client, workspace: &str, job: &str) -> Result<()> {
    for _ in 0..5 {
        if client.get(&format!("{workspace}/jobs/{job}")).await?.text("/job/status")? == "done" {
            return Ok(());
        }
    }
    anyhow::bail!("the job {job} does not end")
}

async fn around_the_agents(cast: &Cast) -> Result<()> {
    let Cast { cosimo, valentina, ilaria, .. } = cast;
    valentina.expect(200, Method::PATCH, &format!("{ACME}/handover"), json!({"enabled": true})).await?;
    valentina.expect(200, Method::PATCH, &format!("{BETA}/handover"), json!({"enabled": false})).await?;
    let days = json!({"closingDays": [{"date": "2026-12-25", "label": "Natale"}]});
    ilaria.expect(200, Method::PUT, &format!("{BETA}/handover/closing-days"), days).await?;
    let image = Payload::Files("image", vec![("avatar.png", vec![0x89, b'P', b'N', b'G'])]);
    cosimo.expect(201, Method::POST, &format!("{ACME}/web-chat/images"), image).await?;
    let widget = json!({"style": {"color": "#3b5bdb", "avatar": "avatar.png"}, "home": {}, "options": {}, "voice": {}});
    cosimo.expect(200, Method::PUT, &format!("{ACME}/web-chat"), widget).await?;
    cosimo.expect(200, Method::PATCH, &format!("{ACME}/agent-settings"), json!({"toneOfVoice": "cordiale"})).await?;
    let tone = json!({"toneOfVoice": "formale"});
    ilaria.expect(200, Method::PUT, &format!("{BETA}/agent-settings/sections/tone"), tone).await?;
    Ok(())
}

async fn publish(cast: &Cast) -> Result<()> {
    let path = format!("{ACME}/publish");
    cast.cosimo.expect(200, Method::POST, &path, json!({"target": "next"})).await?;
    cast.cosimo.expect(200, Method::POST, &path, json!({"target": "production"})).await?;
    Ok(())
}

async fn invite(cast: &Cast) -> Result<String> {
    let path = format!("{ACME}/members");
    let anna = json!({"email": "anna@acme.it", "role": "editor"});
    let member = cast.valentina.expect(201, Method::POST, &path, anna).await?.text("/member/id")?;
    let five = json!({"invitations": [
        {"email": "piero@acme.it", "role": "admin"},
        {"email": "cosimo@acme.it", "role": "viewer"},
        {"email": "lucia@acme.it", "role": "editor"},
        {"email": "nobody", "role": "editor"},
        {"email": "sofia@acme.it", "role": "Revisore esterno"},
    ]});
    cast.valentina.expect(207, Method::POST, &path, five).await?;
    Ok(member)
}

/// The invited member gets another role and is deleted, both by id alone.
pub(crate) async fn part(cast: &Cast, made: &Made) -> Result<()> {
    let path = format!("{ACME}/members/{}", made.member);
    cast.cosimo.expect(200, Method::PATCH, &path, json!({"role": "viewer"})).await?;
    delete(&cast.valentina, &path).await
}
