//! Help texts: they teach, and fit 100 columns.

use crate::support::Home;

#[test]
fn every_command_explains_itself() {
    let home = Home::new();
    for command in [
        "",
        "ask",
        "chat",
        "models",
        "models list",
        "models show",
        "models pull",
        "models remove",
        "models catalogue",
        "doctor",
        "bench",
        "perplexity",
        "eval",
        "embed",
        "encode",
        "trace",
    ] {
        let mut args: Vec<&str> = command.split_whitespace().collect();
        args.push("--help");
        let outcome = home.run(&args);
        assert_eq!((outcome.code, outcome.stderr.as_str()), (Some(0), ""), "{command}");
        for line in outcome.stdout.lines() {
            assert!(line.chars().count() <= 100, "{command}: {line}");
        }
        insta::assert_snapshot!(format!("help {command}").trim().replace(' ', "_"), outcome.stdout);
    }
}

#[test]
fn without_a_command_the_help_is_shown_with_a_hint() {
    let home = Home::new();
    let (bare, help) = (home.run::<&str>(&[]), home.run(&["--help"]));
    assert_eq!(bare.code, Some(0));
    let hint = bare.stdout.strip_prefix(&help.stdout).unwrap();
    assert_eq!(hint, "\nHint: begin with `percept chat`, or with `percept ask \"your question\"`.\n");
}
