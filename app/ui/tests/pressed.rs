//! What is pressed on a page: versions of a message, what a search found, a download.

use super::*;
use crate::ui::view::Field;

#[test]
fn versions_are_chosen_by_two_buttons_while_nothing_is_answered() {
    let mut harness = blind(Window::new(samples::full()), vec2(1100.0, 3000.0));
    let h = &mut harness;
    let press_all = |h: &mut Harness<'static, Window>, label: &'static str| -> Vec<Action> {
        let count = h.query_all_by_label(label).count();
        for number in 0..count {
            h.query_all_by_label(label).nth(number).unwrap().click_accesskit();
            h.run_steps(2);
        }
        taken(h)
    };
    // It speaks.
    assert_eq!((press_all(h, "Earlier version"), press_all(h, "Later version")), (vec![], vec![]));
    h.state_mut().state.live.phase = Phase::Idle;
    h.run_steps(2);
    assert!(h.query_by_label("1 of 2").is_some() && h.query_by_label("2 of 3").is_some());
    // The first of the question has none before it.
    assert_eq!(press_all(h, "Earlier version"), [Action::Choose(-1)]);
    assert_eq!(press_all(h, "Later version"), [Action::Choose(5), Action::Choose(9)]);
    // Until the chosen one is here the other one stays, and nothing more can be chosen.
    h.state_mut().state.conversation.loading = true;
    h.run_steps(2);
    assert!(h.query_by_label("2 of 3").is_some());
    assert_eq!((press_all(h, "Earlier version"), press_all(h, "Later version")), (vec![], vec![]));
}

#[test]
fn the_page_goes_to_what_a_search_found() {
    let mut harness = blind(Window::new(samples::full()), SMALL);
    let h = &mut harness;
    let first = h.get_by_label_contains("The star is").rect();
    assert!(first.bottom() < 0.0, "{first:?}");
    h.state_mut().state.lines[0].message = Some(2);
    h.state_mut().view.list = Some(true);
    h.run_steps(2);
    h.get_by_role_and_label(Kind::Button, "The star and the triangle").click_accesskit();
    h.run_steps(4);
    assert_eq!(taken(h)[0], Action::OpenAt { conversation: 1, message: 2 });
    let shown = h.get_by_label_contains("The star is").rect();
    assert!(shown.top() > 0.0 && shown.bottom() < SMALL.y, "{shown:?}");
    assert_eq!(h.state().view.found, None);
}

#[test]
fn enter_in_the_search_opens_the_first_of_what_was_found() {
    let mut harness = blind(Window::new(samples::full()), MIDDLE);
    let h = &mut harness;
    press(h, Modifiers::COMMAND, Key::K);
    type_text(h, "star");
    assert_eq!(taken(h), [Action::Search("star".into())]);
    // Whoever is quick is not given what stood there before.
    h.state_mut().state.searching = true;
    press(h, Modifiers::NONE, Key::Enter);
    assert_eq!(taken(h), []);
    let state = &mut h.state_mut().state;
    state.lines.drain(..2);
    (state.lines[0].message, state.searching) = (Some(31), false);
    h.run_steps(2);
    assert_eq!(taken(h)[0], Action::OpenAt { conversation: 3, message: 31 });
    h.run_steps(2);
    assert_eq!(taken(h), []);
    assert!(h.get_by_label("Message").is_focused());
    // Nothing was found.
    h.state_mut().state.lines.clear();
    press(h, Modifiers::COMMAND, Key::K);
    press(h, Modifiers::NONE, Key::Enter);
    assert_eq!(taken(h), []);
}

