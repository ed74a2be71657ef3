//! The whole conversation with devices that are files, in compressed time.

use super::pipeline::Pipeline;
use super::sounds;
use super::*;
use percept::media::Audio;

/// A pipeline with a clock of its own: 10 ms a step.
struct Table {
    pipeline: Pipeline,
    events: Receiver<LiveEvent>,
    meters: Arc<Meters>,
    microphone: FedMicrophone,
    speaker: KeptSpeaker,
    now: Duration,
    /// All events with their time.
    log: Vec<(Duration, LiveEvent)>,
}

/// Each character lasts 60 ms and sounds like speech.
fn synthesis() -> Synthesis {
    let speech = sounds::answer();
    Box::new(move |text, _| {
        let n = text.chars().count() * 960;
        Ok(Audio { samples: (0..n).map(|i| speech[i % speech.len()]).collect(), sample_rate: RATE })
    })
}

fn options(microphone: &FedMicrophone, speaker: &KeptSpeaker) -> LiveOptions {
    LiveOptions {
        microphone: Choice::File(microphone.clone()),
        speaker: Choice::File(speaker.clone()),
        camera: Choice::Off,
        synthesis: Some(synthesis()),
        ..LiveOptions::default()
    }
}

impl Table {
    fn new() -> Table {
        let microphone = FedMicrophone::default();
        let speaker = KeptSpeaker::default().heard_by(&microphone);
        Table::with(microphone, speaker, |_| {})
    }

    fn with(microphone: FedMicrophone, speaker: KeptSpeaker, change: impl FnOnce(&mut LiveOptions)) -> Table {
        let mut options = options(&microphone, &speaker);
        change(&mut options);
        let (sender, events) = channel();
        let meters = Arc::new(Meters::default());
        let pipeline = Pipeline::new(options, sender, meters.clone());
        Table { pipeline, events, meters, microphone, speaker, now: Duration::ZERO, log: Vec::new() }
    }

    fn send(&mut self, command: LiveCommand) {
        self.pipeline.obey(self.now, command);
    }

    /// Lets so much time pass.
    fn run(&mut self, ms: u64) {
        for _ in 0..ms / 10 {
            self.now += Duration::from_millis(10);
            while self.pipeline.step(self.now) {}
            let now = self.now;
            self.log.extend(self.events.try_iter().map(|event| (now, event)));
        }
    }

    /// Says an answer and waits until its sound is made, without letting time pass.
    fn answer(&mut self, text: &str) {
        self.send(LiveCommand::AnswerBegun);
        for word in text.split_inclusive(' ') {
            self.send(LiveCommand::Say { delta: word.into() });
        }
        let begun = Instant::now();
        self.send(LiveCommand::AnswerEnded);
        let before = self.meters.played();
        while self.meters.played() == before {
            assert!(begun.elapsed() < Duration::from_secs(60), "nothing was said");
            std::thread::sleep(Duration::from_millis(5));
            self.run(10);
        }
    }

    fn time_of(&self, what: impl Fn(&LiveEvent) -> bool) -> Option<Duration> {
        self.log.iter().find(|(_, event)| what(event)).map(|(at, _)| *at)
    }

    fn count(&self, what: impl Fn(&LiveEvent) -> bool) -> usize {
        self.log.iter().filter(|(_, event)| what(event)).count()
    }

    fn heard(&self) -> Vec<f32> {
        let heard = self.log.iter().filter_map(|(_, event)| match event {
            LiveEvent::Heard(samples) => Some(samples.as_slice()),
            _ => None,
        });
        heard.collect::<Vec<_>>().concat()
    }
}

fn opened(event: &LiveEvent) -> bool {
    matches!(event, LiveEvent::TurnOpened)
}

fn ended(event: &LiveEvent) -> bool {
    matches!(event, LiveEvent::TurnEnded)
}

fn interrupted(event: &LiveEvent) -> bool {
    matches!(event, LiveEvent::Interrupted { .. })
}

/// Where the last sample is that is loud enough to be heard.
fn last_loud(samples: &[f32]) -> usize {
    samples.iter().rposition(|s| s.abs() > 1e-3).unwrap_or(0)
}

