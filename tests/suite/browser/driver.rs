//! Chromium, steered by the words of WebDriver (W3C) over HTTP, and chromedriver's few own ones.

use std::io::{BufRead as _, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use base64::Engine as _;
use bytes::Bytes;
use http_body_util::{BodyExt as _, Full};
use hyper_util::client::legacy::Client;
use hyper_util::rt::TokioExecutor;
use serde_json::{Value, json};
use tempfile::TempDir;

/// An answer of the driver that takes longer will not come.
const PATIENCE: Duration = Duration::from_secs(30);

/// A running browser. Driver and browser end with it.
pub(crate) struct Browser {
    driver: Child,
    session: String,
    client: Client<hyper_util::client::legacy::connect::HttpConnector, Full<Bytes>>,
    /// The profile, and where downloads go.
    home: TempDir,
}

/// What a page is looked at with.
#[derive(Clone, Copy)]
pub(crate) struct Look {
    pub(crate) width: u32,
    pub(crate) height: u32,
    pub(crate) dark: bool,
    pub(crate) script: bool,
}

impl Browser {
    /// Starts chromedriver on a free port and a Chromium without a window.
    pub(crate) async fn start() -> Browser {
        let mut driver = Command::new("chromedriver")
            .arg("--port=0")
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .expect("chromedriver is missing: tests/run installs it");
        let lines = BufReader::new(driver.stdout.take().unwrap()).lines().map_while(Result::ok);
        let port = lines
            .filter_map(|line| {
                line.split_once("successfully on port ").map(|(_, port)| port.trim_end_matches('.').to_owned())
            })
            .find_map(|port| port.parse::<u16>().ok())
            .expect("chromedriver says its port");
        let home = TempDir::new().unwrap();
        let client = Client::builder(TokioExecutor::new()).build_http();
        let mut browser = Browser { driver, session: format!("http://127.0.0.1:{port}/session"), client, home };
        let profile = format!("--user-data-dir={}", browser.home.path().join("profile").display());
        let quiet = "--headless=new --no-sandbox --disable-gpu --disable-quic --no-first-run --hide-scrollbars \
                     --disable-background-networking --disable-component-update --disable-sync --disable-dev-shm-usage";
        let args: Vec<&str> = quiet.split_whitespace().chain([profile.as_str()]).collect();
        let made = browser.call(
            "POST",
            "",
            json!({"capabilities": {"alwaysMatch": {
                "goog:chromeOptions": {"args": args, "prefs": {"download.default_directory": browser.home.path()}},
                "goog:loggingPrefs": {"browser": "ALL"},
            }}}),
        );
        let id = made.await["sessionId"].as_str().expect("a session").to_owned();
        browser.session = format!("{}/{id}", browser.session);
        browser
    }

    /// Where downloads go.
    pub(crate) fn downloads(&self) -> &Path {
        self.home.path()
    }

    async fn call(&self, method: &str, path: &str, body: Value) -> Value {
        self.try_call(method, path, body).await.unwrap_or_else(|message| panic!("{method} {path}: {message}"))
    }

    /// The value, or what the driver says was wrong.
    async fn try_call(&self, method: &str, path: &str, body: Value) -> Result<Value, Value> {
        let body = if body.is_null() { Bytes::new() } else { serde_json::to_vec(&body).unwrap().into() };
        let request = http::Request::builder().method(method).uri(format!("{}{path}", self.session));
        let request = request.header("content-type", "application/json").body(Full::new(body)).unwrap();
        let answer =
            tokio::time::timeout(PATIENCE, self.client.request(request)).await.expect("an answer in time").unwrap();
        let good = answer.status().is_success();
        let bytes = answer.into_body().collect().await.unwrap().to_bytes();
        let value: Value = serde_json::from_slice(&bytes).unwrap();
        if good { Ok(value["value"].clone()) } else { Err(value["value"]["message"].clone()) }
    }

    async fn devtools(&self, command: &str, params: Value) -> Value {
        self.call("POST", "/goog/cdp/execute", json!({"cmd": command, "params": params})).await
    }

    /// Sets size, colours and whether scripts of pages run.
    pub(crate) async fn look(&self, look: Look) {
        let Look { width, height, dark, script } = look;
        let size = json!({"width": width, "height": height, "deviceScaleFactor": 1, "mobile": false});
        self.devtools("Emulation.setDeviceMetricsOverride", size).await;
        let scheme = if dark { "dark" } else { "light" };
        let features = json!({"features": [{"name": "prefers-color-scheme", "value": scheme}]});
        self.devtools("Emulation.setEmulatedMedia", features).await;
        self.devtools("Emulation.setScriptExecutionDisabled", json!({"value": !script})).await;
    }

    /// Goes to an address and waits until it is loaded.
    pub(crate) async fn go(&self, address: &str) {
        self.call("POST", "/url", json!({"url": address})).await;
    }

    /// Goes back in the history.
    pub(crate) async fn back(&self) {
        self.call("POST", "/back", json!({})).await;
    }

    /// The address that is shown.
    pub(crate) async fn address(&self) -> String {
        self.call("GET", "/url", Value::Null).await.as_str().unwrap().to_owned()
    }

    /// What an expression gives in the page. Works where the page's own scripts are off, too.
    pub(crate) async fn eval(&self, expression: &str) -> Value {
        let params = json!({"expression": expression, "awaitPromise": true, "returnByValue": true});
        let answer = self.devtools("Runtime.evaluate", params).await;
        assert!(answer.get("exceptionDetails").is_none(), "{expression}: {}", answer["exceptionDetails"]);
        answer["result"]["value"].clone()
    }

    /// The text that a selector's first element shows.
    pub(crate) async fn text(&self, selector: &str) -> String {
        let element = self.find(selector).await;
        self.call("GET", &format!("/element/{element}/text"), Value::Null).await.as_str().unwrap().to_owned()
    }

    /// How many elements a selector finds.
    pub(crate) async fn count(&self, selector: &str) -> usize {
        let found = self.call("POST", "/elements", json!({"using": "css selector", "value": selector})).await;
        found.as_array().unwrap().len()
    }

    /// Waits until the address contains this: a click does not wait for the page that it leads to.
    pub(crate) async fn is_at(&self, part: impl AsRef<str>) {
        let began = std::time::Instant::now();
        while !self.address().await.contains(part.as_ref()) {
            assert!(began.elapsed() < PATIENCE, "{} is not {}", self.address().await, part.as_ref());
            tokio::time::sleep(std::time::Duration::from_millis(20)).await;
        }
    }

    /// Waits until a selector finds so many elements.
    pub(crate) async fn has(&self, selector: &str, count: usize) {
        let began = std::time::Instant::now();
        while self.count(selector).await != count {
            assert!(began.elapsed() < PATIENCE, "{selector}: {} and not {count}", self.count(selector).await);
            tokio::time::sleep(std::time::Duration::from_millis(20)).await;
        }
    }

    /// A selector's first element. A click does not wait for the page that it leads to: this does.
    async fn find(&self, selector: &str) -> String {
        let began = std::time::Instant::now();
        loop {
            let found = self.try_call("POST", "/element", json!({"using": "css selector", "value": selector})).await;
            match found {
                Ok(found) => return found.as_object().unwrap().values().next().unwrap().as_str().unwrap().to_owned(),
                Err(message) => assert!(began.elapsed() < PATIENCE, "{selector}: {message}"),
            }
            tokio::time::sleep(std::time::Duration::from_millis(20)).await;
        }
    }

    /// Waits until a selector's first element shows this text: on the page that a click led to.
    pub(crate) async fn says(&self, selector: &str, text: &str) {
        let began = std::time::Instant::now();
        loop {
            let element = self.find(selector).await;
            let shown = self.try_call("GET", &format!("/element/{element}/text"), Value::Null).await;
            if shown.as_ref().is_ok_and(|shown| shown == text) {
                return;
            }
            assert!(began.elapsed() < PATIENCE, "{selector} says {shown:?}, not {text}");
            tokio::time::sleep(std::time::Duration::from_millis(20)).await;
        }
    }

    /// Clicks where a person would.
    pub(crate) async fn click(&self, selector: &str) {
        let element = self.find(selector).await;
        self.call("POST", &format!("/element/{element}/click"), json!({})).await;
    }

    /// Types into an element.
    pub(crate) async fn type_into(&self, selector: &str, text: &str) {
        let element = self.find(selector).await;
        self.call("POST", &format!("/element/{element}/value"), json!({"text": text})).await;
    }

    /// Presses a key wherever the focus is.
    pub(crate) async fn press(&self, key: &str) {
        let keys = json!([{"type": "keyDown", "value": key}, {"type": "keyUp", "value": key}]);
        self.call("POST", "/actions", json!({"actions": [{"type": "key", "id": "keys", "actions": keys}]})).await;
    }

    /// Waits until an expression holds, for at most ten seconds.
    pub(crate) async fn until(&self, expression: &str) {
        let wait = format!(
            "new Promise((done) => {{ const ends = Date.now() + 10000; (function look() {{ \
             if ({expression}) done(true); else if (Date.now() > ends) done(false); else setTimeout(look, 20); }})() }})"
        );
        assert_eq!(self.eval(&wait).await, json!(true), "never came true: {expression}");
    }

    /// What the console said since it was last asked.
    pub(crate) async fn console(&self) -> Vec<String> {
        let said = self.call("POST", "/se/log", json!({"type": "browser"})).await;
        said.as_array().unwrap().iter().map(|entry| entry["message"].as_str().unwrap().to_owned()).collect()
    }

    /// Keeps a picture of what is shown beside the other results of the build.
    pub(crate) async fn picture(&self, name: &str) {
        let png = self.call("GET", "/screenshot", Value::Null).await;
        let png = base64::engine::general_purpose::STANDARD.decode(png.as_str().unwrap()).unwrap();
        let place = Path::new(env!("CARGO_TARGET_TMPDIR")).join("pictures");
        std::fs::create_dir_all(&place).unwrap();
        std::fs::write(place.join(format!("{name}.png")), png).unwrap();
    }

    /// Ends the browser and its driver.
    pub(crate) async fn end(self) {
        self.call("DELETE", "", Value::Null).await;
    }
}

impl Drop for Browser {
    fn drop(&mut self) {
        // A test that failed half way has not said good-bye: its browser goes with the driver that started it.
        let _ = self.driver.kill();
        let _ = self.driver.wait();
    }
}
