//! One event: on a page of its own, or as the panel that the script puts beside the list.

use askama::Template;
use uuid::Uuid;

use crate::read::access::Principal;
use crate::read::{ReadError, State};

use super::desk::Desk;
use super::detail::Detail;
use super::frame::{Frame, chevron, icon};
use super::list::count_further;

#[derive(Template)]
#[template(path = "event.html")]
struct EventPage {
    frame: Frame,
    detail: Detail,
    zone: String,
}

#[derive(Template)]
#[template(path = "panel.html")]
struct Panel {
    detail: Detail,
}

/// One event as HTML: a page, or only the panel.
///
/// # Errors
/// When there is no such event in the reader's scope, or the store is silent.
pub(crate) async fn event_page(
    state: &State,
    principal: &Principal,
    desk: &Desk,
    id: Uuid,
    is_panel: bool,
) -> Result<String, ReadError> {
    let scope = principal.scope.clone();
    let stored = state.ask(move |store| store.event(&scope, id)).await?.ok_or(ReadError::NotFound)?;
    let asked = stored.clone();
    let gone = state.ask(move |store| store.gone_links(std::slice::from_ref(&asked))).await?;
    let desk = &Desk { gone, ..desk.clone() };
    let counts = count_further(state, principal, desk, &stored).await?;
    let detail = Detail::new(desk, &stored, &counts);
    let drawn = if is_panel {
        Panel { detail }.render()
    } else {
        let mut frame = Frame::new(state, principal, desk, &[]);
        frame.is_list = false;
        let zone = format!("{} {}", desk.zone.name(), desk.zone.offset_label(stored.event.time));
        EventPage { frame, detail, zone: zone.trim_end().to_owned() }.render()
    };
    drawn.map_err(|_| ReadError::Broken)
}
