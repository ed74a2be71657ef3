//! When an answer equals the recorded one.

use serde_json::Value;

/// Below this distance of the two best logits, two right engines may choose differently.
const NEAR_TIE: f64 = 0.05;
/// Most that a logit may be off.
const LOGIT: f64 = 0.02;
/// Most that a perplexity may be off, as a share.
const PERPLEXITY: f64 = 0.002;

/// What was recorded, or was said, of one prompt.
#[derive(Clone, Debug)]
pub struct Answer {
    pub prompt: Vec<u64>,
    pub ids: Vec<u64>,
    pub top: Vec<(u64, f64)>,
}

/// How far an answer equals the recorded one.
#[derive(Debug)]
pub struct Verdict {
    /// How many tokens are equal before the first that is not.
    pub equal: usize,
    /// How many must be, up to the first near tie.
    pub due: usize,
    /// The worst distance of a logit; `NaN` if there are none to compare.
    pub worst: f64,
    pub problems: Vec<String>,
}

impl Answer {
    /// Of an object with these members.
    pub fn of(value: &Value, prompt: &str, ids: &str) -> Result<Answer, String> {
        let list = |name: &str| -> Result<Vec<u64>, String> {
            let all = value[name].as_array().ok_or_else(|| format!("{name} is no list"))?;
            all.iter().map(|id| id.as_u64().ok_or_else(|| format!("{name} holds {id}"))).collect()
        };
        let top = value["top_logits"].as_array().ok_or("top_logits is no list")?;
        let pair = |pair: &Value| match (pair[0].as_u64(), pair[1].as_f64()) {
            (Some(id), Some(logit)) => Ok((id, logit)),
            _ => Err(format!("top_logits holds {pair}")),
        };
        Ok(Answer { prompt: list(prompt)?, ids: list(ids)?, top: top.iter().map(pair).collect::<Result<_, _>>()? })
    }
}

/// Compares; `gaps` are the recorded distances of the two best logits, step by step.
pub fn answers(said: &Answer, recorded: &Answer, gaps: &[f64]) -> Verdict {
    let mut problems = Vec::new();
    if said.prompt != recorded.prompt {
        problems.push(format!("the prompt reads as {:?}, recorded is {:?}", said.prompt, recorded.prompt));
    }
    let equal = said.ids.iter().zip(&recorded.ids).take_while(|(a, b)| a == b).count();
    let due = gaps.iter().position(|gap| *gap < NEAR_TIE).unwrap_or(recorded.ids.len());
    if said.ids.len() != recorded.ids.len() {
        problems.push(format!("{} tokens came, expected {}", said.ids.len(), recorded.ids.len()));
    }
    if equal < due {
        let [a, b] = [said, recorded].map(|answer| answer.ids.get(equal).map_or("none".into(), u64::to_string));
        let gap = gaps.get(equal).copied().unwrap_or(f64::NAN);
        problems.push(format!("token {equal} is {a}, recorded is {b}, with a gap of {gap}"));
    }
    let worst = logits(&said.top, &recorded.top, &mut problems);
    Verdict { equal, due, worst, problems }
}

/// By id. One that only one side holds must have missed the other's list by a hair.
fn logits(said: &[(u64, f64)], recorded: &[(u64, f64)], problems: &mut Vec<String>) -> f64 {
    if said.len() != recorded.len() || recorded.is_empty() {
        problems.push(format!("{} best logits, expected {}", said.len(), recorded.len()));
        return f64::NAN;
    }
    let mut worst: f64 = 0.0;
    for (ours, theirs) in [(said, recorded), (recorded, said)] {
        let least = ours.iter().map(|(_, logit)| *logit).fold(f64::INFINITY, f64::min);
        for (id, logit) in theirs {
            let off = match ours.iter().find(|(other, _)| other == id) {
                Some((_, other)) => (logit - other).abs(),
                None => (logit - least).max(0.0),
            };
            worst = worst.max(off);
        }
    }
    if worst > LOGIT {
        problems.push(format!("a logit is off by {worst:.4}, {LOGIT} is allowed"));
    }
    worst
}

