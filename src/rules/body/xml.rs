//! XML as a value: elements are tables of what stands in them.
//!
//! `<order no="7"><item>a</item><item>b</item></order>` is
//! `{"order": {"@no": "7", "item": ["a", "b"]}}`: an attribute has an `@`, a
//! name that comes again has a list, an element of nothing but text is that
//! text (beside others it is `#text`), prefixes of namespaces are left out.
//! Everything is text, as in a form.
//!
//! A DOCTYPE is refused: what it could declare (entities, defaults, files) would
//! have to be guessed or fetched.

use minijinja::Value;

use super::table;

/// Elements nested deeper than this are not read.
const DEEPEST: usize = 128;

/// An element whose end has not come.
#[derive(Default)]
struct Element {
    name: String,
    inside: Vec<(String, Vec<Value>)>,
    text: String,
}

impl Element {
    fn add(&mut self, name: &str, value: Value) {
        match self.inside.iter_mut().find(|(known, _)| known == name) {
            Some((_, values)) => values.push(value),
            None => self.inside.push((name.to_owned(), vec![value])),
        }
    }

    fn value(self) -> Value {
        let text = self.text.trim();
        if self.inside.is_empty() {
            return Value::from(text);
        }
        let one = |(name, mut values): (String, Vec<Value>)| {
            let value = if values.len() > 1 { Value::from(values) } else { values.pop().unwrap_or_default() };
            (name, value)
        };
        let mut inside: Vec<(String, Value)> = self.inside.into_iter().map(one).collect();
        if !text.is_empty() {
            inside.push(("#text".to_owned(), Value::from(text)));
        }
        table(inside.iter().map(|(name, value)| (name.as_str(), value.clone())).collect())
    }
}

/// Reads a document; an error says what cannot be read, never its text.
pub(super) fn read(text: &str) -> Result<Value, &'static str> {
    let mut open: Vec<Element> = vec![Element::default()];
    let mut rest = text;
    while let Some(at) = rest.find('<') {
        let (before, tag) = rest.split_at(at);
        if let Some(element) = open.last_mut() {
            element.text.push_str(&undone(before)?);
        }
        rest = after_tag(tag, &mut open)?;
        if open.len() > DEEPEST {
            return Err("it is nested too deep");
        }
    }
    let root = open.pop().filter(|_| open.is_empty()).ok_or("it ends too early")?;
    if !rest.trim().is_empty() || root.inside.len() != 1 || !root.text.trim().is_empty() {
        return Err("it has no single root");
    }
    Ok(root.value())
}

/// Reads what begins with `<`; what stands behind it comes back.
fn after_tag<'t>(tag: &'t str, open: &mut Vec<Element>) -> Result<&'t str, &'static str> {
    for (begin, end) in [("<!--", "-->"), ("<?", "?>")] {
        if let Some(inside) = tag.strip_prefix(begin) {
            return inside.split_once(end).map(|(_, rest)| rest).ok_or("it ends too early");
        }
    }
    if let Some(inside) = tag.strip_prefix("<![CDATA[") {
        let (text, rest) = inside.split_once("]]>").ok_or("it ends too early")?;
        if let Some(element) = open.last_mut() {
            element.text.push_str(text);
        }
        return Ok(rest);
    }
    if tag.starts_with("<!") {
        return Err("it has a DOCTYPE");
    }
    let end = end_of_tag(tag).ok_or("it ends too early")?;
    let (inside, rest) = (tag.get(1..end).unwrap_or(""), tag.get(end + 1..).unwrap_or(""));
    if let Some(name) = inside.strip_prefix('/') {
        let closed = open.pop().filter(|element| element.name == name.trim()).ok_or("its elements do not match")?;
        let name = local(&closed.name).to_owned();
        open.last_mut().ok_or("its elements do not match")?.add(&name, closed.value());
        return Ok(rest);
    }
    let (inside, is_empty) = inside.strip_suffix('/').map_or((inside, false), |inside| (inside, true));
    let element = begun(inside)?;
    if is_empty {
        let name = local(&element.name).to_owned();
        open.last_mut().ok_or("its elements do not match")?.add(&name, element.value());
    } else {
        open.push(element);
    }
    Ok(rest)
}

