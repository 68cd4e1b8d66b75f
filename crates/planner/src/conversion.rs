//! Conversions between types on SQLite: the value that is stored, and when nothing is lost by it.

use pql_schema::{Column, DataType, Expr, Table, TokenKind, tokens};

use crate::exprs::{all_of, columns_in, is_call, operand};
use crate::text::{Affinity, sqlite_meaning};

/// How a value becomes one of another type.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Conversion {
    /// What is stored.
    pub(crate) value: Expr,
    /// What must hold for it, when anything.
    pub(crate) fits: Option<Expr>,
}

/// Turns the raw expression into a value of a column of `table`, as that stores it.
///
/// The conversion is written out (`CAST`) rather than left to the column's affinity, so that the stored value can be
/// compared with the expression again. `fits` asks of the value before it, because a CAST that fails gives 0.
pub(crate) fn convert(raw: &Expr, column: &Column, table: &Table) -> Conversion {
    let r = operand(raw);
    let affinity = Affinity::of(column, table);
    let cast = |storage: &str| Expr::new(format!("CAST({r} AS {storage})"));
    let or_null = |condition: String| Some(Expr::statement(format!("{r} IS NULL OR {condition}")));
    let numeric = |storage: &str, more: &str| Conversion {
        value: cast(storage),
        fits: or_null(format!("CAST({r} AS {storage}) = {r}{more}")),
    };
    match (sqlite_meaning(&column.data_type), affinity) {
        (DataType::Vector(n), _) => Conversion {
            value: raw.clone(),
            fits: or_null(format!("(typeof({r}) = 'blob' AND length({r}) = {})", u64::from(n) * 4)),
        },
        (DataType::Boolean, _) => {
            Conversion { value: cast("INTEGER"), fits: or_null(format!("CAST({r} AS TEXT) IN ('0', '1')")) }
        }
        (DataType::SmallInt, Affinity::Integer) => {
            numeric("INTEGER", &format!(" AND CAST({r} AS INTEGER) BETWEEN -32768 AND 32767"))
        }
        // Text that looks like a number would become one.
        (
            DataType::Date | DataType::Time | DataType::Timestamp | DataType::TimestampTz,
            Affinity::Numeric,
        ) => Conversion {
            value: raw.clone(),
            fits: or_null(format!("typeof({r}) <> 'text' OR CAST({r} AS NUMERIC) <> {r}")),
        },
        (DataType::Native(_), Affinity::Numeric) => Conversion { value: raw.clone(), fits: None },
        // Written out already.
        (meant, _)
            if as_cast(raw).is_some_and(|(_, cast)| cast == affinity) && value_rule(&meant, &r).is_none() =>
        {
            Conversion { value: raw.clone(), fits: None }
        }
        (_, Affinity::Integer | Affinity::Real | Affinity::Numeric) => numeric(affinity.storage(), ""),
        (meant, Affinity::Text) => {
            let rule = value_rule(&meant, &r).map(|rule| format!(" AND {rule}")).unwrap_or_default();
            Conversion { value: cast("TEXT"), fits: or_null(format!("typeof({r}) <> 'blob'{rule}")) }
        }
        (DataType::Bytes, Affinity::Blob) if table.options.strict => {
            Conversion { value: raw.clone(), fits: or_null(format!("typeof({r}) = 'blob'")) }
        }
        (_, Affinity::Blob) => Conversion { value: raw.clone(), fits: None },
    }
}

/// The same for a value given with USING. A cast that the author wrote still must not make a number of what is none,
/// and a NULL of what was something unless the expression says so.
pub(crate) fn convert_using(using: &Expr, column: &Column, after: &Table, before: &Table) -> Conversion {
    let Conversion { value, fits } = convert(using, column, after);
    let mut conditions: Vec<Expr> = fits.into_iter().collect();
    if let Some((inner, Affinity::Integer | Affinity::Real | Affinity::Numeric)) = as_cast(using) {
        let inner = operand(&inner);
        conditions.push(Expr::statement(format!("{inner} IS NULL OR CAST({inner} AS NUMERIC) = {inner}")));
    }
    let says_null = tokens(using.as_str()).any(|token| {
        ["null", "nullif", "case", "iif", "max", "min"]
            .iter()
            .any(|word| token.text.eq_ignore_ascii_case(word))
    });
    let read = columns_in(using, before);
    if !says_null && !read.is_empty() {
        let nulls: Vec<String> =
            read.iter().map(|column| format!("{} IS NULL", Expr::column(column))).collect();
        conditions.push(Expr::statement(format!("{} IS NOT NULL OR {}", operand(using), nulls.join(" OR "))));
    }
    Conversion { value, fits: all_of(&conditions) }
}

