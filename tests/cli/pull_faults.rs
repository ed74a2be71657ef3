//! `percept models pull`, when something goes wrong: cut, killed, refused, lied to.

use crate::hub::{COMMIT, Fault, Hub, ID, blobs, checksum, of_noise, snapshot};
use crate::support::{Home, finish, start};
use serde_json::json;
use std::fs;
use std::time::{Duration, Instant};

const MIB: usize = 1 << 20;

#[test]
fn a_cut_connection_is_gone_on_with() {
    let home = Home::new();
    let (hub, weights) = of_noise(5 * MIB + 17);
    hub.fault("/large/", Fault::Cut(700_000), 3);
    hub.fault("tokenizer.json", Fault::Cut(1), 1);
    let outcome = hub.pull(&home, &[ID]);
    assert_eq!(outcome.code, Some(0), "{}", outcome.stderr);
    assert!(fs::read(snapshot(&home, COMMIT, "model.safetensors")).unwrap() == weights);
    // What came was kept: nothing was sent twice.
    assert_eq!(hub.sent("/large/"), weights.len());
    let ranges: Vec<_> = hub.requests().iter().filter_map(|request| request.headers.get("range").cloned()).collect();
    assert!(ranges.iter().any(|range| range.starts_with("bytes=700000-")), "{ranges:?}");
}

#[test]
fn a_silent_connection_is_given_up_and_gone_on_with() {
    let home = Home::new();
    let (hub, weights) = of_noise(5 * MIB);
    hub.fault("/large/", Fault::Stall(700_000), 1);
    hub.fault("tokenizer.json", Fault::Stall(0), 1);
    let pull = |seconds: &str| finish(start(hub.command(&home, &[ID]).env("HF_HUB_DOWNLOAD_TIMEOUT", seconds)));
    let begun = Instant::now();
    let outcome = pull("1");
    assert_eq!(outcome.code, Some(0), "{}", outcome.stderr);
    assert!((1..8).contains(&begun.elapsed().as_secs()));
    assert!(fs::read(snapshot(&home, COMMIT, "model.safetensors")).unwrap() == weights);
    assert_eq!(hub.sent("/large/"), weights.len());
    let outcome = pull("soon");
    assert_eq!(outcome.code, Some(2));
    assert!(outcome.stderr.contains("HF_HUB_DOWNLOAD_TIMEOUT is \"soon\""), "{}", outcome.stderr);
}

#[test]
fn killed_in_the_middle_it_goes_on() {
    let home = Home::new();
    let (hub, weights) = of_noise(40 * MIB);
    hub.fault("/large/", Fault::Slow(Duration::from_millis(15)), usize::MAX);
    let mut child = start(&mut hub.command(&home, &[ID]));
    let begun = Instant::now();
    // Some of it is on its way still.
    while hub.sent("/large/") < 20 * MIB {
        assert!(begun.elapsed() < Duration::from_secs(60) && child.try_wait().unwrap().is_none());
        std::thread::sleep(Duration::from_millis(5));
    }
    child.kill().unwrap();
    child.wait().unwrap();
    assert!(!snapshot(&home, COMMIT, "model.safetensors").exists());
    let name = checksum(&weights);
    assert!(blobs(&home).contains(&format!("{name}.percept-incomplete")), "{:?}", blobs(&home));
    let list = home.run(&["models", "list"]).stdout;
    assert!(list.contains("not finished; `percept models pull acme/tiny` goes on with it"), "{list}");
    std::thread::sleep(Duration::from_millis(200));
    hub.requests();
    hub.heal();
    let outcome = hub.pull(&home, &[ID]);
    assert_eq!(outcome.code, Some(0), "{}", outcome.stderr);
    assert!(fs::read(snapshot(&home, COMMIT, "model.safetensors")).unwrap() == weights);
    let sent = hub.sent("/large/");
    assert!(sent < weights.len() - 5 * MIB, "{sent} of {}", weights.len());
    assert_eq!(blobs(&home).iter().filter(|blob| blob.contains('.')).count(), 0, "{:?}", blobs(&home));
}