/// Where the `>` of a tag stands, quoted values skipped.
fn end_of_tag(tag: &str) -> Option<usize> {
    let mut quote = None;
    tag.char_indices().find_map(|(at, letter)| match (quote, letter) {
        (Some(open), letter) => {
            if letter == open {
                quote = None;
            }
            None
        }
        (None, '"' | '\'') => {
            quote = Some(letter);
            None
        }
        (None, '>') => Some(at),
        _ => None,
    })
}

/// An element with its attributes.
fn begun(inside: &str) -> Result<Element, &'static str> {
    let mistake = "a mistake in a tag";
    let (name, mut rest) = inside.split_once(char::is_whitespace).unwrap_or((inside, ""));
    let is_name = |name: &str| {
        name.starts_with(|letter: char| letter.is_alphabetic() || letter == '_')
            && !name.contains(['<', '&', '"', '\''])
    };
    if !is_name(name) {
        return Err(mistake);
    }
    let mut element = Element { name: name.to_owned(), ..Element::default() };
    loop {
        rest = rest.trim_start();
        if rest.is_empty() {
            return Ok(element);
        }
        let (name, after) = rest.split_once('=').ok_or(mistake)?;
        let (name, after) = (name.trim(), after.trim_start());
        let quote = after.chars().next().filter(|quote| ['"', '\''].contains(quote)).ok_or(mistake)?;
        let (value, after) = after.get(1..).and_then(|after| after.split_once(quote)).ok_or(mistake)?;
        if !is_name(name) {
            return Err(mistake);
        }
        if name != "xmlns" && !name.starts_with("xmlns:") {
            element.add(&format!("@{}", local(name)), Value::from(undone(value)?));
        }
        rest = after;
    }
}

/// A name without the prefix of its namespace.
fn local(name: &str) -> &str {
    name.rsplit(':').next().unwrap_or(name)
}

/// Text with its references undone: the five of XML itself, and numbers.
fn undone(text: &str) -> Result<String, &'static str> {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some((before, after)) = rest.split_once('&') {
        out.push_str(before);
        let unknown = "an unknown entity";
        let (name, after) = after.split_once(';').ok_or(unknown)?;
        out.push(match name {
            "lt" => '<',
            "gt" => '>',
            "amp" => '&',
            "apos" => '\'',
            "quot" => '"',
            _ => {
                let number = name.strip_prefix('#').ok_or(unknown)?;
                let code = match number.strip_prefix('x') {
                    Some(hex) => u32::from_str_radix(hex, 16),
                    None => number.parse(),
                };
                code.ok().and_then(char::from_u32).ok_or(unknown)?
            }
        });
        rest = after;
    }
    out.push_str(rest);
    Ok(out)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::rules::expression::dig;

    #[test]
    fn elements_attributes_and_texts_have_names() {
        let text = r#"<?xml version="1.0"?><!-- x --><s:Envelope xmlns:s="urn:s"><s:Body>
            <Delete quiet='a &gt; "b"'><Object><Key>a&amp;b&#33;</Key></Object><Object><Key><![CDATA[<c>]]></Key></Object><Last/></Delete>
            </s:Body></s:Envelope>"#;
        let value = read(text).unwrap();
        let delete = dig(&value, "Envelope.Body.Delete");
        assert_eq!(dig(&delete, "@quiet").as_str(), Some("a > \"b\""));
        let objects = dig(&delete, "Object");
        let key = |at: usize| dig(&objects.get_item_by_index(at).unwrap(), "Key");
        assert_eq!((key(0).as_str(), key(1).as_str()), (Some("a&b!"), Some("<c>")));
        assert_eq!(dig(&delete, "Last").as_str(), Some(""));
    }

    #[test]
    fn what_would_have_to_be_guessed_is_refused() {
        for (text, why) in [
            ("<!DOCTYPE a [<!ENTITY x \"y\">]><a>&x;</a>", "it has a DOCTYPE"),
            ("<a>&x;</a>", "an unknown entity"),
            ("<a><b></a></b>", "its elements do not match"),
            ("<a>", "it ends too early"),
            ("<a/><b/>", "it has no single root"),
            ("x", "it has no single root"),
            ("<a b=c/>", "a mistake in a tag"),
        ] {
            assert_eq!(read(text).unwrap_err(), why, "{text}");
        }
        assert_eq!(read(&"<a>".repeat(500)).unwrap_err(), "it is nested too deep");
    }

    proptest! {
        #[test]
        fn no_text_makes_it_panic(text in "[<>/a-c!?\\[\\]&;#x=\"' é-]{0,60}") {
            let _ = read(&text);
        }
    }
}
