//! Events to record, and an independent reading of how their hashes are made.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use sidetrail::event::{
    Actor, ActorKind, Change, Event, Mark, Message, Missing, Outcome, RequestFacts, RuleFacts, Source, Target,
    Translation,
};
use sidetrail::record::query::Stored;
use uuid::Uuid;

const PEOPLE: [(&str, &str, &str); 5] = [
    ("u_1", "Cosimo Scarfò", "cosimo@acme.it"),
    ("u_2", "Anna Bianchi", "anna@acme.it"),
    ("u_3", "Élodie", "elodie@exemple.fr"),
    ("U_4", "anna", "ANNA.B@acme.it"),
    ("u_5", "日本 太郎", "taro@example.jp"),
];
const ACTIONS: [(&str, &str, &str); 6] = [
    ("Documents", "document.uploaded", "upload document"),
    ("Documents", "document.tag_added", "add tag to document"),
    ("Documents", "document.deleted", "delete document"),
    ("Settings: Team", "member.invited", "invite user"),
    ("Settings: Team", "member.role_changed", "change role"),
    ("Agents", "agent.edited", "edit agent"),
];
const NAMES: [&str; 5] = ["Price list.pdf", "Città-Vecchia plan.docx", "README", "price_list 2.pdf", "Manual"];

/// Event number `n`: all sorts occur, and the same `n` gives the same event.
#[allow(clippy::too_many_lines, clippy::cast_precision_loss, reason = "one literal with every field")]
pub(crate) fn event(n: u64) -> Event {
    let pick = |salt: u64, count: u64| {
        (n.wrapping_mul(0x9e37_79b9_7f4a_7c15).rotate_left(17) ^ salt.wrapping_mul(0xd6e8_feb8_6659_fd93))
            .wrapping_mul(0xff51_afd7_ed55_8ccd)
            .rotate_right(29)
            % count
    };
    let at = |salt: u64, count: usize| usize::try_from(pick(salt, count as u64)).unwrap();
    let (category, action, title) = ACTIONS[at(1, 6)];
    let own = pick(2, 20) == 0;
    let name = NAMES[at(3, 5)];
    let workspace = match pick(4, 8) {
        0 => None,
        w => Some(format!("w{}", w % 4).as_str().into()),
    };
    let text = format!("{title}: “{name}” number {n}");
    let start = title.len() + 5;
    Event {
        id: Uuid::from_u128(u128::from(n) << 64 | 0x7000_8000_0000_0000_0000 | u128::from(n)),
        time: Timestamp::from_microsecond(
            1_767_800_000_000_000 + i64::try_from(n).unwrap() * 37_000_001
                - i64::try_from(pick(5, 90_000_000)).unwrap(),
        )
        .unwrap(),
        workspace,
        category: category.into(),
        action: action.into(),
        title: title.into(),
        message: Message {
            marks: vec![Mark {
                start,
                end: start + name.len(),
                link: n.is_multiple_of(2).then(|| format!("/documents/{n}")),
            }],
            text,
        },
        outcome: Outcome::ALL[at(6, 5)],
        actor: actor(at(7, 7), own),
        translations: (0..pick(21, 3))
            .map(|t| Translation {
                language: ["it", "de"][usize::try_from(t).unwrap()].into(),
                title: format!("{title} {t}").into(),
                message: Message { marks: vec![Mark { start: 0, end: 2, link: None }], text: format!("{t}: {name}") },
            })
            .collect(),
        targets: (0..pick(8, 3)).map(|t| target(pick(9, 40) + t, NAMES[at(10 + t, 5)])).collect(),
        changes: (0..pick(13, 3))
            .map(|c| Change {
                field: format!("field{c}"),
                from: (c == 0).then(|| json!({"b": [1, null], "a": 0.1})),
                to: Some(json!("x")),
            })
            .collect(),
        details: json!({"zebra": n, "alpha": "é", "float": 1.0 / (pick(14, 1000) as f64 + 3.0)})
            .as_object()
            .unwrap()
            .clone(),
        missing: (0..pick(15, 2))
            .map(|_| Missing { name: "tag".to_owned(), reason: "the body was cut".to_owned() })
            .collect(),
        source: Source {
            ip: (pick(16, 4) > 0)
                .then(|| if n.is_multiple_of(2) { "203.0.113.7".parse() } else { "2001:db8::1".parse() }.unwrap()),
            user_agent: Some("Mozilla/5.0 (X11; Linux x86_64)".to_owned()),
        },
        request: (!own).then(|| RequestFacts {
            id: format!("req-{}", pick(17, 500)),
            method: "POST".to_owned(),
            path: format!("/api/v1/documents/{n}"),
            status: (!n.is_multiple_of(5)).then_some(201),
            duration_ms: n % 1000,
        }),
        rule: (!own).then(|| RuleFacts { file: "documents.toml".into(), version: "sha256:9f2c".into() }),
    }
}

