//! How SQLite spells the neutral types, and what its declared types mean.
//!
//! A declared type is read as a neutral one only when that is spelled in exactly this way; any other keeps its own
//! name. So a definition that is written again never changes a column's affinity, makes a rowid alias of an `INT
//! PRIMARY KEY`, or differs from the text it was read from. That `INT` and `INTEGER` say the same to a person is
//! settled where schemas are compared, by [`normalise_sqlite`](super::normalise_sqlite).

use pql_schema::{Column, Constraint, ConstraintKind, DataType, Expr, Table};

use super::ddl::Style;
use super::quote::ident;
use super::types::{canonical, neutral_type};

/// The style of SQLite.
pub const SQLITE: Style = Style {
    type_name: sqlite_column_type,
    implied_check: vector_length,
    bare_calls: false,
    ident,
    default_schema: None,
};

/// What SQLite prefers to store in a column; see "Determination Of Column Affinity" in its documentation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Affinity {
    /// Integers where the value is one.
    Integer,
    /// Text.
    Text,
    /// The value as it is.
    Blob,
    /// Floats.
    Real,
    /// Integers or floats where the text looks like one.
    Numeric,
}

impl Affinity {
    /// Of a declared type.
    pub fn of_declared(declared: &str) -> Self {
        let name = declared.to_ascii_uppercase();
        let has = |words: &[&str]| words.iter().any(|word| name.contains(word));
        if has(&["INT"]) {
            Self::Integer
        } else if has(&["CHAR", "CLOB", "TEXT"]) {
            Self::Text
        } else if name.is_empty() || has(&["BLOB"]) {
            Self::Blob
        } else if has(&["REAL", "FLOA", "DOUB"]) {
            Self::Real
        } else {
            Self::Numeric
        }
    }

    /// Of a column as this crate declares it.
    pub fn of(column: &Column, table: &Table) -> Self {
        let declared = sqlite_column_type(column, table);
        if table.options.strict && declared == "ANY" { Self::Blob } else { Self::of_declared(&declared) }
    }

    /// The type name that has this affinity and that every kind of table accepts.
    pub fn storage(self) -> &'static str {
        match self {
            Self::Integer => "INTEGER",
            Self::Text => "TEXT",
            Self::Blob => "BLOB",
            Self::Real => "REAL",
            Self::Numeric => "NUMERIC",
        }
    }
}

/// The declared type of a neutral type in an ordinary table.
///
/// Three names are not the neutral ones, because those would have an affinity that changes values: text that is a
/// UUID, a JSON document or an interval may look like a number (`12e4…`, `1.10`, `10`), and must stay as written.
pub fn sqlite_type_name(data_type: &DataType) -> String {
    match data_type {
        DataType::Bytes => "BLOB".to_owned(),
        DataType::Uuid => "UUID_TEXT".to_owned(),
        DataType::Json => "JSON_TEXT".to_owned(),
        DataType::Interval => "TIMESPAN_TEXT".to_owned(),
        other => other.to_string(),
    }
}

/// The type that a declared type is in the model.
pub fn sqlite_type(declared: &str) -> DataType {
    let name = canonical(declared);
    let meant = meaning_of(&name);
    if sqlite_type_name(&meant) == name { meant } else { DataType::Native(name) }
}

/// The neutral type that a type of a SQLite column stands for, where there is one: `INT` for INTEGER, `DATETIME` for
/// TIMESTAMP. Types that mean the same need not be stored the same way.
pub fn sqlite_meaning(data_type: &DataType) -> DataType {
    match data_type {
        DataType::Native(name) => meaning_of(name),
        other => other.clone(),
    }
}

fn meaning_of(name: &str) -> DataType {
    match name {
        "UUID_TEXT" => DataType::Uuid,
        "JSON_TEXT" => DataType::Json,
        "TIMESPAN_TEXT" => DataType::Interval,
        _ => neutral_type(name),
    }
}

/// The declared type of a column: what STRICT tables and AUTOINCREMENT demand comes before what the type would be.
fn sqlite_column_type(column: &Column, table: &Table) -> String {
    let name = sqlite_type_name(&column.data_type);
    if table.options.strict {
        return strict_type_name(&column.data_type, &name);
    }
    let counted = table.primary_key().is_some_and(|key| {
        key.autoincrement && key.columns.iter().any(|part| part.column.eq_ignore_ascii_case(&column.name))
    });
    if counted { "INTEGER".to_owned() } else { name }
}

/// STRICT tables know six type names; each neutral type becomes the one that stores it.
fn strict_type_name(data_type: &DataType, name: &str) -> String {
    if matches!(name, "INT" | "INTEGER" | "REAL" | "TEXT" | "BLOB" | "ANY") {
        return name.to_owned();
    }
    let storage = match data_type {
        DataType::Boolean => "INTEGER",
        DataType::Decimal(..) => "REAL",
        DataType::Date | DataType::Time | DataType::Timestamp | DataType::TimestampTz => "TEXT",
        DataType::Vector(_) => "BLOB",
        DataType::Untyped => "ANY",
        _ => match Affinity::of_declared(name) {
            Affinity::Numeric => "ANY",
            affinity => affinity.storage(),
        },
    };
    storage.to_owned()
}

