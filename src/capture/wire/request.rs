//! The gate for a request's head: what it says, or why it is refused (RFC 9112 sections 2–6).

use std::ops::Range;

use super::HeadLimits;
use super::chunked::Chunked;
use super::field::{Field, Line, find_below, is_guarded, is_token_byte, read_line};
use super::framing::Framing;
use super::refusal::Refusal;
use super::rewrite::{Cuts, Known, Said, cut_nominated, known};

/// What a request's head says, as places in its bytes.
#[derive(Clone, Debug)]
pub(crate) struct RequestHead {
    /// From the start line to the empty line, in bytes.
    pub(crate) len: usize,
    pub(crate) method: Range<usize>,
    /// Path and query, where there are any: an absolute form's authority is left out.
    pub(crate) origin: Range<usize>,
    /// Where the fields begin.
    pub(crate) fields: usize,
    pub(crate) framing: Framing,
    /// Whether it came as HTTP/1.0.
    pub(crate) old: bool,
    /// Whether the client will send another request on this connection.
    pub(crate) keep_alive: bool,
    /// A WebSocket upgrade, the only one that is passed on.
    pub(crate) upgrade: bool,
    /// `TE: trailers`, the only one that is passed on.
    pub(crate) te_trailers: bool,
    pub(crate) is_head: bool,
    pub(crate) has_request_id: bool,
    /// The client may wait for `100 Continue`.
    pub(crate) expects: bool,
}

/// Empty lines before a request are skipped (RFC 9112 section 2.2): how many bytes.
pub(crate) fn leading_empty_lines(bytes: &[u8]) -> usize {
    let mut at = 0;
    while at < 8 && bytes.get(at..at + 2) == Some(b"\r\n") {
        at += 2;
    }
    at
}

/// Reads a request's head. `None`: it is not all there yet. `cuts` becomes the
/// lines that are not forwarded.
///
/// # Errors
/// The reason why the request is refused.
pub(crate) fn read_request(head: &[u8], limits: HeadLimits, cuts: &mut Cuts) -> Result<Option<RequestHead>, Refusal> {
    let read = read_all(head, limits, cuts)?;
    match &read {
        Some(read) if read.len > limits.bytes => Err(Refusal::HeadTooLarge),
        None if head.len() >= limits.bytes && !head.contains(&b'\n') => Err(Refusal::TargetTooLong),
        None if head.len() >= limits.bytes => Err(Refusal::HeadTooLarge),
        _ => Ok(read),
    }
}

fn read_all(head: &[u8], limits: HeadLimits, cuts: &mut Cuts) -> Result<Option<RequestHead>, Refusal> {
    cuts.clear();
    let Some(start) = read_start(head)? else { return Ok(None) };
    let mut seen = Seen::default();
    let mut at = start.fields;
    let end = loop {
        match read_line(head, at)? {
            None => return Ok(None),
            Some(Line::End(end)) => break end,
            Some(Line::Field(field)) => {
                at = field.line.end;
                seen.count += 1;
                if seen.count > limits.fields {
                    return Err(Refusal::TooManyFields);
                }
                let name = head.get(field.name.clone()).unwrap_or_default();
                if name.contains(&b'_') && is_guarded(name) {
                    return Err(Refusal::FieldName);
                }
                if let Some(known) = known(name) {
                    seen.see(known, head, field, cuts)?;
                }
            }
        }
    };
    cut_nominated(head, start.fields..end, &seen.said, limits, cuts)?;
    finish(head, start, seen, end, cuts).map(Some)
}

/// What the fields said, while they are walked.
#[derive(Default)]
struct Seen {
    count: usize,
    said: Said,
    host: Option<Range<usize>>,
    /// Whether it is websocket, and its line.
    upgrade: Option<(bool, Range<usize>)>,
    te_trailers: Option<Range<usize>>,
    has_request_id: bool,
    expects: bool,
}

