//! English words of routes: singular and plural, the past of a verb, the words of an identifier.
//!
//! Small tables and the usual rules; what they get wrong is a word in a draft that a person reads anyway.

/// Verbs whose past is not made by the rules.
const IRREGULAR: [(&str, &str); 64] = [
    ("begin", "began"),
    ("bind", "bound"),
    ("bring", "brought"),
    ("build", "built"),
    ("buy", "bought"),
    ("cancel", "cancelled"),
    ("choose", "chose"),
    ("cut", "cut"),
    ("do", "did"),
    ("draw", "drew"),
    ("find", "found"),
    ("forget", "forgot"),
    ("freeze", "froze"),
    ("get", "got"),
    ("give", "gave"),
    ("go", "went"),
    ("hide", "hid"),
    ("hold", "held"),
    ("keep", "kept"),
    ("leave", "left"),
    ("lend", "lent"),
    ("let", "let"),
    ("lose", "lost"),
    ("make", "made"),
    ("mistake", "mistook"),
    ("override", "overrode"),
    ("overwrite", "overwrote"),
    ("pay", "paid"),
    ("prepay", "prepaid"),
    ("put", "put"),
    ("quit", "quit"),
    ("read", "read"),
    ("rebind", "rebound"),
    ("rebuild", "rebuilt"),
    ("redo", "redid"),
    ("redraw", "redrew"),
    ("repay", "repaid"),
    ("rerun", "reran"),
    ("resend", "resent"),
    ("reset", "reset"),
    ("retake", "retook"),
    ("rewind", "rewound"),
    ("rewrite", "rewrote"),
    ("run", "ran"),
    ("sell", "sold"),
    ("send", "sent"),
    ("set", "set"),
    ("shut", "shut"),
    ("speak", "spoke"),
    ("split", "split"),
    ("take", "took"),
    ("teach", "taught"),
    ("tell", "told"),
    ("think", "thought"),
    ("unbind", "unbound"),
    ("undo", "undid"),
    ("unfreeze", "unfroze"),
    ("unhide", "unhid"),
    ("unset", "unset"),
    ("upset", "upset"),
    ("wake", "woke"),
    ("win", "won"),
    ("withdraw", "withdrew"),
    ("write", "wrote"),
];

/// Longer verbs whose last letter doubles; short ones double by the rule.
const DOUBLING: [&str; 22] = [
    "admit", "abet", "commit", "compel", "control", "deter", "expel", "forbid", "input", "omit", "permit", "prefer",
    "propel", "recommit", "refer", "remap", "replan", "resubmit", "rewrap", "submit", "transfer", "unship",
];

/// Verbs as they stand in paths and summaries.
const VERBS: &str = " abort accept acknowledge acquire activate add adjust advance allow analyze annotate answer append apply approve \
archive assign associate attach authenticate authorize backup ban begin bind block book bookmark boost borrow build buy cancel capture \
change charge check checkout claim clean cleanup clear clone close collect combine commit compact complete compress confirm connect consume \
convert copy create crosspost deactivate deauthorize decline decrypt delete demote deny deploy deprovision deprecate destroy detach \
disable disassociate disconnect dismiss dispatch disable discard dissociate download drain drop duplicate edit eject empty enable \
encrypt end endorse enroll erase escalate evict execute expand expire export extend fail favorite fetch finalize finish flag flush \
follow force forget fork freeze generate give grant hide hold ignore impersonate import increase decrease increment decrement \
initialize initiate insert install instantiate interrupt invalidate invite invoke join kick kill label launch leave lend like link \
list load lock log make map mark merge migrate mint modify move mute notify open order override overwrite patch pause pay perform pin \
ping play post prepare preserve process promote provision prune publish pull purge push put quarantine queue raise rate react \
reactivate read reassign rebuild receive recalculate record recover recycle redeem redeliver redeploy refresh refund regenerate register \
reindex reinstall reject release reload remap remove rename renew reopen reorder repair replace reply report reprocess request \
require rerun resend reserve reset resize resolve restart restore restrict resubmit resume resync retire retrieve retry return reuse \
revert review revise revoke rewind roll rollback rotate run save scale scan schedule seal select send set share ship shrink shut \
shutdown sign skip snooze split star start stop store submit subscribe suspend swap switch sync synchronize tag take terminate test \
toggle touch track transfer transform transition translate trash trigger truncate unarchive unassign unban unbind unblock unbookmark \
undelete undo unenroll unfavorite unfollow unfreeze unhide uninstall unlike unlink unlock unmark unmerge unmount mount unmute unpair \
pair unpause unpin unpublish unregister unreserve unseal unset unshare unstar unsubscribe unsuspend untag update upgrade downgrade \
upload upsert use verify vote void wake watch unwatch withdraw wipe write ";

