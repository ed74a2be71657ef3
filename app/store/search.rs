//! Search in titles and in what was said.

use super::database::{Database, Trouble};
use super::id::Id;
use rusqlite::{Connection, Row, params_from_iter};
use std::ops::Range;

/// Letters that an index of three letters needs.
const INDEXED: usize = 3;
/// Marks that the index puts around what it found.
const OPENS: char = '\u{2}';
const CLOSES: char = '\u{3}';
/// Letters shown in front of a short word, and from it on; the index shows about as many.
const AROUND: (usize, usize) = (20, 45);

/// A place where all words of a search stand.
#[derive(Clone, Debug, PartialEq)]
pub struct Hit {
    /// The conversation.
    pub conversation: Id,
    /// Its title.
    pub title: String,
    /// The message; none if it is the title. It may stand in a line that is not shown
    /// ([`Change::Choose`](super::change::Change::Choose)).
    pub message: Option<Id>,
    /// Some letters around the words, on one line.
    pub snippet: String,
    /// The words in it, as bytes.
    pub marked: Vec<Range<usize>>,
}

/// What a person typed: parts of words, all of which are to be found, in any order.
struct Words {
    /// Those that the index finds, quoted.
    indexed: Vec<String>,
    /// Too short for it.
    short: Vec<String>,
}

impl Words {
    fn of(query: &str) -> Words {
        let plain = query.replace(char::is_control, " ");
        let (long, short): (Vec<&str>, Vec<&str>) =
            plain.split_whitespace().partition(|word| word.chars().count() >= INDEXED);
        let quoted = |word: &str| format!("\"{}\"", word.replace('"', "\"\""));
        Words { indexed: long.into_iter().map(quoted).collect(), short: short.into_iter().map(String::from).collect() }
    }

    /// The condition on the column `text` of the table `index`, and what fills its places.
    fn condition(&self, index: &str, text: &str) -> (String, Vec<String>) {
        let (mut conditions, mut values) = (Vec::new(), Vec::new());
        if !self.indexed.is_empty() {
            conditions.push(format!("{index} MATCH ?"));
            values.push(self.indexed.join(" "));
        }
        for word in &self.short {
            conditions.push(format!("{text} LIKE ? ESCAPE '\\'"));
            values.push(format!("%{}%", word.replace('\\', "\\\\").replace('%', "\\%").replace('_', "\\_")));
        }
        (conditions.join(" AND "), values)
    }
}

impl Database {
    /// Where all words of the query stand, titles first, then messages, newest first; at most `limit`. An answer is found from
    /// when it has ended.
    ///
    /// # Errors
    /// If the database cannot be read.
    pub fn search(&self, query: &str, limit: u32) -> Result<Vec<Hit>, Trouble> {
        let words = Words::of(query);
        if words.indexed.is_empty() && words.short.is_empty() {
            return Ok(Vec::new());
        }
        self.read(|connection| {
            let mut hits = look(connection, &in_titles(&words), &words, limit)?;
            let rest = limit.saturating_sub(hits.len() as u32);
            hits.extend(look(connection, &in_texts(&words), &words, rest)?);
            Ok(hits)
        })
    }
}

/// A statement without its limit, and what fills its places.
type Look = (String, Vec<String>);

fn in_titles(words: &Words) -> Look {
    let (condition, values) = words.condition("titles", "conversations.title");
    let (from, shown, order) = match words.indexed.is_empty() {
        true => ("conversations", "title", "id"),
        false => ("titles JOIN conversations ON id = titles.rowid", SNIPPET_TITLES, "titles.rowid"),
    };
    let sql = format!(
        "SELECT id, conversations.title, NULL, {shown} FROM {from}
         WHERE {condition} AND deleted IS NULL ORDER BY {order} DESC"
    );
    (sql, values)
}

fn in_texts(words: &Words) -> Look {
    let (condition, values) = words.condition("texts", "messages.text");
    let (from, shown, order) = match words.indexed.is_empty() {
        true => ("messages", "messages.text", "messages.id"),
        false => ("texts JOIN messages ON messages.id = texts.rowid", SNIPPET_TEXTS, "texts.rowid"),
    };
    // A cross join keeps the order: the newest message first, and no sorting of all that were found.
    let sql = format!(
        "SELECT conversations.id, title, messages.id, {shown}
         FROM {from} CROSS JOIN conversations ON conversations.id = messages.conversation
         WHERE {condition} AND deleted IS NULL ORDER BY {order} DESC"
    );
    (sql, values)
}

const SNIPPET_TITLES: &str = "snippet(titles, 0, char(2), char(3), '…', 64)";
const SNIPPET_TEXTS: &str = "snippet(texts, 0, char(2), char(3), '…', 64)";

