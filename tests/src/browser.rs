//! Chromium, driven through ChromeDriver, with everything it logs.

use std::path::Path;
use std::process::Command;
use std::time::Duration;

use fantoccini::wd::WebDriverCompatibleCommand;
use fantoccini::{Client, ClientBuilder};
use http::Method;
use serde_json::{Map, Value, json};
use tempfile::TempDir;
use url::{ParseError, Url};

use crate::proc_fs::{ProcessId, find_program};
use crate::process::Process;
use crate::wait;

const START_TIMEOUT: Duration = Duration::from_secs(60);
/// How often ChromeDriver is started until its port is free.
const DRIVER_ATTEMPTS: usize = 5;

/// How the page is looked at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Theme {
    /// `prefers-color-scheme: light`.
    Light,
    /// `prefers-color-scheme: dark`.
    Dark,
}

/// A browser with a profile of its own.
#[derive(Debug)]
pub struct Browser {
    client: Client,
    // Dropped in this order: the driver ends the browser, then the profile goes.
    driver: Process,
    _profile: TempDir,
}

/// Starts ChromeDriver on a port of its own choice. It takes one that is free for IPv6 and ends if another process
/// else has the same for IPv4, so it may take more than one start.
async fn start_driver(program: &Path, directory: &Path) -> (Process, u16) {
    for _ in 0..DRIVER_ATTEMPTS {
        let mut command = Command::new(program);
        command.arg("--port=0").env("TMPDIR", directory);
        let mut driver = Process::start("chromedriver", &mut command);
        let port: Option<u16> = driver
            .wait_for_output("its port", START_TIMEOUT, |output| {
                if output.contains("port not available") {
                    return Some(None);
                }
                let rest = output.split_once("started successfully on port ")?.1;
                let digits: String = rest.chars().take_while(char::is_ascii_digit).collect();
                digits.parse().ok().map(Some)
            })
            .await;
        if let Some(port) = port {
            return (driver, port);
        }
    }
    panic!("ChromeDriver found no free port in {DRIVER_ATTEMPTS} attempts");
}

impl Browser {
    /// Starts ChromeDriver and a headless Chromium.
    ///
    /// # Panics
    /// One of them is not installed or does not start.
    pub async fn start() -> Self {
        let driver_program = find_program(&["chromedriver"]).expect(
            "these tests need ChromeDriver, and it is not installed; on Debian: apt-get install chromium-driver, on Ubuntu: apt-get install chromium-chromedriver",
        );
        let browser_program = find_program(&["chromium", "chromium-browser"]).expect(
            "these tests need Chromium, and it is not installed; on Debian: apt-get install chromium, on Ubuntu: apt-get install chromium-browser",
        );
        let profile = tempfile::Builder::new()
            .prefix("greylag-chromium-")
            .tempdir()
            .expect("a temporary directory");
        let (driver, port) = start_driver(&driver_program, profile.path()).await;
        let user_data = format!(
            "--user-data-dir={}",
            profile.path().join("profile").display()
        );
        let capabilities: Map<String, Value> = serde_json::from_value(json!({
            "browserName": "chrome",
            "goog:chromeOptions": {
                "binary": browser_program,
                "args": [
                    "--headless", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--disable-quic",
                    "--no-first-run", "--disable-background-networking", "--disable-component-update",
                    "--disable-sync", "--disable-default-apps", "--hide-scrollbars", user_data,
                ],
            },
            "goog:loggingPrefs": { "browser": "ALL", "performance": "ALL" },
            "unhandledPromptBehavior": "ignore",
            // On a busy machine half a minute, which it is otherwise, is not enough for axe.
            "timeouts": { "script": 120_000 },
        }))
        .expect("an object");
        let client = ClientBuilder::rustls()
            .expect("the system has root certificates")
            .capabilities(capabilities)
            .connect(&format!("http://127.0.0.1:{port}"))
            .await
            .unwrap_or_else(|error| {
                panic!("Chromium does not start: {error}\n{}", driver.output())
            });
        Self {
            client,
            driver,
            _profile: profile,
        }
    }

    /// The WebDriver client.
    pub fn client(&self) -> &Client {
        &self.client
    }

    /// Opens an address.
    ///
    /// # Panics
    /// It cannot be opened.
    pub async fn open(&self, url: &str) {
        self.client
            .goto(url)
            .await
            .unwrap_or_else(|error| panic!("cannot open {url}: {error}"));
    }

    /// Looks at pages in this size (CSS pixels) and theme from now on.
    pub async fn view(&self, width: u32, height: u32, theme: Theme) {
        let mobile = width < 600;
        self.cdp(
            "Emulation.setDeviceMetricsOverride",
            json!({ "width": width, "height": height, "deviceScaleFactor": 1, "mobile": mobile }),
        )
        .await;
        let value = if theme == Theme::Dark {
            "dark"
        } else {
            "light"
        };
        let feature = json!({ "name": "prefers-color-scheme", "value": value });
        self.cdp(
            "Emulation.setEmulatedMedia",
            json!({ "features": [feature] }),
        )
        .await;
    }

