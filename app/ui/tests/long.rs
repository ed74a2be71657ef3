//! A conversation of hours: a frame costs no more than one of a short one, and everything is reached.

use super::*;

fn long(messages: i64) -> Window {
    let mut state = samples::empty();
    let message = |id| {
        let role = if id % 2 == 1 { Role::User } else { Role::Model };
        let text = format!("Message {id}. {}", "Some words more. ".repeat((id % 7) as usize * 6));
        Message::new(id, role, vec![Part::Text(text)], Progress::Whole)
    };
    state.conversation.id = Some(1);
    state.conversation.messages = (1..=messages).map(message).collect();
    Window::new(state)
}

fn laid_out(h: &Harness<'static, Window>) -> usize {
    h.query_all_by_label("Copy answer").count()
}

fn has(h: &Harness<'static, Window>, number: usize) -> bool {
    h.query_all_by_label_contains(&format!("Message {number}.")).next().is_some()
}

#[test]
fn only_messages_near_the_screen_are_laid_out() {
    let builder = Harness::builder().with_size(MIDDLE).with_context_setup(theme::install);
    let mut harness = builder.build_ui_state(draw, long(600));
    let h = &mut harness;
    // A few are measured with each frame.
    h.run_steps(120);
    assert!(has(h, 598), "it begins at its end");
    assert!((2..40).contains(&laid_out(h)), "{} answers are laid out", laid_out(h));
    // To the beginning and back.
    h.hover_at(egui::pos2(700.0, 300.0));
    let scroll = |h: &mut Harness<'static, Window>, by: f32| {
        let (unit, phase) = (egui::MouseWheelUnit::Point, egui::TouchPhase::Move);
        let source = egui::MouseWheelSource::Unknown;
        h.event(Event::MouseWheel { unit, delta: vec2(0.0, by), phase, source, modifiers: Modifiers::NONE });
        h.run_steps(30);
    };
    scroll(h, 1e6);
    assert!(has(h, 1) && !has(h, 598), "the beginning is reached");
    assert!(laid_out(h) < 40, "{}", laid_out(h));
    // What is read stays where it is.
    let place = |h: &Harness<'static, Window>| h.get_by_label_contains("Message 1.").rect().top();
    let before = place(h);
    h.run_steps(40);
    assert_eq!(place(h), before);
    scroll(h, -1e6);
    assert!(has(h, 598));
}
