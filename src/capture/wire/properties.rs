//! What must hold for heads of any shape: a second, different reader agrees
//! on what is forwarded, cuts change nothing, nothing panics.

use proptest::prelude::*;

use super::HeadLimits;
use super::framing::Framing;
use super::reply::{Asked, read_reply};
use super::request::read_request;
use super::rewrite::Cuts;

const LIMITS: HeadLimits = HeadLimits { bytes: 16 * 1024, fields: 64 };
/// What a field may not be called if it is to be forwarded whatever else is said.
const NOT_FORWARDED: [&str; 7] =
    ["connection", "keep-alive", "proxy-connection", "te", "upgrade", "http2-settings", "x-named"];

fn field() -> impl Strategy<Value = String> {
    let name = prop_oneof![
        4 => "[A-Za-z][A-Za-z0-9.!~*+|-]{0,12}",
        1 => Just("Keep-Alive".to_owned()),
        1 => Just("TE".to_owned()),
        1 => Just("Upgrade".to_owned()),
        1 => Just("X-Named".to_owned()),
        1 => Just("Proxy-Connection".to_owned()),
    ];
    let value = prop_oneof![4 => "[!-~\u{e9}][ -~\t\u{e9}]{0,30}[!-~]", 1 => Just(String::new()), 1 => Just("websocket".to_owned())];
    let connection = prop_oneof![
        Just("Connection: close"),
        Just("connection:keep-alive , x-named"),
        Just("Connection: Upgrade"),
        Just("Connection: TE,,")
    ];
    prop_oneof![
        5 => (name, "[ \t]{0,2}", value).prop_map(|(name, space, value)| format!("{name}:{space}{value}{space}\r\n")),
        1 => connection.prop_map(|line| format!("{line}\r\n")),
    ]
}

/// Name in lower case and value of each field, as httparse reads them.
fn second_reading(head: &[u8]) -> Result<Vec<(String, Vec<u8>)>, httparse::Error> {
    let mut fields = [httparse::EMPTY_HEADER; 80];
    let mut request = httparse::Request::new(&mut fields);
    request.parse(head)?;
    Ok(request.headers.iter().map(|field| (field.name.to_lowercase(), field.value.trim_ascii().to_vec())).collect())
}

proptest! {
    #[test]
    fn a_second_reader_finds_every_field_that_is_forwarded_and_no_other(fields in proptest::collection::vec(field(), 0..12)) {
        let head = format!("PATCH /a/{{b}}?c=d HTTP/1.1\r\nhost: a.test\r\n{}\r\n", fields.concat());
        let mut cuts = Cuts::default();
        let Ok(Some(read)) = read_request(head.as_bytes(), LIMITS, &mut cuts) else { return Ok(()) };
        prop_assert_eq!(read.len, head.len());
        let mut out = Vec::new();
        cuts.copy(head.as_bytes(), 0..read.len, &mut out);
        let forwarded = second_reading(&out).unwrap();
        let names_x = fields.iter().any(|line| line.starts_with("connection:"));
        let expected: Vec<_> = second_reading(head.as_bytes())
            .unwrap()
            .into_iter()
            .filter(|(name, value)| match name.as_str() {
                "x-named" => !names_x,
                "te" => read.te_trailers && value == b"trailers",
                name => !NOT_FORWARDED.contains(&name),
            })
            .collect();
        prop_assert_eq!(forwarded, expected);
    }

    #[test]
    fn a_head_cut_anywhere_is_waited_for_and_then_read_the_same(fields in proptest::collection::vec(field(), 0..6), cut in any::<prop::sample::Index>()) {
        let head = format!("GET /a HTTP/1.1\r\nHost: a.test\r\n{}\r\n", fields.concat());
        let whole = read_request(head.as_bytes(), LIMITS, &mut Cuts::default());
        let part = read_request(&head.as_bytes()[..cut.index(head.len())], LIMITS, &mut Cuts::default());
        // A part may be refused only for what the whole is refused for.
        match part {
            Ok(part) => prop_assert!(part.is_none()),
            Err(reason) => prop_assert_eq!(whole.err(), Some(reason)),
        }
    }

    #[test]
    fn no_bytes_make_a_head_panic_and_what_is_accepted_a_second_reader_accepts(
        start in prop_oneof![Just("GET / HTTP/1.1\r\nHost: a\r\n"), Just("HTTP/1.1 200 OK\r\n"), Just("")],
        bytes in proptest::collection::vec(prop_oneof![
            Just(b'\r'), Just(b'\n'), Just(b':'), Just(b' '), Just(b'\t'), Just(b'a'), Just(b'_'), Just(b','), any::<u8>()
        ], 0..80),
    ) {
        let head = [start.as_bytes(), &bytes].concat();
        let mut cuts = Cuts::default();
        if let Ok(Some(read)) = read_request(&head, LIMITS, &mut cuts) {
            prop_assert!(second_reading(&head[..read.len]).is_ok());
        }
        if let Ok(Some(read)) = read_reply(&head, Asked::default(), LIMITS, &mut cuts) {
            let mut fields = [httparse::EMPTY_HEADER; 80];
            let mut reply = httparse::Response::new(&mut fields);
            prop_assert!(matches!(reply.parse(&head[..read.len]), Ok(httparse::Status::Complete(len)) if len == read.len));
        }
    }

    #[test]
    fn a_message_behind_a_message_is_left_for_the_next_reading(length in 0usize..50, rest in proptest::collection::vec(any::<u8>(), 0..50)) {
        let head = format!("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: {length}\r\n\r\n");
        let message = [head.as_bytes(), &vec![b'x'; length], &rest].concat();
        let read = read_request(&message, LIMITS, &mut Cuts::default()).unwrap().unwrap();
        let mut framing: Framing = read.framing;
        let taken = framing.advance(&message[read.len..], &mut |_| ()).unwrap();
        prop_assert_eq!(&message[read.len + taken..], &rest[..]);
    }
}
