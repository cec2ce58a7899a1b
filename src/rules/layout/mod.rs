//! The canonical layout of a rule file (`sidetrail fmt`): comments are kept, meaning never changes.
//!
//! One blank line before a heading; `=` in one column within a block of keys;
//! the keys of a block in the order of the manual; a list or table that was
//! written over several lines stays so, one element a line. Blocks (keys with
//! no blank line between them) and headings stay where they are.

mod values;

use toml_edit::{DocumentMut, Item, Key, RawString, Table, Value};

use values::shown;

/// Columns that a block's names are aligned to at most; a longer name stands alone.
const NAMES: usize = 24;
/// Columns that trailing comments are aligned to at most.
const COMMENTS: usize = 100;

/// The order of keys, of all sorts of headings together: none of them has two of these at odds.
const ORDER: [&str; 63] = [
    "category",
    "prefix",
    "graphql",
    "rpc",
    "in_workspace",
    "method_override",
    "guarantee",
    "failures",
    "ignore", // a file
    "at",
    "id",
    "name",
    "type",
    "one",
    "many",
    "sent",
    "learn",
    "fetch",
    "log",
    "bulk",
    "link", // a kind
    "credential",
    "title",
    "when",
    "tokens",
    "actor",
    "kind",
    "if",
    "changed",
    "otherwise",
    "each",
    "join",
    "by",
    "target",
    "with",
    "success",
    "let",
    "changes",
    "job",
    "coalesce",
    "max_events",
    "message",
    "message_failed",
    "workspace",
    "given",
    "first",
    "send",
    "as",
    "after",
    "header",
    "body",
    "form",
    "fields",
    "files",
    "raw",
    "status",
    "response",
    "reply",
    "fetched",
    "expect", // a test
    "why",
    "watch",
    "done",
];

/// The text in canonical layout. A text that is not TOML is an error: `check` says where.
pub fn layout(text: &str) -> Result<String, NotToml> {
    let document: DocumentMut = text.parse().map_err(|_| NotToml)?;
    let mut headings = Vec::new();
    gather(document.as_table(), &mut Vec::new(), &mut headings);
    headings.sort_by_key(|heading| heading.table.position());
    let mut out = String::new();
    block_list(document.as_table(), &mut out);
    for heading in headings {
        heading.write(&mut out);
    }
    let closing = comments(document.trailing().as_str().unwrap_or_default());
    closing.iter().for_each(|line| push_line(&mut out, line));
    while out.ends_with("\n\n") {
        out.pop();
    }
    Ok(out)
}

/// The text is not TOML; `check` says where.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("it is not TOML")]
pub struct NotToml;

/// A `[heading]` or `[[heading]]`.
struct Heading<'a> {
    path: Vec<String>,
    table: &'a Table,
    repeats: bool,
}

/// The headings below a table. Tables of dotted keys are no headings; nor are those that only hold others.
fn gather<'a>(table: &'a Table, path: &mut Vec<String>, found: &mut Vec<Heading<'a>>) {
    for (name, item) in table {
        let shown = table.key(name).map_or_else(|| name.to_owned(), spelt);
        path.push(shown);
        match item {
            Item::Table(inner) => {
                if !inner.is_dotted() && !inner.is_implicit() {
                    found.push(Heading { path: path.clone(), table: inner, repeats: false });
                }
                gather(inner, path, found);
            }
            Item::ArrayOfTables(tables) => {
                for inner in tables {
                    found.push(Heading { path: path.clone(), table: inner, repeats: true });
                    gather(inner, path, found);
                }
            }
            Item::Value(_) | Item::None => {}
        }
        path.pop();
    }
}

impl Heading<'_> {
    fn write(&self, out: &mut String) {
        let decor = self.table.decor();
        separate(out);
        comments(text_of(decor.prefix())).iter().for_each(|line| push_line(out, line));
        let (open, close) = if self.repeats { ("[[", "]]") } else { ("[", "]") };
        let mut line = format!("{open}{}{close}", self.path.join("."));
        push_comment(&mut line, text_of(decor.suffix()), 0);
        push_line(out, &line);
        block_list(self.table, out);
    }
}

/// One key of a heading, ready to be written.
struct Entry {
    /// Lines of comment above it; an empty one is a blank line.
    above: Vec<String>,
    name: String,
    place: usize,
    value: String,
    beside: String,
}

/// The keys of a heading, in blocks.
fn block_list(table: &Table, out: &mut String) {
    let mut block: Vec<Entry> = Vec::new();
    for (at, (path, value)) in table.get_values().into_iter().enumerate() {
        let mut entry = Entry::new(&path, value);
        if at == 0 && entry.above.first().is_some_and(String::is_empty) {
            entry.above.remove(0);
        }
        if entry.above.iter().any(String::is_empty) {
            write_block(&mut block, out);
        }
        block.push(entry);
    }
    write_block(&mut block, out);
}

impl Entry {
    fn new(path: &[&Key], value: &Value) -> Entry {
        let first = path.first().map(|key| key.get()).unwrap_or_default();
        let before = path.last().map(|key| text_of(key.leaf_decor().prefix())).unwrap_or_default();
        Entry {
            above: comments(before),
            name: path.iter().map(|key| spelt(key)).collect::<Vec<_>>().join("."),
            place: ORDER.iter().position(|known| *known == first).unwrap_or(ORDER.len()),
            value: shown(value, 0),
            beside: text_of(value.decor().suffix()).trim().to_owned(),
        }
    }
}

