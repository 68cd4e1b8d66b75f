//! What work on a table costs, from its size and the machine's rates.

use crate::{Estimate, Rates, TableStatistics};

/// A short transaction that touches no row, in milliseconds.
pub(crate) const METADATA_MILLIS: f64 = 0.3;

/// The time for which a paced step means to hold the lock, in milliseconds.
pub(crate) const PIECE_MILLIS: f64 = 1.0;

/// A paced step leaves the lock alone for about as long as it holds it.
const PACED: f64 = 2.0;

/// A table's size and the rates, from which each kind of work can be priced.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Costs {
    size: TableStatistics,
    rates: Rates,
    /// How many rows of the size that the rates are of it amounts to.
    weight: u64,
}

/// A row of so many bytes is taken for one; the rates are those of smaller ones.
const ROW_BYTES: u64 = 1_024;

impl Costs {
    pub(crate) fn new(size: TableStatistics, rates: Rates) -> Self {
        Self { size, rates, weight: size.rows }
    }

    /// The same where large values are kept apart from their rows: few rows may be much to read.
    pub(crate) fn with_large_rows(self) -> Self {
        Self { weight: self.size.rows.max(self.size.bytes / ROW_BYTES), ..self }
    }

    pub(crate) fn rows(&self) -> u64 {
        self.size.rows
    }

    fn at(&self, rate: f64) -> f64 {
        if rate > 0.0 { self.rows_at(1.0 / rate) } else { 0.0 }
    }

    fn rows_at(&self, millis: f64) -> f64 {
        #[expect(clippy::cast_precision_loss, reason = "an estimate")]
        let rows = self.weight as f64;
        rows * millis
    }

    /// Reading every row, in milliseconds.
    pub(crate) fn scan(&self) -> f64 {
        METADATA_MILLIS + self.at(self.rates.scan)
    }

    /// Looking something up for every row: as slow as updating it.
    pub(crate) fn lookup(&self) -> f64 {
        METADATA_MILLIS + self.at(self.rates.update)
    }

    /// Rewriting every row in one statement.
    pub(crate) fn update(&self) -> f64 {
        METADATA_MILLIS + self.at(self.rates.update)
    }

    /// Copying every row into a new table with so many indexes, and comparing it there, in milliseconds.
    pub(crate) fn anew(&self, indexes: usize) -> f64 {
        METADATA_MILLIS + self.rows_at(self.rates.anew(count(indexes)))
    }

    /// Rewriting every row where it is, in a table with so many indexes, and comparing it there, in milliseconds.
    pub(crate) fn in_place(&self, indexes: usize) -> f64 {
        METADATA_MILLIS + self.rows_at(self.rates.in_place(count(indexes)))
    }

    /// How many times as long as the first the second takes, for any number of rows.
    pub(crate) fn gain_anew(&self, indexes: usize) -> f64 {
        self.rates.in_place(count(indexes)) / self.rates.anew(count(indexes))
    }

    /// Building one index in one statement.
    pub(crate) fn index(&self) -> f64 {
        METADATA_MILLIS + self.at(self.rates.index)
    }

    /// Giving the pages of one index back.
    pub(crate) fn drop_index(&self) -> f64 {
        METADATA_MILLIS + self.at(self.rates.scan * 6.0)
    }

    /// Copying every row into another table, with so many indexes.
    pub(crate) fn copy(&self, indexes: usize) -> f64 {
        METADATA_MILLIS + self.at(self.rates.copy) + count(indexes) * self.at(self.rates.index)
    }

    /// The disk space of the table.
    pub(crate) fn bytes(&self) -> u64 {
        self.size.bytes
    }

    /// The disk space of an index of it: a fraction of the row by the columns it holds, and the key of the row.
    pub(crate) fn index_bytes(&self, parts: usize, columns: usize) -> u64 {
        if parts == 0 {
            return 0;
        }
        let share = self.size.bytes * parts as u64 / columns.max(1) as u64;
        share + self.size.rows * 10
    }

    /// One transaction that lasts this long.
    pub(crate) fn at_once(&self, millis: f64, disk_bytes: u64) -> Estimate {
        Estimate { rows: self.size.rows, millis, lock_millis: millis, disk_bytes }
    }

    /// The same work in pieces.
    pub(crate) fn paced(&self, millis: f64, disk_bytes: u64) -> Estimate {
        let lock_millis = PIECE_MILLIS.min(millis);
        Estimate { rows: self.size.rows, millis: millis * PACED, lock_millis, disk_bytes }
    }

    /// Reading without a lock.
    pub(crate) fn unlocked(&self, millis: f64) -> Estimate {
        self.aside(millis, 0)
    }

    /// Writing what nobody else uses.
    pub(crate) fn aside(&self, millis: f64, disk_bytes: u64) -> Estimate {
        Estimate { rows: self.size.rows, millis, lock_millis: 0.0, disk_bytes }
    }
}

fn count(indexes: usize) -> f64 {
    #[expect(clippy::cast_precision_loss, reason = "a handful of indexes")]
    let indexes = indexes as f64;
    indexes
}

/// A short transaction that touches no row.
pub(crate) fn metadata() -> Estimate {
    Estimate { rows: 0, millis: METADATA_MILLIS, lock_millis: METADATA_MILLIS, disk_bytes: 0 }
}

impl Estimate {
    /// To the microsecond: more would only look exact, and would not survive being written down.
    pub(crate) fn rounded(self) -> Self {
        let round = |millis: f64| (millis * 1000.0).round() / 1000.0;
        Self { millis: round(self.millis), lock_millis: round(self.lock_millis), ..self }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn few_large_rows_are_as_much_as_many_small_ones() {
        let of =
            |rows, bytes| Costs::new(TableStatistics { rows, bytes }, Rates::default()).with_large_rows();
        let (few, many) = (of(300, 30 << 20), of(30 << 10, 3 << 20));
        assert!((few.index() - many.index()).abs() < 1e-6);
        assert_eq!(few.at_once(1.0, 0).rows, 300);
        assert!((of(300, 30_000).scan() - of(300, 0).scan()).abs() < 1e-6);
    }
}