#[test]
fn it_answers_late_never_and_hears_a_question_whole() {
    let mut table = Table::new();
    table.run(1000);
    let question = sounds::question();
    table.microphone.say(&question);
    table.run(4000);
    assert_eq!((table.count(opened), table.count(ended), table.count(interrupted)), (1, 1, 0));

    // What was told is the question, sample by sample, with what stood before and behind it.
    let heard = table.heard();
    let loud: Vec<usize> = (0..question.len()).filter(|i| question[*i].abs() > 0.01).collect();
    let (first, last) = (loud[0], loud[loud.len() - 1]);
    let at = heard.windows(200).position(|window| window == &question[first..first + 200]);
    let at = at.expect("the beginning of the question is missing");
    assert_eq!(heard[at..at + last - first], question[first..last]);

    // Pieces of 40 ms, and the answer may begin 600 ms after the last word, and a moment for the detector.
    assert!(table.count(|event| matches!(event, LiveEvent::Heard(samples) if samples.len() == 640)) > 30);
    let end_of_speech = Duration::from_secs_f64(1.0 + last as f64 / f64::from(RATE));
    let late = table.time_of(ended).unwrap() - end_of_speech;
    assert!(late <= Duration::from_millis(600 + 200), "it answers late: {late:?} after the last word");
}

#[test]
fn an_answer_is_spoken_and_followed() {
    let mut table = Table::new();
    table.run(500);
    let text = "The bicycle is red. It stands at the wall.";
    table.answer(text);
    table.run(4000);
    let done = |event: &LiveEvent| matches!(event, LiveEvent::DoneSpeaking);
    assert_eq!(table.count(done), 1);
    let places: Vec<usize> = table
        .log
        .iter()
        .filter_map(|(_, event)| match event {
            LiveEvent::SpokenTo { bytes } => Some(*bytes),
            _ => None,
        })
        .collect();
    assert!(places.is_sorted() && places.len() > 6 && places.last() == Some(&text.len()), "{places:?}");
    let loud = table.speaker.played().iter().filter(|s| s.abs() > 1e-3).count();
    assert!(loud > RATE as usize, "{loud}");
    let spoken_samples = (19 + 22) * 960;
    assert!((spoken_samples..spoken_samples + 3 * 160).contains(&(table.meters.played() as usize)));
    assert_eq!(table.meters.phase(), Phase::Idle);
}

#[test]
fn talking_over_it_stops_it_within_100_ms() {
    let mut table = Table::new();
    table.microphone.stand_in(Room::new(120, 0.3));
    table.run(500);
    let text = "This is a long answer that goes on and on. ".repeat(20);
    table.answer(&text);
    table.run(10_000);
    assert_eq!(table.count(interrupted), 0, "it hears itself");
    let begun = table.now;
    table.microphone.say(&sounds::question());
    table.run(3500);
    let at = table.time_of(interrupted).expect("it was not interrupted");
    assert!(at - begun < Duration::from_millis(900), "{:?}", at - begun);
    let spoken = table.log.iter().find_map(|(_, event)| match event {
        LiveEvent::Interrupted { spoken_bytes, .. } => Some(*spoken_bytes),
        _ => None,
    });
    let spoken = spoken.unwrap();
    assert!((100..300).contains(&spoken), "{spoken}");
    assert!(text[spoken - 1..=spoken].contains(' '), "{spoken} is inside of a word");
    let silent = last_loud(&table.speaker.played());
    let decided = (at.as_millis() as usize) * RATE as usize / 1000;
    assert!(silent < decided + RATE as usize / 10, "it spoke on for {} samples", silent - decided);
    assert_eq!((table.count(opened), table.count(ended)), (1, 1));
    assert_eq!(table.meters.phase(), Phase::Thinking);
}

#[test]
fn it_hears_itself_not_in_the_whole_conversation() {
    let mut table = Table::new();
    table.microphone.stand_in(Room::new(200, 0.4));
    table.answer(&"The street in this picture is empty today. ".repeat(24));
    table.run(62_000);
    assert!(table.meters.played() > 58 * u64::from(RATE));
    assert_eq!((table.count(opened), table.count(interrupted)), (0, 0));
    let delay = table.meters.echo_delay_ms();
    assert!((190..=215).contains(&delay), "{delay}");
}

