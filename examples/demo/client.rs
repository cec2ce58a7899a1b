//! A small HTTP client: one person, one base address, a credential.

use anyhow::{Context, Result, bail};
use bytes::Bytes;
use flate2::read::GzDecoder;
use http::header::{ACCEPT_ENCODING, AUTHORIZATION, CONTENT_ENCODING, CONTENT_TYPE, COOKIE, SET_COOKIE};
use http::{HeaderMap, Method, Request};
use http_body_util::{BodyExt, Full};
use hyper_util::client::legacy::Client as Pool;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use serde_json::Value;
use std::io::Read;

/// Between the parts of a multipart body.
const BOUNDARY: &str = "--------------------------sample-of-a-boundary";

/// What a request carries.
#[derive(Clone, Debug)]
pub(crate) enum Payload {
    /// Nothing.
    Nothing,
    /// A JSON body.
    Json(Value),
    /// Bytes that say they are JSON.
    Raw(&'static str),
    /// `multipart/form-data` with files of this field: name and content.
    Files(&'static str, Vec<(&'static str, Vec<u8>)>),
}

impl From<Value> for Payload {
    fn from(json: Value) -> Payload {
        Payload::Json(json)
    }
}

/// One person at work. Clones share connections.
#[derive(Clone)]
pub(crate) struct Client {
    pool: Pool<HttpConnector, Full<Bytes>>,
    /// Where it sends to: `http://address`.
    pub(crate) base: String,
    /// `Bearer …`, once signed in.
    pub(crate) authorization: Option<String>,
    /// `sid=…`, where sign-in gave no token.
    pub(crate) cookie: Option<String>,
}

/// What came back.
#[derive(Debug)]
pub(crate) struct Reply {
    /// The status.
    pub(crate) status: u16,
    /// The fields of the head.
    pub(crate) headers: HeaderMap,
    /// The body, decoded.
    pub(crate) body: Bytes,
}

impl Reply {
    /// The body as JSON; null where it is none.
    pub(crate) fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_default()
    }

    /// The text at a JSON pointer (RFC 6901) of the body.
    pub(crate) fn text(&self, pointer: &str) -> Result<String> {
        let json = self.json();
        let text = json.pointer(pointer).and_then(Value::as_str);
        text.map(str::to_owned).with_context(|| format!("the answer has no text at {pointer}"))
    }
}

impl Client {
    /// Nobody yet, at `http://address`.
    pub(crate) fn new(base: impl Into<String>) -> Client {
        Client {
            pool: Pool::builder(TokioExecutor::new()).build_http(),
            base: base.into(),
            authorization: None,
            cookie: None,
        }
    }

    /// Signs in, and keeps the token, or the cookie where there is none.
    pub(crate) async fn sign_in(&self, email: &str, password: &str) -> Result<Client> {
        let body = serde_json::json!({"email": email, "password": password});
        let reply = self.expect(200, Method::POST, "/api/v1/auth/sign-in", body).await?;
        let mut client = self.clone();
        match reply.text("/token") {
            Ok(token) => client.authorization = Some(format!("Bearer {token}")),
            Err(_) => {
                let cookie = reply.headers.get(SET_COOKIE).context("neither a token nor a cookie came back")?;
                let pair = cookie.to_str()?.split(';').next().unwrap_or_default();
                client.cookie = Some(pair.to_owned());
            }
        }
        Ok(client)
    }

    /// Sends a request; whatever status comes back is fine.
    pub(crate) async fn send(&self, method: Method, path: &str, payload: impl Into<Payload>) -> Result<Reply> {
        let mut request = Request::builder().method(method).uri(format!("{}{path}", self.base));
        request = request.header(ACCEPT_ENCODING, "gzip").header("user-agent", "sidetrail-demo/1");
        if let Some(authorization) = &self.authorization {
            request = request.header(AUTHORIZATION, authorization);
        }
        if let Some(cookie) = &self.cookie {
            request = request.header(COOKIE, cookie);
        }
        let (content_type, body) = encode(payload.into());
        if let Some(content_type) = content_type {
            request = request.header(CONTENT_TYPE, content_type);
        }
        let response = self.pool.request(request.body(Full::from(body))?).await?;
        let (head, body) = response.into_parts();
        let raw = body.collect().await?.to_bytes();
        let packed = head.headers.get(CONTENT_ENCODING).is_some_and(|encoding| encoding == "gzip");
        let body = if packed { unpack(&raw)? } else { raw };
        Ok(Reply { status: head.status.as_u16(), headers: head.headers, body })
    }

    /// Sends a request that must be answered with `status`.
    pub(crate) async fn expect(
        &self,
        status: u16,
        method: Method,
        path: &str,
        payload: impl Into<Payload>,
    ) -> Result<Reply> {
        let reply = self.send(method.clone(), path, payload).await?;
        if reply.status != status {
            let body = String::from_utf8_lossy(&reply.body);
            bail!("{method} {path} was answered {} instead of {status}: {body}", reply.status);
        }
        Ok(reply)
    }

    /// A GET that must be answered 200.
    pub(crate) async fn get(&self, path: &str) -> Result<Reply> {
        self.expect(200, Method::GET, path, Payload::Nothing).await
    }
}

fn unpack(raw: &[u8]) -> Result<Bytes> {
    let mut plain = Vec::new();
    GzDecoder::new(raw).read_to_end(&mut plain)?;
    Ok(Bytes::from(plain))
}

fn encode(payload: Payload) -> (Option<String>, Bytes) {
    match payload {
        Payload::Nothing => (None, Bytes::new()),
        Payload::Json(json) => (Some("application/json".to_owned()), Bytes::from(json.to_string())),
        Payload::Raw(text) => (Some("application/json".to_owned()), Bytes::from(text)),
        Payload::Files(field, files) => {
            let mut body = Vec::new();
            body.extend_from_slice(part_head("name=\"includeTables\"", None).as_bytes());
            body.extend_from_slice(b"false\r\n");
            for (name, content) in files {
                let disposition = format!("name=\"{field}\"; filename=\"{name}\"");
                body.extend_from_slice(part_head(&disposition, Some("application/pdf")).as_bytes());
                body.extend_from_slice(&content);
                body.extend_from_slice(b"\r\n");
            }
            body.extend_from_slice(format!("--{BOUNDARY}--\r\n").as_bytes());
            (Some(format!("multipart/form-data; boundary={BOUNDARY}")), Bytes::from(body))
        }
    }
}

fn part_head(disposition: &str, content_type: Option<&str>) -> String {
    let content_type = content_type.map(|value| format!("Content-Type: {value}\r\n")).unwrap_or_default();
    format!("--{BOUNDARY}\r\nContent-Disposition: form-data; {disposition}\r\n{content_type}\r\n")
}
