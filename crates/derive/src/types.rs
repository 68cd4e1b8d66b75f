//! Column types from Rust types.

use syn::{Expr, ExprLit, GenericArgument, Lit, PathArguments, Type};

/// A column's type in each family of databases, and whether it takes NULL.
pub(crate) struct ColumnType {
    pub(crate) sqlite: String,
    pub(crate) postgres: String,
    pub(crate) nullable: bool,
}

/// Rust type, SQLite, PostgreSQL. SQLite has one integer type, and only `INTEGER` can be the rowid.
const PLAIN: &[(&str, &str, &str)] = &[
    ("bool", "BOOLEAN", "BOOLEAN"),
    ("i8", "INTEGER", "SMALLINT"),
    ("u8", "INTEGER", "SMALLINT"),
    ("i16", "INTEGER", "SMALLINT"),
    ("u16", "INTEGER", "INTEGER"),
    ("i32", "INTEGER", "INTEGER"),
    ("u32", "INTEGER", "BIGINT"),
    ("i64", "INTEGER", "BIGINT"),
    ("f32", "REAL", "REAL"),
    ("f64", "DOUBLE", "DOUBLE"),
    ("String", "TEXT", "TEXT"),
    ("str", "TEXT", "TEXT"),
    ("char", "TEXT", "TEXT"),
    ("Uuid", "UUID", "UUID"),
    ("Decimal", "DECIMAL", "DECIMAL"),
    ("BigDecimal", "DECIMAL", "DECIMAL"),
    ("NaiveDate", "DATE", "DATE"),
    ("Date", "DATE", "DATE"),
    ("NaiveTime", "TIME", "TIME"),
    ("Time", "TIME", "TIME"),
    ("NaiveDateTime", "TIMESTAMP", "TIMESTAMP"),
    ("PrimitiveDateTime", "TIMESTAMP", "TIMESTAMP"),
    ("DateTime", "TIMESTAMPTZ", "TIMESTAMPTZ"),
    ("OffsetDateTime", "TIMESTAMPTZ", "TIMESTAMPTZ"),
    ("Timestamp", "TIMESTAMPTZ", "TIMESTAMPTZ"),
    ("Duration", "INTERVAL", "INTERVAL"),
    ("Value", "JSON", "JSON"),
];

/// The column type of a Rust type; `given` is what `type = "…"` says instead.
pub(crate) fn column_type(ty: &Type, given: Option<&str>) -> syn::Result<ColumnType> {
    let (inner, nullable) = match wrapped(ty, "Option") {
        Some(inner) => (inner, true),
        None => (ty, false),
    };
    let (sqlite, postgres) = match given {
        Some(given) => (given.to_owned(), given.to_owned()),
        None => mapped(inner).ok_or_else(|| {
            syn::Error::new_spanned(
                inner,
                "no column type is known for this Rust type: say `#[column(type = \"…\")]`, or `#[column(skip)]`",
            )
        })?,
    };
    Ok(ColumnType { sqlite, postgres, nullable })
}

fn mapped(ty: &Type) -> Option<(String, String)> {
    if let Some(inner) = ["Box", "Arc", "Rc", "Cow", "Json"].iter().find_map(|outer| wrapped(ty, outer)) {
        return if last_name(ty)? == "Json" { Some(same("JSON")) } else { mapped(inner) };
    }
    if let Some(item) = wrapped(ty, "Vec") {
        if last_name(item).as_deref() == Some("u8") {
            return Some(same("BYTES"));
        }
        let (sqlite, postgres) = mapped(item)?;
        return Some((format!("{sqlite}[]"), format!("{postgres}[]")));
    }
    match ty {
        Type::Reference(reference) => mapped(&reference.elem),
        Type::Array(array) => {
            let length = match &array.len {
                Expr::Lit(ExprLit { lit: Lit::Int(length), .. }) => length.base10_parse::<u32>().ok()?,
                _ => return None,
            };
            match last_name(&array.elem)?.as_str() {
                "f32" => Some(same(&format!("VECTOR({length})"))),
                "u8" => Some(same("BYTES")),
                _ => None,
            }
        }
        _ => {
            let name = last_name(ty)?;
            let (_, sqlite, postgres) = PLAIN.iter().find(|(rust, ..)| *rust == name)?;
            Some(((*sqlite).to_owned(), (*postgres).to_owned()))
        }
    }
}

fn same(name: &str) -> (String, String) {
    (name.to_owned(), name.to_owned())
}

fn last_name(ty: &Type) -> Option<String> {
    match ty {
        Type::Path(path) => Some(path.path.segments.last()?.ident.to_string()),
        _ => None,
    }
}

/// `T` of `Outer<T>` (its last type argument: `Cow<'a, str>`).
fn wrapped<'a>(ty: &'a Type, outer: &str) -> Option<&'a Type> {
    let Type::Path(path) = ty else { return None };
    let segment = path.path.segments.last().filter(|segment| segment.ident == outer)?;
    let PathArguments::AngleBracketed(arguments) = &segment.arguments else { return None };
    arguments.args.iter().rev().find_map(|argument| match argument {
        GenericArgument::Type(ty) => Some(ty),
        _ => None,
    })
}
