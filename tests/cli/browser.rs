//! A headless Chromium, controlled over the pipe of its DevTools protocol: no crate and no port are needed.
//!
//! Messages are JSON documents terminated by a zero byte. Chromium reads them from file descriptor
//! 3 and writes them to 4; a shell connects these to two named pipes.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};
use std::fs::{File, OpenOptions};
use std::io::{Read, Write};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::time::{Duration, Instant};
use tempfile::TempDir;

/// If this variable is set, a missing browser is a failure instead of a reason to skip.
const REQUIRED: &str = "NN_REQUIRE_BROWSER";

/// The timeout for an answer, for a machine that is busy with other tests.
const PATIENCE: Duration = Duration::from_secs(120);

/// Command-line flags: headless, without network access.
const OPTIONS: [&str; 11] = [
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--disable-dev-shm-usage",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--disable-default-apps",
    "--remote-debugging-pipe",
];

/// A browser with one open page.
pub struct Browser {
    child: Child,
    to: File,
    from: Receiver<Value>,
    session: Option<String>,
    sent: u64,
    /// Events that the browser sent.
    events: Vec<Value>,
    _folder: TempDir,
}

impl Browser {
    /// Starts the browser; `None`, with a message, if there is none and none is required.
    pub fn start() -> Option<Self> {
        let names = ["chromium", "chromium-browser", "google-chrome", "chrome"];
        let works = |name: &&str| {
            Command::new(name).arg("--version").output().is_ok_and(|o| o.status.success())
        };
        let Some(program) = names.into_iter().find(works) else {
            assert!(std::env::var_os(REQUIRED).is_none(), "none of {names:?} runs here");
            eprintln!("skipped: no Chromium on this machine ({REQUIRED}=1 makes that a failure)");
            return None;
        };
        let folder = tempfile::tempdir().unwrap();
        let [input, output] = ["in", "out"].map(|name| folder.path().join(name));
        assert!(Command::new("mkfifo").args([&input, &output]).status().unwrap().success());
        // `exec`, so that the child is the browser and can be ended.
        let mut child = Command::new("sh")
            .args(["-c", "exec \"$@\" 3<\"$IN\" 4>\"$OUT\"", "sh", program])
            .args(OPTIONS)
            .arg(format!("--user-data-dir={}", folder.path().join("profile").display()))
            .arg("about:blank")
            .env("IN", &input)
            .env("OUT", &output)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        // Opened for reading and writing, a pipe does not wait for the other end.
        let open = |path: &Path| OpenOptions::new().read(true).write(true).open(path).unwrap();
        let (to, mut from) = (open(&input), open(&output));
        let (sender, receiver) = channel();
        std::thread::spawn(move || {
            let (mut waiting, mut bytes) = (Vec::new(), vec![0; 1 << 16]);
            while let Ok(n @ 1..) = from.read(&mut bytes) {
                for &byte in &bytes[..n] {
                    if byte != 0 {
                        waiting.push(byte);
                        continue;
                    }
                    let message = serde_json::from_slice(&waiting).unwrap();
                    waiting.clear();
                    if sender.send(message).is_err() {
                        return;
                    }
                }
            }
        });
        if let Some(status) = child.try_wait().unwrap() {
            panic!("{program} ended at once: {status}");
        }
        let (session, events) = (None, Vec::new());
        let mut browser =
            Self { child, to, from: receiver, session, sent: 0, events, _folder: folder };
        let targets = browser.call("Target.getTargets", json!({}));
        let all = targets["targetInfos"].as_array().unwrap();
        let page = all.iter().find(|target| target["type"] == "page").expect("a page");
        let attach = json!({"targetId": page["targetId"], "flatten": true});
        let session = browser.call("Target.attachToTarget", attach);
        browser.session = Some(session["sessionId"].as_str().unwrap().into());
        for domain in ["Page", "Runtime", "Network", "Log"] {
            browser.call(&format!("{domain}.enable"), json!({}));
        }
        Some(browser)
    }