impl Seen {
    fn see(&mut self, known: Known, head: &[u8], field: Field, cuts: &mut Cuts) -> Result<(), Refusal> {
        let value = head.get(field.value.clone()).unwrap_or_default();
        match known {
            Known::Host if self.host.is_some() || !is_host(value) => return Err(Refusal::Host),
            Known::Host => self.host = Some(field.value),
            Known::ContentLength => self.said.see_length(value)?,
            Known::TransferEncoding => self.said.see_coding(value)?,
            Known::Connection => {
                self.said.see_connection(value)?;
                cuts.leave_out(field.line);
            }
            Known::Te if self.te_trailers.is_none() && value.eq_ignore_ascii_case(b"trailers") => {
                self.te_trailers = Some(field.line);
            }
            Known::Upgrade if self.upgrade.is_none() => {
                self.upgrade = Some((value.eq_ignore_ascii_case(b"websocket"), field.line));
            }
            Known::Hop | Known::Te | Known::Upgrade => cuts.leave_out(field.line),
            Known::RequestId => self.has_request_id = true,
            Known::Expect => self.expects = true,
        }
        Ok(())
    }
}

/// The start line, taken apart.
struct Start {
    method: Range<usize>,
    target: Range<usize>,
    old: bool,
    fields: usize,
}

/// `method SP target SP HTTP/1.x CRLF` (RFC 9112 section 3).
fn read_start(head: &[u8]) -> Result<Option<Start>, Refusal> {
    let Some(method) = head.iter().position(|byte| !is_token_byte(*byte)) else { return Ok(None) };
    if method == 0 || head.get(method) != Some(&b' ') {
        return Err(Refusal::StartLine);
    }
    let rest = head.get(method + 1..).unwrap_or_default();
    let Some(target) = find_below::<0x21>(rest, 0) else { return Ok(None) };
    if rest.get(..target).unwrap_or_default().contains(&b'#') {
        return Err(Refusal::Target);
    }
    match rest.get(target) {
        Some(b' ') if target > 0 => {}
        Some(b' ' | b'\r' | b'\n') => return Err(Refusal::StartLine),
        _ => return Err(Refusal::Target),
    }
    let version = rest.get(target + 1..).unwrap_or_default();
    let Some(line) = version.get(..10) else {
        let possible = b"HTTP/1.1\r\n".starts_with(version) || b"HTTP/1.0\r\n".starts_with(version);
        return if possible { Ok(None) } else { Err(Refusal::StartLine) };
    };
    let old = match line {
        b"HTTP/1.1\r\n" => false,
        b"HTTP/1.0\r\n" => true,
        [b'H', b'T', b'T', b'P', b'/', major, b'.', minor, b'\r', b'\n']
            if major.is_ascii_digit() && minor.is_ascii_digit() =>
        {
            return Err(Refusal::Version);
        }
        _ => return Err(Refusal::StartLine),
    };
    let target = method + 1..method + 1 + target;
    Ok(Some(Start { method: 0..method, old, fields: target.end + 11, target }))
}

/// Method and target of a head that was refused, for whoever is told of it:
/// where they can be read without a doubt, and are not longer than anybody reads.
pub(crate) fn request_line(head: &[u8]) -> (Option<&str>, Option<&str>) {
    const LONGEST: usize = 2_048;
    let head = head.get(..LONGEST).unwrap_or(head);
    let line = head.split(|byte| matches!(byte, b'\r' | b'\n')).next().unwrap_or_default();
    let mut words = line.split(|byte| *byte == b' ');
    let (method, target, version) = (words.next(), words.next(), words.next());
    let good = |byte: &u8| *byte > b' ' && *byte != 0x7f;
    let method = method.filter(|method| !method.is_empty() && method.iter().all(|byte| is_token_byte(*byte)));
    let target = target.filter(|target| version.is_some() && target.starts_with(b"/") && target.iter().all(good));
    match (method.map(std::str::from_utf8), target.map(std::str::from_utf8)) {
        (Some(Ok(method)), Some(Ok(target))) => (Some(method), Some(target)),
        _ => (None, None),
    }
}

