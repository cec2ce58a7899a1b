//! The demo.

mod client;
mod platform;
mod story;

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let running = platform::start(([127, 0, 0, 1], 0).into()).await?;
    println!("{}", running.addr);
    let cast = story::Cast::sign_in(&format!("http://{}", running.addr)).await?;
    let made = story::first_act(&cast).await?;
    story::second_act(&cast, &made).await?;
    println!("done");
    Ok(())
}