fn look(connection: &Connection, (sql, values): &Look, words: &Words, limit: u32) -> rusqlite::Result<Vec<Hit>> {
    let mut found = connection.prepare(&format!("{sql} LIMIT {limit}"))?;
    found.query_map(params_from_iter(values), |row| hit(row, words))?.collect()
}

fn hit(row: &Row<'_>, words: &Words) -> rusqlite::Result<Hit> {
    let shown: String = row.get(3)?;
    let (snippet, marked) = match words.short.first().filter(|_| words.indexed.is_empty()) {
        Some(word) => around(&shown, word),
        None => unmark(&shown),
    };
    let snippet = snippet.replace(|c: char| c.is_ascii_control(), " ");
    Ok(Hit { conversation: row.get(0)?, title: row.get(1)?, message: row.get(2)?, snippet, marked })
}

/// Without the marks of the index, and where they were.
fn unmark(shown: &str) -> (String, Vec<Range<usize>>) {
    let (mut text, mut marked, mut open) = (String::new(), Vec::new(), None);
    for letter in shown.chars() {
        match letter {
            OPENS => open = Some(text.len()),
            CLOSES => marked.extend(open.take().map(|start| start..text.len())),
            _ => text.push(letter),
        }
    }
    (text, marked)
}

/// Some letters around the first place of a short word.
fn around(text: &str, word: &str) -> (String, Vec<Range<usize>>) {
    let is_here = |at: &usize| text.get(*at..at + word.len()).is_some_and(|part| part.eq_ignore_ascii_case(word));
    let places = text.char_indices().map(|(at, _)| at);
    let at = places.clone().find(is_here).unwrap_or_default();
    let letters = text[..at].chars().rev().take(AROUND.0).map(char::len_utf8).sum::<usize>();
    let start = at - letters;
    let end = at + text[at..].chars().take(AROUND.1).map(char::len_utf8).sum::<usize>();
    let before = if start > 0 { "…" } else { "" };
    let after = if end < text.len() { "…" } else { "" };
    let first = before.len() + letters;
    let marked = is_here(&at).then(|| first..first + word.len());
    (format!("{before}{}{after}", &text[start..end]), marked.into_iter().collect())
}

#[cfg(test)]
mod tests {
    use super::super::change::Change;
    use super::super::history::Role;
    use super::super::made::{database, whole};
    use super::*;
    use rusqlite::StatementStatus;

    /// What is found: title and snippet with brackets around the marked words.
    fn found(database: &Database, query: &str) -> Vec<(String, String)> {
        let hits = database.search(query, 20).unwrap();
        let show = |hit: Hit| {
            let mut shown = hit.snippet.clone();
            for range in hit.marked.iter().rev() {
                shown.insert(range.end, ']');
                shown.insert(range.start, '[');
            }
            (hit.title, shown)
        };
        hits.into_iter().map(show).collect()
    }

    fn snippets(database: &Database, query: &str) -> Vec<String> {
        found(database, query).into_iter().map(|(_, snippet)| snippet).collect()
    }

    #[test]
    fn parts_of_words_are_found_in_every_script() {
        let (_folder, mut database) = database();
        let talk = database.begin("Ein Garten");
        database.say(talk, Role::User, "The photograph of\na Café");
        database.say(talk, Role::User, "我喜欢猫和狗");
        database.say(talk, Role::User, "100 % of A_B and c:\\dir");
        for (query, snippet) in [
            ("graph", "The photo[graph] of a Café"),
            ("PHOTO", "The [photo]graph of a Café"),
            ("cafe", "The photograph of a [Café]"),
            ("cafe graph", "The photo[graph] of a [Café]"),
            ("graph a", "The photo[graph] of a Café"),
            ("喜欢猫", "我[喜欢猫]和狗"),
            ("猫", "我喜欢[猫]和狗"),
            ("%", "100 [%] of A_B and c:\\dir"),
            ("_b", "100 % of A[_B] and c:\\dir"),
            ("\\d", "100 % of A_B and c:[\\d]ir"),
            ("gart", "Ein [Gart]en"),
            ("ei", "[Ei]n Garten"),
        ] {
            assert_eq!(snippets(&database, query), [snippet], "{query}");
        }
        for query in ["", " \n", "graph xyz", "graph zz", "\"", "graph\" OR \"cafe", "title:garten", "gra*"] {
            assert_eq!(snippets(&database, query), [""; 0], "{query:?}");
        }
    }

    #[test]
    fn long_texts_are_cut_around_the_word() {
        let (_folder, mut database) = database();
        let talk = database.begin("");
        let text = format!("{}turquoise ox {}", "é before ".repeat(100), "after ".repeat(100));
        database.say(talk, Role::User, &text);
        for (query, marked) in [("turquoise", "[turquoise]"), ("ox", "[ox]")] {
            let snippet = snippets(&database, query).remove(0);
            assert!(snippet.contains(marked), "{snippet}");
            assert!(snippet.starts_with('…') && snippet.ends_with('…'), "{snippet}");
            assert!(snippet.chars().count() < 80, "{snippet}");
        }
    }

