//! The values of a field among the matching events, and how often each occurs.

use std::collections::HashMap;

use crate::event::Event;
use crate::record::StoreError;
use crate::record::query::{Facet, Field, Filter, Order};
use crate::record::select::Snapshot;

/// See [`Store::facet`](crate::record::Store::facet).
pub(crate) fn facet(
    asked: &Snapshot<'_>,
    filter: &Filter,
    field: Field,
    limit: usize,
) -> Result<Vec<Facet>, StoreError> {
    let mut filter = filter.clone();
    filter.clauses.retain(|clause| clause.field != field);
    let mut counts: HashMap<String, (String, u64)> = HashMap::new();
    asked.select(&filter, Order::Descending, None, |found| {
        for (value, label) in values(&found.stored()?.event, field) {
            // Newest first: the label is the one that was last in use.
            counts.entry(value).or_insert((label, 0)).1 += 1;
        }
        Ok(true)
    })?;
    let mut facets: Vec<Facet> =
        counts.into_iter().map(|(value, (label, count))| Facet { value, label, count }).collect();
    facets.sort_by(|a, b| b.count.cmp(&a.count).then_with(|| a.value.cmp(&b.value)));
    facets.truncate(limit);
    Ok(facets)
}

fn values(event: &Event, field: Field) -> Vec<(String, String)> {
    let same = |text: &str| vec![(text.to_owned(), text.to_owned())];
    match field {
        Field::Workspace => event.workspace.as_deref().map(same).unwrap_or_default(),
        Field::Category => same(&event.category),
        Field::Action => vec![(event.action.to_string(), event.title.to_string())],
        Field::User => {
            let actor = &event.actor;
            let value = actor.id.as_deref().or(actor.email.as_deref()).or(actor.name.as_deref());
            value.map(|value| (value.to_owned(), actor.label().unwrap_or(value).to_owned())).into_iter().collect()
        }
        Field::ActorKind => same(event.actor.kind.word()),
        Field::Outcome => same(event.outcome.word()),
        Field::Ip => event.source.ip.map(|ip| same(&ip.to_string())).unwrap_or_default(),
        Field::Target => {
            let mut kinds: Vec<&str> = event.targets.iter().map(|target| target.kind.as_str()).collect();
            kinds.sort_unstable();
            kinds.dedup();
            kinds.into_iter().map(|kind| (format!("{kind}:*"), kind.to_owned())).collect()
        }
        Field::Request | Field::Word => Vec::new(),
    }
}