#[test]
fn any_noise_interrupts_it_not_in_the_whole_conversation() {
    let mut table = Table::new();
    table.microphone.stand_in(Room::new(100, 0.2));
    table.answer(&"One more sentence that is spoken. ".repeat(10));
    let knock: Vec<f32> =
        sounds::noise(1200, 0.8).iter().enumerate().map(|(i, s)| s * (-(i as f32) / 300.0).exp()).collect();
    for _ in 0..15 {
        table.microphone.say(&knock);
        table.run(900);
    }
    table.microphone.say(&sounds::noise(16_000, 0.05));
    table.run(1500);
    assert_eq!((table.count(opened), table.count(interrupted)), (0, 0));
}

#[test]
fn the_end_of_silence_wakes_whoever_draws() {
    let mut table = Table::new();
    table.run(500);
    table.pipeline.take_news();
    table.run(500);
    assert!(!table.pipeline.take_news(), "nothing happens");
    // Once, however long it lasts.
    for expected in [true, false] {
        table.microphone.say(&[0.1; 1600]);
        table.run(50);
        assert_eq!(table.pipeline.take_news(), expected);
    }
}

#[test]
fn there_is_a_mute_and_nothing_is_heard_through_it() {
    let mut table = Table::new();
    table.run(500);
    table.send(LiveCommand::Mute(true));
    table.microphone.say(&sounds::question());
    table.run(3000);
    assert_eq!(table.count(opened), 0);
    assert_eq!(table.meters.level(), 0.0);
    table.send(LiveCommand::Mute(false));
    table.microphone.say(&sounds::question());
    table.run(4000);
    assert_eq!(table.count(ended), 1);
    let before = table.heard()[..RATE as usize / 10].iter().map(|s| s.abs()).fold(0.0f32, f32::max);
    assert!(before < 0.5, "words from before the mute was lifted");
}

#[test]
fn stop_and_speech_off_are_silent_at_once() {
    for command in [LiveCommand::Stop, LiveCommand::Speak(false)] {
        let mut table = Table::new();
        table.answer(&"A long answer without end. ".repeat(10));
        table.run(2000);
        table.send(command);
        let decided = table.speaker.played().len();
        table.run(2000);
        assert!(last_loud(&table.speaker.played()) < decided + RATE as usize / 10);
        assert_eq!(table.meters.phase(), Phase::Idle);
    }
}

#[test]
fn a_clip_is_replayed_and_a_voice_stops_it() {
    let mut table = Table::new();
    table.run(100);
    table.send(LiveCommand::Play(sounds::answer()));
    table.run(8000);
    let played = table.speaker.played();
    let all = sounds::answer();
    let at = played.iter().position(|s| *s != 0.0).unwrap();
    let from = all.iter().position(|s| *s != 0.0).unwrap();
    assert_eq!(played[at..at + 50_000], all[from..from + 50_000]);
    table.send(LiveCommand::Play(sounds::answer()));
    table.microphone.say(&sounds::question());
    table.run(4000);
    assert_eq!(table.count(ended), 1);
    assert!(last_loud(&table.speaker.played()) < table.speaker.played().len() - 2 * RATE as usize);
}

#[test]
fn pictures_are_chosen_in_turns_only() {
    let folder = tempfile::tempdir().unwrap();
    for i in 0..4u32 {
        let picture =
            image::RgbImage::from_fn(64, 48, |x, y| image::Rgb([if (x / 16 + y / 12) % 4 == i { 250 } else { 5 }; 3]));
        picture.save(folder.path().join(format!("{i}.png"))).unwrap();
    }
    let camera = FedCamera::open(folder.path()).unwrap();
    let (microphone, speaker) = (FedMicrophone::default(), KeptSpeaker::default());
    let frames = FrameBudget { prefill_tokens_per_s: 1e4, ..FrameBudget::default() };
    let mut table = Table::with(microphone, speaker, |options| {
        options.camera = Choice::File(camera.clone());
        options.frames = frames;
    });
    table.run(5000);
    let is_frame = |event: &LiveEvent| matches!(event, LiveEvent::Frame(_));
    assert_eq!(table.count(is_frame), 0);
    assert!(table.meters.preview().is_some());
    table.microphone.say(&sounds::question());
    table.run(4000);
    let frames = table.count(is_frame);
    assert!((2..=5).contains(&frames), "{frames}");
    let opened_at = table.time_of(opened).unwrap();
    let first = table.time_of(is_frame).unwrap();
    assert!(first - opened_at <= Duration::from_millis(120), "the first frame is late");
    table.send(LiveCommand::SetCamera(Choice::Off));
    table.run(100);
    assert!(table.meters.preview().is_none());
}

