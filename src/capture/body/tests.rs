//! What a copy promises, for every coding.

use std::io::Write;

use proptest::prelude::*;

use super::*;

const CODINGS: [&str; 6] = ["gzip", "deflate", "raw", "br", "zstd", "identity"];

fn head(coding: &str, content_type: &str) -> Headers {
    let mut headers = Headers::default();
    headers.push("Content-Type", content_type.to_owned());
    headers.push("content-encoding", if coding == "raw" { "deflate".to_owned() } else { coding.to_owned() });
    headers
}

fn encode(coding: &str, content: &[u8]) -> Vec<u8> {
    let level = flate2::Compression::default();
    match coding {
        "gzip" => {
            let header = flate2::GzBuilder::new().filename("a").comment("b").extra(vec![1, 2, 3]);
            let mut writer = header.write(Vec::new(), level);
            writer.write_all(content).unwrap();
            writer.finish().unwrap()
        }
        "deflate" => {
            let mut writer = flate2::write::ZlibEncoder::new(Vec::new(), level);
            writer.write_all(content).unwrap();
            writer.finish().unwrap()
        }
        "raw" => {
            let mut writer = flate2::write::DeflateEncoder::new(Vec::new(), level);
            writer.write_all(content).unwrap();
            writer.finish().unwrap()
        }
        "br" => {
            let mut writer = brotli::CompressorWriter::new(Vec::new(), 4096, 4, 20);
            writer.write_all(content).unwrap();
            writer.into_inner()
        }
        "zstd" => zstd::encode_all(content, 3).unwrap(),
        _ => content.to_vec(),
    }
}

fn copy(headers: &Headers, cap: usize, pieces: &[&[u8]], whole: bool) -> Body {
    let mut copier = Copier::new(headers, cap, &Budget::unlimited());
    pieces.iter().for_each(|piece| copier.push(piece));
    copier.finish(whole)
}

fn same(one: &Body, other: &Body) -> bool {
    (&one.content, one.size, &one.seen, &one.parts) == (&other.content, other.size, &other.seen, &other.parts)
}

