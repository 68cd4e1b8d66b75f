//! The options of an identity's sequence.

use pql_schema::Counting;

/// Reads what stands between the parentheses; the error is the words that are not understood.
pub(super) fn read(text: &str) -> Result<Counting, String> {
    let inner = text.trim().trim_start_matches('(').trim_end_matches(')');
    let spaced = inner.replace('-', " -").replace('+', " ");
    let words: Vec<&str> = spaced.split_whitespace().collect();
    let mut found = Counting::PLAIN;
    let mut rest = words.as_slice();
    while let Some((first, after)) = rest.split_first() {
        let says = |at: usize, word: &str| after.get(at).is_some_and(|next| next.eq_ignore_ascii_case(word));
        // A sign may stand apart from its number.
        let number = |at: usize| match after.get(at).copied() {
            Some("-") => Some((format!("-{}", after.get(at + 1)?).parse().ok()?, at + 2)),
            Some(text) => Some((text.parse::<i64>().ok()?, at + 1)),
            None => None,
        };
        let wrong = || rest.join(" ");
        let taken = match first.to_ascii_uppercase().as_str() {
            "NO" if says(0, "MINVALUE") || says(0, "MAXVALUE") || says(0, "CYCLE") => 1,
            "CYCLE" => {
                found.cycle = true;
                0
            }
            word => {
                let skipped =
                    usize::from(word == "START" && says(0, "WITH") || word == "INCREMENT" && says(0, "BY"));
                let (value, taken) = number(skipped).ok_or_else(wrong)?;
                *match word {
                    "START" => &mut found.start,
                    "INCREMENT" => &mut found.increment,
                    "MINVALUE" => &mut found.min,
                    "MAXVALUE" => &mut found.max,
                    "CACHE" => &mut found.cache,
                    _ => return Err(wrong()),
                } = Some(value);
                taken
            }
        };
        rest = &after[taken..];
    }
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn options_are_read() {
        let found = read("(start 10 INCREMENT BY - 5 no maxvalue MINVALUE -100 CACHE 7 CYCLE)");
        let expected = Counting {
            start: Some(10),
            increment: Some(-5),
            min: Some(-100),
            max: None,
            cache: Some(7),
            cycle: true,
        };
        assert_eq!(found, Ok(expected));
        assert_eq!(read("(CACHE 2 SEQUENCE NAME s)"), Err("SEQUENCE NAME s".to_owned()));
        assert_eq!(read("(START WITH)"), Err("START WITH".to_owned()));
    }
}