/// What can only be decided when all fields have been seen.
fn finish(head: &[u8], start: Start, seen: Seen, len: usize, cuts: &mut Cuts) -> Result<RequestHead, Refusal> {
    let method = head.get(start.method.clone()).unwrap_or_default();
    if method == b"CONNECT" {
        return Err(Refusal::Connect);
    }
    let said = &seen.said;
    said.check_framing(start.old)?;
    if seen.host.is_none() && !start.old {
        return Err(Refusal::Host);
    }
    let host = seen.host.and_then(|host| head.get(host)).unwrap_or_default();
    let origin = origin_form(head, &start.target, method, host)?;
    let framing = match said.length {
        _ if said.chunked => Framing::Chunked(Chunked::default()),
        Some(length) => Framing::Length(length),
        None => Framing::NONE,
    };
    let offered = matches!(seen.upgrade, Some((true, _))) && said.upgrade;
    let upgrade = offered && !start.old && method == b"GET" && framing.is_done();
    if let (false, Some((_, line))) = (upgrade, seen.upgrade) {
        cuts.leave_out(line);
    }
    let te_trailers = said.te && seen.te_trailers.is_some() && !start.old;
    if let (false, Some(line)) = (te_trailers, seen.te_trailers) {
        cuts.leave_out(line);
    }
    Ok(RequestHead {
        len,
        is_head: method == b"HEAD",
        method: start.method,
        origin,
        fields: start.fields,
        framing,
        old: start.old,
        keep_alive: !said.close && (!start.old || said.keep_alive),
        upgrade,
        te_trailers,
        has_request_id: seen.has_request_id,
        expects: seen.expects,
    })
}

/// Path and query of the target (RFC 9112 section 3.2). An absolute form is
/// taken where its authority is the one that `Host` names.
fn origin_form(head: &[u8], target: &Range<usize>, method: &[u8], host: &[u8]) -> Result<Range<usize>, Refusal> {
    let bytes = head.get(target.clone()).unwrap_or_default();
    if !bytes.is_ascii() && std::str::from_utf8(bytes).is_err() {
        return Err(Refusal::Target);
    }
    match bytes.first() {
        Some(b'/') => Ok(target.clone()),
        Some(b'*') if bytes.len() == 1 && method == b"OPTIONS" => Ok(target.clone()),
        _ => {
            let scheme = b"http://".len();
            let is_http = bytes.get(..scheme).is_some_and(|start| start.eq_ignore_ascii_case(b"http://"));
            let rest = bytes.get(scheme..).unwrap_or_default();
            let authority = rest.iter().position(|byte| matches!(byte, b'/' | b'?')).unwrap_or(rest.len());
            let same = rest.get(..authority).is_some_and(|name| name.eq_ignore_ascii_case(host));
            let has_path = matches!(rest.get(authority), None | Some(b'/'));
            if is_http && same && has_path && !host.is_empty() {
                Ok(target.start + scheme + authority..target.end)
            } else {
                Err(Refusal::Target)
            }
        }
    }
}

