//! Names that somebody may have meant.

/// The candidates that are spelled most like the name, at most three; none when none is much like it.
pub(crate) fn near<'a>(name: &str, candidates: impl IntoIterator<Item = &'a str>) -> Vec<String> {
    let wanted: Vec<char> = name.to_lowercase().chars().collect();
    let most = 1 + wanted.len() / 4;
    let mut found: Vec<(usize, &str)> = candidates
        .into_iter()
        .filter(|candidate| candidate.chars().count().abs_diff(wanted.len()) <= most)
        .map(|candidate| {
            (distance(&wanted, &candidate.to_lowercase().chars().collect::<Vec<_>>()), candidate)
        })
        .filter(|&(distance, _)| distance <= most && distance < wanted.len())
        .collect();
    found.sort_unstable();
    let best = found.first().map_or(0, |&(distance, _)| distance);
    let nearest = found.into_iter().take_while(|&(distance, _)| distance == best);
    nearest.take(3).map(|(_, candidate)| candidate.to_owned()).collect()
}

/// How many letters must be added, removed, replaced or swapped with their neighbour.
fn distance(a: &[char], b: &[char]) -> usize {
    let mut before: Vec<usize> = Vec::new();
    let mut last: Vec<usize> = (0..=b.len()).collect();
    for (i, x) in a.iter().enumerate() {
        let mut row = vec![i + 1];
        for (j, y) in b.iter().enumerate() {
            let replaced = last[j] + usize::from(x != y);
            let mut best = replaced.min(last[j + 1] + 1).min(row[j] + 1);
            if i > 0 && j > 0 && *x == b[j - 1] && a[i - 1] == *y {
                best = best.min(before[j - 1] + 1);
            }
            row.push(best);
        }
        before = std::mem::replace(&mut last, row);
    }
    last[b.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_meant() {
        let names = ["email", "e_mail", "name", "id", "created_at"];
        assert_eq!(near("emial", names), ["email"]);
        assert_eq!(near("Email", names), ["email"]);
        assert_eq!(near("craeted_at", names), ["created_at"]);
        assert!(near("x", names).is_empty());
        assert!(near("price", names).is_empty());
    }
}