/// Verbs of requests that only look, whatever their method.
const LOOKING: &str = " aggregate autocomplete browse calculate check compare compute count detect diff distinct estimate evaluate \
exists explain fetch filter find forecast get introspect inspect list lookup parse poll predict preview probe query render retrieve \
return returns search show simulate suggest summarize validate ";

/// Whether a word is a verb as paths have them.
pub(super) fn is_verb(word: &str) -> bool {
    holds(VERBS, word)
}

/// Whether a word is a verb of looking.
pub(super) fn is_looking(word: &str) -> bool {
    holds(LOOKING, word)
}

fn holds(list: &str, word: &str) -> bool {
    !word.is_empty() && !word.contains(' ') && list.contains(&format!(" {word} "))
}

/// `publish` → `published`.
pub(super) fn past(verb: &str) -> String {
    if let Some((_, past)) = IRREGULAR.iter().find(|(known, _)| *known == verb) {
        return (*past).to_owned();
    }
    for compound in ["backup", "checkout", "cleanup", "rollback", "shutdown"] {
        if verb == compound {
            return match compound {
                "backup" => "backed up",
                "checkout" => "checked out",
                "cleanup" => "cleaned up",
                "rollback" => "rolled back",
                _ => "shut down",
            }
            .to_owned();
        }
    }
    let letters: Vec<char> = verb.chars().collect();
    let is_vowel = |at: usize| letters.get(at).is_some_and(|letter| "aeiou".contains(*letter));
    let length = letters.len();
    let before = length.checked_sub(2);
    match letters.last() {
        None => String::new(),
        Some('e') => format!("{verb}d"),
        Some('y') if before.is_some_and(|at| !is_vowel(at)) => format!("{}ied", verb.strip_suffix('y').unwrap_or(verb)),
        Some(last) => {
            let ends = length >= 3 && !is_vowel(length - 1) && is_vowel(length - 2) && !is_vowel(length - 3);
            let vowels = (0..length).filter(|at| is_vowel(*at)).count();
            let stem = ["un", "re"].iter().find_map(|before| verb.strip_prefix(before)).unwrap_or(verb);
            let short =
                vowels == 1 || stem.len() < verb.len() && stem.chars().filter(|l| "aeiou".contains(*l)).count() == 1;
            let doubles = ends && !"wxyh".contains(*last) && (short && stem.len() <= 4) || DOUBLING.contains(&verb);
            if doubles { format!("{verb}{last}ed") } else { format!("{verb}ed") }
        }
    }
}

/// `publishes`, `publishing`, `Publish` → `publish`, where that is a verb.
pub(super) fn imperative(word: &str) -> Option<String> {
    let word = word.to_lowercase();
    let known = |verb: &str| is_verb(verb) || is_looking(verb);
    if known(&word) {
        return Some(word);
    }
    let stems = [("ies", "y"), ("es", ""), ("s", ""), ("ing", ""), ("ing", "e")];
    stems.iter().find_map(|(end, instead)| {
        let stem = format!("{}{instead}", word.strip_suffix(end)?);
        known(&stem).then_some(stem)
    })
}