#[test]
fn damaged_bytes_are_found_and_fetched_again() {
    let home = Home::new();
    let (hub, weights) = of_noise(3 * MIB);
    hub.fault("/large/", Fault::Damage, 1);
    hub.fault("config.json", Fault::Damage, 1);
    let outcome = hub.pull(&home, &[ID]);
    assert_eq!(outcome.code, Some(0), "{}", outcome.stderr);
    assert!(fs::read(snapshot(&home, COMMIT, "model.safetensors")).unwrap() == weights);
    // Again and again it is the hub's fault.
    let home = Home::new();
    hub.fault("/large/", Fault::Damage, usize::MAX);
    let outcome = hub.pull(&home, &[ID]);
    assert_eq!((outcome.code, outcome.stdout.as_str()), (Some(1), ""));
    let told = format!("expected {}, 2 times", checksum(&weights));
    assert!(outcome.stderr.contains("model.safetensors arrived with the sha256 "), "{}", outcome.stderr);
    assert!(outcome.stderr.contains(&told), "{}", outcome.stderr);
    assert!(!blobs(&home).contains(&checksum(&weights)));
    assert!(!snapshot(&home, COMMIT, "").exists());
    hub.heal();
    assert_eq!(hub.pull(&home, &[ID]).code, Some(0));
    // Of small files too.
    let home = Home::new();
    hub.fault("tokenizer.json", Fault::Damage, usize::MAX);
    let outcome = hub.pull(&home, &[ID]);
    assert!(outcome.stderr.contains("tokenizer.json arrived with the git sha1 "), "{}", outcome.stderr);
}

#[test]
fn wrong_lengths_are_told() {
    for by in [1, -1, 1 << 40] {
        let (home, (hub, weights)) = (Home::new(), of_noise(3 * MIB));
        hub.fault("/large/", Fault::Lie(by), usize::MAX);
        let outcome = hub.pull(&home, &[ID]);
        assert_eq!(outcome.code, Some(1));
        let told =
            format!("sends {} bytes of model.safetensors, the hub says {}", weights.len() as i64 + by, weights.len());
        assert!(outcome.stderr.contains(&told), "{by}: {}", outcome.stderr);
        assert!(!blobs(&home).contains(&checksum(&weights)));
    }
    // A small file whose length is a lie.
    let (home, (hub, _)) = (Home::new(), of_noise(3 * MIB));
    hub.fault("tokenizer.json", Fault::Lie(5), usize::MAX);
    let outcome = hub.pull(&home, &[ID]);
    assert!(outcome.stderr.contains("sends 7 bytes of tokenizer.json"), "{}", outcome.stderr);
}

#[test]
fn a_server_without_ranges_does() {
    let (home, (hub, weights)) = (Home::new(), of_noise(35 * MIB));
    hub.fault("/large/", Fault::Whole, usize::MAX);
    let outcome = hub.pull(&home, &[ID]);
    assert_eq!(outcome.code, Some(0), "{}", outcome.stderr);
    assert!(fs::read(snapshot(&home, COMMIT, "model.safetensors")).unwrap() == weights);
}

#[test]
fn a_busy_hub_is_waited_for() {
    for (status, path) in [(429, "/api/models"), (503, "config.json"), (429, "/large/"), (500, "/resolve/")] {
        let (home, (hub, _)) = (Home::new(), of_noise(3 * MIB));
        hub.fault(path, Fault::Status(status, &[("Retry-After", "1")]), 1);
        let begun = Instant::now();
        let outcome = hub.pull(&home, &[ID]);
        assert_eq!(outcome.code, Some(0), "{path}: {}", outcome.stderr);
        assert!(begun.elapsed() >= Duration::from_secs(1), "{path}");
        let told = format!("answered {status} (");
        assert!(
            outcome.stderr.contains(&told) && outcome.stderr.contains("); trying again in 1 s"),
            "{}",
            outcome.stderr
        );
    }
}

#[test]
fn a_hub_that_stays_busy_is_given_up() {
    let (home, (hub, _)) = (Home::new(), of_noise(3 * MIB));
    hub.fault("/large/", Fault::Status(503, &[]), usize::MAX);
    let outcome = hub.pull(&home, &[ID, "--retries", "1"]);
    assert_eq!(outcome.code, Some(1));
    let told = "answered 503 (Service Unavailable), 2 times in a row; pull again later";
    assert!(outcome.stderr.contains(told), "{}", outcome.stderr);
    hub.heal();
    hub.fault("/api/", Fault::Status(429, &[("Retry-After", "3600")]), 1);
    let outcome = hub.pull(&home, &[ID]);
    assert_eq!(outcome.code, Some(1));
    assert!(outcome.stderr.contains("asks for a pause of 60 minutes"), "{}", outcome.stderr);
    hub.fault("/api/", Fault::NoJson, 1);
    let outcome = hub.pull(&home, &[ID]);
    assert!(outcome.stderr.contains("answered with no JSON about acme/tiny"), "{}", outcome.stderr);
    // Nobody there at all.
    let mut command = hub.command(&home, &[ID, "--retries", "0"]);
    let outcome = finish(start(command.env("HF_ENDPOINT", "http://127.0.0.1:1")));
    assert_eq!(outcome.code, Some(1));
    assert!(outcome.stderr.contains("the connection to 127.0.0.1:1 failed"), "{}", outcome.stderr);
}

