//! Categories in families: one colour and one icon for what stands before the colon.
//!
//! Thirteen hues cannot be told apart; eight can. A family keeps its colour
//! whatever is filtered; the ninth and later share a grey.

/// The families of the shipped rules, with the colour and icon they always have.
const KNOWN: [(&str, u8, &str); 10] = [
    ("Documents", 1, "page"),
    ("Settings", 2, "sliders"),
    ("Builder", 3, "tree"),
    ("Agent settings", 3, "tree"),
    ("Utilities", 4, "bars"),
    ("Variables", 5, "braces"),
    ("Chats", 6, "bubble"),
    ("Publish", 7, "tray"),
    ("Access", 8, "key"),
    ("Audit logs", 8, "key"),
];
/// The colour of all families beyond the eighth.
pub(crate) const OTHER: u8 = 9;

/// The families of a rule set, in the order in which it declares them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Families {
    slots: Vec<(String, u8)>,
}

/// The part of a category before the colon.
pub(crate) fn family_of(category: &str) -> &str {
    category.split_once(':').map_or(category, |(family, _)| family).trim()
}

/// The icon of a category's family.
pub(crate) fn icon_of(category: &str) -> &'static str {
    let family = family_of(category);
    KNOWN.iter().find(|(name, ..)| *name == family).map_or("tag", |(_, _, icon)| icon)
}

impl Families {
    /// Gives each family of the categories its colour: known ones their own, then the free ones in order.
    pub(crate) fn new<'a>(categories: impl IntoIterator<Item = &'a str>) -> Families {
        let mut names: Vec<&str> = Vec::new();
        for family in categories.into_iter().map(family_of) {
            if !names.contains(&family) {
                names.push(family);
            }
        }
        let known = |family: &str| KNOWN.iter().find(|(name, ..)| *name == family).map(|(_, slot, _)| *slot);
        let taken: Vec<u8> = names.iter().filter_map(|name| known(name)).collect();
        let mut free = (1..OTHER).filter(|slot| !taken.contains(slot));
        let slots = names.into_iter().map(|name| {
            let slot = known(name).or_else(|| free.next()).unwrap_or(OTHER);
            (name.to_owned(), slot)
        });
        Families { slots: slots.collect() }
    }

    /// The colour of a category's family.
    pub(crate) fn slot_of(&self, category: &str) -> u8 {
        let family = family_of(category);
        let declared = self.slots.iter().find(|(name, _)| name == family).map(|(_, slot)| *slot);
        let known = || KNOWN.iter().find(|(name, ..)| *name == family).map(|(_, slot, _)| *slot);
        declared.or_else(known).unwrap_or(OTHER)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_shipped_families_have_their_colours_in_any_order() {
        let families = Families::new(["Variables", "Settings: Team", "Settings: Workspace", "Documents"]);
        assert_eq!(families.slot_of("Documents"), 1);
        assert_eq!(families.slot_of("Settings: Handover"), 2);
        assert_eq!(icon_of("Settings: Team"), "sliders");
    }

    #[test]
    fn other_families_take_the_free_colours_and_the_ninth_shares_grey() {
        let names: Vec<String> = (0..10).map(|at| format!("Family {at}: x")).collect();
        let families = Families::new(names.iter().map(String::as_str).chain(["Documents"]));
        assert_eq!(families.slot_of("Family 0: y"), 2);
        assert_eq!(families.slot_of("Family 6: x"), 8);
        assert_eq!(families.slot_of("Family 7: x"), OTHER);
        assert_eq!(families.slot_of("never declared"), OTHER);
        assert_eq!(icon_of("Family 1"), "tag");
    }
}
