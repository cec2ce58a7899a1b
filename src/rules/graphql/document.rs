//! The text of a GraphQL query: each top-level field of its operation with its arguments.
//!
//! Reads aliases, variables, fragments at the top, `@skip` and `@include`. The operation's name is not believed: the
//! fields say what is done.

use std::cell::RefCell;
use std::collections::HashSet;

use apollo_parser::Parser;
use apollo_parser::cst::{self, CstNode};
use minijinja::Value;

use crate::rules::body::table;
use crate::rules::expression::dig;

/// A document longer than this many tokens, or nested deeper, is not read.
const MOST_TOKENS: usize = 20_000;
const DEEPEST: usize = 100;
/// Top-level fields that are read of one request. Beyond that it is said that it was not read, never silently less.
const MOST_FIELDS: usize = 1_000;

/// One top-level field of a request.
#[derive(Clone, Debug)]
pub(super) struct Field {
    pub(super) mutation: bool,
    pub(super) name: String,
    /// Under which key its result stands in `data`.
    pub(super) key: String,
    pub(super) input: Value,
}

/// The fields of a query's text; an error says why they cannot be told.
pub(super) fn fields(query: &str, wanted: Option<&str>, variables: &Value) -> Result<Vec<Field>, String> {
    let tree = Parser::new(query).token_limit(MOST_TOKENS).recursion_limit(DEEPEST).parse();
    if let Some(error) = tree.errors().next() {
        return Err(format!("the GraphQL query cannot be read (at byte {})", error.index()));
    }
    let document = tree.document();
    let mut operations = document.definitions().filter_map(|definition| match definition {
        cst::Definition::OperationDefinition(operation) => Some(operation),
        _ => None,
    });
    let named = |operation: &cst::OperationDefinition| {
        wanted.is_none_or(|wanted| wanted.is_empty() || operation.name().is_some_and(|name| name.text() == wanted))
    };
    let Some(found) = operations.find(named) else {
        return Err("the GraphQL request names no operation of its query".to_owned());
    };
    let mutation = found.operation_type().is_some_and(|kind| kind.mutation_token().is_some());
    let (defaults, spread) = (defaults(&found), RefCell::default());
    let reader = Reader { document: &document, variables, defaults, mutation, spread };
    let mut fields = Vec::new();
    match found.selection_set() {
        Some(selections) => reader.selections(&selections, 0, &mut fields).map(|()| fields),
        None => Ok(fields),
    }
}

/// The default values of an operation's variables.
fn defaults(operation: &cst::OperationDefinition) -> Vec<(String, cst::Value)> {
    let definitions = operation.variable_definitions().into_iter().flat_map(|all| all.variable_definitions());
    definitions
        .filter_map(|definition| {
            let name = definition.variable()?.name()?.text().to_string();
            Some((name, definition.default_value()?.value()?))
        })
        .collect()
}

struct Reader<'a> {
    document: &'a cst::Document,
    variables: &'a Value,
    defaults: Vec<(String, cst::Value)>,
    mutation: bool,
    /// Fragments that were followed: each once, as the platform does (GraphQL section 6.3.2, visitedFragments).
    /// They may name each other in a circle, or double with each step.
    spread: RefCell<HashSet<String>>,
}

