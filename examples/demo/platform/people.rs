//! The people of the sample platform.

/// Somebody with an account.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Person {
    /// The account's id.
    pub(crate) id: &'static str,
    /// Full name.
    pub(crate) name: &'static str,
    /// What they sign in with.
    pub(crate) email: &'static str,
    /// Their password. This is a sample: it stands here in plain text.
    pub(crate) password: &'static str,
    /// Whether sign-in gives only an opaque cookie, no token.
    pub(crate) cookie_only: bool,
    /// Workspace and role, the first being the one they land in.
    pub(crate) roles: &'static [(&'static str, &'static str)],
}

const fn person(
    id: &'static str,
    name: &'static str,
    email: &'static str,
    password: &'static str,
    roles: &'static [(&'static str, &'static str)],
) -> Person {
    Person { id, name, email, password, cookie_only: false, roles }
}

/// Everybody.
pub(crate) const PEOPLE: [Person; 7] = [
    person("u_812", "Cosimo Scarfò", "cosimo@acme.it", "Tramontana-812", &[("39", "owner")]),
    person("u_813", "Valentina Cantù", "valentina@acme.it", "Libeccio-813", &[("39", "admin"), ("40", "admin")]),
    person("u_814", "Giosuè Brambilla", "giosue@acme.it", "Scirocco-814", &[("39", "editor")]),
    person("u_815", "Ilaria Calò", "ilaria@acme.it", "Maestrale-815", &[("40", "owner")]),
    person("u_816", "Niccolò D'Amico", "niccolo@acme.it", "Ponente-816", &[("40", "editor")]),
    person("u_817", "Desirée Dell'Acqua", "desiree@acme.it", "Levante-817", &[("39", "viewer")]),
    Person {
        cookie_only: true,
        ..person("u_818", "Zoë Plattner", "zoe@acme.it", "Grecale-818", &[("39", "editor"), ("40", "editor")])
    },
];
