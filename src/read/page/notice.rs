//! Pages that say why there is nothing to see, and the page to sign in.

use askama::Template;

use crate::read::{ReadError, State};

use super::frame::{Frame, icon, icon_of_class};

#[derive(Template)]
#[template(path = "notice.html")]
struct Notice {
    frame: Frame,
    heading: &'static str,
    text: String,
    mistakes: Vec<(String, String)>,
    href: &'static str,
    way_out: &'static str,
}

/// Why a page is not shown, as HTML.
pub(crate) fn notice(state: &State, error: &ReadError) -> String {
    let heading = match error {
        ReadError::Parameters(_) => "This address cannot be read",
        ReadError::NotFound => "There is no such event here",
        ReadError::Forbidden("read") => "This token may not read events",
        ReadError::Forbidden(_) => "This token may not see this page",
        _ => "The log cannot be read just now",
    };
    let (mistakes, text) = match error {
        ReadError::Parameters(mistakes) => {
            let each = mistakes.iter().map(|mistake| (mistake.parameter.clone(), mistake.detail.clone()));
            (each.collect(), "Something in it is not known or malformed.".to_owned())
        }
        ReadError::NotFound => {
            (Vec::new(), "It does not exist, or it belongs to a workspace that is not yours.".to_owned())
        }
        other => (Vec::new(), format!("{other}.")),
    };
    let notice = Notice { frame: Frame::bare(state), heading, text, mistakes, href: "/", way_out: "All events" };
    notice.render().unwrap_or_default()
}

#[derive(Template)]
#[template(path = "sign_in.html")]
struct SignIn<'a> {
    frame: Frame,
    wrong: Option<&'a str>,
    can_sign_in: bool,
    next: &'a str,
}

/// The page to sign in at; `wrong` says what was not right the last time, `next` where it leads.
/// Where signing in is refused altogether, the page has no form.
pub(crate) fn sign_in_page(state: &State, wrong: Option<&str>, can_sign_in: bool, next: &str) -> String {
    SignIn { frame: Frame::bare(state), wrong, can_sign_in, next }.render().unwrap_or_default()
}
