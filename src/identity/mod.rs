//! Who sent a request: a credential becomes claims and a person.
//!
//! Sources, in the order of the configuration: a bearer JWT whose signature is
//! verified by a key or a JWKS; a cookie or an opaque token, resolved by one
//! cached call to the platform's own `/me`; a header of a trusted proxy; what
//! an earlier exchange tied to the credential. What nobody could tell stays
//! visible as unknown, with the reason.
