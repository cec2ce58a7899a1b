//! Expressions: Jinja, compiled once, evaluated with bounded fuel.
//!
//! Most expressions are a plain path (`input.role`); those are looked up
//! without the engine. A missing value is never an error: it is undefined,
//! however deep one looks. An evaluation that fails is a missing value too.

use std::sync::{Arc, LazyLock};

use minijinja::{Environment, ErrorKind, UndefinedBehavior, Value};

use super::filters;
use super::route::is_name;
use super::scope::Frame;
use crate::problem::nearest;

/// One evaluation may take this many steps: far beyond any sensible rule, well under a millisecond.
const FUEL: u64 = 20_000;

static ENVIRONMENT: LazyLock<Environment<'static>> = LazyLock::new(|| {
    let mut environment = Environment::new();
    environment.set_undefined_behavior(UndefinedBehavior::Chainable);
    environment.set_fuel(Some(FUEL));
    environment.set_recursion_limit(64);
    filters::add_to(&mut environment);
    environment
});

/// Words of the language that are not names.
const KEYWORDS: [&str; 15] =
    ["true", "false", "none", "True", "False", "None", "not", "and", "or", "in", "is", "if", "else", "null", "self"];

/// An expression, ready to be evaluated.
#[derive(Debug)]
pub(crate) struct Expression {
    /// As it was written.
    pub(crate) text: Box<str>,
    form: Form,
    /// The dotted names that it asks for: `input.invitations`, `each.email`.
    pub(crate) names: Vec<Box<str>>,
}

#[derive(Debug)]
enum Form {
    Path(Box<[Arc<str>]>),
    /// A path compared with a text: `joined.status != 'error'`.
    Compared {
        path: Box<[Arc<str>]>,
        equal: bool,
        text: Value,
    },
    Code(minijinja::Expression<'static, 'static>),
}

impl Expression {
    /// Compiles it; the error is the engine's own words.
    pub(crate) fn compile(text: &str) -> Result<Expression, String> {
        let text = text.trim();
        if is_plain_path(text) {
            let path = text.split('.').map(Arc::from).collect();
            return Ok(Expression { text: text.into(), form: Form::Path(path), names: vec![text.into()] });
        }
        if let Some((path, equal, literal)) = comparison(text) {
            let names = vec![path.into()];
            let path = path.split('.').map(Arc::from).collect();
            return Ok(Expression {
                text: text.into(),
                form: Form::Compared { path, equal, text: Value::from(literal) },
                names,
            });
        }
        let code = ENVIRONMENT
            .compile_expression_owned(text.to_owned())
            .map_err(|error| error.detail().map_or_else(|| error.to_string(), str::to_owned))?;
        if let Some(unknown) = unknown_word(text) {
            return Err(unknown);
        }
        let mut names: Vec<Box<str>> =
            code.undeclared_variables(true).into_iter().map(String::into_boxed_str).collect();
        names.sort();
        Ok(Expression { text: text.into(), form: Form::Code(code), names })
    }

    /// Its value in a frame; undefined where anything is missing or goes wrong.
    pub(crate) fn value(&self, frame: &Arc<Frame>) -> Value {
        match &self.form {
            Form::Path(path) => frame.look_up(path),
            Form::Compared { path, equal, text } => Value::from((frame.look_up(path) == *text) == *equal),
            Form::Code(code) => {
                let root = Value::from_dyn_object(Arc::clone(frame));
                code.eval(root)
                    .ok()
                    .filter(|value| value.kind() != minijinja::value::ValueKind::Invalid)
                    .unwrap_or_default()
            }
        }
    }

    /// The first words of the names that it asks for.
    pub(crate) fn roots(&self) -> impl Iterator<Item = &str> {
        self.names.iter().map(|name| name.split('.').next().unwrap_or(name))
    }
}

/// The parts of `path == 'text'` and `path != 'text'`: the path, whether `==`, the text.
fn comparison(text: &str) -> Option<(&str, bool, &str)> {
    let (at, equal) = match (text.find("=="), text.find("!=")) {
        (Some(at), None) => (at, true),
        (None, Some(at)) => (at, false),
        _ => return None,
    };
    let path = text.get(..at)?.trim_end();
    let literal = text.get(at + 2..)?.trim_start();
    let inside = ['\'', '"'].into_iter().find_map(|quote| literal.strip_prefix(quote)?.strip_suffix(quote))?;
    (is_plain_path(path) && !inside.contains(['\'', '"', '\\'])).then_some((path, equal, inside))
}

fn is_plain_path(text: &str) -> bool {
    text.split('.').all(is_name) && text.split('.').next().is_some_and(|first| !KEYWORDS.contains(&first))
}

/// Whether a value is there: neither missing nor null.
pub(crate) fn is_there(value: &Value) -> bool {
    !value.is_undefined() && !value.is_none()
}

/// A list of expressions: the first value that is there.
#[derive(Debug, Default)]
pub(crate) struct Chain(pub(crate) Vec<Expression>);