#[test]
fn an_address_that_expired_is_asked_for_anew() {
    let (home, (hub, weights)) = (Home::new(), of_noise(70 * MIB));
    // The first request of each connection finds the address; later ones use it until it is refused.
    hub.fault("/large/", Fault::Cut(MIB), 1);
    hub.fault("/large/", Fault::Status(403, &[]), 1);
    let outcome = hub.pull(&home, &[ID, "--connections", "1"]);
    assert_eq!(outcome.code, Some(0), "{}", outcome.stderr);
    assert!(fs::read(snapshot(&home, COMMIT, "model.safetensors")).unwrap() == weights);
    let asked =
        hub.requests().iter().filter(|request| request.at_hub && request.path.contains("model.safetensors")).count();
    assert_eq!(asked, 2);
}

#[test]
fn gated_models_are_explained() {
    let (hub, _) = of_noise(3 * MIB);
    hub.card(json!({"gated": "manual", "cardData": {"license": "gemma"}}));
    let home = Home::new();
    let outcome = hub.pull(&home, &[ID]);
    assert_eq!(outcome.code, Some(2));
    for words in
        ["licence: gemma (https://ai.google.dev/gemma/terms)", "is gated", "/acme/tiny", "HF_TOKEN", "settings/tokens"]
    {
        assert!(outcome.stderr.contains(words), "{words}: {}", outcome.stderr);
    }
    assert!(
        outcome.stderr.contains(home.path("home/.cache/huggingface/token").to_str().unwrap()),
        "{}",
        outcome.stderr
    );
    // With a token of somebody who has not accepted.
    hub.fault("/resolve/", Fault::Status(403, &[("X-Error-Code", "GatedRepo")]), usize::MAX);
    let pull = || finish(start(hub.command(&home, &[ID]).env("HF_TOKEN", "hf_secret")));
    let outcome = pull();
    assert_eq!(outcome.code, Some(2));
    let told = "the account of the token from the variable HF_TOKEN may not read it";
    assert!(outcome.stderr.contains(told) && !outcome.stderr.contains("hf_secret"), "{}", outcome.stderr);
    hub.heal();
    assert_eq!(pull().code, Some(0));
}

#[test]
fn unknown_models_and_tokens_are_told() {
    let (hub, _) = of_noise(3 * MIB);
    let home = Home::new();
    let pull = |id: &str, token: &str| finish(start(hub.command(&home, &[id]).env("HF_TOKEN", token)));
    let outcome = hub.pull(&home, &["acme/nothing"]);
    assert_eq!(outcome.code, Some(2));
    assert!(outcome.stderr.contains("has no model acme/nothing, or a private one"), "{}", outcome.stderr);
    let outcome = pull("acme/nothing", "hf_x");
    assert!(
        outcome.stderr.contains("has no model acme/nothing that the token from the variable"),
        "{}",
        outcome.stderr
    );
    hub.fault("/api/", Fault::Status(401, &[]), 1);
    let outcome = pull(ID, "hf_x");
    assert_eq!(outcome.code, Some(2));
    assert!(outcome.stderr.contains("refused the token from the variable HF_TOKEN"), "{}", outcome.stderr);
    hub.fault("model.safetensors", Fault::Status(404, &[("X-Error-Code", "EntryNotFound")]), 1);
    let outcome = hub.pull(&home, &[ID]);
    assert!(outcome.stderr.contains("has no file model.safetensors in acme/tiny at revision"), "{}", outcome.stderr);
    assert_eq!(outcome.code, Some(2));
}

#[test]
fn a_disk_without_room_is_found_out_first() {
    let home = Home::new();
    let (hub, _) = of_noise(3 * MIB);
    // More than any disk has.
    hub.lie_about_sizes(1 << 60);
    let outcome = hub.pull(&home, &[ID]);
    assert_eq!(outcome.code, Some(1));
    assert!(outcome.stderr.contains("must be fetched, but the disk of "), "{}", outcome.stderr);
    assert_eq!(hub.sent("/large/"), 0);
    // A cache that cannot be written.
    let file = home.file("file", "");
    let outcome = finish(start(Hub::of_fixture().command(&home, &[ID]).env("HF_HOME", &file)));
    assert_eq!(outcome.code, Some(1));
    assert!(outcome.stderr.contains("error: cannot "), "{}", outcome.stderr);
}
