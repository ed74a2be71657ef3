//! Ends a download from another thread: what waits for the network is woken, what waits for anything else looks here.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use ureq::Agent;

/// Of one download; its clones are the same.
#[derive(Clone, Debug, Default)]
pub struct Stop(Arc<Shared>);

#[derive(Debug, Default)]
struct Shared {
    asked: AtomicBool,
    agent: Mutex<Option<Agent>>,
}

impl Stop {
    /// Ends it. A name that is being looked up and a connection that is being made are waited for; nothing else is.
    #[cfg(any(feature = "desktop", test))]
    pub fn stop(&self) {
        self.0.asked.store(true, Ordering::Relaxed);
        self.wake();
    }

    /// Whether it shall end.
    pub fn is_asked(&self) -> bool {
        self.0.asked.load(Ordering::Relaxed)
    }

    /// Requests of this agent end, too.
    pub fn ends(&self, agent: &Agent) {
        *self.0.agent.lock().unwrap_or_else(PoisonError::into_inner) = Some(agent.clone());
        if self.is_asked() {
            self.wake();
        }
    }

    fn wake(&self) {
        let agent = self.0.agent.lock().unwrap_or_else(PoisonError::into_inner).take();
        agent.into_iter().for_each(Agent::shutdown);
    }
}

/// Over real connections, in a child, since where the hub is stands in the environment.
#[cfg(test)]
mod tests {
    use super::super::cache::{Lock, Place};
    use super::super::{Problem, Report, Request, Wanted, pull};
    use super::*;
    use ring::digest::{SHA256, digest};
    use std::collections::BTreeMap;
    use std::io::{BufRead, BufReader, Write};
    use std::net::{TcpListener, TcpStream};
    use std::path::Path;
    use std::process::{Child, Command, Stdio};
    use std::time::{Duration, Instant};

    const FOLDER: &str = "PERCEPT_TEST_PULL";
    const COMMIT: &str = "0123456789abcdef0123456789abcdef01234567";
    const CONFIG: &[u8] = b"{\"model_type\": \"gemma3_text\"}";
    const MIB: usize = 1 << 20;

    /// How the weights come.
    #[derive(Clone, Copy, PartialEq)]
    enum Manner {
        AtOnce,
        Slowly,
        /// Silence behind so many bytes of each answer.
        SilentAfter(usize),
        /// The hub asks for a minute of patience.
        Busy,
    }

    struct Hub {
        weights: Vec<u8>,
        manner: Mutex<Manner>,
        /// Bytes of weights that were sent, and requests for them.
        sent: Mutex<(usize, usize)>,
    }

    impl Hub {
        fn start(len: usize) -> (Arc<Hub>, String) {
            let weights = (0..len).map(|i| (i.wrapping_mul(2_654_435_761) >> 13) as u8).collect();
            let hub = Arc::new(Hub { weights, manner: Mutex::new(Manner::Slowly), sent: Mutex::default() });
            let listener = TcpListener::bind("127.0.0.1:0").unwrap();
            let endpoint = format!("http://{}", listener.local_addr().unwrap());
            let serving = hub.clone();
            std::thread::spawn(move || {
                for stream in listener.incoming() {
                    let (stream, hub) = (stream.unwrap(), serving.clone());
                    std::thread::spawn(move || while hub.answer(&stream).is_ok() {});
                }
            });
            (hub, endpoint)
        }

        fn checksum(&self) -> String {
            digest(&SHA256, &self.weights).as_ref().iter().map(|byte| format!("{byte:02x}")).collect()
        }

