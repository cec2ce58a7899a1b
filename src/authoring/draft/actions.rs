//! What each operation that changes something becomes: a usual action of a kind, a heading, or an `ignore` with its reason.

use std::collections::{BTreeMap, BTreeSet};

use super::example::{self, Test};
use super::kinds::Kind;
use super::looks::{is_version, only_looks};
use super::phrase::{About, Phrase};
use super::route::{Operation, Segment, shape};
use super::standing::Standing;
use super::{body, clean, words};

/// An action.
#[derive(Clone, Debug, Default)]
pub(super) struct Action {
    pub(super) resource: String,
    pub(super) verb: String,
    /// `POST /documents/{id}/publish`, from the root.
    pub(super) when: Vec<String>,
    pub(super) title: String,
    pub(super) message: String,
    pub(super) message_failed: Option<String>,
    pub(super) lets: Vec<(String, Vec<String>)>,
    pub(super) with: Vec<(String, String)>,
    pub(super) target: Option<Target>,
    /// Its kind's `log` writes it.
    pub(super) logged: bool,
    pub(super) test: Test,
    /// Where calls are sent: `graphql` or `rpc`, and the path.
    pub(super) endpoint: Option<(&'static str, String)>,
    /// The fixed words of its route: which file it belongs to.
    pub(super) place: Vec<String>,
}

/// A target that the route does not say.
#[derive(Clone, Debug)]
pub(super) struct Target {
    pub(super) kind: String,
    pub(super) id: Vec<String>,
    pub(super) name: Vec<String>,
}

/// A route that only looks.
#[derive(Clone, Debug)]
pub(super) struct Ignore {
    pub(super) when: String,
    pub(super) why: String,
    pub(super) place: Vec<String>,
}

/// What operations became.
#[derive(Default)]
pub(super) struct Actions {
    pub(super) actions: Vec<Action>,
    pub(super) ignores: Vec<Ignore>,
    /// Routes of which nothing can be said.
    pub(super) silent: Vec<String>,
}

/// What every operation that changes something becomes.
pub(super) fn actions<'a>(
    operations: impl Iterator<Item = &'a Operation>,
    standing: &Standing<'_>,
    taken: BTreeSet<String>,
) -> Actions {
    let mut maker = Maker { standing, made: Actions::default(), keys: taken };
    let changing = operations.filter(|operation| operation.changes());
    // The usual ones first: their names are theirs.
    let (mut usual, others): (Vec<&Operation>, Vec<&Operation>) =
        changing.partition(|operation| maker.is_usual(operation));
    // Of each thing first how it is made, last how it goes.
    let mut order: BTreeMap<String, usize> = BTreeMap::new();
    for operation in &usual {
        let next = order.len();
        order.entry(maker.thing_of(operation)).or_insert(next);
    }
    usual.sort_by_key(|operation| {
        let rank = ["POST", "PUT", "PATCH", "DELETE"].iter().position(|method| *method == operation.method);
        (order.get(&maker.thing_of(operation)).copied(), rank)
    });
    usual.into_iter().chain(others).for_each(|operation| maker.operation(operation));
    maker.made
}

struct Maker<'a> {
    standing: &'a Standing<'a>,
    made: Actions,
    /// Keys that are taken.
    keys: BTreeSet<String>,
}

/// The fixed words of a route.
fn place_of(operation: &Operation) -> Vec<String> {
    operation.segments.iter().filter_map(Segment::fixed).map(str::to_owned).collect()
}