impl Chain {
    /// The first value that is there, else undefined.
    pub(crate) fn value(&self, frame: &Arc<Frame>) -> Value {
        self.0.iter().map(|expression| expression.value(frame)).find(is_there).unwrap_or_default()
    }

    /// The first words of the names that any of them asks for.
    pub(crate) fn roots(&self) -> impl Iterator<Item = &str> {
        self.0.iter().flat_map(Expression::roots)
    }

    /// Every dotted name that any of them asks for.
    pub(crate) fn names(&self) -> impl Iterator<Item = &str> {
        self.0.iter().flat_map(|expression| expression.names.iter().map(|name| &**name))
    }
}

/// A value as text for comparing and for ids: text, numbers and booleans; nothing for the rest.
pub(crate) fn as_text(value: &Value) -> Option<String> {
    use minijinja::value::ValueKind;
    if let Some(text) = value.as_str() {
        return Some(text.to_owned());
    }
    match value.kind() {
        ValueKind::String | ValueKind::Number => Some(value.to_string()),
        // Jinja's own words for them are Python's.
        ValueKind::Bool => Some(value.is_true().to_string()),
        _ => super::scope::thing_of(value).and_then(|thing| thing.label().map(str::to_owned)),
    }
}

/// The id that a value is or holds.
pub(crate) fn as_id(value: &Value) -> Option<String> {
    match super::scope::thing_of(value) {
        Some(thing) => thing.id.clone(),
        None => as_text(value).filter(|id| !id.is_empty()),
    }
}

/// Follows a dotted path inside a value; `.` is the value itself.
pub(crate) fn dig(value: &Value, path: &str) -> Value {
    if path == "." {
        return value.clone();
    }
    let Some((first, mut rest)) = path.split_once('.') else { return attribute(value, path) };
    let mut at = attribute(value, first);
    while let Some((word, after)) = rest.split_once('.') {
        at = attribute(&at, word);
        rest = after;
    }
    attribute(&at, rest)
}

/// A field of a value; undefined where there is none. Asking the engine itself would make an error out of that.
pub(crate) fn attribute(value: &Value, name: &str) -> Value {
    value.as_object().and_then(|object| object.get_value_by_str(name)).unwrap_or_default()
}

/// A part of an expression outside quotes that the language refuses, and where.
pub(crate) enum Trap {
    /// ` or `: skips 0, false and "".
    Or,
    /// `<`, `<=`, `>`, `>=`: a missing value is below everything.
    Order,
}

/// A filter or test that does not exist; the engine would say so only when the expression is evaluated.
fn unknown_word(text: &str) -> Option<String> {
    let mut before = "";
    let mut state = ENVIRONMENT.empty_state();
    for word in words(text) {
        let is_word = word.starts_with(|letter: char| letter.is_alphabetic() || letter == '_');
        let unknown = match before {
            "|" if is_word => {
                let found = state.apply_filter(word, &[Value::UNDEFINED]);
                found.is_err_and(|error| error.kind() == ErrorKind::UnknownFilter).then_some("filter")
            }
            "is" if is_word && word != "not" => {
                let found = state.perform_test(word, &[Value::UNDEFINED]);
                found.is_err_and(|error| error.kind() == ErrorKind::UnknownTest).then_some("test")
            }
            _ => None,
        };
        if let Some(what) = unknown {
            let near = nearest(word, filters::KNOWN.iter().copied());
            let near = near.map(|near| format!("; did you mean `{near}`?")).unwrap_or_default();
            return Some(format!("there is no {what} `{word}`{near}"));
        }
        if !(before == "is" && word == "not") {
            before = word;
        }
    }
    None
}

/// The words and signs of an expression, quoted texts left out.
fn words(text: &str) -> impl Iterator<Item = &str> {
    let mut rest = text;
    std::iter::from_fn(move || {
        rest = rest.trim_start();
        let first = rest.chars().next()?;
        let length = if first == '"' || first == '\'' {
            let mut escaped = false;
            let end = rest.char_indices().skip(1).find(|(_, letter)| {
                let is_end = *letter == first && !escaped;
                escaped = *letter == '\\' && !escaped;
                is_end
            });
            end.map_or(rest.len(), |(at, _)| at + 1)
        } else if first.is_alphanumeric() || first == '_' {
            rest.find(|letter: char| !letter.is_alphanumeric() && letter != '_').unwrap_or(rest.len())
        } else {
            first.len_utf8()
        };
        let (word, after) = rest.split_at(length);
        rest = after;
        Some(word)
    })
}

