//! Members: inviting one or many, roles, leaving.

use axum::Router;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::routing::{patch, post};
use serde_json::{Value, json};

use super::answer::{Answer, Input, Refusal, done, json, made, shown, text_of};
use super::auth::{Caller, Role};
use super::collection::{self, readable};
use super::world::{Platform, Thing, World};

pub(crate) fn routes() -> Router<Platform> {
    readable("members", "member")
        .route("/members", post(invite))
        .route("/members/{id}", patch(change_role).delete(delete))
        .route("/members/{id}/resend", post(resend))
}

async fn invite(caller: Caller, State(platform): State<Platform>, Input(sent): Input) -> Answer {
    caller.needs(Role::Admin)?;
    let mut world = platform.world();
    let Some(Value::Array(invitations)) = sent.get("invitations") else {
        return made("member", &add(&mut world, &caller, &sent)?);
    };
    let mut members = Vec::new();
    for invitation in invitations {
        let Value::Object(invitation) = invitation else { return Err(Refusal::bad("an invitation is an object")) };
        members.push(match add(&mut world, &caller, invitation) {
            Ok(member) => Value::Object(member),
            Err(refusal) => {
                json!({"email": invitation.get("email"), "status": "error", "error": refusal.detail()})
            }
        });
    }
    // What went wrong comes first: the caller's order is not kept.
    members.sort_by_key(|member| member.get("status").and_then(Value::as_str) != Some("error"));
    Ok(json(StatusCode::MULTI_STATUS, &json!({"members": members})))
}

fn add(world: &mut World, caller: &Caller, sent: &Thing) -> Result<Thing, Refusal> {
    let email = text_of(sent, "email")?.to_owned();
    let role = text_of(sent, "role")?.to_owned();
    if !email.contains('@') {
        return Err(Refusal::bad(format!("`{email}` is not an e-mail address")));
    }
    let id = world.next_id();
    let workspace = world.workspace(&caller.workspace)?;
    if workspace.has("members", "email", &email) {
        return Err(Refusal::conflict(format!("{email} is a member already")));
    }
    Ok(workspace.add("members", id, json!({"email": email, "role": role, "status": "pending"})))
}

async fn change_role(
    caller: Caller,
    State(platform): State<Platform>,
    Path((_, id)): Path<(String, String)>,
    input: Input,
) -> Answer {
    caller.needs(Role::Admin)?;
    let role = input.text("role")?;
    let mut world = platform.world();
    let member = world.workspace(&caller.workspace)?.one("members", &id)?;
    if member.get("role").and_then(Value::as_str) == Some("owner") {
        return Err(Refusal::conflict("an owner stays an owner"));
    }
    member.insert("role".to_owned(), json!(role));
    shown("member", member)
}

async fn delete(caller: Caller, State(platform): State<Platform>, Path((_, id)): Path<(String, String)>) -> Answer {
    collection::delete(&platform, &caller, "members", &id, Role::Admin)
}

async fn resend(caller: Caller, State(platform): State<Platform>, Path((_, id)): Path<(String, String)>) -> Answer {
    caller.needs(Role::Admin)?;
    platform.world().workspace(&caller.workspace)?.one("members", &id)?;
    done()
}
