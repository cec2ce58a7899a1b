//! What the code of a problem means, and the way out: `sidetrail explain CODE`.

/// What a code means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Explanation {
    /// `or-in-value`
    pub code: &'static str,
    /// What is wrong, and why it is refused.
    pub means: &'static str,
    /// How it looks when it is wrong; empty where a line would say nothing.
    pub wrong: &'static str,
    /// How it looks when it is right.
    pub right: &'static str,
}

/// The explanation of a code.
pub fn explain(code: &str) -> Option<&'static Explanation> {
    ALL.iter().find(|known| known.code == code)
}

/// All codes, in the order of the alphabet.
pub fn all() -> &'static [Explanation] {
    ALL
}

const fn of(code: &'static str, means: &'static str, wrong: &'static str, right: &'static str) -> Explanation {
    Explanation { code, means, wrong, right }
}

const ALL: &[Explanation] = &[
    of(
        "after-test",
        "A key of the action stands below its test. TOML puts every line below `[[….test]]` into the test, so the \
         action would never see it.",
        "[[document.deleted.test]]\nsend = \"DELETE /documents/7\"\nmessage = \"deleted {{ document }}\"",
        "message = \"deleted {{ document }}\"\n\n[[document.deleted.test]]\nsend = \"DELETE /documents/7\"",
    ),
    of(
        "ambiguous",
        "Two rules stand at the same route and nothing tells them apart: both would always fire, or one acts where \
         another ignores. The order of rules and files never decides.",
        "[document.deleted]\nwhen = \"DELETE /documents/{id}\"\n[document.removed]\nwhen = \"DELETE /documents/{name}\"",
        "one action; or an `if`, `changed`, `each` or `otherwise` that tells them apart",
    ),
    of(
        "bad-value",
        "A value of the configuration makes no sense, or cannot be used on this machine.",
        "connections_max = 0",
        "connections_max = 16384",
    ),
    of(
        "block-in-text",
        "A text holds literal words and `{{ expression }}`, nothing else: no `{% %}` blocks, no comments. Conditions \
         belong into `if`, several sentences into several actions.",
        "message = \"{% if input.on %}on{% endif %}\"",
        "message = \"turned on\"\nif = \"input.on\"",
    ),
    of(
        "duplicate-action",
        "Two headings have the same name. One would replace the other, and which one would depend on the order of files.",
        "[document.deleted] in two files",
        "another verb, or both routes in one `when = [\"…\", \"…\"]`",
    ),
    of(
        "duplicate-identity",
        "`[identity]` stands in two files. There is one for all rules: who is meant must not depend on the file.",
        "",
        "put both into one",
    ),
    of(
        "expression",
        "The expression is not valid Jinja.",
        "if = \"input.role = 'admin'\"",
        "if = \"input.role == 'admin'\"",
    ),
    of(
        "late-scalar",
        "A key of the file stands below a heading, where TOML makes it a key of that heading.",
        "[document.deleted]\ncategory = \"Documents\"\nprefix = \"/api\"",
        "category = \"Documents\"\nprefix = \"/api\"\n\n[document.deleted]",
    ),
    of(
        "missing-key",
        "A key that cannot be left out is not there.",
        "[document.deleted]\nmessage = \"deleted\"",
        "[document.deleted]\nwhen = \"DELETE /documents/{id}\"\nmessage = \"deleted\"",
    ),
    of(
        "name-taken",
        "A kind is called like a name that every expression knows (`path`, `input`, `output`, `each` …): it would hide it. \
         Only `workspace` may be both.",
        "[kind.output]",
        "[kind.result]",
    ),
    of(
        "never-fires",
        "This rule can never give an event: what it asks for cannot be there together.",
        "",
        "take the rule out, or the part that excludes the rest",
    ),
    of(
        "no-endpoint",
        "A route names a call (`mutation`, `query`, `rpc`), and the file does not say at which path such calls are made.",
        "when = \"mutation createSecret\"",
        "graphql = \"/graphql\"\n\n[secret.created]\nwhen = \"mutation createSecret\"",
    ),
    of("no-rules", "A folder holds no `*.toml`.", "", "name another folder in `rules.paths`, or a file"),
    of(
        "not-here",
        "The expression asks for something that this rule never has: a kind that neither route, `target` nor `with` \
         brings, `each` without `each`, a `path.x` that no route of `when` has. It would always be unknown.",
        "when = \"DELETE /documents/{id}\"\nmessage = \"deleted {{ path.document }}\"",
        "when = \"DELETE /documents/{id}\"\nmessage = \"deleted {{ path.id }}\"",
    ),
    of(
        "not-in-this-version",
        "The language has it, this version does not. It is refused by name, so that no rule is silently weaker than it reads.",
        "guarantee = \"intent\"",
        "guarantee = \"outcome\"",
    ),
    of(
        "or-in-value",
        "`or` takes the second value when the first is 0, false or an empty text. A list takes the first value that is there.",
        "let.count = \"input.count or output.count\"",
        "let.count = [\"input.count\", \"output.count\"]",
    ),
    of(
        "order-of-missing",
        "In Jinja a missing value is below every number: `missing < 400` is true. `is below(n)` and `is above(n)` are \
         false where the value is missing.",
        "success = \"joined.code < 400\"",
        "success = \"joined.code is below(400)\"",
    ),
    of(
        "persisted-queries",
        "A file of persisted GraphQL queries is a JSON object from hash to query text.",
        "[\"query { me { id } }\"]",
        "{ \"ecf4edb46db40b51…\": \"query { me { id } }\" }",
    ),
    of(
        "route",
        "A route is `METHOD /template`, `METHOD|METHOD /template`, `ANY /template`, `mutation NAME`, `query NAME` or \
         `rpc NAME`. In a template: `{name}`, `{name:regex}`, `pre_{name}`, and `{*rest}` at the end.",
        "when = \"/documents/{id}\"",
        "when = \"DELETE /documents/{id}\"",
    ),
    of(
        "secret-named",
        "The rule names a field that usually holds a secret: its value would stand in the log for good.",
        "let.password = \"input.password\"",
        "let.password = \"input.password | mask\"   # or `fingerprint`, or leave it out",
    ),
    of(
        "shadowed",
        "A more specific route takes this address from a general one whose kind differs: events of the general rule stop \
         there. That is how routes work, and now and then not what was meant.",
        "",
        "nothing, if it was meant; else add the general rule's action to the narrow route",
    ),
    of(
        "store-in-use",
        "Another sidetrail writes to this store. One at a time can.",
        "",
        "end the other one before this one starts",
    ),
    of(
        "test-failed",
        "A test inside a rule file is not met. `-` is what it expects, `+` what came.",
        "",
        "mend the rule or the test",
    ),
    of("toml", "The file is not TOML (1.0).", "message = deleted", "message = \"deleted\""),
    of("toml-syntax", "The configuration is not TOML (1.0).", "listen = 127.0.0.1:8080", "listen = \"127.0.0.1:8080\""),
    of(
        "unbalanced-brace",
        "`{{` without `}}`, or the other way round.",
        "message = \"deleted {{ document }\"",
        "message = \"deleted {{ document }}\"",
    ),
    of(
        "unknown-key",
        "There is no such key here. A misspelt key that is ignored is a rule that does not do what it reads.",
        "whne = \"POST /documents\"",
        "when = \"POST /documents\"",
    ),
    of("unknown-kind", "No `[kind.NAME]` of any file has this name.", "target = \"documnet\"", "target = \"document\""),
    of(
        "unknown-name",
        "An expression begins with a name that nothing brings, or asks for a filter or test that does not exist.",
        "if = \"inputs.role == 'admin'\"",
        "if = \"input.role == 'admin'\"",
    ),
    of("unreadable", "A rule file or folder cannot be read.", "", "look at its name and its permissions"),
    of("unreadable-file", "The configuration cannot be read.", "", "name another with --config"),
    of(
        "untested",
        "An action has no test below it. Only `check --strict` minds.",
        "",
        "[[document.deleted.test]]\nsend = \"DELETE /documents/7\"\nexpect = \"deleted 7\"",
    ),
    of("wrong-type", "The key takes another sort of value.", "when = 7", "when = \"POST /documents\""),
    of(
        "wrong-value",
        "The key takes this sort of value, but not this one.",
        "coalesce = \"soon\"",
        "coalesce = \"5m\"",
    ),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_stand_in_order_and_each_once() {
        assert!(all().windows(2).all(|pair| pair[0].code < pair[1].code));
        assert_eq!(explain("or-in-value").unwrap().code, "or-in-value");
        assert_eq!(explain("nonsense"), None);
    }
}
