//! Help texts: they teach, and fit 100 columns.

use crate::support::Home;

#[test]
fn every_command_explains_itself() {
    let home = Home::new();
    for command in [
        "",
        "app",
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
