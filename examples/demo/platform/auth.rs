//! Signing in, and who sends a request: a JWT (HS256) in `Authorization`, or an
//! opaque cookie.

use axum::Router;
use axum::extract::{FromRequestParts, RawPathParams, State};
use axum::http::header::{AUTHORIZATION, COOKIE, SET_COOKIE};
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderValue, StatusCode};
use axum::routing::{get, post};
use jsonwebtoken::{Algorithm, DecodingKey, EncodingKey, Header, Validation, decode, encode};
use serde_json::{Value, json};
use uuid::Uuid;

use super::answer::{Answer, Input, Refusal, done, json};
use super::people::{PEOPLE, Person};
use super::world::{Platform, Thing, World};

/// What the platform signs its tokens with. A file, because sidetrail reads it from there too.
const SIGNING_KEY: &str = include_str!("../signing.key");

/// Tokens of the sample do not run out: 1 January 2100.
const EXPIRES: u64 = 4_102_444_800;

/// The routes that are outside of every workspace.
pub(crate) fn routes() -> Router<Platform> {
    Router::new()
        .route("/api/v1/auth/sign-in", post(sign_in))
        .route("/api/v1/auth/sign-out", post(sign_out))
        .route("/api/v1/me", get(me))
        .route("/api/v1/workspaces", get(workspaces))
}

async fn sign_in(State(platform): State<Platform>, input: Input) -> Answer {
    let email = input.text("email")?;
    let password = input.text("password")?;
    let known = PEOPLE.iter().find(|person| person.email == email && person.password == password);
    let person = *known.ok_or_else(|| Refusal::new(StatusCode::UNAUTHORIZED, "wrong e-mail or password"))?;
    let sid = Uuid::now_v7().simple().to_string();
    platform.world().sessions.insert(sid.clone(), person);
    let workspace = person.roles.first().map(|(workspace, role)| json!({"id": workspace, "role": role}));
    let token = if person.cookie_only { Value::Null } else { Value::String(token_of(person)?) };
    let body = json!({"token": token, "person": shown(person), "workspace": workspace});
    let mut response = json(StatusCode::OK, &body);
    let cookie = HeaderValue::from_str(&format!("sid={sid}; Path=/; HttpOnly; SameSite=Lax"));
    response.headers_mut().insert(SET_COOKIE, cookie.map_err(|_| Refusal::bad("no cookie could be made"))?);
    Ok(response)
}

fn token_of(person: Person) -> Result<String, Refusal> {
    let claims = json!({"sub": person.id, "email": person.email, "name": person.name, "exp": EXPIRES});
    encode(&Header::new(Algorithm::HS256), &claims, &EncodingKey::from_secret(SIGNING_KEY.as_bytes()))
        .map_err(|error| Refusal::new(StatusCode::INTERNAL_SERVER_ERROR, error.to_string()))
}

async fn sign_out(State(platform): State<Platform>, headers: HeaderMap) -> Answer {
    if let Some(sid) = cookie(&headers) {
        platform.world().sessions.remove(sid);
    }
    done()
}

async fn me(State(platform): State<Platform>, headers: HeaderMap) -> Answer {
    let person = who(&headers, &platform.world())?;
    Ok(json(StatusCode::OK, &json!({"person": shown(person)})))
}

async fn workspaces(State(platform): State<Platform>, headers: HeaderMap) -> Answer {
    let mut world = platform.world();
    let person = who(&headers, &world)?;
    let mut mine: Vec<Thing> = Vec::new();
    for workspace in world.workspaces.values_mut() {
        if workspace.role(person.email).is_some() {
            mine.push(workspace.settings.clone());
        }
    }
    Ok(json(StatusCode::OK, &json!({"workspaces": mine})))
}

fn shown(person: Person) -> Value {
    json!({"id": person.id, "name": person.name, "email": person.email})
}

/// Whose credential the request carries.
pub(crate) fn who(headers: &HeaderMap, world: &World) -> Result<Person, Refusal> {
    let refused = |detail: &str| Refusal::new(StatusCode::UNAUTHORIZED, detail);
    let bearer = headers.get(AUTHORIZATION).and_then(|value| value.to_str().ok()?.strip_prefix("Bearer "));
    if let Some(token) = bearer {
        let key = DecodingKey::from_secret(SIGNING_KEY.as_bytes());
        let data = decode::<Value>(token, &key, &Validation::new(Algorithm::HS256))
            .map_err(|_| refused("the token is not one of ours"))?;
        let sub = data.claims.get("sub").and_then(Value::as_str);
        let person = PEOPLE.into_iter().find(|person| Some(person.id) == sub);
        return person.ok_or_else(|| refused("the token is nobody's"));
    }
    let session = cookie(headers).and_then(|sid| world.sessions.get(sid).copied());
    session.ok_or_else(|| refused("sign in first"))
}

fn cookie(headers: &HeaderMap) -> Option<&str> {
    let cookies = headers.get(COOKIE)?.to_str().ok()?;
    cookies.split("; ").find_map(|cookie| cookie.strip_prefix("sid="))
}

/// How much a member may do. Roles of people's own making count as viewers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Role {
    /// Reads.
    Viewer,
    /// Changes what agents know and do.
    Editor,
    /// Changes people, settings and what is live.
    Admin,
}

/// Whoever sends a request in a workspace that they belong to.
pub(crate) struct Caller {
    /// Who.
    pub(crate) person: Person,
    /// The workspace of the path.
    pub(crate) workspace: String,
    role: Role,
}

impl Caller {
    /// The member of `workspace` who sent these headers.
    pub(crate) fn of(headers: &HeaderMap, workspace: &str, world: &mut World) -> Result<Caller, Refusal> {
        let person = who(headers, world)?;
        let role = match world.workspace(workspace)?.role(person.email).as_deref() {
            Some("owner" | "admin") => Role::Admin,
            Some("editor") => Role::Editor,
            Some(_) => Role::Viewer,
            None => return Err(Refusal::forbidden("you do not belong to this workspace")),
        };
        Ok(Caller { person, workspace: workspace.to_owned(), role })
    }

    /// A refusal unless the caller has at least that role.
    pub(crate) fn needs(&self, role: Role) -> Result<(), Refusal> {
        if self.role >= role { Ok(()) } else { Err(Refusal::forbidden(format!("this needs the role {role:?}"))) }
    }
}

impl FromRequestParts<Platform> for Caller {
    type Rejection = Refusal;

    async fn from_request_parts(parts: &mut Parts, platform: &Platform) -> Result<Caller, Refusal> {
        let params = RawPathParams::from_request_parts(parts, platform)
            .await
            .map_err(|_| Refusal::bad("the path is not UTF-8"))?;
        let workspace = params.iter().find(|(name, _)| *name == "workspace").map_or("", |(_, value)| value);
        Caller::of(&parts.headers, workspace, &mut platform.world())
    }
}
