//! A gateway that runs, by the real binary.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::path::Path;
use std::process::{Child, Stdio};
use std::time::Duration;

use serde_json::Value;

use super::foretaste;

/// The key of an endpoint behind it, which nobody is to see.
pub const KEY: &str = "sk-upstream-not-to-be-seen-0815";

/// A gateway that runs.
pub struct Running {
    pub child: Child,
    pub address: String,
}

impl Running {
    /// On a port that nobody else has now.
    pub fn start(data: &Path, args: &[&str]) -> Self {
        for _ in 0..20 {
            let port =
                std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
            let mut child = foretaste(
                data,
                &["gateway", "--json", "--session", "t", "--port", &port.to_string()],
            )
            .args(args)
            .env("WRITER_KEY", KEY)
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
            let mut line = String::new();
            let mut said = BufReader::new(child.stdout.take().unwrap());
            said.read_line(&mut line).unwrap();
            // A closed pipe would end it.
            std::thread::spawn(move || std::io::copy(&mut said, &mut std::io::sink()));
            let Ok(first) = serde_json::from_str::<Value>(&line) else {
                let _ = child.wait();
                continue; // somebody was quicker
            };
            let address = first["url"].as_str().unwrap().trim_start_matches("http://").to_string();
            return Self { child, address };
        }
        panic!("no port");
    }

    /// Sends a request and returns status, head and body.
    pub fn send(
        &self,
        method: &str,
        path: &str,
        headers: &[(&str, &str)],
        body: &str,
    ) -> (u16, String, String) {
        let mut stream = TcpStream::connect(&self.address).unwrap();
        stream.set_read_timeout(Some(Duration::from_mins(1))).unwrap();
        let mut text = format!(
            "{method} {path} HTTP/1.1\r\ncontent-length: {}\r\nconnection: close\r\n",
            body.len()
        );
        if !headers.iter().any(|(name, _)| *name == "host") {
            text += &format!("host: {}\r\n", self.address);
        }
        for (name, value) in headers {
            text += &format!("{name}: {value}\r\n");
        }
        stream.write_all(format!("{text}\r\n{body}").as_bytes()).unwrap();
        let mut whole = Vec::new();
        let _ = stream.read_to_end(&mut whole);
        let whole = String::from_utf8_lossy(&whole).to_string();
        let (head, body) = whole.split_once("\r\n\r\n").unwrap_or((&whole, ""));
        let status = head.split(' ').nth(1).and_then(|code| code.parse().ok()).unwrap_or(0);
        (status, head.to_lowercase(), body.to_string())
    }

    pub fn post(&self, path: &str, key: &str, body: &Value) -> (u16, Value) {
        let bearer = format!("Bearer {key}");
        let (status, _, body) =
            self.send("POST", path, &[("authorization", &bearer)], &body.to_string());
        (status, serde_json::from_str(&body).unwrap_or(Value::String(body)))
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