/// `uri-host [":" port]` (RFC 9110 section 7.2); empty where a target has no authority.
fn is_host(value: &[u8]) -> bool {
    let (name_is_good, rest) = if let Some(literal) = value.strip_prefix(b"[") {
        let Some(end) = literal.iter().position(|byte| *byte == b']') else { return false };
        let inside = literal.get(..end).unwrap_or_default();
        let good = |byte: &u8| byte.is_ascii_hexdigit() || matches!(byte, b':' | b'.');
        (!inside.is_empty() && inside.iter().all(good), literal.get(end + 1..).unwrap_or_default())
    } else {
        let end = value.iter().position(|byte| *byte == b':').unwrap_or(value.len());
        let good = |byte: &u8| {
            byte.is_ascii_alphanumeric()
                || matches!(byte, b'-' | b'.' | b'_' | b'~' | b'%' | b'!' | b'$' | b'&' | b'\'' | b'(' | b')')
                || matches!(byte, b'*' | b'+' | b';' | b'=')
        };
        let (name, rest) = value.split_at_checked(end).unwrap_or((value, b""));
        (name.iter().all(good) && (end > 0 || value.is_empty()), rest)
    };
    name_is_good
        && match rest.split_first() {
            None => true,
            Some((b':', port)) => port.len() <= 5 && port.iter().all(u8::is_ascii_digit),
            Some(_) => false,
        }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIMITS: HeadLimits = HeadLimits { bytes: 4096, fields: 20 };

    fn read(head: &str) -> Result<Option<RequestHead>, Refusal> {
        read_request(head.as_bytes(), LIMITS, &mut Cuts::default())
    }

    fn good(head: &str) -> RequestHead {
        read(head).unwrap().unwrap()
    }

    /// What goes to the platform.
    fn forwarded(head: &str) -> String {
        let mut cuts = Cuts::default();
        let read = read_request(head.as_bytes(), LIMITS, &mut cuts).unwrap().unwrap();
        let mut out = Vec::new();
        cuts.copy(head.as_bytes(), 0..read.len, &mut out);
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn a_plain_head_is_forwarded_byte_for_byte() {
        let head = "GET /a?b=%2F HTTP/1.1\r\nhOsT: a.test:80\r\nX-A:  1 \r\nx-a: 2\r\n\r\n";
        assert_eq!(forwarded(head), head);
        let read = good(head);
        assert_eq!(&head[read.origin], "/a?b=%2F");
        assert!(read.keep_alive && read.framing.is_done() && !read.old);
    }

    #[test]
    fn a_head_is_waited_for_until_its_last_byte() {
        let head = "POST /a HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\n";
        for cut in 0..head.len() {
            assert!(matches!(read(&head[..cut]), Ok(None)), "cut at {cut}");
        }
        assert_eq!(good(head).framing, Framing::Length(3));
    }

    #[test]
    fn each_head_without_a_single_meaning_has_its_reason() {
        let host = "Host: a\r\n";
        let line = |line: &str| format!("{line}\r\n{host}\r\n");
        let fields = |fields: &str| format!("POST /f HTTP/1.1\r\n{fields}\r\n");
        let table = [
            (line(" /a HTTP/1.1"), Refusal::StartLine),
            (line("GE(T /a HTTP/1.1"), Refusal::StartLine),
            (line("GET  /a HTTP/1.1"), Refusal::StartLine),
            (line("GET\t/a\tHTTP/1.1"), Refusal::StartLine),
            (line("GET /a HTTP/1.1 "), Refusal::StartLine),
            (line("GET /a http/1.1"), Refusal::StartLine),
            (line("GET /a HTTP/1"), Refusal::StartLine),
            (line("GET /a b HTTP/1.1"), Refusal::StartLine),
            (line("GET /a"), Refusal::StartLine),
            (line("GET /a HTTP/1.2"), Refusal::Version),
            (line("GET /a HTTP/2.0"), Refusal::Version),
            (line("GET /a\tb HTTP/1.1"), Refusal::Target),
            (line("GET /a\0b HTTP/1.1"), Refusal::Target),
            (line("GET /a\x7f HTTP/1.1"), Refusal::Target),
            (line("GET /a#frag HTTP/1.1"), Refusal::Target),
            (line("GET a/b HTTP/1.1"), Refusal::Target),
            (line("GET * HTTP/1.1"), Refusal::Target),
            (line("GET http://other/a HTTP/1.1"), Refusal::Target),
            (line("GET http://u@a/a HTTP/1.1"), Refusal::Target),
            (line("GET https://a/a HTTP/1.1"), Refusal::Target),
            (line("CONNECT a:443 HTTP/1.1"), Refusal::Connect),
            (line("CONNECT /a HTTP/1.1"), Refusal::Connect),
            (fields(""), Refusal::Host),
            (fields("Host: a\r\nHost: a\r\n"), Refusal::Host),
            (fields("Host: a, b\r\n"), Refusal::Host),
            (fields("Host: a/x\r\n"), Refusal::Host),
            (fields("Host: u@a\r\n"), Refusal::Host),
            (fields("Host: a b\r\n"), Refusal::Host),
            (fields("Host: [::1\r\n"), Refusal::Host),
            (fields("Host: a:b\r\n"), Refusal::Host),
            (fields(&format!("{host}Content-Length: 1\r\nContent-Length: 1\r\n")), Refusal::Length),
            (fields(&format!("{host}Content-Length: 1, 1\r\n")), Refusal::Length),
            (fields(&format!("{host}Content-Length:\r\n")), Refusal::Length),
            (fields(&format!("{host}Content_Length: 5\r\n")), Refusal::FieldName),
            (fields(&format!("{host}Content-Length: 1\r\nTransfer-Encoding: chunked\r\n")), Refusal::LengthAndCoding),
            (fields(&format!("{host}Transfer-Encoding: gzip, chunked\r\n")), Refusal::Coding),
            (fields(&format!("{host}Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n")), Refusal::Coding),
            (fields(&format!("{host}Transfer-Encoding: identity\r\n")), Refusal::Coding),
            (fields(&format!("{host}X: a\r\n chunked\r\n")), Refusal::Fold),
            (fields(&format!("{host}Connection: Host\r\n")), Refusal::Nominated),
            (fields(&format!("{host}Connection: close, authorization\r\n")), Refusal::Nominated),
            (fields(&format!("{host}Connection: {}\r\n", "a,".repeat(17))), Refusal::Nominated),
            (fields(&format!("{host}{}", "a: b\r\n".repeat(20))), Refusal::TooManyFields),
            (fields(&format!("{host}a: {}\r\n", "b".repeat(5000))), Refusal::HeadTooLarge),
            (format!("GET /{}", "a".repeat(5000)), Refusal::TargetTooLong),
            ("POST / HTTP/1.0\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n".to_owned(), Refusal::CodingInOld),
        ];
        for (head, reason) in table {
            assert_eq!(read(&head).err(), Some(reason), "{:?}", head.get(..head.len().min(120)));
        }
    }

    #[test]
    fn fields_of_the_connection_are_left_out_and_nothing_else() {
        let head = "GET / HTTP/1.1\r\nUpgrade: h2c\r\nA: 1\r\nX-Foo: 1\r\nConnection: x-fOO, Upgrade, HTTP2-Settings\r\n\
            Host: a\r\nKeep-Alive: timeout=5\r\nHTTP2-Settings: A\r\nProxy-Connection: x\r\nTE: gzip\r\nB: 2\r\nconnection: B\r\n\r\n";
        assert_eq!(forwarded(head), "GET / HTTP/1.1\r\nA: 1\r\nHost: a\r\n\r\n");
    }

    #[test]
    fn only_a_websocket_upgrade_is_passed_on() {
        let head = |value: &str, connection: &str| {
            format!("GET / HTTP/1.1\r\nHost: a\r\nUpgrade: {value}\r\nConnection: {connection}\r\n\r\n")
        };
        assert!(good(&head("WebSocket", "keep-alive, Upgrade")).upgrade);
        for (value, connection) in [("h2c", "upgrade"), ("websocket, h2c", "upgrade"), ("websocket", "close")] {
            assert!(!good(&head(value, connection)).upgrade);
            assert!(!forwarded(&head(value, connection)).contains("Upgrade"));
        }
    }

    #[test]
    fn an_absolute_target_gives_its_path() {
        let head = "GET HTTP://A.test:80/x?y HTTP/1.1\r\nHost: a.test:80\r\n\r\n";
        assert_eq!(&head[good(head).origin], "/x?y");
        let head = "GET http://a HTTP/1.1\r\nHost: a\r\n\r\n";
        assert_eq!(&head[good(head).origin], "");
    }

    #[test]
    fn an_old_client_keeps_the_connection_only_if_it_says_so() {
        assert!(!good("GET / HTTP/1.0\r\n\r\n").keep_alive);
        assert!(good("GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n").keep_alive);
        assert!(!good("GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n").keep_alive);
    }
}