/// The share by which a perplexity is off, and what is wrong with it; both sides are nats a token and tokens scored.
pub fn perplexities(said: (f64, u64), recorded: (f64, u64)) -> (f64, Vec<String>) {
    let off = (said.0 - recorded.0).exp() - 1.0;
    let mut problems = Vec::new();
    if said.1 != recorded.1 {
        problems.push(format!("{} tokens were scored, expected {}", said.1, recorded.1));
    }
    // What is no number is not within it.
    if off.abs().partial_cmp(&PERPLEXITY).is_none_or(|order| order.is_gt()) {
        let [ours, theirs] = [said.0.exp(), recorded.0.exp()];
        problems.push(format!(
            "the perplexity is {ours:.4}, recorded is {theirs:.4}: off by {:+.3} %, {} % is allowed",
            100.0 * off,
            100.0 * PERPLEXITY
        ));
    }
    (off, problems)
}

/// The comparison itself, on answers that differ in one thing.
mod tests {
    use super::*;
    use serde_json::json;

    fn recorded() -> Answer {
        Answer { prompt: vec![2, 5], ids: vec![7, 8, 9], top: vec![(7, 3.0), (4, 2.0), (1, 1.0)] }
    }

    fn problems(change: impl Fn(&mut Answer), gaps: [f64; 3]) -> Vec<String> {
        let mut said = recorded();
        change(&mut said);
        answers(&said, &recorded(), &gaps).problems
    }

    const CLEAR: [f64; 3] = [1.0; 3];

    #[test]
    fn the_same_answer_is_right() {
        let verdict = answers(&recorded(), &recorded(), &CLEAR);
        assert_eq!((verdict.equal, verdict.due, verdict.worst), (3, 3, 0.0));
        assert!(verdict.problems.is_empty());
    }

    #[test]
    fn answers_may_part_at_a_near_tie_and_after_it_but_not_before() {
        let part = |answer: &mut Answer| answer.ids[1] = 6;
        assert_eq!(problems(part, CLEAR), ["token 1 is 6, recorded is 8, with a gap of 1"]);
        assert_eq!(problems(part, [1.0, 1.0, 0.01]).len(), 1);
        assert!(problems(part, [1.0, 0.01, 1.0]).is_empty());
        assert!(problems(part, [0.01, 1.0, 1.0]).is_empty());
    }

    #[test]
    fn short_answers_and_other_prompts_are_wrong() {
        assert_eq!(problems(|answer| _ = answer.ids.pop(), [0.01; 3]), ["2 tokens came, expected 3"]);
        assert_eq!(problems(|answer| answer.ids.clear(), CLEAR).len(), 2);
        assert_eq!(problems(|answer| answer.prompt[0] = 3, CLEAR).len(), 1);
    }

    #[test]
    fn logits_are_compared_by_id() {
        assert!(problems(|answer| answer.top.swap(0, 1), CLEAR).is_empty());
        assert!(problems(|answer| answer.top[0].1 += 0.019, CLEAR).is_empty());
        assert_eq!(problems(|answer| answer.top[0].1 += 0.021, CLEAR).len(), 1);
        assert_eq!(problems(|answer| _ = answer.top.pop(), CLEAR), ["2 best logits, expected 3"]);
    }

    #[test]
    fn another_last_logit_must_be_a_near_miss() {
        assert!(problems(|answer| answer.top[2] = (3, 1.01), CLEAR).is_empty());
        assert_eq!(problems(|answer| answer.top[2] = (3, 1.1), CLEAR).len(), 1);
        assert_eq!(problems(|answer| answer.top[0] = (3, 1.0), CLEAR).len(), 1);
    }

    #[test]
    fn perplexities_may_be_off_by_a_little() {
        assert!(perplexities((2.0019, 10), (2.0, 10)).1.is_empty());
        assert_eq!(perplexities((2.0021, 10), (2.0, 10)).1.len(), 1);
        assert_eq!(perplexities((1.9979, 10), (2.0, 10)).1.len(), 1);
        assert_eq!(perplexities((f64::NAN, 10), (2.0, 10)).1.len(), 1);
        assert_eq!(perplexities((2.0, 9), (2.0, 10)).1, ["9 tokens were scored, expected 10"]);
    }

    #[test]
    fn what_is_no_number_is_told() {
        let good = json!({"a": [1], "b": [2], "top_logits": [[3, 0.5]]});
        assert_eq!(Answer::of(&good, "a", "b").unwrap().top, [(3, 0.5)]);
        let bad = json!({"a": [1], "b": [2], "top_logits": [[3, null]]});
        assert_eq!(Answer::of(&bad, "a", "b").unwrap_err(), "top_logits holds [3,null]");
        assert_eq!(Answer::of(&good, "a", "c").unwrap_err(), "c is no list");
    }
}
