//! Loads what was drafted and runs its tests, beside the current rules: what does not hold is taken out.

use std::collections::BTreeSet;
use std::sync::Arc;

use super::write::{Drafted, Item, Written};
use crate::problem::{Level, Place, SourceFile};
use crate::rules::RuleSet;

/// Each round takes something out; what is left after so many is taken out whole.
const ROUNDS: usize = 60;

/// Takes out what does not load or whose test is not met; the files that hold.
pub(super) fn prove(drafted: &mut Drafted, current: &[Arc<SourceFile>]) -> Vec<Written> {
    for round in 0..ROUNDS {
        let files = drafted.write();
        let sources: Vec<Arc<SourceFile>> = files
            .iter()
            .map(|file| Arc::new(SourceFile { name: format!("draft/{}", file.name), text: file.text.clone() }))
            .collect();
        let all: Vec<Arc<SourceFile>> = current.iter().chain(&sources).cloned().collect();
        let mut faults: BTreeSet<(Item, String)> = BTreeSet::new();
        let mut elsewhere = false;
        match RuleSet::load(&all) {
            Err(problems) => {
                for problem in problems.iter().filter(|problem| problem.level == Level::Error) {
                    match problem.place.as_ref().and_then(|place| part_at(&files, &sources, place)) {
                        Some(item) => drop(faults.insert((item, problem.title.clone()))),
                        None => elsewhere = true,
                    }
                }
            }
            Ok((set, _)) => {
                for result in set.run_cases(None).iter().filter(|result| !result.passed()) {
                    let why = || "its test was not met".to_owned();
                    faults.extend(part_at(&files, &sources, &result.place).map(|item| (item, why())));
                }
            }
        }
        if faults.is_empty() && !elsewhere {
            return files;
        }
        if faults.is_empty() || round + 1 == ROUNDS {
            // What is wrong stands in no part of ours: together they cannot be.
            drafted.take_all("it does not load beside the current rules");
            return Vec::new();
        }
        drafted.take(&faults);
    }
    Vec::new()
}

/// The part of a drafted file in which a place is.
fn part_at(files: &[Written], sources: &[Arc<SourceFile>], place: &Place) -> Option<Item> {
    let at = sources.iter().position(|source| Arc::ptr_eq(source, &place.file))?;
    let parts = &files.get(at)?.parts;
    parts.iter().rev().find(|(range, _)| range.start <= place.span.start).map(|(_, item)| *item)
}

impl Drafted {
    fn take(&mut self, faults: &BTreeSet<(Item, String)>) {
        let why = |wanted: Item| faults.iter().find(|(item, _)| *item == wanted).map(|(_, why)| why.clone());
        let mut at = 0;
        self.kinds.retain(|kind| {
            let fault = why(Item::Kind(at));
            at += 1;
            self.out.extend(fault.clone().map(|why| (format!("the kind `{}`", kind.name), why)));
            fault.is_none()
        });
        at = 0;
        self.actions.retain(|action| {
            let fault = why(Item::Action(at));
            at += 1;
            self.out.extend(fault.clone().map(|why| (action.when.join(", "), why)));
            fault.is_none()
        });
        if let Some(why) = why(Item::Top) {
            self.out.extend(self.ignores.drain(..).map(|ignore| (ignore.when, why.clone())));
        }
    }

    fn take_all(&mut self, why: &str) {
        self.out.extend(self.actions.drain(..).map(|action| (action.when.join(", "), why.to_owned())));
        self.out.extend(self.ignores.drain(..).map(|ignore| (ignore.when, why.to_owned())));
        self.kinds.clear();
    }
}
