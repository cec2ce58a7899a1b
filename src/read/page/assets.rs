//! Stylesheet, script and mark: in the binary, at addresses that change with their content.

use std::sync::LazyLock;

use axum::extract::Path;
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use sha2::{Digest as _, Sha256};

/// An address names its content, so it may be kept for good (RFC 9111 §5.2.2; RFC 8246).
const FOR_GOOD: &str = "public, max-age=31536000, immutable";

/// The symbols that a page draws by `<use>`; they stand in the page itself.
pub(crate) const ICONS: &str = include_str!("../assets/icons.svg");

/// A file that a page refers to.
#[derive(Debug)]
pub(crate) struct Asset {
    name: String,
    media_type: &'static str,
    bytes: &'static [u8],
}

impl Asset {
    fn new(stem: &str, extension: &str, media_type: &'static str, bytes: &'static [u8]) -> Asset {
        let digest = Sha256::digest(bytes).first_chunk::<8>().map(hex::encode).unwrap_or_default();
        Asset { name: format!("{stem}.{digest}.{extension}"), media_type, bytes }
    }

    /// Its address.
    pub(crate) fn href(&self) -> String {
        format!("/assets/{}", self.name)
    }
}

/// The stylesheet.
pub(crate) static STYLE: LazyLock<Asset> =
    LazyLock::new(|| Asset::new("page", "css", "text/css; charset=utf-8", include_bytes!("../assets/page.css")));
/// The script.
pub(crate) static SCRIPT: LazyLock<Asset> =
    LazyLock::new(|| Asset::new("page", "js", "text/javascript; charset=utf-8", include_bytes!("../assets/page.js")));
/// The mark in the browser's tab.
pub(crate) static MARK: LazyLock<Asset> =
    LazyLock::new(|| Asset::new("mark", "svg", "image/svg+xml", include_bytes!("../assets/mark.svg")));

/// Answers `/assets/{name}`.
pub(crate) async fn asset(Path(name): Path<String>, headers: HeaderMap) -> Response {
    let all = [&*STYLE, &*SCRIPT, &*MARK];
    let Some(asset) = all.into_iter().find(|asset| asset.name == name) else {
        return StatusCode::NOT_FOUND.into_response();
    };
    let tag = format!("\"{}\"", asset.name);
    let known = headers.get(header::IF_NONE_MATCH).and_then(|tags| tags.to_str().ok()).unwrap_or_default();
    let fixed = [(header::CACHE_CONTROL, FOR_GOOD.to_owned()), (header::ETAG, tag.clone())];
    if known.split(',').any(|known| known.trim().trim_start_matches("W/") == tag) {
        return (StatusCode::NOT_MODIFIED, fixed).into_response();
    }
    (fixed, [(header::CONTENT_TYPE, asset.media_type)], asset.bytes).into_response()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn an_address_names_its_content_and_stays_good() {
        let name = STYLE.name.clone();
        let answer = asset(Path(name.clone()), HeaderMap::new()).await;
        assert_eq!(answer.status(), StatusCode::OK);
        assert_eq!(answer.headers()[header::CACHE_CONTROL], FOR_GOOD);
        let again = HeaderMap::from_iter([(header::IF_NONE_MATCH, answer.headers()[header::ETAG].clone())]);
        assert_eq!(asset(Path(name), again).await.status(), StatusCode::NOT_MODIFIED);
        assert_eq!(asset(Path("page.css".to_owned()), HeaderMap::new()).await.status(), StatusCode::NOT_FOUND);
    }

    #[test]
    fn every_icon_that_a_template_uses_exists() {
        let templates = concat!(include_str!("../templates/list.html"), include_str!("../templates/detail.html"));
        for name in templates.split("icon(\"").skip(1).filter_map(|rest| rest.split('"').next()) {
            assert!(ICONS.contains(&format!("id=\"i-{name}\"")), "{name}");
        }
    }
}
