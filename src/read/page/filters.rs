//! The filters: one GET form, the chips of what is in force, and the views.

use crate::event::Outcome;
use crate::read::query::Params;
use crate::record::query::{Clause, Facet, Field};

use super::desk::{Desk, list_href};
use super::families::icon_of;
use super::format;
use super::looks::{COLUMNS, Column};
use super::person::Person;
use super::range::{self, Preset};
use super::sentence;

/// The form and its menus.
#[derive(Debug)]
pub(crate) struct Form {
    pub(crate) q: String,
    pub(crate) range: String,
    pub(crate) has_range: bool,
    pub(crate) presets: Vec<Preset>,
    pub(crate) from: String,
    pub(crate) to: String,
    pub(crate) categories: Vec<Choice>,
    pub(crate) chosen_categories: usize,
    pub(crate) clear_categories: String,
    pub(crate) users: Vec<Choice>,
    pub(crate) chosen_users: usize,
    pub(crate) clear_users: String,
    pub(crate) outcomes: Vec<Choice>,
    pub(crate) actions: Vec<String>,
    pub(crate) targets: Vec<String>,
    pub(crate) ips: Vec<String>,
    /// How many of those under "Add filter" are in force.
    pub(crate) added: usize,
    pub(crate) clear_added: String,
    pub(crate) columns: Vec<(Column, bool)>,
    /// What the form does not show and must not lose.
    pub(crate) hidden: Vec<(String, String)>,
    pub(crate) chart_href: String,
    pub(crate) has_chart: bool,
}

/// A value to choose in a menu.
#[derive(Debug)]
pub(crate) struct Choice {
    pub(crate) value: String,
    pub(crate) label: String,
    pub(crate) count: Option<String>,
    pub(crate) is_chosen: bool,
    pub(crate) icon: &'static str,
    pub(crate) person: Option<Person>,
}

/// The filters under "Add filter".
const ADDED: [Field; 4] = [Field::Outcome, Field::Action, Field::Target, Field::Ip];

impl Form {
    pub(crate) fn new(desk: &Desk, categories: &[Facet], users: &[Facet]) -> Form {
        let params = &desk.params;
        let (from, to) = range::day_fields(desk);
        let day = |day: Option<jiff::civil::Date>| day.map(|day| day.to_string()).unwrap_or_default();
        let categories = choices(params.values(Field::Category, false), categories);
        let users = choices(params.values(Field::User, false), users);
        let with_person =
            |choice: Choice| Choice { person: Some(Person::called(&choice.label, &choice.value)), ..choice };
        let with_icon = |choice: Choice| Choice { icon: icon_of(&choice.value), ..choice };
        let values = |field| params.values(field, false).to_vec();
        Form {
            q: params.q.clone().unwrap_or_default(),
            range: range::title(desk),
            has_range: params.since.is_some() || params.until.is_some(),
            presets: range::presets(desk),
            hidden: hidden(params, from.is_some() || to.is_some()),
            from: day(from),
            to: day(to),
            chosen_categories: categories.iter().filter(|choice| choice.is_chosen).count(),
            clear_categories: cleared(desk, &[Field::Category]),
            categories: categories.into_iter().map(with_icon).collect(),
            chosen_users: users.iter().filter(|choice| choice.is_chosen).count(),
            clear_users: cleared(desk, &[Field::User]),
            users: users.into_iter().map(with_person).collect(),
            outcomes: outcomes(params),
            added: ADDED.into_iter().map(|field| values(field).len()).sum(),
            clear_added: cleared(desk, &ADDED),
            actions: values(Field::Action),
            targets: values(Field::Target),
            ips: values(Field::Ip),
            columns: COLUMNS.into_iter().map(|column| (column, desk.looks.shows(column.key))).collect(),
            chart_href: desk.href(|params| params.set_extra("chart", Some(if desk.looks.chart { "0" } else { "1" }))),
            has_chart: desk.looks.chart,
        }
    }
}

