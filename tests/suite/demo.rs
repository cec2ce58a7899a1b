//! The demo's platform, client and day of work, for the stories of this suite.

#[path = "../../examples/demo/client.rs"]
pub(crate) mod client;
#[path = "../../examples/demo/platform/mod.rs"]
pub(crate) mod platform;
#[path = "../../examples/demo/story/mod.rs"]
pub(crate) mod story;

use client::Client;
use story::Cast;

impl Cast {
    /// Everybody.
    fn people(&mut self) -> [&mut Client; 7] {
        let Cast { cosimo, valentina, giosue, ilaria, niccolo, desiree, zoe } = self;
        [cosimo, valentina, giosue, ilaria, niccolo, desiree, zoe]
    }

    /// Sends everybody to another address: sidetrail was restarted.
    pub(crate) fn move_to(&mut self, base: &str) {
        self.people().into_iter().for_each(|person| base.clone_into(&mut person.base));
    }

    /// The tokens and cookies that they send.
    pub(crate) fn credentials(&mut self) -> Vec<String> {
        let tokens = |person: &mut Client| {
            let token = person.authorization.as_deref().and_then(|value| value.strip_prefix("Bearer "));
            token.or(person.cookie.as_deref().and_then(|pair| pair.strip_prefix("sid="))).map(str::to_owned)
        };
        self.people().into_iter().filter_map(tokens).collect()
    }
}

/// Every request of the day is answered as the story expects, with nothing between it and the platform.
#[tokio::test]
async fn the_day_goes_as_told_without_sidetrail() {
    let platform = platform::start(([127, 0, 0, 1], 0).into()).await.unwrap();
    let cast = story::Cast::sign_in(&format!("http://{}", platform.addr)).await.unwrap();
    let made = story::first_act(&cast).await.unwrap();
    story::second_act(&cast, &made).await.unwrap();
}