        fn answer(&self, mut stream: &TcpStream) -> std::io::Result<()> {
            let mut lines = Vec::new();
            for line in BufReader::with_capacity(1, stream).lines() {
                match line?.as_str() {
                    "" => break,
                    line => lines.push(line.to_string()),
                }
            }
            let path =
                lines.first().and_then(|line| line.split(' ').nth(1)).ok_or(std::io::ErrorKind::UnexpectedEof)?;
            let headers: BTreeMap<_, _> = lines.iter().filter_map(|line| line.split_once(": ")).collect();
            let range = headers.iter().find(|(name, _)| name.eq_ignore_ascii_case("range"));
            let range = range.and_then(|(_, range)| range.strip_prefix("bytes=")?.split_once('-'));
            let range = range.map(|(from, to)| from.parse().unwrap()..to.parse::<usize>().unwrap() + 1);
            let mut reply = |status: &str, body: &[u8]| -> std::io::Result<()> {
                write!(stream, "HTTP/1.1 {status}\r\nContent-Length: {}\r\n\r\n", body.len())?;
                stream.write_all(body)
            };
            if path.starts_with("/api/") {
                let files = [
                    serde_json::json!({"rfilename": "config.json"}),
                    serde_json::json!({"rfilename": "model.safetensors", "lfs": {
                        "sha256": self.checksum(), "size": self.weights.len()}}),
                    serde_json::json!({"rfilename": "tokenizer.json"}),
                ];
                let told = serde_json::json!({"sha": COMMIT, "id": "acme/tiny", "gated": false, "siblings": files});
                return reply("200 OK", told.to_string().as_bytes());
            }
            let small = if path.ends_with("config.json") { CONFIG } else { b"{}" };
            if !path.ends_with("model.safetensors") {
                let sum = super::super::api::Checksum::Git(String::new()).of(&mut &*small, small.len() as u64)?;
                let head = format!("200 OK\r\nETag: \"{sum}\"");
                return reply(&head, small);
            }
            let manner = *self.manner.lock().unwrap();
            self.sent.lock().unwrap().1 += 1;
            if manner == Manner::Busy {
                return reply("503 Busy\r\nRetry-After: 60", b"");
            }
            let range = range.unwrap_or(0..self.weights.len());
            let (from, to, all) = (range.start, range.end - 1, self.weights.len());
            let head = format!("HTTP/1.1 206 Part\r\nContent-Range: bytes {from}-{to}/{all}");
            write!(stream, "{head}\r\nContent-Length: {}\r\n\r\n", range.len())?;
            for (number, piece) in self.weights[range].chunks(64 << 10).enumerate() {
                match manner {
                    Manner::SilentAfter(bytes) if number * (64 << 10) >= bytes => {
                        std::thread::sleep(Duration::from_secs(60));
                        return Err(std::io::ErrorKind::TimedOut.into());
                    }
                    Manner::Slowly => std::thread::sleep(Duration::from_millis(20)),
                    _ => {}
                }
                stream.write_all(piece)?;
                self.sent.lock().unwrap().0 += piece.len();
            }
            Ok(())
        }

        fn set(&self, manner: Manner) {
            (*self.manner.lock().unwrap(), *self.sent.lock().unwrap()) = (manner, (0, 0));
        }

        fn sent(&self) -> (usize, usize) {
            *self.sent.lock().unwrap()
        }
    }

    /// What this binary does when it is a child of the test below: pulls, and is stopped by a line. By itself nothing.
    #[test]
    fn child() {
        let Some(folder) = std::env::var_os(FOLDER) else { return };
        let stop = Stop::default();
        let stopped = stop.clone();
        std::thread::spawn(move || {
            let mut line = String::new();
            if std::io::stdin().read_line(&mut line).is_ok_and(|read| read > 0) {
                stopped.stop();
            }
        });
        let wanted = Wanted::parse("acme/tiny").unwrap();
        let hub = folder.into();
        let request = Request { wanted, file: None, force: true, connections: 4, retries: 6, hub, stop };
        let report = Report {
            note: Box::new(|text| println!("note {text}")),
            begin: Box::new(|bytes| println!("missing {bytes}")),
            advance: Box::new(|_| {}),
        };
        match pull(&request, report) {
            Ok(pulled) => println!("fetched {}", pulled.fetched),
            Err(Problem::Stopped) => println!("stopped"),
            Err(problem) => println!("problem {problem}"),
        }
    }

