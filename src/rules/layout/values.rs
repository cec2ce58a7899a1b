//! Values: on one line, or over several where they were written so.

use toml_edit::{Array, InlineTable, Key, RawString, Value};

use super::{comments, push_comment, spelt, text_of};

/// Spaces of an element in a list over several lines.
const INDENT: usize = 4;

/// A value on one line, or over several where it was written so.
pub(super) fn shown(value: &Value, indent: usize) -> String {
    match value {
        Value::Array(array) => list(array, indent),
        Value::InlineTable(table) => inline(table, indent),
        Value::String(text) => text.display_repr().into_owned(),
        Value::Integer(number) => number.display_repr().into_owned(),
        Value::Float(number) => number.display_repr().into_owned(),
        Value::Boolean(truth) => truth.display_repr().into_owned(),
        Value::Datetime(time) => time.display_repr().into_owned(),
    }
}

fn list(array: &Array, indent: usize) -> String {
    let elements: Vec<Element> = array.iter().map(|value| Element::new(value, "", indent)).collect();
    enclose("[", elements, array.trailing(), "]", indent)
}

fn inline(table: &InlineTable, indent: usize) -> String {
    let element = |(path, value): (Vec<&Key>, &Value)| {
        let name = path.iter().map(|key| spelt(key)).collect::<Vec<_>>().join(".");
        let above = path.last().map(|key| text_of(key.leaf_decor().prefix())).unwrap_or_default();
        Element::new(value, above, indent).named(&name)
    };
    let elements: Vec<Element> = table.get_values().into_iter().map(element).collect();
    enclose("{ ", elements, table.trailing(), " }", indent)
}

/// An element of a list or of an inline table.
struct Element {
    above: String,
    text: String,
    beside: String,
}

impl Element {
    fn new(value: &Value, above: &str, indent: usize) -> Element {
        let decor = value.decor();
        Element {
            above: format!("{above}{}", text_of(decor.prefix())),
            text: shown(value, indent + INDENT),
            beside: text_of(decor.suffix()).to_owned(),
        }
    }

    fn named(mut self, name: &str) -> Element {
        self.text = format!("{name} = {}", self.text);
        self
    }
}

fn enclose(open: &str, elements: Vec<Element>, trailing: &RawString, close: &str, indent: usize) -> String {
    let trailing = trailing.as_str().unwrap_or_default();
    let is_long = trailing.contains('\n')
        || elements.iter().any(|element| element.above.contains('\n') || element.beside.contains('\n'));
    if elements.is_empty() && trailing.trim().is_empty() {
        return format!("{}{}", open.trim(), close.trim());
    }
    if !is_long {
        let texts: Vec<String> = elements.into_iter().map(|element| element.text).collect();
        return format!("{open}{}{close}", texts.join(", "));
    }
    let (inner, outer) = (" ".repeat(indent + INDENT), " ".repeat(indent));
    let mut out = open.trim().to_owned();
    for element in elements {
        // What stands before an element on the line of the one before is that one's comment.
        let (beside, above) = element.above.split_once('\n').unwrap_or(("", &element.above));
        push_comment(&mut out, beside, 0);
        out.push('\n');
        for line in comments(above).iter().filter(|line| !line.is_empty()) {
            out.push_str(&inner);
            out.push_str(line);
            out.push('\n');
        }
        out.push_str(&inner);
        out.push_str(&element.text);
        out.push(',');
        push_comment(&mut out, &element.beside, 0);
    }
    let (beside, below) = trailing.split_once('\n').unwrap_or(("", trailing));
    push_comment(&mut out, beside, 0);
    out.push('\n');
    for line in comments(below).iter().filter(|line| !line.is_empty()) {
        out.push_str(&inner);
        out.push_str(line);
        out.push('\n');
    }
    format!("{out}{outer}{}", close.trim())
}
