//! Takes out of an output what differs from run to run.

use std::fmt::Write as _;

/// The text with ids numbered, times and durations replaced; lines whose width may have changed by that are squeezed.
pub(crate) fn masked(text: &str) -> String {
    let mut ids = Vec::new();
    let mut out = String::new();
    for block in text.split_inclusive("\n\n") {
        let shown = squeezed_where_needed(block, &mut ids);
        out.push_str(&shown);
    }
    out
}

fn squeezed_where_needed(block: &str, ids: &mut Vec<String>) -> String {
    let shown: Vec<String> = block.split('\n').map(|line| mask_line(line, ids)).collect();
    let changed = shown.join("\n") != block;
    let table = block.contains('│');
    if !(changed && table) {
        return shown.join("\n");
    }
    shown.iter().map(|line| squeeze(line)).collect::<Vec<_>>().join("\n")
}

/// Runs of blanks and of rules become one.
fn squeeze(line: &str) -> String {
    let mut out = String::new();
    for c in line.chars() {
        if !(matches!(c, ' ' | '─') && out.ends_with(c)) {
            out.push(c);
        }
    }
    out
}

fn mask_line(line: &str, ids: &mut Vec<String>) -> String {
    let mut out = String::new();
    let mut rest = line;
    // A line with an id or a time tells of a run, and the fractions in it are durations.
    let run_of_migration =
        line.char_indices().any(|(at, _)| id(&line[at..]).or_else(|| time(&line[at..])).is_some());
    while let Some(c) = rest.chars().next() {
        let before_is_word = out.ends_with(|c: char| c.is_ascii_alphanumeric());
        if !before_is_word && let Some(length) = id(rest) {
            let found = rest[..length].to_owned();
            let number = ids.iter().position(|known| *known == found).unwrap_or_else(|| {
                ids.push(found);
                ids.len() - 1
            });
            let _ = write!(out, "<id {}>", number + 1);
            rest = &rest[length..];
        } else if let Some(length) = shape(rest, "_pql_xxxxxxxx_") {
            out.push_str("_pql_<tag>_");
            rest = &rest[length..];
        } else if !before_is_word && let Some(length) = time(rest) {
            out.push_str("<time>");
            rest = &rest[length..];
        } else if !before_is_word && let Some(length) = decimal(rest) {
            let varies =
                rest[length..].starts_with(" ms") || run_of_migration && rest[..length].contains('.');
            out.push_str(if varies { "<n>" } else { &rest[..length] });
            rest = &rest[length..];
        } else {
            out.push(c);
            rest = &rest[c.len_utf8()..];
        }
    }
    mask_fields(&out)
}

/// `"duration_ms":1.5` and its like.
fn mask_fields(line: &str) -> String {
    let mut out = line.to_owned();
    for field in ["duration_ms\":", "longest_lock_ms\":", "elapsed_ms\":", "rows_per_second\":"] {
        let mut from = 0;
        while let Some(at) = out[from..].find(field) {
            let start = from + at + field.len();
            let length = out[start..].find(|c: char| !(c.is_ascii_digit() || ".e-".contains(c))).unwrap_or(0);
            if length > 0 {
                out.replace_range(start..start + length, "0");
            }
            from = start;
        }
    }
    out
}

fn id(text: &str) -> Option<usize> {
    shape(text, "xxxxxxxx-xxxx-xxxx-xxxx-xxxxxxxxxxxx")
}

fn time(text: &str) -> Option<usize> {
    ["dddd-dd-ddTdd:dd:dd.dddZ", "dddd-dd-dd dd:dd:dd"].iter().find_map(|pattern| shape(text, pattern))
}

fn decimal(text: &str) -> Option<usize> {
    let length = text.find(|c: char| !(c.is_ascii_digit() || c == '.')).unwrap_or(text.len());
    (length > 0 && text.as_bytes()[0].is_ascii_digit()).then_some(length)
}

/// The pattern's length when the text begins like it: `x` is a hexadecimal digit, `d` a decimal one.
fn shape(text: &str, pattern: &str) -> Option<usize> {
    let bytes = text.as_bytes().get(..pattern.len())?;
    let fits = |(byte, pattern): (&u8, u8)| match pattern {
        b'x' => byte.is_ascii_hexdigit(),
        b'd' => byte.is_ascii_digit(),
        other => *byte == other,
    };
    bytes.iter().zip(pattern.bytes()).all(fits).then_some(pattern.len())
}