    /// Runs a function body in the page and gives what it returns.
    ///
    /// # Panics
    /// It throws.
    pub async fn eval(&self, script: &str) -> Value {
        self.eval_with(script, Vec::new()).await
    }

    /// The same with `arguments`.
    ///
    /// # Panics
    /// It throws.
    pub async fn eval_with(&self, script: &str, arguments: Vec<Value>) -> Value {
        self.client
            .execute(script, arguments)
            .await
            .unwrap_or_else(|error| panic!("script failed: {error}\n{script}"))
    }

    /// Waits until a script returns something true, and gives it.
    ///
    /// # Panics
    /// It does not within the time.
    pub async fn wait_for(&self, what: &str, within: Duration, script: &str) -> Value {
        wait::until(what, within, async || {
            let value = self.eval(script).await;
            match &value {
                Value::Null | Value::Bool(false) => Err(value.to_string()),
                _ => Ok(value),
            }
        })
        .await
    }

    /// Where a share of an element's width is, half its height down, after it was scrolled into view.
    ///
    /// # Panics
    /// The element was not found.
    pub async fn place(&self, css: &str, share: f64) -> (f64, f64) {
        let script = "const element = document.querySelector(arguments[0]);
            element.scrollIntoView({ block: 'center' });
            const { left, top, width, height } = element.getBoundingClientRect();
            return [left + width * arguments[1], top + height / 2];";
        let at = self.eval_with(script, vec![json!(css), json!(share)]).await;
        let number = |index: usize| at[index].as_f64().expect("a place");
        (number(0), number(1))
    }

    /// Drags the mouse from a share of an element's width to another.
    ///
    /// # Panics
    /// The element was not found.
    pub async fn drag(&self, css: &str, from: f64, to: f64) {
        let (start, y) = self.place(css, from).await;
        let (end, _) = self.place(css, to).await;
        let mouse = async |kind: &str, x: f64, buttons: u32| {
            let event = json!({ "type": kind, "x": x, "y": y, "button": "left", "buttons": buttons, "clickCount": 1 });
            self.cdp("Input.dispatchMouseEvent", event).await;
        };
        mouse("mouseMoved", start, 0).await;
        mouse("mousePressed", start, 1).await;
        for step in 1..=5 {
            let x = start + (end - start) * f64::from(step) / 5.0;
            mouse("mouseMoved", x, 1).await;
        }
        mouse("mouseReleased", end, 0).await;
    }

    /// A command of the Chrome DevTools protocol.
    ///
    /// # Panics
    /// Chromium refuses it.
    pub async fn cdp(&self, command: &str, parameters: Value) -> Value {
        let body = json!({ "cmd": command, "params": parameters });
        self.issue("goog/cdp/execute", body).await
    }

    /// What the page's console holds since the last look: level and message.
    pub async fn console(&self) -> Vec<(String, String)> {
        self.log("browser")
            .await
            .into_iter()
            .map(|entry| {
                let text = |key: &str| entry[key].as_str().unwrap_or_default().to_owned();
                (text("level"), text("message"))
            })
            .collect()
    }

    /// Every address that was requested since the last look, by any page or worker.
    pub async fn requested_urls(&self) -> Vec<String> {
        self.log("performance")
            .await
            .into_iter()
            .filter_map(|entry| serde_json::from_str::<Value>(entry["message"].as_str()?).ok())
            .filter_map(|entry| {
                let message = &entry["message"];
                let url = match message["method"].as_str()? {
                    "Network.requestWillBeSent" => &message["params"]["request"]["url"],
                    "Network.webSocketCreated" | "Network.webTransportCreated" => {
                        &message["params"]["url"]
                    }
                    _ => return None,
                };
                Some(url.as_str()?.to_owned())
            })
            .collect()
    }

    async fn log(&self, kind: &str) -> Vec<Value> {
        let entries = self.issue("se/log", json!({ "type": kind })).await;
        entries
            .as_array()
            .cloned()
            .expect("ChromeDriver gives log entries")
    }

    async fn issue(&self, endpoint: &'static str, body: Value) -> Value {
        self.client
            .issue_cmd(DriverCommand { endpoint, body })
            .await
            .unwrap_or_else(|error| panic!("ChromeDriver refuses {endpoint}: {error}"))
    }

    /// The browser's processes.
    pub fn processes(&self) -> Vec<ProcessId> {
        self.driver.descendants()
    }

    /// Ends the browser.
    pub async fn close(self) {
        // ChromeDriver is ended anyway.
        let _ = self.client.close().await;
    }
}

/// A command of ChromeDriver that is not in the WebDriver standard.
#[derive(Debug)]
struct DriverCommand {
    endpoint: &'static str,
    body: Value,
}

impl WebDriverCompatibleCommand for DriverCommand {
    fn endpoint(&self, base_url: &Url, session_id: Option<&str>) -> Result<Url, ParseError> {
        let session = session_id.unwrap_or_default();
        base_url.join(&format!("session/{session}/{}", self.endpoint))
    }

    fn method_and_body(&self, _: &Url) -> (Method, Option<String>) {
        (Method::POST, Some(self.body.to_string()))
    }
}