/// For `CAST(x AS t)`, x and the affinity of t.
fn as_cast(expr: &Expr) -> Option<(Expr, Affinity)> {
    let text = expr.as_str();
    let all: Vec<_> = tokens(text).collect();
    if !is_call(&all) || !all[0].text.eq_ignore_ascii_case("cast") {
        return None;
    }
    let mut depth = 0usize;
    let split = all.iter().find(|token| {
        match token.text {
            "(" => depth += 1,
            ")" => depth -= 1,
            _ => {}
        }
        depth == 1 && token.kind == TokenKind::Word && token.text.eq_ignore_ascii_case("as")
    })?;
    let close = all.last()?;
    let inner = Expr::new(&text[all[1].start + 1..split.start]);
    Some((inner, Affinity::of_declared(text[split.start + 2..close.start].trim())))
}

/// What has to hold of a value for a change within one affinity, which leaves it as it is.
pub(crate) fn within_affinity(value: &Expr, from: &DataType, to: &DataType) -> Option<Expr> {
    let (from, to) = (sqlite_meaning(from), sqlite_meaning(to));
    let value = operand(value);
    let rule = value_rule(&to, &value).filter(|_| !from.fits_into(&to))?;
    Some(Expr::statement(format!("{value} IS NULL OR {rule}")))
}

/// What makes a value one of the type, beyond its affinity.
fn value_rule(meant: &DataType, value: &str) -> Option<String> {
    match meant {
        DataType::Json => Some(format!("json_valid({value})")),
        DataType::Varchar(Some(n)) | DataType::Char(Some(n)) => {
            Some(format!("length(CAST({value} AS TEXT)) <= {n}"))
        }
        DataType::SmallInt => Some(format!("{value} BETWEEN -32768 AND 32767")),
        DataType::Boolean => Some(format!("{value} IN (0, 1)")),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn table(strict: bool) -> Table {
        let mut table = Table::new("t");
        table.options.strict = strict;
        table.columns.push(Column::new("a", DataType::Text));
        table
    }

    fn converted(raw: &str, to: DataType, strict: bool) -> (String, String) {
        let conversion = convert(&Expr::new(raw), &Column::new("a", to), &table(strict));
        (conversion.value.to_string(), conversion.fits.map(|fits| fits.to_string()).unwrap_or_default())
    }

    #[test]
    fn values_and_conditions() {
        let is = |value: &str, fits: &str| (value.to_owned(), fits.to_owned());
        assert_eq!(
            converted("a", DataType::BigInt, false),
            is("CAST(a AS INTEGER)", "a IS NULL OR CAST(a AS INTEGER) = a")
        );
        assert_eq!(
            converted("a || b", DataType::Double, false),
            is("CAST((a || b) AS REAL)", "(a || b) IS NULL OR CAST((a || b) AS REAL) = (a || b)")
        );
        assert_eq!(
            converted("a", DataType::Date, false),
            is("a", "a IS NULL OR typeof(a) <> 'text' OR CAST(a AS NUMERIC) <> a")
        );
        assert_eq!(
            converted("a", DataType::Date, true),
            is("CAST(a AS TEXT)", "a IS NULL OR typeof(a) <> 'blob'")
        );
        assert_eq!(
            converted("a", DataType::Varchar(Some(5)), false).1,
            "a IS NULL OR typeof(a) <> 'blob' AND length(CAST(a AS TEXT)) <= 5"
        );
        assert_eq!(converted("a", DataType::Bytes, false), is("a", ""));
    }

    #[test]
    fn what_an_author_casts() {
        let using = |text: &str| {
            let column = Column::new("a", DataType::Integer);
            let fits = convert_using(&Expr::new(text), &column, &table(false), &table(false)).fits;
            fits.map(|fits| fits.to_string()).unwrap_or_default()
        };
        assert!(using("CAST(a AS INTEGER)").contains("(a IS NULL OR CAST(a AS NUMERIC) = a)"));
        assert!(using("CAST(a AS INTEGER)").contains("CAST(a AS INTEGER) IS NOT NULL OR a IS NULL"));
        assert!(!using("CAST(a AS INTEGER) + CAST(a AS INTEGER)").contains("NUMERIC"));
        assert!(!using("nullif(a, '')").contains("IS NOT NULL"));
        assert!(!using("1").contains("IS NOT NULL"));
    }
}
