//! The conversation with real audio callbacks in real time, both ways, through a sound server of its own: what `cpal` does on a
//! desktop. Left out, loudly, where there is no PulseAudio. The server's address goes by an environment variable, so the test
//! runs itself again as a process of its own.

use super::*;
use percept::media::Audio;
use std::path::Path;
use std::process::{Child, Command, Stdio};

/// Set for the process that has the server's address in its environment.
const INSIDE: &str = "PERCEPT_TEST_SOUND_SERVER";

/// Ended when the test is over, however it ends.
struct Ended(Vec<Child>);

impl Drop for Ended {
    fn drop(&mut self) {
        for child in &mut self.0 {
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

fn start(folder: &Path, program: &str, args: &[&str], output: Stdio) -> Option<Child> {
    let mut command = Command::new(program);
    command.env("XDG_RUNTIME_DIR", folder).env("PULSE_SERVER", format!("unix:{}/native", folder.display()));
    command.args(args).stdin(Stdio::null()).stdout(output).stderr(Stdio::null()).spawn().ok()
}

/// A sound server with a microphone and a speaker that are memory; none, loudly, where there is no PulseAudio.
fn serve(path: &Path) -> Option<Ended> {
    let socket = path.join("native");
    let setup = format!(
        "load-module module-native-protocol-unix auth-anonymous=1 socket={}\n\
         load-module module-null-sink sink_name=fakemic rate=48000\n\
         load-module module-null-sink sink_name=fakespk rate=44100\n\
         set-default-sink fakespk\nset-default-source fakemic.monitor\n",
        socket.display()
    );
    std::fs::write(path.join("setup.pa"), setup).unwrap();
    // Of a server that was killed.
    let _ = std::fs::remove_file(&socket);
    let setup = path.join("setup.pa");
    let args = ["-n", "-F", setup.to_str().unwrap(), "--exit-idle-time=-1", "--disallow-exit", "--realtime=no"];
    let args = [&args[..], &["--high-priority=no", "--use-pid-file=no", "--daemonize=no"]].concat();
    let Some(server) = start(path, "pulseaudio", &args, Stdio::null()) else {
        eprintln!("SKIPPED: there is no pulseaudio, so real audio callbacks are not tested; install pulseaudio");
        return None;
    };
    let mut children = Ended(vec![server]);
    let begun = Instant::now();
    while !socket.exists() {
        assert!(begun.elapsed() < Duration::from_secs(30), "the sound server did not start");
        std::thread::sleep(Duration::from_millis(50));
    }
    // Somebody who listens in small blocks keeps the blocks of the server small.
    for sink in ["fakemic.monitor", "fakespk.monitor"] {
        children.0.extend(start(path, "parec", &["-d", sink, "--latency-msec=10"], Stdio::null()));
    }
    std::thread::sleep(Duration::from_millis(500));
    Some(children)
}

/// This test once more, in a process of its own that reaches the server.
fn again(name: &str, path: &Path) -> Child {
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.args([&format!("live::sound_server::{name}"), "--exact", "--nocapture"]);
    command.env(INSIDE, path).env("XDG_RUNTIME_DIR", path);
    command.env("PULSE_SERVER", format!("unix:{}/native", path.display())).spawn().unwrap()
}

#[test]
fn a_question_and_an_answer_through_a_sound_server() {
    if let Some(folder) = std::env::var_os(INSIDE) {
        return inside(Path::new(&folder));
    }
    let folder = tempfile::tempdir().unwrap();
    let Some(_server) = serve(folder.path()) else { return };
    let status = again("a_question_and_an_answer_through_a_sound_server", folder.path()).wait();
    assert!(status.unwrap().success(), "see above");
}

/// Two minutes in real time; every now and then the sound server is killed, and with it microphone and speaker are gone.
#[test]
fn a_soak_with_a_sound_server_that_is_killed() {
    if let Some(folder) = std::env::var_os(INSIDE) {
        return soak(Path::new(&folder));
    }
    let folder = tempfile::tempdir().unwrap();
    let Some(mut server) = serve(folder.path()) else { return };
    let mut test = again("a_soak_with_a_sound_server_that_is_killed", folder.path());
    let mut draw = sounds::draws(5);
    let mut draw = |least: u64, most: u64| Duration::from_millis(least + u64::from(draw()) % (most - least));
    let begun = Instant::now();
    while begun.elapsed() + Duration::from_secs(25) < SOAK {
        std::thread::sleep(draw(8_000, 22_000));
        drop(server);
        std::thread::sleep(draw(200, 4_000));
        server = serve(folder.path()).unwrap();
    }
    let status = test.wait();
    assert!(status.unwrap().success(), "see above");
}

/// How long it lasts.
const SOAK: Duration = Duration::from_secs(120);

fn soak(folder: &Path) {
    let speech = sounds::answer();
    let synthesis: Synthesis = Box::new(move |_, _| Ok(Audio { samples: speech.clone(), sample_rate: RATE }));
    let live = Live::start(LiveOptions { camera: Choice::Off, synthesis: Some(synthesis), ..LiveOptions::default() });
    let question = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/live/question.wav");
    let args = ["--latency-msec=20", "-d", "fakemic", question.to_str().unwrap()];
    let kinds = [Kind::Microphone, Kind::Speaker];
    let (mut open, mut found, mut lost) = ([false; 2], [0; 2], [0; 2]);
    let (mut asked, mut heard, mut disturbed, mut spoken) = (0, 0, 0, 0);
    let mut players = Ended(Vec::new());
    // When the question was begun, and whether a device was lost since.
    let mut waiting: Option<(Instant, bool)> = None;
    let begun = Instant::now();
    let mut quiet_since = begun;
    while begun.elapsed() < SOAK || waiting.is_some() || !open.iter().all(|open| *open) {
        assert!(begun.elapsed() < SOAK + Duration::from_secs(60), "devices did not come back: {open:?}");
        match live.events().recv_timeout(Duration::from_millis(20)) {
            Ok(LiveEvent::DeviceFound { which, .. }) => {
                let at = kinds.iter().position(|kind| *kind == which).unwrap();
                (open[at], found[at]) = (true, found[at] + 1);
                quiet_since = Instant::now();
            }
            Ok(LiveEvent::DeviceLost { which, .. }) => {
                let at = kinds.iter().position(|kind| *kind == which).unwrap();
                (open[at], lost[at]) = (false, lost[at] + 1);
                if let Some((_, lost)) = &mut waiting {
                    *lost = true;
                }
            }
            Ok(LiveEvent::TurnEnded) => {
                if waiting.take().is_some() {
                    heard += 1;
                    live.send(LiveCommand::AnswerBegun);
                    live.send(LiveCommand::Say { delta: "It is red, as far as I can see. ".into() });
                    live.send(LiveCommand::AnswerEnded);
                }
            }
            Ok(LiveEvent::DoneSpeaking) => spoken += 1,
            Ok(LiveEvent::Phase(_)) => quiet_since = Instant::now(),
            Ok(_) | Err(_) => {}
        }
        if let Some((at, lost)) = waiting
            && at.elapsed() > Duration::from_secs(8)
        {
            waiting = None;
            disturbed += usize::from(lost);
            quiet_since = Instant::now();
        }
        let idle = live.meters().phase() == Phase::Idle && quiet_since.elapsed() > Duration::from_secs(1);
        if waiting.is_none() && idle && open.iter().all(|open| *open) && begun.elapsed() < SOAK {
            players.0.extend(start(folder, "paplay", &args, Stdio::null()));
            (asked, waiting) = (asked + 1, Some((Instant::now(), false)));
        }
    }
    let (over, under) = (live.meters().overruns(), live.meters().underruns());
    println!(
        "microphone and speaker lost {lost:?} and found {found:?} times; {asked} questions, {heard} heard, {disturbed} not, \
         for a device was gone; {spoken} answers spoken to their end; dropped {over} samples of the microphone, the \
         speaker ran dry {under} times"
    );
    assert!(lost.iter().all(|lost| *lost >= 3), "{lost:?}");
    // Where the default device changes it is opened anew without a loss.
    assert!((0..2).all(|at| found[at] > lost[at]), "{found:?} {lost:?}");
    assert!(heard >= 5 && spoken >= 3 && asked - heard - disturbed <= 2, "{asked} {heard} {disturbed} {spoken}");
    assert!(over < u64::from(RATE), "{over} samples of the microphone were dropped");
}

fn inside(folder: &Path) {
    assert!(microphones().iter().any(|device| device.default) && speakers().iter().any(|device| device.default));
    let speech = sounds::answer();
    let synthesis: Synthesis = Box::new(move |_, _| Ok(Audio { samples: speech.clone(), sample_rate: RATE }));
    let live = Live::start(LiveOptions { camera: Choice::Off, synthesis: Some(synthesis), ..LiveOptions::default() });
    let wait = |what: &dyn Fn(&LiveEvent) -> bool| {
        let begun = Instant::now();
        let mut heard = Vec::new();
        loop {
            let left = Duration::from_secs(40).saturating_sub(begun.elapsed());
            let event = live.events().recv_timeout(left).expect("it did not happen in time");
            if let LiveEvent::Heard(samples) = &event {
                heard.extend(samples);
            }
            if what(&event) {
                return heard;
            }
        }
    };
    for _ in 0..2 {
        wait(&|event| matches!(event, LiveEvent::DeviceFound { .. }));
    }

    // A question, spoken into the microphone by another program.
    let question = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/live/question.wav");
    let args = ["--latency-msec=20", "-d", "fakemic", question.to_str().unwrap()];
    let _player = Ended(start(folder, "paplay", &args, Stdio::null()).into_iter().collect());
    let heard = wait(&|event| matches!(event, LiveEvent::TurnEnded));
    let power = |samples: &[f32]| samples.iter().map(|s| f64::from(*s).powi(2)).sum::<f64>();
    let share = power(&heard) / power(&sounds::question());
    assert!((0.7..1.3).contains(&share), "{share} of the question's power was heard");

    // An answer, recorded by another program and stopped in the middle.
    let recording = std::fs::File::create(folder.join("spoken.raw")).unwrap();
    let args = ["-d", "fakespk.monitor", "--rate=16000", "--channels=1", "--format=s16le", "--latency-msec=20"];
    let recorder = Ended(start(folder, "parec", &args, recording.into()).into_iter().collect());
    std::thread::sleep(Duration::from_millis(500));
    live.send(LiveCommand::AnswerBegun);
    live.send(LiveCommand::Say { delta: "It is red, as far as I can see. ".into() });
    let begun = Instant::now();
    while live.meters().played() < 2 * u64::from(RATE) {
        assert!(begun.elapsed() < Duration::from_secs(30), "nothing is played");
        std::thread::sleep(Duration::from_millis(20));
    }
    live.send(LiveCommand::Stop);
    wait(&|event| matches!(event, LiveEvent::Interrupted { .. }));
    std::thread::sleep(Duration::from_millis(1000));
    drop(recorder);
    let bytes = std::fs::read(folder.join("spoken.raw")).unwrap();
    let spoken: Vec<f32> =
        bytes.chunks_exact(2).map(|b| f32::from(i16::from_le_bytes([b[0], b[1]])) / 32768.0).collect();
    let loud: Vec<usize> = (0..spoken.len()).filter(|i| spoken[*i].abs() > 0.01).collect();
    assert!(!loud.is_empty(), "the recording is silent");
    let seconds = (loud[loud.len() - 1] - loud[0]) as f64 / f64::from(RATE);
    assert!((1.5..3.5).contains(&seconds), "{seconds} s were spoken of about 2");
    let share = power(&spoken) / power(&sounds::answer()[..2 * RATE as usize]);
    assert!((0.6..1.6).contains(&share), "{share} of its power");
    let (over, under) = (live.meters().overruns(), live.meters().underruns());
    println!("spoken {seconds:.2} s, overruns {over} samples, underruns {under}");
}
