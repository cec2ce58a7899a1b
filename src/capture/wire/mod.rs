//! HTTP/1.1 as pure functions over bytes: no sockets, no clock, no copies of bodies.
//!
//! It decides on the bytes that are forwarded, and what is forwarded are the
//! bytes on which it decided: heads are copied with whole lines left out,
//! never printed anew, and bodies are only measured. It accepts a strict
//! subset (CRLF, one length, exactly `chunked`) and refuses the rest rather
//! than repair it, because two readers repair differently.

pub(crate) mod chunked;
pub(crate) mod field;
pub(crate) mod framing;
pub(crate) mod refusal;
pub(crate) mod reply;
pub(crate) mod request;
pub(crate) mod rewrite;

#[cfg(test)]
mod properties;

/// How large a head may be.
#[derive(Clone, Copy, Debug)]
pub(crate) struct HeadLimits {
    /// From the first byte of the start line to the empty line, in bytes.
    pub(crate) bytes: usize,
    /// How many fields.
    pub(crate) fields: usize,
}