/// The list without what a menu has chosen.
fn cleared(desk: &Desk, fields: &[Field]) -> String {
    desk.href(|params| params.clauses.retain(|clause| clause.negated || !fields.contains(&clause.field)))
}

/// The values of a facet, and those in force that do not occur.
fn choices(chosen: &[String], facets: &[Facet]) -> Vec<Choice> {
    let same = |one: &str, other: &str| one.eq_ignore_ascii_case(other);
    let missing = chosen.iter().filter(|value| !facets.iter().any(|facet| same(&facet.value, value)));
    let missing = missing.map(|value| Facet { value: value.clone(), label: value.clone(), count: 0 });
    let all = facets.iter().cloned().chain(missing).map(|facet| Choice {
        is_chosen: chosen.iter().any(|value| same(value, &facet.value)),
        value: facet.value,
        label: facet.label,
        count: Some(format::thousands(facet.count)),
        icon: "",
        person: None,
    });
    all.collect()
}

fn outcomes(params: &Params) -> Vec<Choice> {
    let chosen = params.values(Field::Outcome, false);
    let all = Outcome::ALL.into_iter().map(|outcome| Choice {
        value: outcome.word().to_owned(),
        label: sentence::badge(outcome).word.to_owned(),
        count: None,
        is_chosen: chosen.iter().any(|word| word == outcome.word()),
        icon: outcome.word(),
        person: None,
    });
    all.collect()
}

/// Parameters that have no field in the form.
fn hidden(params: &Params, days_say_range: bool) -> Vec<(String, String)> {
    let mut kept = params.clone().first_page();
    kept.q = None;
    kept.set_extra("event", None);
    kept.set_extra("show", None);
    let in_form = [Field::Category, Field::User, Field::Outcome, Field::Action, Field::Target, Field::Ip];
    kept.clauses.retain(|clause| clause.negated || !in_form.contains(&clause.field));
    if days_say_range {
        (kept.since, kept.until) = (None, None);
    }
    url::form_urlencoded::parse(kept.to_query().as_bytes()).into_owned().collect()
}

/// A filter in force, in words, with the way to remove it.
#[derive(Clone, Debug)]
pub(crate) struct Chip {
    pub(crate) field: String,
    pub(crate) relation: &'static str,
    pub(crate) value: String,
    pub(crate) href: String,
    /// The question without it.
    pub(crate) without: Params,
}

impl Chip {
    /// `User is not Sync Zapier`
    pub(crate) fn words(&self) -> String {
        let Chip { field, relation, value, .. } = self;
        if relation.is_empty() { format!("{field} {value}") } else { format!("{field} {relation} {value}") }
    }
}

/// What is in force, names instead of ids.
pub(crate) fn chips(desk: &Desk, users: &[Facet]) -> Vec<Chip> {
    let mut chips = Vec::new();
    let mut add = |field: &str, relation, value: String, remove: &dyn Fn(&mut Params)| {
        let mut without = desk.params.clone().first_page();
        without.set_extra("event", None);
        remove(&mut without);
        chips.push(Chip { field: field.to_owned(), relation, value, href: list_href(&without), without });
    };
    if let Some(q) = &desk.params.q {
        add("Words", "", q.clone(), &|params| params.q = None);
    }
    for Clause { field, negated, values } in &desk.params.clauses {
        for value in values {
            let relation = if *negated { "is not" } else { "is" };
            add(field_title(*field), relation, name(*field, value, users), &|params| {
                params.remove(*field, *negated, value)
            });
        }
    }
    chips
}

fn name(field: Field, value: &str, users: &[Facet]) -> String {
    match field {
        Field::User => {
            let known = users.iter().find(|facet| facet.value.eq_ignore_ascii_case(value));
            known.map_or_else(|| value.to_owned(), |facet| facet.label.clone())
        }
        Field::Outcome => Outcome::from_word(value).map_or(value, |outcome| sentence::badge(outcome).word).to_owned(),
        _ => value.to_owned(),
    }
}

