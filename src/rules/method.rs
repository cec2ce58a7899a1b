//! The method that a POST says it stands for, where the platform honours that:
//! a header, a parameter of the address, a field of a form.
//!
//! Which it is may be known only with the body. So a POST is watched if anything
//! stands at its path for any method that it could stand for, and what counts is
//! chosen when the exchange has ended.

use std::borrow::Cow;

use super::expression::{as_text, dig};
use super::load::{Compiler, In};
use super::operation::query_of;
use super::written::List;
use super::{Found, Spot};
use crate::exchange::Request;
use crate::problem::Problem;

/// The methods that a POST can stand for.
pub(crate) const STOOD_FOR: [&str; 3] = ["PUT", "PATCH", "DELETE"];
/// Headers by which platforms are told. Whether this one listens or not, an event shows what was said.
const USUAL: [&str; 3] = ["x-http-method-override", "x-http-method", "x-method-override"];

/// Where a request says which method it stands for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Override {
    Header(String),
    Query(String),
    Field(String),
}

/// Reads `header NAME`, `query NAME`, `field NAME`.
pub(crate) fn overrides(compiler: &mut Compiler, here: In<'_>, written: &List) -> Vec<Override> {
    let mut all = Vec::new();
    for said in written {
        match said.value.split_once(' ').map(|(place, name)| (place, name.trim().to_owned())) {
            Some(("header", name)) => all.push(Override::Header(name)),
            Some(("query", name)) => all.push(Override::Query(name)),
            Some(("field", name)) => all.push(Override::Field(name)),
            _ => compiler.problems.push(
                Problem::error("wrong-value", format!("`{}` is no place of a method", said.value))
                    .at(here.source, said.at.clone())
                    .help("`header X-HTTP-Method-Override`, `query _method` or `field _method`"),
            ),
        }
    }
    all
}

/// The method that a request stands for, of those that one can; `input` is its body, where it is a form.
pub(crate) fn stood_for(overrides: &[Override], request: &Request, input: Option<&minijinja::Value>) -> Option<usize> {
    if request.method != "POST" {
        return None;
    }
    overrides.iter().find_map(|place| {
        let said = match place {
            Override::Header(name) => request.headers.first(name).map(Cow::Borrowed),
            Override::Query(name) => as_text(&dig(&query_of(request), name)).map(Cow::Owned),
            Override::Field(name) => input.and_then(|input| as_text(&dig(input, name))).map(Cow::Owned),
        }?;
        STOOD_FOR.iter().position(|method| method.eq_ignore_ascii_case(said.trim()))
    })
}

/// The method as an event shows it: both, where a POST says that it stands for another.
pub(crate) fn shown(request: &Request, stood_for: Option<usize>) -> String {
    let honoured = stood_for.and_then(|at| STOOD_FOR.get(at).copied());
    let said = || {
        let said = USUAL.iter().find_map(|name| request.headers.first(name))?.trim();
        STOOD_FOR.iter().copied().find(|method| method.eq_ignore_ascii_case(said))
    };
    match honoured.or_else(|| if request.method == "POST" { said() } else { None }) {
        Some(method) => format!("{} ({method})", request.method),
        None => request.method.clone(),
    }
}

impl Found {
    /// What counts for the method that a request stands for.
    pub(crate) fn spot(&self, stood_for: Option<usize>) -> Spot {
        stood_for.and_then(|at| self.over.get(at).copied()).unwrap_or(self.own)
    }

    /// What may count.
    pub(crate) fn spots(&self) -> impl Iterator<Item = Spot> {
        std::iter::once(self.own).chain(self.over)
    }
}