/// A vector is a blob of n little-endian 32-bit floats and nothing else.
fn vector_length(column: &Column) -> Option<Expr> {
    let DataType::Vector(n) = column.data_type else { return None };
    Some(vector_check(&column.name, n))
}

fn vector_check(column: &str, n: u32) -> Expr {
    let name = ident(column);
    Expr::new(format!("typeof({name}) IN ('blob', 'null') AND length({name}) = {}", u64::from(n) * 4))
}

/// Takes the length checks of vector columns out of a table that was read from its stored SQL, and gives those
/// columns (which a STRICT table declares as BLOB) their type. A column that is called a vector but has no such check
/// keeps its declared name.
pub fn absorb_vector_checks(table: &mut Table) {
    let strict = table.options.strict;
    let constraints = &mut table.constraints;
    for column in &mut table.columns {
        let found = constraints.iter().enumerate().find_map(|(at, constraint)| {
            let n = dimension(column, constraint)?;
            (strict && column.data_type == DataType::Bytes || column.data_type == DataType::Vector(n))
                .then_some((at, n))
        });
        match found {
            Some((at, n)) => {
                constraints.remove(at);
                column.data_type = DataType::Vector(n);
            }
            None => {
                if let DataType::Vector(_) = column.data_type {
                    column.data_type = DataType::Native(column.data_type.to_string());
                }
            }
        }
    }
}

/// The dimension that a constraint demands of the column, when it is the length check of a vector.
fn dimension(column: &Column, constraint: &Constraint) -> Option<u32> {
    let ConstraintKind::Check { expr } = &constraint.kind else { return None };
    if constraint.name.is_some() {
        return None;
    }
    let bytes: u64 = pql_schema::tokens(expr.as_str()).last()?.text.parse().ok()?;
    let n = u32::try_from(bytes / 4).ok()?;
    (*expr == vector_check(&column.name, n)).then_some(n)
}

#[cfg(test)]
mod tests {
    use super::*;

    const NEUTRAL: [DataType; 22] = [
        DataType::Boolean,
        DataType::SmallInt,
        DataType::Integer,
        DataType::BigInt,
        DataType::Real,
        DataType::Double,
        DataType::Decimal(None, None),
        DataType::Decimal(Some(5), None),
        DataType::Decimal(Some(10), Some(2)),
        DataType::Text,
        DataType::Varchar(None),
        DataType::Varchar(Some(20)),
        DataType::Char(Some(3)),
        DataType::Bytes,
        DataType::Date,
        DataType::Time,
        DataType::Timestamp,
        DataType::TimestampTz,
        DataType::Interval,
        DataType::Uuid,
        DataType::Json,
        DataType::Vector(768),
    ];

    #[test]
    fn neutral_types_are_read_back() {
        for data_type in NEUTRAL {
            assert_eq!(sqlite_type(&sqlite_type_name(&data_type)), data_type);
        }
        assert_eq!(sqlite_type(""), DataType::Untyped);
    }

    #[test]
    fn text_stays_text() {
        for data_type in
            [DataType::Uuid, DataType::Json, DataType::Interval, DataType::Text, DataType::Char(None)]
        {
            assert_eq!(Affinity::of_declared(&sqlite_type_name(&data_type)), Affinity::Text, "{data_type}");
        }
    }

    #[test]
    fn other_spellings_keep_their_name_and_their_meaning() {
        for (declared, stored, meant) in [
            ("int", "INT", DataType::Integer),
            ("Uuid", "UUID", DataType::Uuid),
            ("datetime", "DATETIME", DataType::Timestamp),
            ("NUMERIC(10, 2)", "NUMERIC(10,2)", DataType::Decimal(Some(10), Some(2))),
            ("double precision", "DOUBLE PRECISION", DataType::Double),
        ] {
            let data_type = sqlite_type(declared);
            assert_eq!(data_type, DataType::Native(stored.to_owned()));
            assert_eq!(sqlite_meaning(&data_type), meant);
        }
    }

    #[test]
    fn a_vector_is_read_back_from_its_check() {
        for strict in [false, true] {
            let mut table = Table::new("t");
            table.options.strict = strict;
            table.columns.push(Column::new("order", DataType::Vector(3)));
            let expected = table.clone();
            let check = (SQLITE.implied_check)(&table.columns[0]).expect("a vector has one");
            assert_eq!(check.as_str(), "typeof(\"order\") IN ('blob', 'null') AND length(\"order\") = 12");
            table.columns[0].data_type = sqlite_type(&sqlite_column_type(&table.columns[0], &table));
            table.constraints.push(Constraint::unnamed(ConstraintKind::Check { expr: check }));
            absorb_vector_checks(&mut table);
            assert_eq!(table, expected);
        }
    }

    #[test]
    fn a_foreign_vector_column_keeps_its_name() {
        let mut table = Table::new("t");
        table.columns.push(Column::new("v", sqlite_type("vector(3)")));
        absorb_vector_checks(&mut table);
        assert_eq!(table.columns[0].data_type, DataType::Native("VECTOR(3)".to_owned()));
    }
}