fn field_title(field: Field) -> &'static str {
    match field {
        Field::Workspace => "Workspace",
        Field::Category => "Category",
        Field::Action => "Action",
        Field::User => "User",
        Field::ActorKind => "Actor",
        Field::Target => "Target",
        Field::Outcome => "Outcome",
        Field::Ip => "IP address",
        Field::Request => "Request",
        Field::Word => "Words",
    }
}

/// A ready-made question.
#[derive(Debug)]
pub(crate) struct View {
    pub(crate) name: &'static str,
    pub(crate) href: String,
    pub(crate) is_current: bool,
}

/// What a view asks for.
type Condition = fn(&mut Params);

/// The views, with their own conditions; the range and the zone stay.
const VIEWS: [(&str, Condition); 5] = [
    ("All events", |_| ()),
    ("Deletions", |params| params.q = Some("delete".to_owned())),
    ("Team and permissions", |params| params.insert(Field::Category, false, TEAM)),
    ("Exports", |params| params.q = Some("export".to_owned())),
    ("Failed and denied", |params| {
        params.insert(Field::Outcome, false, Outcome::Failure.word());
        params.insert(Field::Outcome, false, Outcome::Denied.word());
    }),
];
const TEAM: &str = "Settings: Team";

/// The views; the one about the team only where the rules have its category.
pub(crate) fn views(desk: &Desk, categories: &[String]) -> Vec<View> {
    let bare = |params: &mut Params| {
        params.q = None;
        params.clauses.retain(|clause| clause.field == Field::Workspace);
    };
    let current = desk.href(|_| ());
    let has_team = categories.iter().any(|category| category == TEAM);
    let offered = VIEWS.into_iter().filter(|(name, _)| has_team || *name != "Team and permissions");
    offered
        .map(|(name, condition)| {
            let href = desk.href(|params| {
                bare(params);
                condition(params);
            });
            View { name, is_current: href == current, href }
        })
        .collect()
}

/// The list without any filter, in the same range.
pub(crate) fn clear_href(desk: &Desk) -> String {
    desk.href(|params| {
        params.q = None;
        params.clauses.clear();
    })
}

/// The address that a submitted form means: days made a range, columns one value, what is empty left out.
/// None where the address says that already.
pub(crate) fn canonical(params: &Params, raw: &str, zone: &crate::read::zone::Zone) -> Option<String> {
    let is_form = raw.split('&').any(|pair| pair.ends_with('=') || pair.starts_with("show=base"));
    let (from, to) = (day(params, "from"), day(params, "to"));
    if !is_form && from.is_none() && to.is_none() {
        return None;
    }
    let mut canonical = params.clone();
    if from.is_some() || to.is_some() {
        // The last day is part of the range; the range itself is half-open.
        let next = to.map(|to| to.tomorrow().unwrap_or(to));
        canonical.since = from.and_then(|day| crate::read::query::When::parse(&day.to_string()).ok());
        canonical.until = next.and_then(|day| crate::read::query::When::parse(&day.to_string()).ok());
    }
    let shown: Vec<&str> =
        params.extra.iter().filter(|(name, _)| name == "show").map(|(_, key)| key.as_str()).collect();
    if let [first, keys @ ..] = shown.as_slice()
        && *first == "base"
    {
        let keys = if keys.is_empty() { "none".to_owned() } else { keys.join(",") };
        canonical.set_extra("show", Some(&keys));
    }
    canonical.set_extra("from", None);
    canonical.set_extra("to", None);
    canonical.tz = canonical.tz.filter(|chosen| chosen != zone);
    Some(list_href(&canonical))
}

fn day(params: &Params, name: &str) -> Option<jiff::civil::Date> {
    params.extra(name).and_then(|day| day.parse().ok())
}
