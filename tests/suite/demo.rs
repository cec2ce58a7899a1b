//! The demo's platform, client and day of work, for the stories of this suite.

#[path = "../../examples/demo/client.rs"]
pub(crate) mod client;
#[path = "../../examples/demo/platform/mod.rs"]
pub(crate) mod platform;
#[path = "../../examples/demo/story/mod.rs"]
pub(crate) mod story;

/// Every request of the day is answered as the story expects, with nothing between it and the platform.
#[tokio::test]
async fn the_day_goes_as_told_without_sidetrail() {
    let platform = platform::start(([127, 0, 0, 1], 0).into()).await.unwrap();
    let cast = story::Cast::sign_in(&format!("http://{}", platform.addr)).await.unwrap();
    let made = story::first_act(&cast).await.unwrap();
    story::second_act(&cast, &made).await.unwrap();
}
