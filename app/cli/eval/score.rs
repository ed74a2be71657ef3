//! What is right, and how sure a share of right answers is.

use serde_json::{Value, json};
use std::collections::BTreeMap;

/// The quantile of the normal distribution for an interval of 95 %.
const Z: f64 = 1.959_963_984_540_054;

/// Right answers among all.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Tally {
    right: usize,
    asked: usize,
}

impl Tally {
    /// One more.
    pub fn count(&mut self, right: bool) {
        self.right += usize::from(right);
        self.asked += 1;
    }

    fn add(&mut self, other: Tally) {
        self.right += other.right;
        self.asked += other.asked;
    }

    fn share(self) -> f64 {
        self.right as f64 / self.asked as f64
    }

    /// Where the true share lies with 95 % confidence (E. B. Wilson, 1927), which also holds for few cases and for shares
    /// near 0 and 1.
    pub fn interval(self) -> (f64, f64) {
        let n = self.asked as f64;
        let (share, z2) = (self.share(), Z * Z);
        let middle = (share + z2 / (2.0 * n)) / (1.0 + z2 / n);
        let half = Z / (1.0 + z2 / n) * (share * (1.0 - share) / n + z2 / (4.0 * n * n)).sqrt();
        ((middle - half).max(0.0), (middle + half).min(1.0))
    }
}

/// A line of the table.
pub struct Row {
    name: String,
    tally: Tally,
}

impl Row {
    /// As in the last object of `--json`, its name called `what`.
    pub fn to_json(&self, what: &str) -> Value {
        let (low, high) = self.tally.interval();
        json!({
            what: self.name, "right": self.tally.right, "asked": self.tally.asked, "share": self.tally.share(),
            "low": low, "high": high,
        })
    }
}

/// The skills, after those of a group the group (`see` for `see/…`), and all.
pub fn rows(tallies: &BTreeMap<&str, Tally>) -> Vec<Row> {
    let group_of = |skill: &str| skill.split_once('/').map_or(skill, |(group, _)| group).to_string();
    let mut groups: BTreeMap<String, Vec<(&str, Tally)>> = BTreeMap::new();
    for (skill, tally) in tallies {
        groups.entry(group_of(skill)).or_default().push((skill, *tally));
    }
    let mut rows = Vec::new();
    let mut all = Tally::default();
    let count = groups.len();
    for (group, skills) in groups {
        let mut sum = Tally::default();
        let alone = skills.len() == 1;
        for (skill, tally) in skills {
            rows.push(Row { name: skill.into(), tally });
            sum.add(tally);
        }
        if !alone {
            rows.push(Row { name: format!("{group}, all"), tally: sum });
        }
        all.add(sum);
    }
    if count > 1 {
        rows.push(Row { name: "all".into(), tally: all });
    }
    rows
}

/// The rows as a person reads them, `what` above their names.
pub fn table(rows: &[Row], what: &str) -> String {
    let width = rows.iter().map(|row| row.name.chars().count()).max().unwrap_or(0).max(5);
    let mut text = format!("{:width$}  right of cases    share   95 % interval\n", what);
    for Row { name, tally } in rows {
        let (low, high) = tally.interval();
        text += &format!(
            "{name:width$}  {:5} of {:5}  {:5.1} %   {:.1} to {:.1} %\n",
            tally.right,
            tally.asked,
            tally.share() * 100.0,
            low * 100.0,
            high * 100.0
        );
    }
    text
}

/// Whether `said` is one of `answers` but for capitals, punctuation and spacing.
pub fn is_right(said: &str, answers: &[String]) -> bool {
    let said = plain(said);
    !said.is_empty() && answers.iter().any(|answer| plain(answer) == said)
}

/// Words of letters and digits, in small letters, with single spaces; apostrophes join, a point or minus sign of a number
/// stays.
fn plain(text: &str) -> String {
    let letters: Vec<char> = text.chars().collect();
    let digit = |place: Option<usize>| place.and_then(|i| letters.get(i)).is_some_and(char::is_ascii_digit);
    let mut out = String::new();
    for (i, c) in letters.iter().copied().enumerate() {
        let before = i.checked_sub(1);
        match c {
            '\'' | '\u{2019}' => {}
            '.' if digit(before) && digit(Some(i + 1)) => out.push(c),
            '-' | '\u{2212}' if digit(Some(i + 1)) && !before.is_some_and(|i| letters[i].is_alphanumeric()) => {
                out.push('-')
            }
            c if c.is_alphanumeric() => out.extend(c.to_lowercase()),
            _ => out.push(' '),
        }
    }
    out.split_whitespace().collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn capitals_punctuation_and_spacing_do_not_count() {
        let answers = ["It is red.".to_string(), "-3.5".into()];
        for said in ["It is red.", "it is  red", "It is \"Red\"!\n"] {
            assert!(is_right(said, &answers), "{said}");
        }
        for said in ["", " ", "red", "It is red and blue.", "3.5", "-35", "-3. 5"] {
            assert!(!is_right(said, &answers), "{said}");
        }
        assert!(is_right("-3.5.", &answers) && is_right("I can\u{2019}t.", &["I can't".into()]));
        // What is nothing but punctuation is no answer.
        assert!(!is_right("...", &["!".into()]));
    }

    #[test]
    fn intervals_are_wilsons() {
        let interval = |right, asked| Tally { right, asked }.interval();
        for (tally, expected) in [
            ((81, 263), (0.255_254, 0.366_227)), // Newcombe 1998, table I: 0.2553 to 0.3662
            ((0, 20), (0.0, 0.161_125)),
            ((20, 20), (0.838_875, 1.0)),
        ] {
            let (low, high) = interval(tally.0, tally.1);
            assert!((low - expected.0).abs() < 5e-5 && (high - expected.1).abs() < 5e-5, "{tally:?}: {low} to {high}");
        }
    }

    #[test]
    fn groups_and_all_are_summed() {
        let one = |right, asked| Tally { right, asked };
        let tallies = BTreeMap::from([("see/colour", one(3, 4)), ("see/count", one(1, 4)), ("talk", one(2, 2))]);
        let rows: Vec<(String, Tally)> = rows(&tallies).into_iter().map(|row| (row.name, row.tally)).collect();
        let names = ["see/colour", "see/count", "see, all", "talk", "all"];
        assert_eq!(rows.iter().map(|(name, _)| name.as_str()).collect::<Vec<_>>(), names);
        assert_eq!((rows[2].1, rows[4].1), (one(4, 8), one(6, 10)));
    }
}