/// Three minutes in which each device is unplugged again and again, at times drawn from a seed.
#[test]
fn a_soak_with_devices_that_come_and_go() {
    let mut draw = sounds::draws(7);
    let mut faults = || sounds::faults(&mut draw, (4_000, 20_000), Duration::from_secs(150));
    let microphone = FedMicrophone::default().with_faults(faults());
    microphone.stand_in(Room::new(90, 0.3));
    let speaker = KeptSpeaker::default().heard_by(&microphone).with_faults(faults());
    let camera = FedCamera::default().with_faults(faults());
    camera.show(Image { width: 8, height: 8, rgb: vec![90; 192] });
    let mut table = Table::with(microphone, speaker, |options| options.camera = Choice::File(camera));
    let mut answered = 0;
    while table.now < Duration::from_secs(180) {
        table.microphone.say(&sounds::question());
        table.run(3500);
        if table.meters.phase() == Phase::Thinking {
            answered += 1;
            table.send(LiveCommand::AnswerBegun);
            table.send(LiveCommand::Say { delta: "It is red, as far as I can see from here. ".into() });
            table.send(LiveCommand::AnswerEnded);
            std::thread::sleep(Duration::from_millis(20));
        }
        table.run(4500);
    }
    let lost = |kind: Kind| table.count(|event| matches!(event, LiveEvent::DeviceLost { which, .. } if *which == kind));
    let found =
        |kind: Kind| table.count(|event| matches!(event, LiveEvent::DeviceFound { which, .. } if *which == kind));
    for kind in [Kind::Microphone, Kind::Speaker, Kind::Camera] {
        assert!(lost(kind) >= 5, "{kind:?} {}", lost(kind));
        assert_eq!(found(kind), lost(kind) + 1, "{kind:?} came back each time");
    }
    assert!(answered >= 10, "{answered} of 22 questions were answered");
    // All turns are closed, and after the last fault all is as in the beginning.
    let forgotten = table.count(|event| matches!(event, LiveEvent::TurnForgotten));
    assert_eq!(table.count(opened), table.count(ended) + forgotten);
    assert_eq!(table.meters.phase(), Phase::Idle);
}

#[test]
fn the_thread_runs_faster_than_real_time_and_ends() {
    let microphone = FedMicrophone::default();
    let speaker = KeptSpeaker::default();
    let woken = Arc::new(std::sync::atomic::AtomicBool::new(false));
    let bell = woken.clone();
    microphone.say(&vec![0.0; 16_000]);
    microphone.say(&sounds::question());
    let wake = Arc::new(move || bell.store(true, std::sync::atomic::Ordering::Relaxed));
    let live = Live::start(LiveOptions { pace: 10.0, wake, ..options(&microphone, &speaker) });
    let wait = |what: fn(&LiveEvent) -> bool| {
        let begun = Instant::now();
        loop {
            let left = Duration::from_secs(60).saturating_sub(begun.elapsed());
            let event = live.events().recv_timeout(left).expect("it did not happen in a minute");
            if what(&event) {
                return event;
            }
        }
    };
    wait(opened);
    wait(ended);
    live.send(LiveCommand::AnswerBegun);
    live.send(LiveCommand::Say { delta: "It is red.".into() });
    live.send(LiveCommand::AnswerEnded);
    wait(|event| matches!(event, LiveEvent::DoneSpeaking));
    assert!(last_loud(&speaker.played()) > 0);
    assert!(woken.load(std::sync::atomic::Ordering::Relaxed));
    drop(live);
}