/// The verb that words begin with, and how many of them it took: `bulk delete` is `delete`.
pub(super) fn verb_of(words: &[String]) -> Option<(String, usize)> {
    let more = ["bulk", "batch", "mass", "multi"];
    let skipped = words.iter().take_while(|word| more.contains(&word.to_lowercase().as_str())).count();
    let verb = imperative(words.get(skipped)?)?;
    Some((verb, skipped + 1))
}

/// Words without a singular of their own, or with an odd one.
const SINGULARS: [(&str, &str); 30] = [
    ("people", "person"),
    ("children", "child"),
    ("men", "man"),
    ("women", "woman"),
    ("data", "data"),
    ("metadata", "metadata"),
    ("media", "media"),
    ("news", "news"),
    ("series", "series"),
    ("species", "species"),
    ("indices", "index"),
    ("indexes", "index"),
    ("vertices", "vertex"),
    ("matrices", "matrix"),
    ("appendices", "appendix"),
    ("analyses", "analysis"),
    ("hypotheses", "hypothesis"),
    ("criteria", "criterion"),
    ("caches", "cache"),
    ("movies", "movie"),
    ("cookies", "cookie"),
    ("ties", "tie"),
    ("quizzes", "quiz"),
    ("aliases", "alias"),
    ("alias", "alias"),
    ("bonuses", "bonus"),
    ("viruses", "virus"),
    ("settings", "settings"),
    ("preferences", "preferences"),
    ("credentials", "credentials"),
];

/// `issue_comments` → `issue_comment`: the last word's singular.
pub(super) fn singular(name: &str) -> String {
    let (before, last) = name.rsplit_once('_').map_or(("", name), |(before, last)| (before, last));
    let one = singular_of(last);
    if before.is_empty() { one } else { format!("{before}_{one}") }
}

fn singular_of(word: &str) -> String {
    if let Some((_, one)) = SINGULARS.iter().find(|(many, _)| *many == word) {
        return (*one).to_owned();
    }
    let cut = |end: &str, instead: &str| {
        word.strip_suffix(end).filter(|stem| stem.len() > 1).map(|stem| format!("{stem}{instead}"))
    };
    if ["ss", "us", "sis", "xis", "os"].iter().any(|end| word.ends_with(end)) && !word.ends_with("menus") {
        return if word.ends_with("os") { cut("s", "").unwrap_or_else(|| word.to_owned()) } else { word.to_owned() };
    }
    cut("ies", "y")
        .or_else(|| cut("tuses", "tus"))
        .or_else(|| cut("puses", "pus"))
        .or_else(|| cut("sses", "ss"))
        .or_else(|| cut("shes", "sh"))
        .or_else(|| cut("ches", "ch"))
        .or_else(|| cut("xes", "x"))
        .or_else(|| cut("s", ""))
        .unwrap_or_else(|| word.to_owned())
}

/// Whether a name is one of many.
pub(super) fn is_plural(name: &str) -> bool {
    singular(name) != name || ["data", "media", "series", "settings", "preferences", "credentials"].contains(&name)
}

/// `person` → `people`, `entry` → `entries`.
pub(super) fn plural(name: &str) -> String {
    let (before, last) = name.rsplit_once('_').map_or((String::new(), name), |(a, b)| (format!("{a}_"), b));
    let many = match SINGULARS.iter().find(|(_, one)| *one == last) {
        Some((many, _)) => (*many).to_owned(),
        None if is_plural(last) => last.to_owned(),
        None if ["s", "x", "sh", "ch"].iter().any(|end| last.ends_with(end)) => format!("{last}es"),
        None => match last.strip_suffix('y') {
            Some(stem) if !stem.ends_with(['a', 'e', 'i', 'o', 'u']) => format!("{stem}ies"),
            _ => format!("{last}s"),
        },
    };
    format!("{before}{many}")
}

