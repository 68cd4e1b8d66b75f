//! How PostgreSQL spells names and types, and what its own spelling of a type means.

use pql_schema::{DataType, Expr, ObjectName};

use super::ddl::Style;
use super::types::{canonical, neutral_type};

/// The schema that a name without one is in.
const DEFAULT_SCHEMA: &str = "public";

/// The longest name that PostgreSQL keeps, in bytes; it cuts longer ones.
pub const POSTGRES_LONGEST: usize = 63;

/// The start of a name that leaves room for so many bytes more.
pub fn postgres_cut(name: &str, room: usize) -> &str {
    let mut end = name.len().min(POSTGRES_LONGEST - room);
    while !name.is_char_boundary(end) {
        end -= 1;
    }
    &name[..end]
}

/// The style of PostgreSQL. Every name is quoted and every relation said with its schema, so that neither a reserved
/// word nor a `search_path` changes what a statement means.
pub const POSTGRES: Style = Style {
    type_name: |column, _| postgres_type_name(&column.data_type),
    implied_check: |_| None,
    bare_calls: true,
    ident: postgres_ident,
    default_schema: Some(DEFAULT_SCHEMA),
};

/// A name in quotes.
pub fn postgres_ident(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}

/// A relation, with its schema.
pub fn postgres_object(name: &ObjectName) -> String {
    POSTGRES.object(name)
}

/// A column's name as an expression.
pub fn postgres_expr(column: &str) -> Expr {
    Expr::new(postgres_ident(column))
}

/// A default without the type that the server puts to a literal: so that it can be the default of a column of another
/// type, too.
pub fn postgres_literal(default: &Expr) -> Expr {
    let all: Vec<_> = pql_schema::tokens(default.as_str()).collect();
    match all.as_slice() {
        [literal, a, b, rest @ ..]
            if literal.kind == pql_schema::TokenKind::String
                && (a.text, b.text) == (":", ":")
                && rest.iter().all(|token| ![":", "|", "+", "-"].contains(&token.text)) =>
        {
            Expr::new(literal.text)
        }
        _ => default.clone(),
    }
}

/// The type in a statement.
pub fn postgres_type_name(data_type: &DataType) -> String {
    match data_type {
        DataType::Double => "DOUBLE PRECISION".to_owned(),
        DataType::Bytes => "BYTEA".to_owned(),
        DataType::Json => "JSONB".to_owned(),
        DataType::Array(inner) => format!("{}[]", postgres_type_name(inner)),
        other => other.to_string(),
    }
}

/// The type that `format_type` names, in the model: a neutral one where PostgreSQL spells that in exactly this way,
/// its own by name otherwise (`"json"`, since JSON is `jsonb`, `timestamp(3) without time zone`, an enum).
pub fn postgres_type(formatted: &str) -> DataType {
    let name = canonical(formatted);
    if let Some(inner) = name.strip_suffix("[]") {
        return DataType::Array(Box::new(postgres_type(inner)));
    }
    match neutral_type(&name) {
        meant if formatted_name(&meant) == name => meant,
        DataType::Native(name) => DataType::Native(name),
        // A word that means something else in PQL: in quotes it is the server's own.
        _ => DataType::Native(postgres_ident(&name.to_lowercase())),
    }
}

/// The value in a form that can be compared for equality: not every type can. Two texts of one JSON document are equal.
pub fn postgres_comparable(data_type: &DataType, value: &str) -> String {
    let DataType::Native(name) = data_type else { return value.to_owned() };
    match name.trim_matches('"').to_uppercase().as_str() {
        "JSON" => format!("({value})::jsonb"),
        "XML" | "POINT" | "BOX" | "PATH" | "POLYGON" | "LINE" | "LSEG" | "CIRCLE" => {
            format!("({value})::text")
        }
        _ => value.to_owned(),
    }
}

/// The neutral type as `format_type` spells it, in capitals.
fn formatted_name(data_type: &DataType) -> String {
    match data_type {
        DataType::Decimal(None, _) => "NUMERIC".to_owned(),
        DataType::Decimal(Some(p), s) => format!("NUMERIC({p},{})", s.unwrap_or_default()),
        DataType::Varchar(None) => "CHARACTER VARYING".to_owned(),
        DataType::Varchar(Some(n)) => format!("CHARACTER VARYING({n})"),
        DataType::Char(n) => format!("CHARACTER({})", n.unwrap_or(1)),
        DataType::Time => "TIME WITHOUT TIME ZONE".to_owned(),
        DataType::Timestamp => "TIMESTAMP WITHOUT TIME ZONE".to_owned(),
        DataType::TimestampTz => "TIMESTAMP WITH TIME ZONE".to_owned(),
        DataType::Array(inner) => format!("{}[]", formatted_name(inner)),
        DataType::Native(name) => name.clone(),
        other => postgres_type_name(other),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn types_as_the_catalogue_prints_them() {
        for (formatted, expected) in [
            ("integer", DataType::Integer),
            ("double precision", DataType::Double),
            ("numeric(10,2)", DataType::Decimal(Some(10), Some(2))),
            ("character varying(20)", DataType::Varchar(Some(20))),
            ("timestamp with time zone", DataType::TimestampTz),
            ("timestamp(3) without time zone", DataType::Native("TIMESTAMP(3) WITHOUT TIME ZONE".to_owned())),
            ("jsonb", DataType::Json),
            ("json", DataType::Native("\"json\"".to_owned())),
            ("json[]", DataType::Array(Box::new(DataType::Native("\"json\"".to_owned())))),
            ("bpchar", DataType::Native("\"bpchar\"".to_owned())),
            ("text[]", DataType::Array(Box::new(DataType::Text))),
            ("vector(3)", DataType::Vector(3)),
            ("\"Mood\"", DataType::Native("\"Mood\"".to_owned())),
        ] {
            assert_eq!(postgres_type(formatted), expected, "{formatted}");
        }
    }

    #[test]
    fn names_are_cut_between_characters() {
        assert_eq!(postgres_cut("short", 2), "short");
        assert_eq!(postgres_cut(&"a".repeat(70), 2).len(), 61);
        assert_eq!(postgres_cut(&"ü".repeat(40), 2).len(), 60);
    }

    #[test]
    fn names_are_always_quoted() {
        let name = ObjectName { schema: Some("a b".to_owned()), name: "c\"d".to_owned() };
        assert_eq!(postgres_object(&name), "\"a b\".\"c\"\"d\"");
        assert_eq!(postgres_object(&"t".into()), "\"public\".\"t\"");
    }
}
