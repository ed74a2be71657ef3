//! A long conversation as it is held: the real engine with the built-in model, devices that are files and come and go, the real
//! disk. Two minutes by default; `PERCEPT_SOAK_MINUTES=60 cargo test --bin percept -- --nocapture soak` holds an hour.
//! `PERCEPT_SOAK_PACE` says how many seconds of it pass in one.

use super::held::{Table, asset, said};
use super::state::{Action, Phase, Progress, Role};
use crate::live::{Choice, FedCamera, FedMicrophone, KeptSpeaker, Room, sounds};
use std::time::{Duration, Instant};

/// A minute of the conversation, as it was at its end.
struct Minute {
    answers: usize,
    /// Median time to the first token, in ms.
    first_ms: f64,
    /// Of the whole process, in MiB.
    memory: u64,
}

fn number(name: &str, default: f64) -> f64 {
    std::env::var(name).map_or(default, |text| text.parse().unwrap_or_else(|_| panic!("{name} is no number: {text}")))
}

/// Memory of this process that is really there, in MiB; 0 where the system does not tell.
fn memory() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    line.and_then(|line| line.split_whitespace().next()?.parse::<u64>().ok()).unwrap_or(0) / 1024
}

#[test]
fn a_long_conversation_with_devices_that_come_and_go() {
    let (minutes, pace) = (number("PERCEPT_SOAK_MINUTES", 2.0), number("PERCEPT_SOAK_PACE", 4.0));
    let lasts = Duration::from_secs_f64(60.0 * minutes);
    let data = tempfile::tempdir().unwrap();
    // Once in a minute or so, and none at the end.
    let end = lasts.saturating_sub(Duration::from_secs(20));
    let faults = |seed| sounds::faults(&mut sounds::draws(seed), (10_000, 50_000), end);
    let microphone = FedMicrophone::default().with_faults(faults(1));
    microphone.stand_in(Room::new(90, 0.3));
    let speaker = KeptSpeaker::default().heard_by(&microphone).with_faults(faults(2));
    let camera = FedCamera::open(&asset("asked.png")).unwrap().with_faults(faults(3));
    let begun = Instant::now();
    let mut table = Table::with(microphone, speaker, data.path(), |options| {
        options.camera = Some(Choice::File(camera));
        options.pace = Some(pace);
    });
    let elapsed = || begun.elapsed().mul_f64(pace);
    let (mut all, mut firsts, mut answers): (Vec<Minute>, Vec<f64>, usize) = Default::default();
    let (mut turn, mut interrupted, mut lost) = (0, 0, 0);
    while elapsed() < lasts {
        turn += 1;
        let before = table.messages().len();
        // Mostly by voice; now and then something long in writing, which a voice interrupts.
        let long = turn % 4 == 0;
        if long {
            table.act(Action::Send("What can you do?".into()));
            table.pass(Duration::from_secs(3).div_f64(pace));
        }
        table.say("question.wav");
        let asked = elapsed();
        let quiet = |table: &Table| {
            let live = &table.desk.state.live;
            table.microphone.is_silent()
                && live.phase == Phase::Idle
                && table.messages().iter().all(|message| message.progress != Progress::Open)
        };
        // A question into a microphone that is gone is lost, so nobody waits for ever.
        while elapsed() < asked + Duration::from_secs(4) || !quiet(&table) {
            assert!(elapsed() < asked + Duration::from_secs_f64(60.0 * pace), "{:#?}", table.desk.state);
            lost = lost.max(table.desk.state.live.lost.len());
            table.pass(Duration::from_millis(5));
        }
        let new = &table.messages()[before.min(table.messages().len())..];
        interrupted += new.iter().filter(|message| message.progress == Progress::Interrupted).count();
        for message in new.iter().filter(|message| message.role == Role::Model) {
            assert!(!matches!(message.progress, Progress::Failed(_)), "{message:#?}");
            answers += 1;
            firsts.extend(message.speed.and_then(|(_, first, _)| Some(first?.as_secs_f64() * 1e3)));
        }
        if elapsed().as_secs() / 60 > all.len() as u64 {
            firsts.sort_by(f64::total_cmp);
            let first_ms = firsts.get(firsts.len() / 2).copied().unwrap_or(0.0);
            let cache_len = table.desk.state.figures.cache_len;
            let minute = Minute { answers, first_ms, memory: memory() };
            println!(
                "minute {:>3}: {} answers, first token after {first_ms:.0} ms (median), {cache_len} tokens held, {} MiB",
                all.len() + 1,
                minute.answers,
                minute.memory
            );
            all.push(minute);
            (firsts, answers) = (Vec::new(), 0);
        }
    }
    println!("{turn} turns, {interrupted} answers interrupted, {} messages", table.messages().len());
    // A busy machine does not keep up with the pace.
    assert!(all.iter().map(|minute| minute.answers).sum::<usize>() >= minutes as usize, "too few answers");
    assert!((interrupted > 0 || minutes < 10.0) && lost > 0, "{interrupted} interrupted, {lost} lost at once");
    table.wait("all devices", |table| table.desk.state.live.lost.is_empty());
    // After a quarter of an hour everything is as large as it gets.
    if let (Some(early), Some(late)) = (all.get(14), all.get(29..).and_then(<[Minute]>::last)) {
        assert!(late.memory <= early.memory + 16, "memory grows: {} to {} MiB", early.memory, late.memory);
        assert!(
            late.first_ms <= 2.0 * early.first_ms + 20.0,
            "it becomes slow: {} to {}",
            early.first_ms,
            late.first_ms
        );
    }
    // Whoever starts the program again finds all of it.
    let (id, before) = (table.desk.state.conversation.id.unwrap(), said(table.messages()));
    drop(table);
    let mut table = Table::with(FedMicrophone::default(), KeptSpeaker::default(), data.path(), |_| {});
    table.act(Action::Open(id));
    table.wait("the conversation", |table| !table.desk.state.conversation.loading);
    let after = said(table.messages());
    assert_eq!(before.len(), after.len());
    for (before, after) in before.iter().zip(&after) {
        assert_eq!((before.0, &before.2), (after.0, &after.2));
    }
}