/// The words of an identifier: `createAPIKey`, `issue-comments`, `issues/lock` → lower-case words.
pub(super) fn words(identifier: &str) -> Vec<String> {
    let endings = [".json", ".xml", ".html", ".php", ".do", ".aspx"];
    let identifier = endings.iter().find_map(|end| identifier.strip_suffix(end)).unwrap_or(identifier);
    let letters: Vec<char> = identifier.chars().take(200).collect();
    let mut words: Vec<String> = vec![String::new()];
    for (at, letter) in letters.iter().enumerate() {
        if !letter.is_ascii_alphanumeric() {
            words.push(String::new());
            continue;
        }
        let before = at.checked_sub(1).and_then(|at| letters.get(at));
        let after = letters.get(at + 1);
        let is_break = letter.is_ascii_uppercase()
            && (before.is_some_and(|letter| letter.is_ascii_lowercase() || letter.is_ascii_digit())
                || before.is_some_and(char::is_ascii_uppercase) && after.is_some_and(char::is_ascii_lowercase));
        if is_break {
            words.push(String::new());
        }
        if let Some(word) = words.last_mut() {
            word.push(letter.to_ascii_lowercase());
        }
    }
    words.retain(|word| !word.is_empty());
    words
}

/// A name as expressions can have it: `issue_comments`; `None` where nothing is left.
pub(super) fn name_of(identifier: &str) -> Option<String> {
    let name = words(identifier).join("_");
    let name = name.trim_start_matches(|letter: char| letter.is_ascii_digit() || letter == '_');
    (!name.is_empty() && name.len() <= 48).then(|| name.to_owned())
}

/// The first letter as a capital.
pub(super) fn capital(text: &str) -> String {
    let mut letters = text.chars();
    letters.next().map_or_else(String::new, |first| first.to_uppercase().chain(letters).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_past_of_a_verb_is_the_one_that_people_write() {
        for (verb, expected) in [
            ("publish", "published"),
            ("archive", "archived"),
            ("deny", "denied"),
            ("deploy", "deployed"),
            ("stop", "stopped"),
            ("pin", "pinned"),
            ("unpin", "unpinned"),
            ("ban", "banned"),
            ("submit", "submitted"),
            ("transfer", "transferred"),
            ("edit", "edited"),
            ("open", "opened"),
            ("reset", "reset"),
            ("resend", "resent"),
            ("rerun", "reran"),
            ("fix", "fixed"),
            ("retry", "retried"),
            ("merge", "merged"),
            ("sync", "synced"),
            ("lock", "locked"),
            ("repeat", "repeated"),
            ("visit", "visited"),
            ("join", "joined"),
            ("mute", "muted"),
            ("unload", "unloaded"),
            ("review", "reviewed"),
            ("remap", "remapped"),
            ("drop", "dropped"),
        ] {
            assert_eq!(past(verb), expected, "{verb}");
        }
    }

    #[test]
    fn one_and_many_are_told_apart() {
        for (many, one) in [
            ("documents", "document"),
            ("categories", "category"),
            ("addresses", "address"),
            ("statuses", "status"),
            ("status", "status"),
            ("people", "person"),
            ("branches", "branch"),
            ("releases", "release"),
            ("databases", "database"),
            ("boxes", "box"),
            ("issue_comments", "issue_comment"),
            ("emojis", "emoji"),
            ("videos", "video"),
            ("analysis", "analysis"),
            ("aliases", "alias"),
            ("alias", "alias"),
        ] {
            assert_eq!(singular(many), one, "{many}");
        }
        assert_eq!(plural("entry"), "entries");
        assert_eq!(plural("alias"), "aliases");
        assert_eq!(plural("issue_comment"), "issue_comments");
        assert_eq!(plural("person"), "people");
        assert!(is_plural("labels") && !is_plural("status"));
    }

    #[test]
    fn an_identifier_has_words() {
        assert_eq!(words("createAPIKey"), ["create", "api", "key"]);
        assert_eq!(words("issues/set-labels_2"), ["issues", "set", "labels", "2"]);
        assert_eq!(name_of("2fa-Codes").as_deref(), Some("fa_codes"));
        assert_eq!(name_of("日本"), None);
    }
}
