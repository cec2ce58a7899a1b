//! Kinds: from their shapes to things that have an address and a name.

use std::collections::BTreeSet;
use std::sync::Arc;

use super::{Compiler, In, checks, secrets};
use crate::rules::expression::Chain;
use crate::rules::ready::{Fetch, Kind, NameForm};
use crate::rules::written::{self, File, List, Said};

impl Compiler {
    pub(super) fn kinds_of(&mut self, file: &File) {
        let Some(here) = In::of(file) else { return };
        let in_workspace = if file.in_workspace.is_empty() {
            Arc::clone(&self.default_workspace)
        } else {
            Arc::new(self.chain(here, &file.in_workspace))
        };
        for kind in &file.kinds {
            let name: Arc<str> = Arc::from(kind.name.value.as_str());
            checks::kind_name(self, here, &kind.name);
            secrets::kind(self, here, kind);
            if self.kind_named.contains_key(&name) {
                self.problem(here, &kind.name, "duplicate-kind", format!("the kind `{name}` stands twice"));
                continue;
            }
            let ready = self.kind(here, kind, &name, &in_workspace);
            self.kind_named.insert(name, self.kinds.len());
            self.kinds.push(ready);
        }
    }

    fn kind(&mut self, here: In<'_>, kind: &written::Kind, name: &Arc<str>, in_workspace: &Arc<Chain>) -> Kind {
        let boxed = |paths: Vec<String>| paths.into_iter().map(String::into_boxed_str).collect();
        let field = |said: &Option<Said>, otherwise: &str| -> Box<str> {
            said.as_ref().map_or(otherwise, |said| said.value.as_str()).into()
        };
        let names = if kind.names.is_empty() {
            vec![NameForm::Field("name".into())]
        } else {
            self.name_forms(here, &kind.names)
        };
        Kind {
            name: Arc::clone(name),
            id: field(&kind.id, "id"),
            names,
            type_: self.chain(here, &kind.type_),
            one: boxed(kind.one_or_usual()),
            many: boxed(kind.many_or_usual()),
            sent: kind.sent.iter().map(|said| said.value.as_str().into()).collect(),
            link: kind.link.as_ref().and_then(|link| self.text(here, link)),
            fetch: Fetch::Never,
            fields: BTreeSet::new(),
            in_workspace: Arc::clone(in_workspace),
            addresses: Vec::new(),
        }
    }

    pub(crate) fn name_forms(&mut self, here: In<'_>, names: &List) -> Vec<NameForm> {
        let mut forms = Vec::new();
        for said in names {
            if said.value.contains("{{") || said.value.contains("}}") {
                forms.extend(self.text(here, said).map(NameForm::Text));
            } else {
                forms.push(NameForm::Field(said.value.as_str().into()));
            }
        }
        forms
    }
}
