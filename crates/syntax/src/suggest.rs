//! The nearest known word to a misspelt one.

/// The candidate that a typing slip away from `word` gives, if one is near enough: one slip for words of up to four
/// letters, two for longer ones, three from nine letters on. A beginning of the candidate counts as one slip. Case does not matter; the first of equals wins.
pub fn nearest<'a>(word: &str, candidates: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let word: Vec<char> = word.chars().take(MAX_LENGTH + 1).flat_map(char::to_lowercase).collect();
    if word.len() < 2 || word.len() > MAX_LENGTH {
        return None;
    }
    let mut best: Option<(usize, &str)> = None;
    for candidate in candidates {
        let other: Vec<char> = candidate.chars().flat_map(char::to_lowercase).collect();
        let limit = match word.len().min(other.len()) {
            0..=2 => 0,
            3..=4 => 1,
            5..=8 => 2,
            _ => 3,
        };
        if word.len() >= PREFIX && other.len() > word.len() && other.starts_with(&word) {
            best = best.filter(|(least, _)| *least <= 1).or(Some((1, candidate)));
            continue;
        }
        if word.len().abs_diff(other.len()) > limit {
            continue;
        }
        let distance = distance(&word, &other);
        if distance > 0 && distance <= limit && best.is_none_or(|(least, _)| distance < least) {
            best = Some((distance, candidate));
        }
    }
    best.map(|(_, candidate)| candidate)
}

/// Longer words are not typing slips; this bounds the work on hostile input.
const MAX_LENGTH: usize = 64;

/// So many letters make a beginning.
const PREFIX: usize = 4;

/// Insertions, deletions, replacements and swaps of neighbours that separate two words.
fn distance(a: &[char], b: &[char]) -> usize {
    let mut before: Vec<usize> = Vec::new();
    let mut above: Vec<usize> = (0..=b.len()).collect();
    for i in 1..=a.len() {
        let mut row = vec![i; b.len() + 1];
        for j in 1..=b.len() {
            let replaced = above[j - 1] + usize::from(a[i - 1] != b[j - 1]);
            row[j] = replaced.min(above[j] + 1).min(row[j - 1] + 1);
            if i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1] {
                row[j] = row[j].min(before[j - 2] + 1);
            }
        }
        before = std::mem::replace(&mut above, row);
    }
    above[b.len()]
}

#[cfg(test)]
mod tests {
    use super::nearest;

    #[test]
    fn beginnings_count() {
        assert_eq!(nearest("UNIQ", ["not", "unique"]), Some("unique"));
        assert_eq!(nearest("uni", ["unique"]), None);
    }

    #[test]
    fn slips_are_found_and_strangers_are_not() {
        let words = ["migrate", "create", "alter", "table", "column", "set"];
        assert_eq!(nearest("MIGRAT", words), Some("migrate"));
        assert_eq!(nearest("tabel", words), Some("table"));
        assert_eq!(nearest("colum", words), Some("column"));
        assert_eq!(nearest("sel", words), Some("set"));
        assert_eq!(nearest("frobnicate", words), None);
        assert_eq!(nearest("table", words), None, "a word is not a misspelling of itself");
        assert_eq!(nearest(&"x".repeat(1_000_000), words), None);
    }
}