impl Reader<'_> {
    fn selections(&self, set: &cst::SelectionSet, depth: usize, fields: &mut Vec<Field>) -> Result<(), String> {
        if depth > DEEPEST {
            return Err(format!("fragments of the GraphQL query are nested more than {DEEPEST} deep"));
        }
        for selection in set.selections() {
            if fields.len() > MOST_FIELDS {
                return Err(format!("the GraphQL request has more than {MOST_FIELDS} fields"));
            }
            match selection {
                cst::Selection::Field(field) if self.included(field.directives()) => {
                    // Selections of one response key are one field.
                    let known = |field: &Field| fields.iter().any(|other| other.key == field.key);
                    if let Some(field) = self.field(&field).filter(|field| !known(field)) {
                        fields.push(field);
                    }
                }
                cst::Selection::InlineFragment(fragment) if self.included(fragment.directives()) => {
                    if let Some(set) = fragment.selection_set() {
                        self.selections(&set, depth + 1, fields)?;
                    }
                }
                cst::Selection::FragmentSpread(spread) if self.included(spread.directives()) => {
                    let name = spread.fragment_name().and_then(|name| name.name()).map(|name| name.text().to_string());
                    if !self.spread.borrow_mut().insert(name.clone().unwrap_or_default()) {
                        continue;
                    }
                    let set = self.document.definitions().find_map(|definition| match definition {
                        cst::Definition::FragmentDefinition(fragment) => {
                            let known = fragment.fragment_name()?.name()?.text().to_string();
                            (Some(known) == name).then(|| fragment.selection_set())?
                        }
                        _ => None,
                    });
                    if let Some(set) = set {
                        self.selections(&set, depth + 1, fields)?;
                    }
                }
                _ => {}
            }
        }
        Ok(())
    }

    fn field(&self, field: &cst::Field) -> Option<Field> {
        let name = field.name()?.text().to_string();
        let alias = field.alias().and_then(|alias| alias.name()).map(|alias| alias.text().to_string());
        let input = self.arguments(field.arguments());
        Some(Field { mutation: self.mutation, key: alias.unwrap_or_else(|| name.clone()), name, input })
    }

    fn arguments(&self, arguments: Option<cst::Arguments>) -> Value {
        let named: Vec<(String, Value)> = arguments
            .into_iter()
            .flat_map(|arguments| arguments.arguments())
            .filter_map(|argument| Some((argument.name()?.text().to_string(), self.value(&argument.value()?, 0))))
            .collect();
        table(named.iter().map(|(name, value)| (name.as_str(), value.clone())).collect())
    }

    fn included(&self, directives: Option<cst::Directives>) -> bool {
        directives.into_iter().flat_map(|all| all.directives()).all(|directive| {
            let condition = || dig(&self.arguments(directive.arguments()), "if").is_true();
            match directive.name().map(|name| name.text().to_string()).as_deref() {
                Some("skip") => !condition(),
                Some("include") => condition(),
                _ => true,
            }
        })
    }

    fn value(&self, value: &cst::Value, depth: usize) -> Value {
        if depth > DEEPEST {
            return Value::UNDEFINED;
        }
        match value {
            cst::Value::Variable(variable) => {
                let Some(name) = variable.name().map(|name| name.text().to_string()) else { return Value::UNDEFINED };
                let given = dig(self.variables, &name);
                if !given.is_undefined() {
                    return given;
                }
                let default = self.defaults.iter().find(|(known, _)| *known == name);
                default.map(|(_, value)| self.value(value, depth + 1)).unwrap_or_default()
            }
            cst::Value::StringValue(text) => Value::from(String::from(text)),
            cst::Value::IntValue(number) => {
                let text = number.syntax().text().to_string();
                text.trim().parse::<i64>().map(Value::from).unwrap_or_else(|_| Value::from(text))
            }
            cst::Value::FloatValue(number) => {
                number.syntax().text().to_string().trim().parse::<f64>().map(Value::from).unwrap_or_default()
            }
            cst::Value::BooleanValue(value) => Value::from(value.true_token().is_some()),
            cst::Value::NullValue(_) => Value::from(()),
            cst::Value::EnumValue(word) => {
                word.name().map(|name| Value::from(name.text().to_string())).unwrap_or_default()
            }
            cst::Value::ListValue(list) => {
                Value::from(list.values().map(|value| self.value(&value, depth + 1)).collect::<Vec<_>>())
            }
            cst::Value::ObjectValue(object) => {
                let named: Vec<(String, Value)> = object
                    .object_fields()
                    .filter_map(|field| {
                        Some((field.name()?.text().to_string(), self.value(&field.value()?, depth + 1)))
                    })
                    .collect();
                table(named.iter().map(|(name, value)| (name.as_str(), value.clone())).collect())
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::rules::body::json;

    fn read(body: &serde_json::Value) -> Result<Vec<Field>, String> {
        let body = json(body.to_string().as_bytes()).unwrap();
        let name = dig(&body, "operationName");
        fields(dig(&body, "query").as_str().unwrap(), name.as_str(), &dig(&body, "variables"))
    }

    fn told(body: serde_json::Value) -> Vec<(String, String, String)> {
        read(&body).unwrap().into_iter().map(|field| (field.name, field.key, field.input.to_string())).collect()
    }

    #[test]
    fn aliases_variables_and_defaults_are_resolved() {
        let body = serde_json::json!({
            "query": "mutation M($n: String!, $k: Int = 4) { a: make(name: $n, size: $k, tags: [\"x\", RED], o: {p: true, q: null}) { id } b: make(name: \"B\") { id } }",
            "variables": { "n": "A" },
        });
        let expected = "{'name': 'A', 'size': 4, 'tags': ['x', 'RED'], 'o': {'p': True, 'q': None}}";
        let told = told(body);
        assert_eq!(told[0], ("make".to_owned(), "a".to_owned(), expected.to_owned()));
        assert_eq!(told[1].1, "b");
    }

    #[test]
    fn fragments_and_directives_are_followed_and_the_name_is_not_believed() {
        let body = serde_json::json!(
            { "operationName": "Harmless", "query": "mutation Harmless { ...F ... on Mutation { d } s @skip(if: true) i @include(if: $no) } fragment F on Mutation { c(n: 1) ...F }", "variables": { "no": false } }
        );
        let told: Vec<String> = told(body).into_iter().map(|field| field.0).collect();
        assert!(told.contains(&"c".to_owned()) && told.contains(&"d".to_owned()), "{told:?}");
        assert!(!told.contains(&"s".to_owned()) && !told.contains(&"i".to_owned()), "{told:?}");
    }

    /// A query whose mutation `c` stands behind so many fragments; each is spread `times` in the one before.
    fn behind(fragments: usize, times: usize) -> serde_json::Value {
        let steps: String = (0..fragments)
            .map(|at| format!("fragment F{at} on M {{ {} }} ", format!("...F{} ", at + 1).repeat(times)))
            .collect();
        serde_json::json!({ "query": format!("mutation {{ ...F0 }} {steps} fragment F{fragments} on M {{ c }}") })
    }

    #[test]
    fn fragments_that_double_with_each_step_are_followed_once() {
        assert_eq!(told(behind(60, 2)).len(), 1);
    }

    #[test]
    fn nothing_hides_behind_many_fragments_or_fields() {
        let why = |body: serde_json::Value| read(&body).unwrap_err();
        assert_eq!(told(behind(90, 1)).len(), 1);
        assert!(why(behind(300, 1)).contains("nested"));
        let many: String = (0..=MOST_FIELDS).map(|at| format!("a{at}: b ")).collect();
        let body = serde_json::json!({ "query": format!("mutation {{ {many} c }}") });
        assert_eq!(why(body), "the GraphQL request has more than 1000 fields");
    }

    #[test]
    fn what_cannot_be_told_says_why() {
        let why = |body: serde_json::Value| read(&body).unwrap_err();
        assert_eq!(why(serde_json::json!({ "query": "mutation {" })), "the GraphQL query cannot be read (at byte 10)");
    }

    proptest! {
        #[test]
        fn no_query_makes_it_panic(query in "[a-z{}()$:!\"\\\\. @#\\[\\]0-9]{0,80}") {
            let _ = fields(&query, None, &Value::UNDEFINED);
        }
    }
}
