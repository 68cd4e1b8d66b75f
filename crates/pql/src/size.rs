//! Sizes as people write them: `512kB`, `16 MB`, `1.5GB`.

/// Units by their names, the smallest first. As in PostgreSQL's own settings, each is 1024 of the one before.
const UNITS: &[(&str, u64)] = &[("b", 1), ("kb", 1 << 10), ("mb", 1 << 20), ("gb", 1 << 30), ("tb", 1 << 40)];

/// Reads a size; a number alone is bytes.
pub(crate) fn parse(text: &str) -> Option<u64> {
    let text = text.trim();
    let end = text.find(|c: char| !(c.is_ascii_digit() || c == '.')).unwrap_or(text.len());
    let unit = text[end..].trim().to_ascii_lowercase();
    if unit.is_empty() {
        return text.parse().ok();
    }
    let unit = UNITS.iter().find(|(name, _)| *name == unit)?.1;
    let number: f64 = text[..end].parse().ok()?;
    #[expect(clippy::cast_precision_loss, reason = "a power of two")]
    let bytes = number * unit as f64;
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "digits are not negative, and what is too large becomes the largest"
    )]
    Some(bytes as u64)
}

/// Writes a size in the largest unit that divides it.
pub(crate) fn format(bytes: u64) -> String {
    let fits = |(_, unit): &&(&str, u64)| bytes >= *unit && bytes.is_multiple_of(*unit);
    let (name, unit) = UNITS.iter().rev().find(fits).unwrap_or(&UNITS[0]);
    let name = match *name {
        "kb" => "kB".to_owned(),
        name => name.to_ascii_uppercase(),
    };
    format!("{}{name}", bytes / unit)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_and_writes_what_people_write() {
        for (text, bytes, written) in [
            ("512kB", 512 << 10, "512kB"),
            ("16 MB", 16 << 20, "16MB"),
            ("1.5GB", 1536 << 20, "1536MB"),
            ("2 tb", 2 << 40, "2TB"),
            ("1000", 1_000, "1000B"),
            ("0", 0, "0B"),
        ] {
            assert_eq!(parse(text), Some(bytes), "{text}");
            assert_eq!(format(bytes), written);
            assert_eq!(parse(written), Some(bytes));
        }
        for text in ["", "MB", "1.2.3 MB", "5 s", "ten MB", "-1MB"] {
            assert_eq!(parse(text), None, "{text}");
        }
    }
}
