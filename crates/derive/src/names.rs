//! Names as PQL writes them.

/// `OrderItem` to `order_items`.
pub(crate) fn table_name(struct_name: &str) -> String {
    plural(&snake_case(struct_name))
}

fn snake_case(name: &str) -> String {
    let chars: Vec<char> = name.chars().collect();
    let mut out = String::new();
    for (at, c) in chars.iter().enumerate() {
        let after_lower = at > 0 && !chars[at - 1].is_uppercase() && chars[at - 1] != '_';
        let before_lower = chars.get(at + 1).is_some_and(|next| next.is_lowercase());
        if c.is_uppercase() && at > 0 && (after_lower || before_lower && chars[at - 1] != '_') {
            out.push('_');
        }
        out.extend(c.to_lowercase());
    }
    out
}

fn plural(word: &str) -> String {
    let sibilant = ["s", "x", "z", "ch", "sh"].iter().any(|end| word.ends_with(end));
    let stem = word.strip_suffix('y').filter(|stem| !stem.ends_with(['a', 'e', 'i', 'o', 'u']));
    match stem {
        Some(stem) => format!("{stem}ies"),
        None if sibilant => format!("{word}es"),
        None => format!("{word}s"),
    }
}

/// A name in double quotes, so that no name is a keyword.
pub(crate) fn quoted(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}

/// A possibly qualified name, quoted part by part.
pub(crate) fn quoted_path(path: &str) -> String {
    path.split('.').map(quoted).collect::<Vec<_>>().join(".")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn structs_become_tables() {
        for (name, table) in [
            ("User", "users"),
            ("OrderItem", "order_items"),
            ("Category", "categories"),
            ("Box", "boxes"),
            ("HTTPLog", "http_logs"),
            ("Day", "days"),
            ("Branch", "branches"),
        ] {
            assert_eq!(table_name(name), table);
        }
    }
}