/// Writes a block in order and aligned, and empties it.
fn write_block(block: &mut Vec<Entry>, out: &mut String) {
    let Some(first) = block.first_mut() else { return };
    // The blank line and the comment paragraphs before a block belong to the block, not to its first key.
    let own = first.above.iter().rposition(String::is_empty).map_or(0, |at| at + 1);
    first.above.drain(..own).for_each(|line| push_line(out, &line));
    block.sort_by_key(|entry| entry.place);
    let names = block.iter().map(|entry| width(&entry.name)).filter(|width| *width <= NAMES).max().unwrap_or(0);
    let lines: Vec<String> = block.iter().map(|entry| format!("{:names$} = {}", entry.name, entry.value)).collect();
    let with_comment =
        block.iter().zip(&lines).filter(|(entry, line)| !entry.beside.is_empty() && !line.contains('\n'));
    let column = with_comment.map(|(_, line)| width(line)).filter(|width| *width <= COMMENTS).max().unwrap_or(0);
    for (entry, mut line) in block.drain(..).zip(lines) {
        entry.above.iter().for_each(|comment| push_line(out, comment));
        push_comment(&mut line, &entry.beside, column);
        push_line(out, &line);
    }
}

/// The lines of a decoration: comments without what is around them, one empty line where blank ones stood.
fn comments(text: &str) -> Vec<String> {
    let mut lines: Vec<String> = Vec::new();
    for line in text.lines().map(str::trim) {
        if !line.is_empty() || lines.last().is_none_or(|last| !last.is_empty()) {
            lines.push(line.to_owned());
        }
    }
    lines
}

/// Ends with one blank line, unless it is empty.
fn separate(out: &mut String) {
    while !out.is_empty() && !out.ends_with("\n\n") {
        out.push('\n');
    }
}

fn push_line(out: &mut String, line: &str) {
    // Never two blank lines, none at the beginning.
    if !line.is_empty() || !(out.is_empty() || out.ends_with("\n\n")) {
        out.push_str(line);
        out.push('\n');
    }
}

/// A comment behind a line, in a column where that is further right.
fn push_comment(line: &mut String, comment: &str, column: usize) {
    let comment = comment.trim();
    if comment.is_empty() {
        return;
    }
    let last = line.rsplit('\n').next().map_or(0, width);
    line.push_str(&" ".repeat(column.saturating_sub(last) + 2));
    line.push_str(comment);
}

/// A key as it is written: quotes only where it needs them.
fn spelt(key: &Key) -> String {
    key.default_repr().as_raw().as_str().unwrap_or(key.get()).to_owned()
}

fn text_of(raw: Option<&RawString>) -> &str {
    raw.and_then(RawString::as_str).unwrap_or_default()
}

fn width(text: &str) -> usize {
    unicode_width::UnicodeWidthStr::width(text)
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;

    #[test]
    fn a_file_gets_one_look_and_keeps_its_comments() {
        let text = r#"

# The knowledge base.


category="Documents"   # on the page
prefix = "/api"
ignore = [ {why="reads",when = "POST /search"}, # a search
# another
  {when="POST /hash" , why='no'}
]
[ kind . document ]
name="title"
at = "/documents/{id}"
# Beside it.
[document.uploaded] # first
message = "uploaded {{ document }}"
let.b = "each.b" # two
let.a = "each.a"
when    =   "POST /documents"

# A block of its own.
each = [ "output.documents","uploads" ]
"a key" = { }
# The end.
"#;
        let expected = r#"# The knowledge base.

category = "Documents"  # on the page
prefix   = "/api"
ignore   = [
    { why = "reads", when = "POST /search" },  # a search
    # another
    { when = "POST /hash", why = 'no' },
]

[kind.document]
at   = "/documents/{id}"
name = "title"

# Beside it.
[document.uploaded]  # first
when    = "POST /documents"
let.b   = "each.b"  # two
let.a   = "each.a"
message = "uploaded {{ document }}"

# A block of its own.
each    = ["output.documents", "uploads"]
"a key" = {}
# The end.
"#;
        assert_eq!(layout(text).unwrap(), expected);
        assert_eq!(layout(expected).unwrap(), expected);
        assert_eq!(layout("a = "), Err(NotToml));
        assert_eq!(layout("").unwrap(), "");
    }

    #[test]
    fn the_shipped_files_and_the_fixtures_mean_the_same_and_stay_as_they_are_laid_out() {
        let here = Path::new(env!("CARGO_MANIFEST_DIR"));
        let files = crate::rules::read_files(&[here.join("rules"), here.join("tests/fixtures/rules")]).unwrap();
        assert!(files.len() > 16);
        for file in files {
            let once = layout(&file.text).unwrap();
            let table = |text: &str| text.parse::<toml::Table>().unwrap();
            assert_eq!(table(&once), table(&file.text), "{}", file.name);
            assert_eq!(layout(&once).unwrap(), once, "{}", file.name);
            let count = |text: &str| text.matches('#').count();
            assert_eq!(count(&once), count(&file.text), "{}", file.name);
        }
    }
}
