//! Durations as people write them: `500ms`, `5s`, `1.5h`, `7 days`.

use std::time::Duration;

/// Units by their names, the longest last.
const UNITS: &[(&[&str], f64)] = &[
    (&["us", "microsecond", "microseconds"], 1e-6),
    (&["ms", "msec", "millisecond", "milliseconds"], 1e-3),
    (&["s", "sec", "secs", "second", "seconds"], 1.0),
    (&["m", "min", "mins", "minute", "minutes"], 60.0),
    (&["h", "hour", "hours"], 3_600.0),
    (&["d", "day", "days"], 86_400.0),
    (&["w", "week", "weeks"], 604_800.0),
];

/// Reads a duration; a number alone is milliseconds, as in PostgreSQL's own settings.
pub(crate) fn parse(text: &str) -> Option<Duration> {
    let text = text.trim();
    let end = text.find(|c: char| !(c.is_ascii_digit() || c == '.')).unwrap_or(text.len());
    let number: f64 = text[..end].parse().ok()?;
    let unit = text[end..].trim().to_ascii_lowercase();
    let seconds = if unit.is_empty() {
        1e-3
    } else {
        UNITS.iter().find(|(names, _)| names.contains(&unit.as_str()))?.1
    };
    Duration::try_from_secs_f64(number * seconds).ok()
}

/// Writes a duration in the largest unit that divides it.
pub(crate) fn format(duration: Duration) -> String {
    let millis = duration.as_millis();
    if millis == 0 && duration.subsec_micros() > 0 {
        return format!("{}us", duration.as_micros());
    }
    if !millis.is_multiple_of(1_000) || millis == 0 {
        return format!("{millis}ms");
    }
    let seconds = duration.as_secs();
    match seconds {
        s if s.is_multiple_of(86_400) => {
            format!("{} {}", s / 86_400, if s == 86_400 { "day" } else { "days" })
        }
        s if s.is_multiple_of(3_600) => format!("{}h", s / 3_600),
        s if s.is_multiple_of(60) && s > 60 => format!("{}m", s / 60),
        s => format!("{s}s"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_what_people_write() {
        for (text, millis) in [
            ("500ms", 500),
            ("5s", 5_000),
            ("5 s", 5_000),
            ("1.5h", 5_400_000),
            ("7 days", 604_800_000),
            ("1 Week", 604_800_000),
            ("250", 250),
            ("10m", 600_000),
        ] {
            assert_eq!(parse(text), Some(Duration::from_millis(millis)), "{text}");
        }
        for text in ["", "s", "5 parsecs", "-1s", "1e400s", "5 s s", "1.2.3s"] {
            assert_eq!(parse(text), None, "{text}");
        }
    }

    #[test]
    fn writes_what_it_reads() {
        for text in ["0ms", "500ms", "2s", "60s", "10m", "1h", "1 day", "7 days", "1500ms"] {
            let duration = parse(text).expect("a duration");
            assert_eq!(format(duration), text);
        }
    }
}