impl Maker<'_> {
    /// Whether it makes, changes or deletes a thing at its own place.
    fn is_usual(&self, operation: &Operation) -> bool {
        let own = shape(&operation.segments);
        let kind = |places: &BTreeMap<String, usize>| places.get(&own).and_then(|at| self.standing.kinds.get(*at));
        let at = kind(&self.standing.addresses).is_some_and(|kind| !kind.member);
        at || operation.method == "POST" && kind(&self.standing.collections).is_some()
    }

    /// The shape of the collection in which its thing is.
    fn thing_of(&self, operation: &Operation) -> String {
        let own = shape(&operation.segments);
        if self.standing.addresses.contains_key(&own) { own.trim_end_matches("/{}").to_owned() } else { own }
    }

    fn operation(&mut self, operation: &Operation) {
        if let Some(why) = only_looks(operation) {
            let ignore = Ignore { when: operation.route(), why: why.to_owned(), place: place_of(operation) };
            return self.made.ignores.push(ignore);
        }
        if self.session(operation) {
            return;
        }
        let own = shape(&operation.segments);
        let at = self.standing.addresses.get(&own).and_then(|at| self.standing.kinds.get(*at));
        let of = self.standing.collections.get(&own).and_then(|at| self.standing.kinds.get(*at));
        let method = operation.method.as_str();
        match (method, at, of) {
            ("POST", None, Some(kind)) => self.usual(operation, kind, "created"),
            (_, Some(kind), _) if kind.member => self.other(operation),
            ("PUT" | "PATCH" | "POST", Some(kind), _) => self.usual(operation, kind, "edited"),
            ("DELETE", Some(kind), _) => self.usual(operation, kind, "deleted"),
            _ => self.other(operation),
        }
    }

    /// Created, edited, deleted: what `log` says, or a heading where that cannot.
    fn usual(&mut self, operation: &Operation, kind: &Kind, verb: &'static str) {
        let key = format!("{}.{verb}", kind.name);
        let words = kind.words();
        let test = example::usual(operation, kind, verb);
        // `log` knows POST at the collection only, and no kind of another file.
        let logged = !kind.known && test.named && (operation.method != "POST" || verb == "created");
        if let Some(other) =
            self.made.actions.iter_mut().find(|action| action.resource == kind.name && action.verb == verb)
        {
            // PUT and PATCH are one.
            if !(other.logged && logged) {
                if other.logged {
                    other.logged = false;
                }
                other.when.push(operation.route());
            }
            return;
        }
        if !self.keys.insert(key) {
            return self.other(operation);
        }
        let (short, past) = match verb {
            "created" => ("create", "Created"),
            "edited" => ("edit", "Edited"),
            _ => ("delete", "Deleted"),
        };
        let shown =
            if test.named { format!("{past} {words} {{{{ {} }}}}", kind.name) } else { format!("{past} {words}") };
        self.made.actions.push(Action {
            resource: kind.name.clone(),
            verb: verb.to_owned(),
            when: vec![operation.route()],
            title: format!("{short} {words}"),
            message: shown,
            logged,
            test,
            place: place_of(operation),
            ..Action::default()
        });
    }

    /// Signing in and out.
    fn session(&mut self, operation: &Operation) -> bool {
        let last = operation.segments.last().and_then(Segment::fixed).map(|word| words::words(word).concat());
        let verb = match last.as_deref() {
            Some("login" | "signin" | "logon") if operation.method == "POST" => "signed_in",
            Some("logout" | "signout" | "logoff") => "signed_out",
            _ => return false,
        };
        let own = |action: &&mut Action| action.resource == "session" && action.verb == verb;
        if let Some(known) = self.made.actions.iter_mut().find(own) {
            known.when.push(operation.route());
            return true;
        }
        if !self.keys.insert(format!("session.{verb}")) {
            return false;
        }
        let mut action = Action {
            resource: "session".to_owned(),
            verb: verb.to_owned(),
            when: vec![operation.route()],
            title: if verb == "signed_in" { "sign in" } else { "sign out" }.to_owned(),
            message: if verb == "signed_in" { "Signed in" } else { "Signed out" }.to_owned(),
            place: vec!["sessions".to_owned()],
            ..Action::default()
        };
        let fields = operation.sample.input.as_object();
        let who = ["email", "username", "login", "user", "login_id", "identifier", "name"];
        let who = who
            .into_iter()
            .find(|name| fields.is_some_and(|fields| fields.get(*name).is_some_and(|value| value.is_string())));
        action.test =
            example::plain(operation, "Signed in".replace("in", if verb == "signed_in" { "in" } else { "out" }));
        if let Some(field) = who.filter(|_| verb == "signed_in") {
            action.lets.push(("user".to_owned(), vec![format!("input.{field}")]));
            action.message_failed = Some("Failed to sign in as {{ user }}".to_owned());
            action.test.fails_with(
                field,
                "anna@example.com",
                operation.sample.is_form,
                "Failed to sign in as anna@example.com",
            );
        }
        self.made.actions.push(action);
        true
    }

    /// A verb or a thing below an address, or a word of its own.
    fn other(&mut self, operation: &Operation) {
        let owner = self
            .standing
            .owner(operation.segments.get(..operation.segments.len().saturating_sub(1)).unwrap_or_default());
        let begins = owner.map_or(0, |kind| kind.address.len());
        let behind: Vec<String> = operation
            .segments
            .iter()
            .skip(begins)
            .filter_map(Segment::fixed)
            .filter(|word| !is_version(word))
            .map(str::to_owned)
            .collect();
        let above = || operation.last_word().and_then(|(_, word)| words::name_of(word));
        let Some(last) = behind.last().and_then(|word| words::name_of(word)).or_else(above) else {
            return self.made.silent.push(operation.route());
        };
        let mut action = Action { when: vec![operation.route()], place: place_of(operation), ..Action::default() };
        let value = self.value(operation, owner, &last, &mut action);
        let elsewhere = self.made_elsewhere(operation, owner, &last, &mut action);
        if let Some(phrase) = elsewhere {
            return self.push(operation, owner, &last, phrase, action);
        }
        let about = About { method: &operation.method, owner, behind, value };
        let told = about.told_by_summary(&operation.summary);
        let Some(mut phrase) = told.or_else(|| about.told_by_path()) else {
            return self.made.silent.push(operation.route());
        };
        if owner.is_none() {
            name_said(operation, &last, &mut phrase, &mut action);
        }
        self.push(operation, owner, &last, phrase, action);
    }

    /// The parameter at the end of a route: another kind's id, or a word.
    fn value(
        &self,
        operation: &Operation,
        owner: Option<&Kind>,
        last: &str,
        action: &mut Action,
    ) -> Option<(String, String)> {
        let parameter = match operation.segments.last()? {
            Segment::Parameter(name) => name.as_str(),
            // `{id}.json`
            Segment::Part(text) if text.matches('{').count() == 1 && text.starts_with('{') => {
                text.split('{').nth(1)?.split('}').next()?
            }
            _ => return None,
        };
        let noun = words::singular(last);
        let shown = noun.replace('_', " ");
        if let Some(own) = self.standing.at(&operation.segments) {
            return Some((own.words(), format!("{{{{ {} }}}}", own.name)));
        }
        let is_taken = |name: &str| super::kinds::is_taken(name) || owner.is_some_and(|kind| kind.name == name);
        if clean::is_secret_kind(&noun) || clean::is_secret_kind(parameter) {
            return Some((shown, String::new()));
        }
        let kind = self
            .standing
            .kinds
            .iter()
            .find(|kind| kind.name == noun && owner.is_none_or(|owner| owner.name != kind.name));
        if kind.is_some() && !is_taken(&noun) {
            action.with.push((noun.clone(), format!("path.{parameter}")));
        } else {
            let name = if is_taken(&noun) { format!("{noun}_id") } else { noun };
            action.lets.push((name.clone(), vec![format!("path.{parameter}")]));
            return Some((shown, format!("{{{{ {name} }}}}")));
        }
        Some((shown, format!("{{{{ {noun} }}}}")))
    }

    /// A thing that is made at a route that is not its collection: `POST /orgs/{org}/repos`.
    fn made_elsewhere(
        &self,
        operation: &Operation,
        owner: Option<&Kind>,
        last: &str,
        action: &mut Action,
    ) -> Option<Phrase> {
        let is_last = matches!(operation.segments.last(), Some(Segment::Fixed(_)));
        let noun = words::singular(last);
        if operation.method != "POST" || !is_last || !words::is_plural(last) {
            return None;
        }
        let kind = self
            .standing
            .kinds
            .iter()
            .find(|kind| kind.name == noun && owner.is_none_or(|owner| owner.name != noun))?;
        let id = kind.id.as_deref()?;
        let (path, object) = body::one(&operation.sample.output, &kind.name, id, None)?;
        let label = kind.label.as_deref().unwrap_or("name");
        let place = if path == "." { "output".to_owned() } else { format!("output.{path}") };
        if id.contains('-') || label.contains('-') || place.contains('-') || !object.contains_key(label) {
            return None;
        }
        action.target = Some(Target {
            kind: kind.name.clone(),
            id: vec![format!("{place}.{id}")],
            name: vec![format!("{place}.{label}"), format!("input.{label}")],
        });
        action.test = example::elsewhere(operation, kind, &path, id, label);
        action.resource.clone_from(&kind.name);
        Some(Phrase::new("create", &format!("{} {{{{ {} }}}}", kind.words(), kind.name)))
    }

    /// Gives an action its name, its texts and its test.
    fn push(&mut self, operation: &Operation, owner: Option<&Kind>, last: &str, phrase: Phrase, mut action: Action) {
        let last = match operation.last_word() {
            Some((at, word)) if super::phrase::is_own(word) => {
                let before = operation.segments.get(..at).unwrap_or_default().iter().rev().find_map(Segment::fixed);
                &format!(
                    "own_{}",
                    before.and_then(words::name_of).map(|word| words::singular(&word)).unwrap_or_default()
                )
            }
            _ => last,
        };
        let mut nouns = words::words(last);
        nouns.retain(|word| !["bulk", "batch", "mass"].contains(&word.as_str()));
        let past = words::name_of(&phrase.past).unwrap_or_default();
        let verb = phrase.title.split(' ').next().unwrap_or_default();
        nouns.retain(|word| word != verb && *word != past);
        let is_one = !matches!(operation.segments.last(), Some(Segment::Fixed(_)));
        let noun = if is_one { words::singular(&nouns.join("_")) } else { nouns.join("_") };
        let elsewhere = !action.resource.is_empty();
        let (resource, noun) = match owner {
            _ if elsewhere => (action.resource.clone(), String::new()),
            Some(kind) => (kind.name.clone(), noun),
            // What is before the verb is what it is about.
            None => {
                let mut fixed = operation
                    .segments
                    .iter()
                    .filter_map(Segment::fixed)
                    .filter(|word| !is_version(word) && !super::phrase::is_own(word));
                let before = fixed.rfind(|word| words::words(word).first().is_none_or(|word| word != verb));
                let before = before.and_then(words::name_of).unwrap_or_else(|| last.to_owned());
                let noun = if noun == format!("own_{}", words::singular(&before)) { "own".to_owned() } else { noun };
                let noun = if noun == before || words::singular(&noun) == words::singular(&before) {
                    String::new()
                } else {
                    noun
                };
                // What is done to all of them is not done to one.
                let one = words::singular(&before);
                let many = self.standing.kinds.iter().any(|kind| kind.name == one) && operation.method != "POST";
                (if many { before } else { one }, noun)
            }
        };
        let parent = elsewhere.then(|| owner.map(|kind| kind.name.clone())).flatten();
        let base = match (noun.is_empty(), parent) {
            (_, Some(parent)) => format!("{past}_in_{parent}"),
            (true, None) => past,
            (false, None) => format!("{noun}_{past}"),
        };
        let base: String = base.chars().take(60).collect();
        let names = [base.clone(), format!("{base}_by_{}", operation.method.to_lowercase())];
        let mut names = names.into_iter().chain((2..1000).map(|number| format!("{base}_{number}")));
        let Some(verb) = names.find(|verb| self.keys.insert(format!("{resource}.{verb}"))) else { return };
        (action.resource, action.verb) = (resource, verb);
        (action.title, action.message) = (phrase.title, phrase.message);
        // What the sentence does not say is not asked for.
        let message = action.message.clone();
        let says = |name: &str| message.contains(&format!("{{{{ {name} }}}}"));
        action.lets.retain(|(name, _)| says(name));
        action.with.retain(|(name, _)| says(name));
        if !elsewhere {
            action.test = example::other(operation, &action, self.standing);
        }
        self.made.actions.push(action);
    }
}

/// `Created invitation` says whom it is for where the request does.
fn name_said(operation: &Operation, last: &str, phrase: &mut Phrase, action: &mut Action) {
    let noun = words::singular(last).replace('_', " ");
    let makes = ["created", "added", "invited", "registered", "sent", "uploaded"].contains(&phrase.past.as_str());
    let is_last = operation.segments.last().and_then(Segment::fixed).is_some();
    let said = operation.sample.input.as_object().filter(|_| makes && is_last && operation.sample.files.is_empty());
    let Some(field) = said.and_then(|fields| body::name_field(&[fields], last)) else { return };
    let name = words::name_of(&field).unwrap_or_default();
    let long = ["description", "summary", "url", "path", "code", "key"].contains(&name.as_str());
    let taken = super::kinds::is_taken(&name) && name != "name";
    if long || name.is_empty() || field.contains('-') || taken || !phrase.message.ends_with(&noun) {
        return;
    }
    phrase.message.push_str(&format!(" {{{{ {name} }}}}"));
    action.lets.push((name, vec![format!("input.{field}")]));
}
