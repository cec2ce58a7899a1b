//! Texts: literal pieces and expressions, split when they are loaded and each
//! evaluated alone, so that a missing value leaves `(unknown NAME)` and never a hole.

use std::ops::Range;
use std::sync::Arc;

use minijinja::Value;
use minijinja::value::ValueKind;

use super::expression::Expression;
use super::route::Wrong;
use super::scope::{Frame, thing_of};
use crate::event::{Mark, Message};

/// A value longer than this is cut: a sentence is read by people.
const LONGEST_VALUE: usize = 500;

/// A text, ready to be written.
#[derive(Debug, Default)]
pub(crate) struct Text {
    pieces: Vec<Piece>,
}

#[derive(Debug)]
enum Piece {
    Literal(Box<str>),
    Value { expression: Expression, name: Box<str> },
}

/// A value that a text asked for and did not find: its name, and the names its expression asked for.
pub(crate) struct Absent<'a> {
    pub(crate) name: String,
    pub(crate) asked: &'a [Box<str>],
}

/// The expressions of a text with their places in it.
pub(crate) fn split(text: &str) -> Result<Vec<(Range<usize>, bool)>, Wrong> {
    let mut pieces = Vec::new();
    let mut at = 0;
    while let Some(rest) = text.get(at..).filter(|rest| !rest.is_empty()) {
        let open = rest.find("{{");
        let literal = rest.get(..open.unwrap_or(rest.len())).unwrap_or(rest);
        if let Some(close) = literal.find("}}") {
            let close = at + close;
            return Err(Wrong { what: "unbalanced brace: `}}` without `{{`".to_owned(), at: close..close + 2 });
        }
        if let Some(block) = literal.find("{%").or_else(|| literal.find("{#")) {
            let block = at + block;
            return Err(Wrong {
                what: "a text has no `{% %}` blocks and no comments".to_owned(),
                at: block..block + 2,
            });
        }
        if !literal.is_empty() {
            pieces.push((at..at + literal.len(), false));
        }
        let Some(open) = open.map(|open| at + open) else { break };
        let Some(close) = end_of_expression(text, open + 2) else {
            return Err(Wrong { what: "unbalanced brace: `{{` without `}}`".to_owned(), at: open..open + 2 });
        };
        pieces.push((open + 2..close, true));
        at = close + 2;
    }
    Ok(pieces)
}

/// Where the `}}` of an expression stands, quotes skipped.
fn end_of_expression(text: &str, from: usize) -> Option<usize> {
    let bytes = text.as_bytes();
    let mut quote = None;
    let mut at = from;
    while let Some(byte) = bytes.get(at) {
        match (quote, byte) {
            (Some(open), byte) if *byte == open => quote = None,
            (None, b'"' | b'\'') => quote = Some(*byte),
            (None, b'}') if bytes.get(at + 1) == Some(&b'}') => return Some(at),
            (None, b'{') if bytes.get(at + 1) == Some(&b'{') => return None,
            _ => {}
        }
        at += 1;
    }
    None
}

impl Text {
    /// Reads a text; a mistake is told with its place in the text.
    pub(crate) fn parse(text: &str) -> Result<Text, Wrong> {
        let mut pieces = Vec::new();
        for (at, is_expression) in split(text)? {
            let part = text.get(at.clone()).unwrap_or("");
            if is_expression {
                let expression = Expression::compile(part).map_err(|what| Wrong { what, at })?;
                pieces.push(Piece::Value { name: display_name(part).into(), expression });
            } else {
                pieces.push(Piece::Literal(part.into()));
            }
        }
        Ok(Text { pieces })
    }

    /// The expressions that it holds.
    pub(crate) fn expressions(&self) -> impl Iterator<Item = &Expression> {
        self.pieces.iter().filter_map(|piece| match piece {
            Piece::Value { expression, .. } => Some(expression),
            Piece::Literal(_) => None,
        })
    }

    /// Writes it. What was missing comes back in order.
    pub(crate) fn write(&self, frame: &Arc<Frame>, prefix: &str) -> (Message, Vec<Absent<'_>>) {
        let mut message =
            Message { text: String::with_capacity(64), marks: Vec::with_capacity(self.pieces.len() / 2 + 1) };
        message.text.push_str(prefix);
        let mut absent = Vec::new();
        for piece in &self.pieces {
            match piece {
                Piece::Literal(text) => message.text.push_str(text),
                Piece::Value { expression, name } => {
                    let value = expression.value(frame);
                    let start = message.text.len();
                    if !write_value(&value, &mut message.text) {
                        message.text.push_str(&format!("(unknown {name})"));
                        absent.push(Absent { name: name.to_string(), asked: &expression.names });
                    }
                    let link = thing_of(&value).filter(|thing| thing.linked).and_then(|thing| thing.link.clone());
                    message.marks.push(Mark { start, end: message.text.len(), link });
                }
            }
        }
        (message, absent)
    }

