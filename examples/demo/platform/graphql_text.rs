//! As much of GraphQL's syntax as the sample platform needs: one operation,
//! aliases, arguments, variables, selections of one level.

use std::iter::Peekable;
use std::vec::IntoIter;

use serde_json::{Map, Value};

/// One operation.
#[derive(Debug)]
pub(crate) struct Operation {
    /// Whether it changes things.
    pub(crate) mutation: bool,
    /// Its top fields.
    pub(crate) fields: Vec<Field>,
}

/// A top field of an operation.
#[derive(Debug)]
pub(crate) struct Field {
    /// Under which name the answer has it.
    pub(crate) alias: String,
    /// What is asked for.
    pub(crate) name: String,
    /// Its arguments, variables filled in.
    pub(crate) arguments: Map<String, Value>,
    /// The names below it.
    pub(crate) selection: Vec<String>,
}

#[derive(Clone, Debug, PartialEq)]
enum Token {
    Sign(char),
    Word(String),
    Text(String),
}

/// Reads an operation; an error is a sentence for the caller.
pub(crate) fn parse(text: &str, variables: &Value) -> Result<Operation, String> {
    let mut reader = Reader { tokens: tokens(text)?.into_iter().peekable(), variables };
    let mut mutation = false;
    if let Some(Token::Word(word)) = reader.tokens.next_if(|token| matches!(token, Token::Word(_))) {
        mutation = word == "mutation";
        // The operation's name and the declaration of its variables say nothing about what it does.
        while reader.tokens.next_if(|token| *token != Token::Sign('{')).is_some() {}
    }
    reader.sign('{')?;
    let mut fields = Vec::new();
    while !reader.skip('}') {
        fields.push(reader.field()?);
    }
    Ok(Operation { mutation, fields })
}

fn tokens(text: &str) -> Result<Vec<Token>, String> {
    let mut tokens = Vec::new();
    let mut chars = text.chars().peekable();
    while let Some(char) = chars.next() {
        match char {
            '"' => {
                let mut string = String::from('"');
                loop {
                    match chars.next() {
                        Some('"') => break,
                        Some('\\') => string.extend(['\\'].into_iter().chain(chars.next())),
                        Some(other) => string.push(other),
                        None => return Err("a string does not end".to_owned()),
                    }
                }
                string.push('"');
                tokens.push(Token::Text(serde_json::from_str(&string).map_err(|error| error.to_string())?));
            }
            '#' => while chars.next_if(|char| *char != '\n').is_some() {},
            char if char.is_whitespace() || char == ',' => {}
            char if char.is_alphanumeric() || matches!(char, '_' | '-') => {
                let mut word = String::from(char);
                while let Some(more) = chars.next_if(|char| char.is_alphanumeric() || matches!(char, '_' | '.')) {
                    word.push(more);
                }
                tokens.push(Token::Word(word));
            }
            char => tokens.push(Token::Sign(char)),
        }
    }
    Ok(tokens)
}

struct Reader<'a> {
    tokens: Peekable<IntoIter<Token>>,
    variables: &'a Value,
}

impl Reader<'_> {
    fn skip(&mut self, sign: char) -> bool {
        self.tokens.next_if(|token| *token == Token::Sign(sign)).is_some()
    }

    fn sign(&mut self, sign: char) -> Result<(), String> {
        if self.skip(sign) { Ok(()) } else { Err(format!("`{sign}` is missing before {:?}", self.tokens.peek())) }
    }

    fn word(&mut self) -> Result<String, String> {
        match self.tokens.next() {
            Some(Token::Word(word)) => Ok(word),
            other => Err(format!("a name is missing before {other:?}")),
        }
    }

    fn field(&mut self) -> Result<Field, String> {
        let alias = self.word()?;
        let name = if self.skip(':') { self.word()? } else { alias.clone() };
        let mut arguments = Map::new();
        if self.skip('(') {
            while !self.skip(')') {
                let argument = self.word()?;
                self.sign(':')?;
                let value = self.value()?;
                arguments.insert(argument, value);
            }
        }
        let mut selection = Vec::new();
        if self.skip('{') {
            while !self.skip('}') {
                selection.push(self.word()?);
            }
        }
        Ok(Field { alias, name, arguments, selection })
    }

    fn value(&mut self) -> Result<Value, String> {
        if self.skip('$') {
            let name = self.word()?;
            return self.variables.get(&name).cloned().ok_or_else(|| format!("the variable `${name}` is missing"));
        }
        match self.tokens.next() {
            Some(Token::Text(text)) => Ok(Value::String(text)),
            // Numbers, true, false and null are JSON; every other word is an enum's value.
            Some(Token::Word(word)) => Ok(serde_json::from_str(&word).unwrap_or(Value::String(word))),
            other => Err(format!("a value is missing before {other:?}")),
        }
    }
}
