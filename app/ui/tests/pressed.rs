//! What is pressed on a page: versions of a message, what a search found, a download.

use super::*;

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