/// The first ` or ` or comparison of order outside quotes.
pub(crate) fn traps(text: &str) -> Vec<(Trap, std::ops::Range<usize>)> {
    let bytes = text.as_bytes();
    let word = |at: Option<usize>| {
        at.and_then(|at| bytes.get(at)).is_some_and(|byte| byte.is_ascii_alphanumeric() || *byte == b'_')
    };
    let (mut quote, mut found, mut skip) = (None, Vec::new(), false);
    for (at, byte) in bytes.iter().enumerate() {
        if skip {
            skip = false;
            continue;
        }
        match (quote, byte) {
            (Some(_), b'\\') => skip = true,
            (Some(open), byte) if *byte == open => quote = None,
            (Some(_), _) => {}
            (None, b'"' | b'\'') => quote = Some(*byte),
            (None, b'<' | b'>') => {
                let wide = bytes.get(at + 1) == Some(&b'=');
                found.push((Trap::Order, at..at + 1 + usize::from(wide)));
            }
            (None, b'o') if bytes.get(at + 1) == Some(&b'r') && !word(at.checked_sub(1)) && !word(Some(at + 2)) => {
                found.push((Trap::Or, at..at + 2));
            }
            _ => {}
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rules::scope::Facts;

    fn value(text: &str) -> Value {
        let facts = Facts {
            input: Value::from_serialize_json(r#"{"a":{"b":1},"text":"error","zero":0,"no":false,"null":null}"#),
            ..Facts::default()
        };
        Expression::compile(text).unwrap().value(&Arc::new(Frame::of(Arc::new(facts))))
    }

    trait FromJson {
        fn from_serialize_json(text: &str) -> Value;
    }

    impl FromJson for Value {
        fn from_serialize_json(text: &str) -> Value {
            Value::from(minijinja::value::Serde(serde_json::from_str::<serde_json::Value>(text).unwrap()))
        }
    }

    #[test]
    fn a_missing_value_stays_missing_however_deep_one_looks() {
        for text in [
            "input.x.y.z",
            "nothing.at.all",
            "input.a.b.c",
            "input['x'].y",
            "(input.x).y.z",
            "input.x | upper",
            "input.x | bare_url",
        ] {
            assert!(!is_there(&value(text)), "{text} is {:?}", value(text));
        }
        for text in ["input.x", "input.x == 1", "input.x.y and true", "not (input.zero is defined)", "changed('x')"] {
            assert!(!value(text).is_true(), "{text}");
        }
    }

    #[test]
    fn a_comparison_with_a_text_says_what_the_engine_says() {
        for path in ["input.text", "input.zero", "input.a", "input.x.y", "nothing", "input.no"] {
            for operator in ["==", "!="] {
                for literal in ["'error'", "\"0\"", "''", "'false'"] {
                    let text = format!("{path} {operator} {literal}");
                    assert!(matches!(Expression::compile(&text).unwrap().form, Form::Compared { .. }), "{text}");
                    let engine = format!("({path}) {operator} ({literal})");
                    assert!(matches!(Expression::compile(&engine).unwrap().form, Form::Code(_)), "{engine}");
                    assert_eq!(value(&text), value(&engine), "{text}");
                }
            }
        }
        for other in ["a == 'b' == 'c'", "a != 'b' and c == 'd'", "true == 'x'", "a == 'b\\n'", "a == 'b' ~ 'c'"] {
            assert!(comparison(other).is_none(), "{other}");
        }
    }

    #[test]
    fn a_chain_takes_the_first_value_that_is_there_and_zero_is() {
        let chain = Chain(
            ["input.null", "input.x", "input.zero", "input.a"]
                .iter()
                .map(|text| Expression::compile(text).unwrap())
                .collect(),
        );
        let facts = Facts { input: value("input"), ..Facts::default() };
        assert_eq!(chain.value(&Arc::new(Frame::of(Arc::new(facts)))).to_string(), "0");
    }

    #[test]
    fn an_endless_expression_ends_as_a_missing_value() {
        let long = "range(9000) | map('string') | map('upper') | map('lower') | list | join('')";
        let text = format!("[{long}, {long}, {long}, {long}, {long}]");
        let started = std::time::Instant::now();
        let _ = value(&text);
        assert!(started.elapsed().as_secs() < 5);
    }

    #[test]
    fn a_filter_and_a_test_that_do_not_exist_are_told_when_the_expression_is_read() {
        let wrong = |text: &str| Expression::compile(text).unwrap_err();
        assert_eq!(wrong("input.a | uper"), "there is no filter `uper`; did you mean `upper`?");
        assert_eq!(wrong("input.a is definde"), "there is no test `definde`; did you mean `defined`?");
        assert!(wrong("input.a is not bellow(4)").contains("`bellow`"));
        for right in [
            "input.a | upper",
            "input.a is not defined",
            "input['x | y'] | lower | trim",
            "a is below(4) and b is sequence",
        ] {
            assert!(Expression::compile(right).is_ok(), "{right}");
        }
    }

    #[test]
    fn traps_are_found_outside_quotes_only() {
        let kinds = |text: &str| traps(text).len();
        assert_eq!(kinds("a or b"), 1);
        assert_eq!(kinds("'a or b' ~ colour.order"), 0);
        assert_eq!(kinds("a <= 4"), 1);
        assert_eq!(kinds(r"'\' <' == x"), 0);
    }
}
