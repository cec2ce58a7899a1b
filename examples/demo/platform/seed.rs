//! What the sample platform begins with. Both workspaces use the same ids for
//! different things, as platforms with a counter per workspace do.

use serde_json::{Value, json};

use super::people::PEOPLE;
use super::world::{Thing, Workspace, World};

/// The state before the first request.
pub(crate) fn world() -> World {
    let mut world = World::default();
    world.workspaces.insert("39".to_owned(), acme());
    world.workspaces.insert("40".to_owned(), beta());
    world
}

fn acme() -> Workspace {
    let mut acme = workspace("39", "Acme Assicurazioni", "acme-assicurazioni", "AZI");
    acme.add("documents", 901, json!({"kind": "file", "name": "Listino.pdf", "status": "ready", "tags": ["listino"]}));
    acme.add(
        "documents",
        902,
        json!({"kind": "file", "name": "Condizioni generali.pdf", "status": "ready", "tags": []}),
    );
    acme.add("conversations", 1_734_638_990, json!({"username": "Blue Panda", "status": "open", "operator": null}));
    acme.add("conversations", 1_734_638_991, json!({"username": "Red Heron", "status": "open", "operator": null}));
    acme.add("evaluators", 30, json!({"name": "Tone", "type": "label", "active": true, "enabledFor": ["staging"]}));
    acme.add("variables", 76, json!({"name": "policy_number", "type": "text"}));
    acme.add("secrets", 8, json!({"name": "SMTP_PASSWORD", "visibility": "restricted"}));
    acme.add("agents", 609, json!({"name": "Sinistri", "area": "live", "goal": ""}));
    acme.add("workflows", 710, json!({"name": "Apertura sinistro", "area": "live", "blocks": []}));
    acme
}

fn beta() -> Workspace {
    let mut beta = workspace("40", "Beta Viaggi", "beta-viaggi", "BET");
    beta.add("documents", 901, json!({"kind": "file", "name": "Catalogo estate.pdf", "status": "ready", "tags": []}));
    beta.add("conversations", 1_734_638_990, json!({"username": "Green Otter", "status": "open", "operator": null}));
    beta.add("variables", 76, json!({"name": "booking_code", "type": "text"}));
    beta.add("agents", 609, json!({"name": "Prenotazioni", "area": "live", "goal": ""}));
    beta.add("workflows", 710, json!({"name": "Rimborso", "area": "draft", "blocks": []}));
    beta
}

fn workspace(id: &str, name: &str, slug: &str, issues: &str) -> Workspace {
    let mut new = Workspace { version: 40, last_issue: 20, ..Workspace::default() };
    new.settings = fields(json!({
        "id": id, "name": name, "slug": slug, "timezone": "UTC", "primaryLanguage": "en", "multilanguage": false,
        "issuePrefix": issues,
    }));
    new.single.insert("handover", fields(json!({"enabled": false, "closingDays": []})));
    new.single.insert("webChat", fields(json!({"style": {}, "home": {}, "options": {}, "voice": {}})));
    new.single.insert("agentSettings", fields(json!({"toneOfVoice": "neutral", "fallback": "human"})));
    new.add(
        "issues",
        5510,
        json!({"identifier": format!("{issues}-20"), "subject": "Wrong price", "status": "backlog"}),
    );
    let here = PEOPLE.iter().filter_map(|person| {
        person.roles.iter().find(|(workspace, _)| *workspace == id).map(|(_, role)| (person, role))
    });
    for (number, (person, role)) in (201..).zip(here) {
        new.add("members", number, json!({"email": person.email, "role": role, "status": "active"}));
    }
    new
}

fn fields(value: Value) -> Thing {
    match value {
        Value::Object(fields) => fields,
        _ => Thing::new(),
    }
}
