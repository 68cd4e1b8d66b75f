//! Type names: the neutral set, the usual aliases, and anything else by its own name.

use pql_schema::DataType;

/// The type that a name means in PQL: one of the neutral set by its name or an alias, otherwise the database's own.
pub fn neutral_type(text: &str) -> DataType {
    let text = canonical(text);
    if let Some(inner) = text.strip_suffix("[]") {
        return DataType::Array(Box::new(neutral_type(inner)));
    }
    let (name, args) = split(&text);
    match args.as_slice() {
        [] => plain(&name),
        [n] => sized(&name, *n),
        [p, s] if matches!(name.as_str(), "DECIMAL" | "NUMERIC" | "DEC") => {
            Some(DataType::Decimal(Some(*p), Some(*s)))
        }
        _ => None,
    }
    .unwrap_or_else(|| if text.is_empty() { DataType::Untyped } else { DataType::Native(text.clone()) })
}

fn plain(name: &str) -> Option<DataType> {
    Some(match name {
        "BOOLEAN" | "BOOL" => DataType::Boolean,
        "SMALLINT" | "INT2" => DataType::SmallInt,
        "INTEGER" | "INT" | "INT4" | "MEDIUMINT" => DataType::Integer,
        "BIGINT" | "INT8" => DataType::BigInt,
        "REAL" | "FLOAT4" => DataType::Real,
        "DOUBLE" | "DOUBLE PRECISION" | "FLOAT" | "FLOAT8" => DataType::Double,
        "DECIMAL" | "NUMERIC" | "DEC" => DataType::Decimal(None, None),
        "TEXT" | "STRING" | "CLOB" => DataType::Text,
        "VARCHAR" | "CHARACTER VARYING" => DataType::Varchar(None),
        "CHAR" | "CHARACTER" | "BPCHAR" => DataType::Char(None),
        "BYTES" | "BLOB" | "BYTEA" | "VARBINARY" => DataType::Bytes,
        "DATE" => DataType::Date,
        "TIME" | "TIME WITHOUT TIME ZONE" => DataType::Time,
        "TIMESTAMP" | "DATETIME" | "TIMESTAMP WITHOUT TIME ZONE" => DataType::Timestamp,
        "TIMESTAMPTZ" | "TIMESTAMP WITH TIME ZONE" => DataType::TimestampTz,
        "INTERVAL" => DataType::Interval,
        "UUID" => DataType::Uuid,
        "JSON" | "JSONB" => DataType::Json,
        _ => return None,
    })
}

fn sized(name: &str, n: u32) -> Option<DataType> {
    Some(match name {
        "DECIMAL" | "NUMERIC" | "DEC" => DataType::Decimal(Some(n), None),
        "VARCHAR" | "CHARACTER VARYING" => DataType::Varchar(Some(n)),
        "CHAR" | "CHARACTER" | "BPCHAR" => DataType::Char(Some(n)),
        "FLOAT" if n <= 24 => DataType::Real,
        "FLOAT" => DataType::Double,
        "VECTOR" => DataType::Vector(n),
        _ => return None,
    })
}

/// One spelling for names that differ in case and blanks only: upper case, single blanks, none beside punctuation.
pub(crate) fn canonical(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for token in pql_schema::tokens(text) {
        let word = token.text.starts_with(|c: char| c.is_alphanumeric() || c == '_' || c == '"');
        let glued = out.is_empty() || out.ends_with(['(', ',', '.', '[']);
        if word && !glued {
            out.push(' ');
        }
        if token.text.starts_with(['"', '`', '[', '\'']) {
            out.push_str(token.text);
        } else {
            out.push_str(&token.text.to_uppercase());
        }
    }
    out
}

/// A canonical name without its numbers, and those; a name with other arguments keeps them.
fn split(text: &str) -> (String, Vec<u32>) {
    let Some((name, rest)) = text.split_once('(') else { return (text.to_owned(), Vec::new()) };
    let Some((args, tail)) = rest.split_once(')') else { return (text.to_owned(), Vec::new()) };
    let args: Option<Vec<u32>> = args.split(',').map(|arg| arg.trim().parse().ok()).collect();
    match args {
        // A precision of seconds makes no difference to a neutral type; `TIMESTAMP(3)` stays a native one.
        Some(args) if tail.is_empty() => (name.to_owned(), args),
        _ => (text.to_owned(), Vec::new()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_and_aliases() {
        for (text, expected) in [
            ("int", DataType::Integer),
            ("Double   Precision", DataType::Double),
            ("decimal ( 10 , 2 )", DataType::Decimal(Some(10), Some(2))),
            ("timestamp with time zone", DataType::TimestampTz),
            ("character varying(20)", DataType::Varchar(Some(20))),
            ("text[]", DataType::Array(Box::new(DataType::Text))),
            ("vector(3)", DataType::Vector(3)),
            ("nvarchar(160)", DataType::Native("NVARCHAR(160)".to_owned())),
            ("unsigned big int", DataType::Native("UNSIGNED BIG INT".to_owned())),
            ("timestamp(3)", DataType::Native("TIMESTAMP(3)".to_owned())),
            ("", DataType::Untyped),
        ] {
            assert_eq!(neutral_type(text), expected, "{text}");
        }
    }
}