    /// Calls a method of the protocol and returns its result.
    pub fn call(&mut self, method: &str, parameters: Value) -> Value {
        self.sent += 1;
        let mut message = json!({"id": self.sent, "method": method, "params": parameters});
        if let Some(session) = &self.session {
            message["sessionId"] = json!(session);
        }
        self.to.write_all(&[message.to_string().as_bytes(), b"\0"].concat()).unwrap();
        loop {
            let message = self.next(method);
            if message["id"] != self.sent {
                self.events.push(message);
                continue;
            }
            assert!(message["error"].is_null(), "{method}: {message}");
            return message["result"].clone();
        }
    }

    fn next(&mut self, waiting_for: &str) -> Value {
        self.from.recv_timeout(PATIENCE).unwrap_or_else(|_| panic!("no answer to {waiting_for}"))
    }

    /// Opens a file and waits until all of it is there.
    pub fn open(&mut self, file: &Path) {
        self.events.clear();
        let url = format!("file://{}", file.display());
        self.call("Page.navigate", json!({"url": url}));
        let started = Instant::now();
        while !self.events.iter().any(|event| event["method"] == "Page.loadEventFired") {
            assert!(started.elapsed() < PATIENCE, "the page does not load");
            let event = self.next("Page.navigate");
            self.events.push(event);
        }
        let images = "Promise.all([...document.images].map(i => i.decode())).then(() => true)";
        assert_eq!(self.evaluate(images), json!(true));
    }

    /// The value of a JavaScript expression in the page.
    pub fn evaluate(&mut self, expression: &str) -> Value {
        let parameters =
            json!({"expression": expression, "returnByValue": true, "awaitPromise": true});
        let result = self.call("Runtime.evaluate", parameters);
        assert!(result["exceptionDetails"].is_null(), "{expression}: {result}");
        result["result"]["value"].clone()
    }

    /// Sets the size of the window, in CSS pixels, and the theme.
    pub fn show(&mut self, width: u32, height: u32, theme: &str) {
        // Not as a phone, which would zoom out until a page that is too wide fits.
        let size =
            json!({"width": width, "height": height, "deviceScaleFactor": 1, "mobile": false});
        self.call("Emulation.setDeviceMetricsOverride", size);
        let theme = json!({"features": [{"name": "prefers-color-scheme", "value": theme}]});
        self.call("Emulation.setEmulatedMedia", theme);
    }

    /// The number of pages of the page when it is printed.
    pub fn printed_pages(&mut self) -> usize {
        let options = json!({"printBackground": true, "preferCSSPageSize": true});
        let pdf = self.call("Page.printToPDF", options);
        let pdf = STANDARD.decode(pdf["data"].as_str().unwrap()).unwrap();
        let text = String::from_utf8_lossy(&pdf);
        text.matches("/Type /Page").count() - text.matches("/Type /Pages").count()
    }

    /// Presses a key.
    pub fn press(&mut self, key: &str, code: u32) {
        for kind in ["keyDown", "keyUp"] {
            let mut event =
                json!({"type": kind, "key": key, "code": key, "windowsVirtualKeyCode": code});
            // Enter presses a button by the character that it types.
            if key == "Enter" && kind == "keyDown" {
                event["text"] = json!("\r");
            }
            self.call("Input.dispatchKeyEvent", event);
        }
    }

    /// All errors in the page, and all URLs it requested except its own.
    pub fn complaints(&mut self) -> Vec<String> {
        let is_complaint = |event: &&Value| match event["method"].as_str().unwrap_or_default() {
            "Runtime.exceptionThrown" | "Runtime.consoleAPICalled" | "Log.entryAdded" => true,
            "Network.requestWillBeSent" => {
                let parameters = &event["params"];
                let url = parameters["request"]["url"].as_str().unwrap_or_default();
                parameters["type"] != "Document" && !url.starts_with("data:")
            }
            _ => false,
        };
        self.events.iter().filter(is_complaint).map(Value::to_string).collect()
    }
}

impl Drop for Browser {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
