//! Why a message is not forwarded: each reason has one status and one label.

/// A message that has no single meaning, or is larger than allowed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, thiserror::Error)]
pub(crate) enum Refusal {
    #[error("the start line is not `method target HTTP/1.x` with single spaces (RFC 9112 section 3)")]
    StartLine,
    #[error("the status line is not `HTTP/1.x`, three digits and a reason (RFC 9112 section 4)")]
    StatusLine,
    #[error("the request target holds a byte or a form that has no single meaning (RFC 9112 section 3.2)")]
    Target,
    #[error("the HTTP version is not 1.0 or 1.1 (RFC 9112 section 2.3)")]
    Version,
    #[error("CONNECT is not offered here (RFC 9110 section 9.3.6)")]
    Connect,
    #[error("a line does not end with CRLF (RFC 9112 section 2.2)")]
    LineEnd,
    #[error("a field's name is missing or holds a byte that a name cannot hold (RFC 9112 section 5.1)")]
    FieldName,
    #[error("a field's value holds a control byte (RFC 9110 section 5.5)")]
    FieldValue,
    #[error("a field goes on over several lines (obs-fold, RFC 9112 section 5.2)")]
    Fold,
    #[error("`Host` is missing, repeated or malformed (RFC 9112 section 3.2)")]
    Host,
    #[error("`Content-Length` is repeated or not one decimal number (RFC 9112 section 6.3)")]
    Length,
    #[error("`Content-Length` and `Transfer-Encoding` stand together (RFC 9112 section 6.1)")]
    LengthAndCoding,
    #[error("`Transfer-Encoding` is not exactly one `chunked` (RFC 9112 section 6.1)")]
    Coding,
    #[error("`Transfer-Encoding` stands in an HTTP/1.0 message (RFC 9112 section 6.1)")]
    CodingInOld,
    #[error("a chunk is malformed (RFC 9112 section 7.1)")]
    Chunk,
    #[error("a trailer field is malformed or one that may not stand there (RFC 9110 section 6.5.1)")]
    Trailer,
    #[error("`Connection` names a field that is meant for the platform (RFC 9110 section 7.6.1)")]
    Nominated,
    #[error("the head holds more fields than allowed (RFC 6585 section 5)")]
    TooManyFields,
    #[error("the head is larger than allowed (RFC 6585 section 5)")]
    HeadTooLarge,
    #[error("the request target is longer than allowed (RFC 9110 section 15.5.15)")]
    TargetTooLong,
}

impl Refusal {
    /// Every reason, for counters. A reason's place is its discriminant.
    pub(crate) const ALL: [Refusal; 20] = [
        Refusal::StartLine,
        Refusal::StatusLine,
        Refusal::Target,
        Refusal::Version,
        Refusal::Connect,
        Refusal::LineEnd,
        Refusal::FieldName,
        Refusal::FieldValue,
        Refusal::Fold,
        Refusal::Host,
        Refusal::Length,
        Refusal::LengthAndCoding,
        Refusal::Coding,
        Refusal::CodingInOld,
        Refusal::Chunk,
        Refusal::Trailer,
        Refusal::Nominated,
        Refusal::TooManyFields,
        Refusal::HeadTooLarge,
        Refusal::TargetTooLong,
    ];

    /// The status a client gets for it.
    pub(crate) fn status(self) -> u16 {
        match self {
            Refusal::Version => 505,
            Refusal::TargetTooLong => 414,
            Refusal::TooManyFields | Refusal::HeadTooLarge => 431,
            _ => 400,
        }
    }

    /// Its name in counters and problem types.
    pub(crate) fn label(self) -> &'static str {
        match self {
            Refusal::StartLine => "start-line",
            Refusal::StatusLine => "status-line",
            Refusal::Target => "target",
            Refusal::Version => "version",
            Refusal::Connect => "connect",
            Refusal::LineEnd => "line-end",
            Refusal::FieldName => "field-name",
            Refusal::FieldValue => "field-value",
            Refusal::Fold => "fold",
            Refusal::Host => "host",
            Refusal::Length => "length",
            Refusal::LengthAndCoding => "length-and-coding",
            Refusal::Coding => "coding",
            Refusal::CodingInOld => "coding-in-1.0",
            Refusal::Chunk => "chunk",
            Refusal::Trailer => "trailer",
            Refusal::Nominated => "nominated",
            Refusal::TooManyFields => "too-many-fields",
            Refusal::HeadTooLarge => "head-too-large",
            Refusal::TargetTooLong => "target-too-long",
        }
    }
}
