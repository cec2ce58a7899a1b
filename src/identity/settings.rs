//! The `[identity]` section: what is believed of who somebody says to be.
//!
//! Rules say where in the traffic a credential is; this says which keys,
//! which call and whose headers turn it into a person. What contradicts
//! itself is refused when sidetrail starts.

use std::path::PathBuf;

use serde::Deserialize;

use crate::outgoing::CallError;

/// `[identity]`. Without any source below it every credential stays a token of which only itself is known.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Settings {
    /// Signed bearer tokens.
    pub jwt: Option<Jwt>,
    /// One call to the platform for each credential.
    pub me: Option<Me>,
    /// Headers of a trusted proxy.
    pub header: Option<Fields>,
    /// How many credentials are kept (as fingerprints); those longest unused go first. About 400 bytes each.
    pub remembered: usize,
    /// For how long a credential that an exchange tied to a person (`[[identity.seen]]`) is believed, in s.
    pub seen_seconds: u32,
}

impl Default for Settings {
    fn default() -> Settings {
        Settings { jwt: None, me: None, header: None, remembered: 50_000, seen_seconds: 12 * 3600 }
    }
}

/// `[identity.jwt]`: tokens (RFC 7519) whose signature one of these keys verifies.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Jwt {
    /// The key: a secret for HS256 and its kin, else a public key in PEM. Either this or `jwks`.
    pub key_file: Option<PathBuf>,
    /// A set of keys (RFC 7517): a file, or an `http://` address.
    pub jwks: Option<String>,
    /// The algorithms that are accepted; there is no default. `none` is never one.
    pub algorithms: Vec<String>,
    /// The issuers (`iss`) of which one must have made the token; empty: not asked.
    pub issuer: Vec<String>,
    /// The audiences (`aud`) of which one must be named; empty: not asked.
    pub audience: Vec<String>,
    /// How far clocks may differ, in s.
    pub leeway_seconds: u32,
    /// For how long keys from an address are used before they are fetched anew, in s.
    pub refresh_seconds: u32,
    /// The claims that hold id, name and e-mail.
    pub claims: Fields,
}

impl Default for Jwt {
    fn default() -> Jwt {
        Jwt {
            key_file: None,
            jwks: None,
            algorithms: Vec::new(),
            issuer: Vec::new(),
            audience: Vec::new(),
            leeway_seconds: 30,
            refresh_seconds: 3600,
            claims: Fields { id: "sub".into(), name: "name".into(), email: "email".into() },
        }
    }
}

/// `[identity.me]`: the platform's own answer to "who am I".
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Me {
    /// The path on the platform.
    pub path: String,
    /// Which of the caller's headers may go along. Of these only the ones that hold the credential are sent.
    pub forward: Vec<String>,
    /// Where in the answer id, name and e-mail are; dots go deeper.
    pub fields: Fields,
    /// For how long an answer is believed, in s.
    pub cache_seconds: u32,
    /// For how long a refusal or a failure is not asked again, in s.
    pub negative_seconds: u32,
    /// How long the call may take, in ms. An audited reply waits for it.
    pub timeout_ms: u32,
    /// The largest answer that is read, in bytes.
    pub answer_bytes: usize,
}

impl Default for Me {
    fn default() -> Me {
        Me {
            path: "/api/v1/me".to_owned(),
            forward: vec!["authorization".to_owned(), "cookie".to_owned()],
            fields: Fields::default(),
            cache_seconds: 300,
            negative_seconds: 10,
            timeout_ms: 1000,
            answer_bytes: 64 * 1024,
        }
    }
}

/// Where id, name and e-mail are. An empty one is not looked for.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Fields {
    /// The platform's id of the person.
    pub id: String,
    /// What people call them.
    pub name: String,
    /// Their e-mail address.
    pub email: String,
}

impl Default for Fields {
    fn default() -> Fields {
        Fields { id: "id".to_owned(), name: "name".to_owned(), email: "email".to_owned() }
    }
}

/// Why nobody can be identified by these settings.
#[derive(Debug, thiserror::Error)]
pub enum SettingsError {
    /// Neither or both of `key_file` and `jwks`.
    #[error("`[identity.jwt]` needs either `key_file` or `jwks`")]
    OneKeySource,
    /// `algorithms` is empty.
    #[error("`[identity.jwt]` needs `algorithms`, for example [\"RS256\"]")]
    NoAlgorithms,
    /// An algorithm that is not one.
    #[error("`{0}` in `[identity.jwt] algorithms` is not an algorithm that can be verified")]
    Algorithm(String),
    /// One key cannot serve two families: that is how a public key is used as a secret.
    #[error("`[identity.jwt] algorithms` mixes families; one `key_file` serves only one of HS*, RS*/PS*, ES*, EdDSA")]
    MixedFamilies,
    /// A secret among keys that anybody may read.
    #[error("`[identity.jwt]`: HS* algorithms need `key_file`; a key set holds public keys")]
    SecretInKeySet,
    /// A file that cannot be read.
    #[error("`{0}` of `[identity.jwt]` cannot be read")]
    Unreadable(PathBuf, #[source] std::io::Error),
    /// A file that holds no such key.
    #[error("`{0}` of `[identity.jwt]` holds no key for these algorithms")]
    NoKey(PathBuf),
    /// Not a path of the platform.
    #[error("`{0}` in `[identity.me] path` is not a path on the platform: it begins with `/`")]
    MePath(String),
    /// An address that cannot be called.
    #[error("`[identity]`: {0}")]
    Address(#[source] CallError),
    /// No random bytes.
    #[error("the system gives no random bytes")]
    NoRandomness,
}