#[test]
fn a_message_waits_for_its_files() {
    let mut harness = blind(Window::new(samples::empty()), MIDDLE);
    let h = &mut harness;
    let picture = || Part::Picture { media: None, name: "cat.jpg".into(), image: samples::cat() };
    for is_read in [true, false] {
        h.state_mut().state.reading = 1;
        type_text(h, "What is it?");
        assert!(h.query_by_label("Reading a file").is_some());
        press(h, Modifiers::NONE, Key::Enter);
        assert_eq!((taken(h), h.state().view.draft.as_str()), (vec![], "What is it?"));
        let state = &mut h.state_mut().state;
        state.reading = 0;
        state.attached.extend(is_read.then(picture));
        h.run_steps(2);
        // Where the file could not be read, the person decides.
        let expected = if is_read { vec![Action::Send("What is it?".into())] } else { vec![] };
        assert_eq!(taken(h), expected);
        h.run_steps(2);
        assert_eq!(taken(h), []);
    }
    press(h, Modifiers::NONE, Key::Enter);
    assert_eq!(taken(h), [Action::Send("What is it?".into())]);
    // Whoever changes anything has to send it again; Escape takes it back, too.
    let changes: [fn(&mut Harness<'static, Window>); 3] = [
        |h| h.state_mut().state.conversation.id = Some(7),
        |h| h.state_mut().view.draft = "What?".into(),
        |h| press(h, Modifiers::NONE, Key::Escape),
    ];
    for change in changes {
        h.state_mut().state.conversation = Conversation::default();
        h.state_mut().state.reading = 1;
        h.state_mut().view.draft = "Look".into();
        h.state_mut().view.focus = Some(Field::Composer);
        h.run_steps(2);
        press(h, Modifiers::NONE, Key::Enter);
        assert!(h.query_by_label("Reading a file, then it is sent").is_some());
        change(h);
        h.run_steps(2);
        assert!(h.query_by_label("Reading a file").is_some());
        let state = &mut h.state_mut().state;
        (state.reading, state.attached) = (0, vec![picture()]);
        h.run_steps(2);
        assert_eq!(taken(h), []);
        h.state_mut().state.attached.clear();
    }
    h.state_mut().state.reading = 1;
    h.run_steps(2);
    h.get_by_label("Wait for no file").click_accesskit();
    h.run_steps(2);
    assert_eq!(taken(h), [Action::ForgetFiles]);
}

#[test]
fn a_download_is_stopped_and_gone_on_with() {
    let mut harness = blind(on(Page::Models, samples::full()), vec2(1100.0, 3000.0));
    let h = &mut harness;
    let name = "google/gemma-3-4b-it";
    h.get_by_label("Stop the download of google/gemma-3-4b-it").click_accesskit();
    h.run_steps(2);
    assert_eq!(taken(h), [Action::CancelPull(name.into())]);
    h.state_mut().state.models.pulls[0].stage = Fetching::Stopping;
    h.run_steps(2);
    h.get_by_label("Stop the download of google/gemma-3-4b-it").click_accesskit();
    h.run_steps(2);
    assert_eq!(taken(h), []);
    h.state_mut().state.models.pulls[0].stage = Fetching::Stopped;
    h.run_steps(2);
    assert!(h.query_by_label_contains("Fetching it again goes on where it was.").is_some());
    h.get_by_label("Go on: google/gemma-3-4b-it").click_accesskit();
    h.run_steps(2);
    assert_eq!(taken(h), [Action::Pull(name.into())]);
}

#[test]
fn any_model_is_fetched_by_its_name_or_loaded_by_its_path() {
    let mut harness = blind(on(Page::Models, samples::full()), vec2(1100.0, 3000.0));
    let h = &mut harness;
    for (text, action) in [
        ("  acme/model:Q4_K_M ", Action::Pull("acme/model:Q4_K_M".into())),
        ("'/models/a b.gguf'", Action::Load("/models/a b.gguf".into())),
    ] {
        h.get_by_label("Name or path of a model").focus();
        h.run_steps(2);
        type_text(h, text);
        press(h, Modifiers::NONE, Key::Enter);
        assert_eq!(taken(h), [action]);
        assert_eq!(h.state().view.model, "");
    }
    // Nothing was typed.
    h.get_by_label("Name or path of a model").focus();
    press(h, Modifiers::NONE, Key::Enter);
    assert_eq!(taken(h), []);
    // It is shown although no catalogue has it, and is forgotten only when it has ended.
    let stage = Fetching::Failed("Nothing is called so.".into());
    h.state_mut().state.models.pulls = vec![Pull { name: "acme/model".into(), done: 0, total: 0, stage }];
    h.run_steps(2);
    h.get_by_label("Forget the download of acme/model").click_accesskit();
    h.run_steps(2);
    assert_eq!(taken(h), [Action::CancelPull("acme/model".into())]);
    h.get_by_label("Try again: acme/model").click_accesskit();
    h.run_steps(2);
    assert_eq!(taken(h), [Action::Pull("acme/model".into())]);
    h.state_mut().state.models.pulls[0].stage = Fetching::Going;
    h.run_steps(2);
    assert!(h.query_by_label("Forget the download of acme/model").is_none());
}

#[test]
fn a_download_that_another_program_began_is_gone_on_with() {
    let mut harness = blind(on(Page::Models, samples::failed()), vec2(1100.0, 3000.0));
    let h = &mut harness;
    h.get_by_label("Go on: someone/half-a-model").click_accesskit();
    h.run_steps(2);
    assert_eq!(taken(h), [Action::Pull("someone/half-a-model".into())]);
}
