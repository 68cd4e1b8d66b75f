//! File names: `001_add_status_column.up.sql`.

/// The least number of digits.
const DIGITS: usize = 3;

/// Which of the two files of a migration.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Side {
    Up,
    Down,
}

/// A migration file's name, taken apart.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct FileName {
    pub(crate) number: u64,
    /// `001_add_status_column`.
    pub(crate) id: String,
    pub(crate) side: Side,
}

impl FileName {
    /// `None` for a file that is no `.sql` file; an error for one that should be a migration and is not named so.
    pub(crate) fn parse(name: &str) -> Option<Result<Self, ()>> {
        let stem = name.strip_suffix(".sql")?;
        let (id, side) = match (stem.strip_suffix(".up"), stem.strip_suffix(".down")) {
            (Some(id), _) => (id, Side::Up),
            (None, Some(id)) => (id, Side::Down),
            (None, None) => return Some(Err(())),
        };
        let digits = id.split('_').next().unwrap_or_default();
        let named = digits.len() >= DIGITS
            && id.len() > digits.len() + 1
            && digits.bytes().all(|b| b.is_ascii_digit());
        match digits.parse() {
            Ok(number) if named => Some(Ok(Self { number, id: id.to_owned(), side })),
            _ => Some(Err(())),
        }
    }
}

/// `001_add_status_column` from a number and words; `None` when no word is left of them.
pub(crate) fn id(number: u64, words: &str) -> Option<String> {
    let words: Vec<String> = words
        .split(|c: char| !c.is_alphanumeric())
        .filter(|word| !word.is_empty())
        .map(str::to_lowercase)
        .collect();
    (!words.is_empty()).then(|| format!("{number:0DIGITS$}_{}", words.join("_")))
}

/// `add status column` from `001_add_status_column`.
pub(crate) fn description(id: &str) -> String {
    id.split_once('_').map_or(id, |(_, words)| words).replace('_', " ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_taken_apart() {
        let name = FileName::parse("012_add_x.down.sql").and_then(Result::ok).expect("a migration's name");
        assert_eq!(name, FileName { number: 12, id: "012_add_x".into(), side: Side::Down });
        assert_eq!(FileName::parse("1000_y.up.sql").and_then(Result::ok).map(|it| it.number), Some(1000));
        assert_eq!(FileName::parse("README.md"), None);
        for name in ["01_x.up.sql", "add.up.sql", "001.up.sql", "001_.up.sql", "001_x.sql", "00a_x.up.sql"] {
            assert_eq!(FileName::parse(name), Some(Err(())), "{name}");
        }
    }

    #[test]
    fn names_are_put_together() {
        assert_eq!(id(7, "add status  column!").as_deref(), Some("007_add_status_column"));
        assert_eq!(id(1234, "Größe").as_deref(), Some("1234_größe"));
        assert_eq!(id(1, "--"), None);
        assert_eq!(description("007_add_status_column"), "add status column");
    }
}
