//! Numbers of conversations, messages and media. Whoever makes a thing gives it its number, without asking the database, so
//! that the window can go on while the disk is slow.

use rusqlite::types::{FromSql, FromSqlResult, ToSql, ToSqlOutput, ValueRef};
use std::hash::{BuildHasher, RandomState};
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::{SystemTime, UNIX_EPOCH};

/// Random bits below the time, which keep two programs apart.
const RANDOM_BITS: u32 = 20;

/// A number that nothing else has. Later ones are larger.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Id(i64);

impl Id {
    /// A new one.
    pub fn fresh() -> Id {
        static LAST: AtomicI64 = AtomicI64::new(0);
        let random = RandomState::new().hash_one(0) as i64 & ((1 << RANDOM_BITS) - 1);
        let drawn = now_ms() << RANDOM_BITS | random;
        let next = |last: i64| drawn.max(last + 1);
        let (Ok(last) | Err(last)) = LAST.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |last| Some(next(last)));
        Id(next(last))
    }

    /// When it was made, in milliseconds since 1970.
    pub fn ms(self) -> i64 {
        self.0 >> RANDOM_BITS
    }
}

impl Id {
    /// As a number, for whoever only tells things apart.
    pub fn get(self) -> i64 {
        self.0
    }
}

impl From<i64> for Id {
    fn from(id: i64) -> Id {
        Id(id)
    }
}

impl ToSql for Id {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        self.0.to_sql()
    }
}

impl FromSql for Id {
    fn column_result(value: ValueRef<'_>) -> FromSqlResult<Id> {
        i64::column_result(value).map(Id)
    }
}

/// Milliseconds since 1970.
pub fn now_ms() -> i64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_millis() as i64)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_is_larger_than_the_last_and_knows_its_time() {
        let before = now_ms();
        let ids: Vec<Id> = (0..10_000).map(|_| Id::fresh()).collect();
        assert!(ids.is_sorted_by(|a, b| a < b));
        assert!(before <= ids[0].ms() && ids[0].ms() <= now_ms());
    }

    #[test]
    fn threads_get_numbers_of_their_own() {
        let drawn = || (0..1_000).map(|_| Id::fresh()).collect::<Vec<Id>>();
        let threads: Vec<_> = (0..4).map(|_| std::thread::spawn(drawn)).collect();
        let mut ids: Vec<Id> = threads.into_iter().flat_map(|thread| thread.join().unwrap()).collect();
        ids.sort();
        ids.dedup();
        assert_eq!(ids.len(), 4_000);
    }
}