    /// Writes it only if nothing is missing; `encode` is applied to each value.
    pub(crate) fn write_whole(&self, frame: &Arc<Frame>, encode: impl Fn(&str) -> String) -> Option<String> {
        let mut out = String::new();
        for piece in &self.pieces {
            match piece {
                Piece::Literal(text) => out.push_str(text),
                Piece::Value { expression, .. } => {
                    let mut value = String::new();
                    if !write_value(&expression.value(frame), &mut value) {
                        return None;
                    }
                    out.push_str(&encode(&value));
                }
            }
        }
        Some(out)
    }
}

/// What a missing value is called: the last word of the expression, filters and `_link` left out.
fn display_name(expression: &str) -> &str {
    let before_filters = expression.split('|').next().unwrap_or(expression).trim();
    let word = before_filters
        .rsplit(|letter: char| !(letter.is_alphanumeric() || letter == '_'))
        .find(|word| !word.is_empty())
        .unwrap_or("value");
    word.strip_suffix("_link").filter(|word| !word.is_empty()).unwrap_or(word)
}

/// Appends a value as people read it; false where there is nothing to read.
pub(crate) fn write_value(value: &Value, out: &mut String) -> bool {
    match value.kind() {
        ValueKind::Undefined | ValueKind::None | ValueKind::Invalid => return false,
        ValueKind::String => push_text(value.as_str().unwrap_or(""), out),
        ValueKind::Number => out.push_str(&value.to_string()),
        ValueKind::Bool => out.push_str(if value.is_true() { "true" } else { "false" }),
        ValueKind::Seq | ValueKind::Iterable => {
            let Ok(elements) = value.try_iter() else { return false };
            let mut list = String::new();
            for element in elements.take(50) {
                if !list.is_empty() {
                    list.push_str(", ");
                }
                write_value(&element, &mut list);
            }
            push_text(&list, out);
        }
        _ => match thing_of(value) {
            Some(thing) => match thing.label() {
                Some(label) => push_text(label, out),
                None => return false,
            },
            None => push_text(&serde_json::to_string(value).unwrap_or_default(), out),
        },
    }
    true
}

/// Appends text on one line: control characters become spaces, a long value is cut.
fn push_text(text: &str, out: &mut String) {
    // Control characters are these bytes, or begin with 0xC2 (U+0080 to U+009F).
    let plain = |byte: u8| (0x20..0xC2).contains(&byte) && byte != 0x7F || byte > 0xC2;
    if text.len() <= LONGEST_VALUE && text.bytes().all(plain) {
        return out.push_str(text);
    }
    let mut letters = text.chars();
    for letter in letters.by_ref().take(LONGEST_VALUE) {
        out.push(if letter.is_control() { ' ' } else { letter });
    }
    if letters.next().is_some() {
        out.push('…');
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_unbalanced_brace_is_found_at_its_place() {
        for (text, at) in
            [("Deleted {variable}}", 17..19), ("a {{ b", 2..4), ("{{ a {{ b }}", 0..2), ("x {% if %}", 2..4)]
        {
            assert_eq!(Text::parse(text).unwrap_err().at, at, "{text}");
        }
        assert!(Text::parse("a { b } c {{ '}}' }}").is_ok());
    }

    #[test]
    fn a_missing_value_is_called_by_its_last_word() {
        for (expression, name) in
            [("input.role", "role"), ("each | bare_url", "each"), ("document_link", "document"), ("header['x-y']", "y")]
        {
            assert_eq!(display_name(expression), name);
        }
    }

    #[test]
    fn a_value_stays_on_its_line_and_is_cut() {
        let mut out = String::new();
        write_value(&Value::from("a\nb\u{1b}[31m"), &mut out);
        assert_eq!(out, "a b [31m");
        out.clear();
        write_value(&Value::from("é".repeat(900)), &mut out);
        assert_eq!(out.chars().count(), LONGEST_VALUE + 1);
    }

    #[test]
    fn a_hole_is_named_and_marked() {
        let text = Text::parse("deleted {{ input.tag }} to {{ document }}").unwrap();
        let (message, absent) = text.write(&Arc::new(Frame::default()), "Failed: ");
        assert_eq!(message.text, "Failed: deleted (unknown tag) to (unknown document)");
        assert_eq!(message.marks.len(), 2);
        assert_eq!(&message.text[message.marks[0].start..message.marks[0].end], "(unknown tag)");
        assert_eq!(absent.len(), 2);
    }
}