    #[test]
    fn titles_come_first_then_the_newest_message() {
        let (_folder, mut database) = database();
        let (a, b) = (database.begin("snail A"), database.begin("B"));
        database.say(a, Role::User, "snail one");
        database.say(b, Role::User, "snail two");
        let answer = database.say(a, Role::Assistant, "");
        database.make(Change::Append { message: answer, text: "snail three".into() });
        let titles = |database: &Database| found(database, "snail").into_iter().map(|hit| hit.1).collect::<Vec<_>>();
        assert_eq!(titles(&database), ["[snail] A", "[snail] two", "[snail] one"]);
        database.make(Change::Finish { message: answer, end: whole() });
        assert_eq!(titles(&database), ["[snail] A", "[snail] three", "[snail] two", "[snail] one"]);
        assert_eq!(database.search("snail", 2).unwrap().len(), 2);
        assert_eq!(database.search("snail", 1).unwrap()[0].message, None);
        database.make(Change::Cut { message: answer, bytes: 2, why: None });
        database.make(Change::Rename { conversation: a, title: "slug".into() });
        assert_eq!(titles(&database), ["[snail] two", "[snail] one"]);
        database.make(Change::Delete { conversation: b });
        assert_eq!(titles(&database), ["[snail] one"]);
    }

    /// Steps, scanned rows and sorts of a statement that is run to its end.
    fn cost(database: &Database, sql: &str, values: &[String]) -> (i32, i32, i32) {
        database
            .read(|connection| {
                let mut statement = connection.prepare(sql)?;
                let mut rows = statement.query(params_from_iter(values))?;
                while rows.next()?.is_some() {}
                drop(rows);
                let status = |of| statement.get_status(of);
                Ok((
                    status(StatementStatus::VmStep),
                    status(StatementStatus::FullscanStep),
                    status(StatementStatus::Sort),
                ))
            })
            .unwrap()
    }

    #[test]
    fn ten_thousand_messages_are_searched_in_few_steps() {
        let (_folder, mut database) = database();
        let mut changes = Vec::new();
        let mut rare = None;
        for number in 0..10_000 {
            let conversation = Id::fresh();
            if number % 10 == 0 {
                changes.push(Change::Create { conversation, title: format!("talk {number}"), model: None });
                rare = Some(conversation);
            }
            let text = if number == 3 { "the zeppelin".into() } else { format!("number {number} common") };
            let (message, conversation) = (Id::fresh(), rare.unwrap());
            changes.push(Change::Add { message, conversation, role: Role::User, text });
        }
        database.apply(&changes, 0).unwrap();
        assert_eq!(snippets(&database, "zeppelin"), ["the [zeppelin]"]);
        assert_eq!(snippets(&database, "talk")[0], "[talk] 9990");
        assert_eq!(snippets(&database, "common")[0], "number 9999 [common]");
        // The index does the rest; nothing is read behind the limit, and nothing is sorted.
        for query in ["common", "zeppelin", "common 99"] {
            let words = Words::of(query);
            for (sql, values) in [in_texts(&words), in_titles(&words)] {
                let (steps, _, sorts) = cost(&database, &format!("{sql} LIMIT 20"), &values);
                assert!(steps < 12_000 && sorts == 0, "{query}: {steps} steps, {sorts} sorts");
            }
        }
        let list = "SELECT id, title, model, created, changed FROM conversations WHERE deleted IS NULL
            ORDER BY changed DESC";
        let (steps, scanned, sorts) = cost(&database, list, &[]);
        assert!(
            steps < 20 * 1_000 && scanned <= 1_000 && sorts == 0,
            "{steps} steps, {scanned} scanned, {sorts} sorts"
        );
    }

    #[test]
    fn one_of_many_messages_is_loaded_without_looking_at_the_others() {
        let (_folder, mut database) = database();
        let (long, short) = (database.begin(""), database.begin(""));
        let add =
            |conversation| Change::Add { message: Id::fresh(), conversation, role: Role::User, text: "word".into() };
        database.apply(&(0..10_000).map(|_| add(long)).collect::<Vec<_>>(), 0).unwrap();
        database.make(add(short));
        assert_eq!(database.conversation(long).unwrap().messages.len(), 10_000);
        let plans = database
            .read(|connection| {
                let mut plans = String::new();
                for sql in super::super::history::OF_CONVERSATION {
                    let mut plan = connection.prepare(&format!("EXPLAIN QUERY PLAN {sql}"))?;
                    let mut rows = plan.query([short])?;
                    while let Some(row) = rows.next()? {
                        plans += &format!("{}\n", row.get::<_, String>(3)?);
                    }
                }
                Ok(plans)
            })
            .unwrap();
        assert!(plans.contains("SEARCH") && !plans.contains("SCAN"), "{plans}");
    }
}