#[test]
fn each_coding_is_undone() {
    for coding in CODINGS {
        let wire = encode(coding, br#"{"name":"Price list.pdf"}"#);
        let body = copy(&head(coding, "application/json"), 1000, &[&wire], true);
        assert_eq!(body.seen, Seen::Whole, "{coding}");
        assert_eq!(body.content, &br#"{"name":"Price list.pdf"}"#[..], "{coding}");
        assert_eq!(body.size, wire.len() as u64, "{coding}");
    }
}

#[test]
fn codings_are_undone_in_the_reverse_order() {
    let wire = encode("br", &encode("gzip", b"twice"));
    let body = copy(&head("gzip, identity, br", "text/plain"), 1000, &[&wire], true);
    assert_eq!((body.content.as_ref(), body.seen), (b"twice".as_slice(), Seen::Whole));
}

#[test]
fn several_members_of_gzip_and_frames_of_zstd_are_one_content() {
    for coding in ["gzip", "zstd"] {
        let wire = [encode(coding, b"one "), encode(coding, b"two")].concat();
        assert_eq!(copy(&head(coding, ""), 1000, &[&wire], true).content, &b"one two"[..], "{coding}");
    }
}

#[test]
fn a_copy_ends_at_its_cap_and_goes_on_counting() {
    for coding in CODINGS {
        let wire = encode(coding, &[b'x'; 5000]);
        let body = copy(&head(coding, "text/plain"), 100, &[&wire, b"", b"more"], true);
        assert_eq!((body.seen, body.content.len()), (Seen::Cut, 100), "{coding}");
        assert_eq!(body.size, wire.len() as u64 + 4, "{coding}");
    }
    let exact = copy(&Headers::default(), 5, &[b"12", b"345"], true);
    assert_eq!(exact.seen, Seen::Whole);
}

#[test]
fn what_cannot_be_read_says_why() {
    let gzip = encode("gzip", b"some content that is long enough");
    let mut flipped = gzip.clone();
    let last = flipped.len() - 6;
    flipped[last] ^= 1;
    let table: [(&str, &[u8], &str); 8] = [
        ("gzip", b"plain text", "gzip: not a gzip stream"),
        ("gzip", &gzip[..gzip.len() - 3], "gzip: ends too early"),
        ("gzip", &flipped, "gzip: wrong checksum"),
        ("br", b"\xff\xff\xff\xff", "br: corrupt stream"),
        ("zstd", b"plain text", "zstd: corrupt or too wide a stream"),
        ("compress", b"x", "content coding `compress` is not known"),
        ("gzip, gzip, gzip, gzip, gzip", b"x", "5 content codings, at most 4 are undone"),
        ("sdch;q=<1>", b"x", "a content coding that is not known"),
    ];
    for (coding, wire, reason) in table {
        let body = copy(&head(coding, "text/plain"), 1000, &[wire], true);
        assert_eq!(body.seen, Seen::Unreadable(reason.to_owned()));
        assert!(body.content.is_empty());
        assert_eq!(body.size, wire.len() as u64);
    }
}

#[test]
fn a_head_without_a_body_is_whole_whatever_it_names() {
    for coding in ["gzip", "br", "what"] {
        assert_eq!(copy(&head(coding, "text/plain"), 10, &[], true).seen, Seen::Whole, "{coding}");
    }
}

#[test]
fn a_body_that_broke_off_is_cut() {
    let gzip = encode("gzip", &[b'y'; 300]);
    assert_eq!(copy(&head("gzip", "text/plain"), 1000, &[&gzip[..20]], false).seen, Seen::Cut);
    assert_eq!(copy(&Headers::default(), 1000, &[b"{\"a\":"], false).seen, Seen::Cut);
}

#[test]
fn a_bomb_costs_a_bounded_amount_of_work() {
    let zeros = vec![0; 40 << 20];
    for coding in ["gzip", "br", "zstd"] {
        let bomb = encode(coding, &zeros);
        // Of a plain body only the cap is ever unpacked; a form would have to be unpacked to its end.
        assert_eq!(copy(&head(coding, "text/plain"), 100, &[&bomb], true).seen, Seen::Cut);
        let form = copy(&head(coding, "multipart/form-data; boundary=b"), 100, &[&bomb], true);
        match coding {
            "gzip" => assert_eq!((form.seen, form.cut_because), (Seen::Cut, Full::Work.reason())),
            _ => {
                let reason = format!("{coding}: unpacks to more than 200 times its size");
                assert_eq!(form.seen, Seen::Unreadable(reason));
            }
        }
        let twice = encode("gzip", &bomb);
        let nested = copy(&head(&format!("{coding}, gzip"), "text/plain"), 100, &[&twice], true);
        assert_eq!(nested.seen, Seen::Cut);
    }
}

/// Bytes that do not pack.
fn noise(length: usize) -> Vec<u8> {
    let mut state = 39_u64;
    let mut next = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state.to_le_bytes()[3]
    };
    (0..length).map(|_| next()).collect()
}

/// How long copying takes the thread that forwards: the limit is generous, for a slow machine that does other things
/// too; without a bound it is some ten times as much.
#[test]
fn a_form_that_unpacks_without_end_does_not_hold_up_its_thread() {
    let mut plain = b"--b\r\nContent-Disposition: form-data; name=f; filename=g\r\n\r\n".to_vec();
    plain.extend(noise(1 << 18).chunks(16).flat_map(|block| block.repeat(64)));
    let wire = encode("gzip", &plain);
    let ratio = plain.len() / wire.len();
    assert!((20..200).contains(&ratio), "no bomb by its ratio of {ratio}, one by its size");
    let began = std::time::Instant::now();
    let body = copy(&head("gzip", "multipart/form-data; boundary=b"), 100, &[&wire], true);
    assert_eq!((body.seen, body.cut_because), (Seen::Cut, Full::Work.reason()));
    assert_eq!(body.parts.len(), 1);
    assert!((7 << 20..9 << 20).contains(&body.parts[0].size), "{} bytes were unpacked", body.parts[0].size);
    assert!(began.elapsed() < std::time::Duration::from_secs(3), "{:?}", began.elapsed());
}

#[test]
fn copies_draw_from_one_budget_and_go_on_without_their_text() {
    let budget = Budget::new(10_000);
    let plain = |content: &[u8]| {
        let mut copier = Copier::new(&Headers::default(), 8_000, &budget);
        copier.push(content);
        copier.finish(true)
    };
    let first = plain(&[b'x'; 8_000]);
    assert_eq!((&first.seen, budget.drawn()), (&Seen::Whole, 8_000));
    let second = plain(&[b'y'; 4_000]);
    assert_eq!((&second.seen, second.cut_because), (&Seen::Cut, Full::Memory.reason()));
    assert_eq!(second.size, 4_000);
    assert_eq!(budget.refused(), 1);

    let text = vec![b'z'; 6_000];
    let wire = form(&[("note".into(), text, false), ("doc".into(), b"abc".to_vec(), true)]);
    let mut copier = Copier::new(&head("", "multipart/form-data; boundary=\"\r-b\""), 8_000, &budget);
    wire.chunks(100).for_each(|piece| copier.push(piece));
    let body = copier.finish(true);
    assert_eq!((&body.seen, body.cut_because), (&Seen::Cut, Full::Memory.reason()));
    let sizes: Vec<_> = body.parts.iter().map(|part| (part.size, part.sha256.is_some())).collect();
    assert_eq!(sizes, [(6_000, false), (3, true)], "names, sizes and hashes go on");
    drop((first, second, body));
    assert_eq!(budget.drawn(), 0);
}

#[test]
fn what_unpacks_draws_for_its_window_and_gives_it_back() {
    for (coding, window) in [("gzip", 32 << 10), ("br", 1 << 20), ("zstd", 1 << 20)] {
        let wire = encode(coding, &noise(3 << 20));
        let budget = Budget::unlimited();
        let mut copier = Copier::new(&head(coding, "multipart/form-data; boundary=b"), 100, &budget);
        copier.push(&wire[..wire.len() / 2]);
        assert!(budget.drawn() >= window, "{coding}: {}", budget.drawn());
        drop(copier.finish(false));
        assert_eq!(budget.drawn(), 0, "{coding}");
        let tight = Budget::new(window - 1);
        let mut copier = Copier::new(&head(coding, "text/plain"), 100, &tight);
        copier.push(&wire);
        assert_eq!(copier.finish(true).cut_because, Full::Memory.reason(), "{coding}");
        assert_eq!(tight.drawn(), 0, "{coding}");
    }
}

#[test]
fn text_of_another_charset_becomes_utf8() {
    let mut headers = Headers::default();
    headers.push("content-type", "application/json; charset=iso-8859-1");
    assert_eq!(copy(&headers, 100, &[b"{\"n\":\"Citt\xe0\"}"], true).content, "{\"n\":\"Città\"}".as_bytes());
    let wire = b"--b\r\nContent-Disposition: form-data; name=n\r\nContent-Type: text/plain; charset=windows-1252\r\n\r\n\x80\r\n--b--";
    let body = copy(&head("", "multipart/form-data; boundary=b"), 100, &[wire], true);
    assert_eq!(body.parts[0].text.as_deref(), Some("€"));
}

fn form(values: &[(String, Vec<u8>, bool)]) -> Vec<u8> {
    let mut form = b"a preamble".to_vec();
    for (name, content, is_file) in values {
        form.extend_from_slice(b"\r\n--\r-b \t\r\nContent-Disposition: form-data; name=\"");
        form.extend_from_slice(name.as_bytes());
        form.extend_from_slice(if *is_file { b"\"; filename=\"f\"\r\n\r\n" } else { b"\"\r\n\r\n" });
        form.extend_from_slice(content);
    }
    form.extend_from_slice(b"\r\n--\r-b--an epilogue");
    form
}

proptest! {
    #[test]
    fn cut_anywhere_gives_the_same_copy(
        content in proptest::collection::vec(0_u8..4, 0..3000),
        cuts in proptest::collection::vec(0_usize..3000, 0..6),
        cap in 0_usize..3000,
        coding in proptest::sample::select(CODINGS.to_vec()),
    ) {
        let wire = encode(coding, &content);
        let headers = head(coding, "application/json");
        let uncut = copy(&headers, cap, &[&wire], true);
        prop_assert!(same(&uncut, &copy(&headers, cap, &pieces(&wire, &cuts), true)));
        prop_assert_eq!(&uncut.content[..], &content[..cap.min(content.len())]);
        let single: Vec<&[u8]> = wire.chunks(1).collect();
        prop_assert!(same(&uncut, &copy(&headers, cap, &single, true)));
    }

    #[test]
    fn a_form_cut_anywhere_gives_the_same_parts(
        values in proptest::collection::vec(
            ("[a-z]{1,5}", "[\r\n-b]{0,40}".prop_map(String::into_bytes), any::<bool>()), 0..5),
        cuts in proptest::collection::vec(0_usize..600, 0..8),
        coding in proptest::sample::select(CODINGS.to_vec()),
    ) {
        let plain = form(&values);
        prop_assume!(memchr::memmem::find_iter(&plain, b"\r\n--\r-b").count() == values.len() + 1);
        let wire = encode(coding, &plain);
        let headers = head(coding, "multipart/form-data; boundary=\"\r-b\"");
        let uncut = copy(&headers, 10_000, &[&wire], true);
        prop_assert_eq!(&uncut.seen, &Seen::Whole);
        prop_assert_eq!(uncut.parts.len(), values.len());
        for (part, (name, content, is_file)) in uncut.parts.iter().zip(&values) {
            prop_assert_eq!(&part.field, name);
            prop_assert_eq!(part.size, content.len() as u64);
            prop_assert_eq!(part.sha256.is_some(), *is_file);
            prop_assert_eq!(part.text.as_deref().map(str::as_bytes), (!is_file).then_some(content.as_slice()));
        }
        prop_assert!(same(&uncut, &copy(&headers, 10_000, &pieces(&wire, &cuts), true)));
        let single: Vec<&[u8]> = wire.chunks(1).collect();
        prop_assert!(same(&uncut, &copy(&headers, 10_000, &single, true)));
    }

    #[test]
    fn nothing_that_is_sent_makes_it_panic(
        noise in proptest::collection::vec(any::<u8>(), 0..400),
        beginning in proptest::sample::select(vec![
            &b""[..], b"--b\r\n", b"--b\r\n\r\n", b"\x1f\x8b\x08\xff", b"\x28\xb5\x2f\xfd", b"\x78\x9c", b"--b--"]),
        cuts in proptest::collection::vec(0_usize..400, 0..4),
        coding in proptest::sample::select(vec!["gzip", "deflate", "br", "zstd", "identity", "gzip, br", "x"]),
        kind in proptest::sample::select(vec!["multipart/form-data; boundary=b", "multipart/form-data", "a/b"]),
        whole in any::<bool>(),
    ) {
        let wire = [beginning, &noise].concat();
        let headers = head(coding, kind);
        let uncut = copy(&headers, 64, &[&wire], whole);
        prop_assert!(uncut.content.len() <= 64);
        prop_assert_eq!(uncut.size, wire.len() as u64);
        prop_assert!(same(&uncut, &copy(&headers, 64, &pieces(&wire, &cuts), whole)));
    }
}

fn pieces<'a>(wire: &'a [u8], cuts: &[usize]) -> Vec<&'a [u8]> {
    let mut cuts: Vec<usize> = cuts.iter().map(|cut| cut % (wire.len() + 1)).collect();
    cuts.sort_unstable();
    cuts.push(wire.len());
    let mut start = 0;
    cuts.into_iter().map(|cut| &wire[std::mem::replace(&mut start, cut)..cut]).collect()
}
