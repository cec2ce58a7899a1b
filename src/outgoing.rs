//! sidetrail's own outgoing calls: one bounded GET, used for `/me`, JWKS and `fetch`.