    fn start(folder: &Path, endpoint: &str) -> Child {
        let mut command = Command::new(std::env::current_exe().unwrap());
        command.args(["--exact", "hub::stop::tests::child", "--nocapture", "--test-threads=1"]);
        for name in ["HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy", "HF_HUB_OFFLINE", "HF_TOKEN"] {
            command.env_remove(name);
        }
        command.env(FOLDER, folder).env("HF_ENDPOINT", endpoint).env("HF_HOME", folder);
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap()
    }

    /// The last word of a child, without the lines of the test's harness.
    fn outcome(child: Child) -> (String, Vec<String>) {
        let said = String::from_utf8(child.wait_with_output().unwrap().stdout).unwrap();
        let known = ["fetched ", "stopped", "problem ", "missing ", "note "];
        // The harness writes in front of the first line.
        let lines =
            said.lines().filter_map(|line| known.iter().filter_map(|word| line.find(word)).min().map(|at| &line[at..]));
        let mut lines: Vec<String> = lines.map(String::from).collect();
        (lines.pop().unwrap_or_else(|| panic!("{said}")), lines)
    }

    /// Stops a child as soon as `when` is so; what it said last.
    fn stopped(mut child: Child, when: impl Fn() -> bool) -> String {
        let begun = Instant::now();
        while !when() {
            assert!(begun.elapsed() < Duration::from_secs(60), "it did not begin");
            std::thread::sleep(Duration::from_millis(2));
        }
        // What is on its way waits.
        std::thread::sleep(Duration::from_millis(100));
        let asked = Instant::now();
        child.stdin.take().unwrap().write_all(b"stop\n").unwrap();
        let (last, _) = outcome(child);
        assert!(asked.elapsed() < Duration::from_secs(1), "{:?}", asked.elapsed());
        last
    }

    #[test]
    fn a_download_is_stopped_whatever_it_waits_for_and_goes_on_where_it_was() {
        let folder = tempfile::tempdir().unwrap();
        let (hub, endpoint) = Hub::start(24 * MIB + 5);
        // While bytes come.
        assert_eq!(stopped(start(folder.path(), &endpoint), || hub.sent().0 >= 9 * MIB), "stopped");
        // Silence, a server that is busy, another program that has begun.
        hub.set(Manner::SilentAfter(MIB + MIB / 2));
        assert_eq!(stopped(start(folder.path(), &endpoint), || hub.sent().0 >= 4 * MIB), "stopped");
        hub.set(Manner::Busy);
        assert_eq!(stopped(start(folder.path(), &endpoint), || hub.sent().1 > 0), "stopped");
        let place = Place::new(folder.path(), "acme/tiny");
        let lock = Lock::take(&place, &hub.checksum(), &Stop::default(), &|| ()).unwrap();
        let waiting = start(folder.path(), &endpoint);
        let began = Instant::now();
        assert_eq!(stopped(waiting, || began.elapsed() > Duration::from_millis(700)), "stopped");
        drop(lock);
        assert!(!place.blob(&hub.checksum()).exists());
        // Only the rest is fetched: of nine blocks and then four and a half those are lost that were begun.
        hub.set(Manner::AtOnce);
        let (last, before) = outcome(start(folder.path(), &endpoint));
        let fetched: usize =
            last.strip_prefix("fetched ").unwrap_or_else(|| panic!("{last} {before:?}")).parse().unwrap();
        assert!(fetched <= 24 * MIB + 5 - (9 - 4) * MIB - 2 * MIB, "{fetched}");
        assert!(hub.sent().0 <= fetched, "{} of {fetched}", hub.sent().0);
        assert!(std::fs::read(place.snapshot(COMMIT).join("model.safetensors")).unwrap() == hub.weights);
    }
}