fn actor(which: usize, own: bool) -> Actor {
    let some = |text: &str| Some(text.to_owned());
    match PEOPLE.get(which) {
        _ if own => Actor { kind: ActorKind::System, ..Actor::default() },
        Some((id, name, email)) if which == 1 => Actor {
            kind: ActorKind::Service,
            id: some(id),
            name: some(name),
            email: some(email),
            unknown_because: None,
        },
        Some((id, name, email)) => {
            Actor { kind: ActorKind::User, id: some(id), name: some(name), email: some(email), unknown_because: None }
        }
        None if which == 5 => Actor { kind: ActorKind::User, email: some("only@mail.example"), ..Actor::default() },
        None => Actor { unknown_because: some("the platform's /me answered 401"), ..Actor::default() },
    }
}

fn target(id: u64, name: &str) -> Target {
    Target {
        kind: if id.is_multiple_of(3) { "member" } else { "document" }.to_owned(),
        id: (!id.is_multiple_of(7)).then(|| id.to_string()),
        name: (!id.is_multiple_of(5)).then(|| name.to_owned()),
        link: None,
    }
}

/// Recomputes every log's numbers and hashes from the events alone. `all` is oldest first.
pub(crate) fn check_chains(all: &[Stored]) {
    let mut heads: BTreeMap<(bool, Option<String>), (u64, [u8; 32])> = BTreeMap::new();
    for stored in all {
        let event = &stored.event;
        let own = event.workspace.is_none() && event.rule.is_none();
        let (seq, hash) = heads.entry((own, event.workspace.as_deref().map(str::to_owned))).or_insert((0, [0; 32]));
        *seq += 1;
        let mut bytes = hash.to_vec();
        bytes.extend(canonical(event));
        *hash = Sha256::digest(bytes).into();
        assert_eq!((stored.seq, stored.hash), (*seq, *hash));
    }
}

fn canonical(event: &Event) -> Vec<u8> {
    let mut out = vec![if event.translations.is_empty() { 1 } else { 2 }];
    out.extend(event.id.as_bytes());
    out.extend(event.time.as_microsecond().to_be_bytes());
    maybe(&mut out, event.workspace.as_deref());
    for part in [&*event.category, &event.action, &event.title, &event.message.text] {
        text(&mut out, part);
    }
    marks(&mut out, &event.message.marks);
    text(&mut out, event.outcome.word());
    text(&mut out, event.actor.kind.word());
    for part in [&event.actor.id, &event.actor.name, &event.actor.email, &event.actor.unknown_because] {
        maybe(&mut out, part.as_deref());
    }
    number(&mut out, event.targets.len());
    for target in &event.targets {
        text(&mut out, &target.kind);
        for part in [&target.id, &target.name, &target.link] {
            maybe(&mut out, part.as_deref());
        }
    }
    number(&mut out, event.changes.len());
    for change in &event.changes {
        text(&mut out, &change.field);
        for part in [&change.from, &change.to] {
            maybe(&mut out, part.as_ref().map(Value::to_string).as_deref());
        }
    }
    text(&mut out, &Value::Object(event.details.clone()).to_string());
    number(&mut out, event.missing.len());
    for missing in &event.missing {
        text(&mut out, &missing.name);
        text(&mut out, &missing.reason);
    }
    maybe(&mut out, event.source.ip.map(|ip| ip.to_string()).as_deref());
    maybe(&mut out, event.source.user_agent.as_deref());
    out.push(event.request.is_some().into());
    if let Some(request) = &event.request {
        for part in [&request.id, &request.method, &request.path] {
            text(&mut out, part);
        }
        out.push(request.status.is_some().into());
        if let Some(status) = request.status {
            number(&mut out, status.into());
        }
        out.extend(request.duration_ms.to_be_bytes());
    }
    out.push(event.rule.is_some().into());
    if let Some(rule) = &event.rule {
        text(&mut out, &rule.file);
        text(&mut out, &rule.version);
    }
    if !event.translations.is_empty() {
        translations(&mut out, &event.translations);
    }
    out
}

fn translations(out: &mut Vec<u8>, translations: &[Translation]) {
    number(out, translations.len());
    for translation in translations {
        for part in [&*translation.language, &translation.title, &translation.message.text] {
            text(out, part);
        }
        marks(out, &translation.message.marks);
    }
}

fn marks(out: &mut Vec<u8>, marks: &[Mark]) {
    number(out, marks.len());
    for mark in marks {
        number(out, mark.start);
        number(out, mark.end);
        maybe(out, mark.link.as_deref());
    }
}

fn number(out: &mut Vec<u8>, number: usize) {
    out.extend((number as u64).to_be_bytes());
}

fn text(out: &mut Vec<u8>, text: &str) {
    number(out, text.len());
    out.extend(text.as_bytes());
}

fn maybe(out: &mut Vec<u8>, part: Option<&str>) {
    out.push(part.is_some().into());
    if let Some(part) = part {
        text(out, part);
    }
}
