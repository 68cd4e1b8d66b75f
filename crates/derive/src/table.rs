//! One struct to one table with its indexes.

use std::fmt::Write as _;

use proc_macro2::TokenStream;
use quote::quote;
use syn::meta::ParseNestedMeta;
use syn::{Data, DeriveInput, Fields, LitStr};

use crate::column::Column;
use crate::names::{quoted, quoted_path, table_name};

/// What `#[table(…)]` says.
#[derive(Default)]
struct Attributes {
    name: Option<String>,
    renamed_from: Option<String>,
    constraints: Vec<String>,
    indexes: Vec<Index>,
    strict: bool,
    without_rowid: bool,
}

#[derive(Default)]
struct Index {
    name: Option<String>,
    columns: String,
    unique: bool,
    filter: Option<String>,
    method: Option<String>,
}

/// The implementation of `pql::Tables`.
pub(crate) fn expand(input: &DeriveInput) -> syn::Result<TokenStream> {
    let attributes = Attributes::of(input)?;
    let columns = columns(input)?;
    let (sqlite, postgres) = ddl(&input.ident.to_string(), &attributes, &columns);
    let ident = &input.ident;
    let (generics, arguments, conditions) = input.generics.split_for_impl();
    Ok(quote! {
        impl #generics ::pql::Tables for #ident #arguments #conditions {
            fn ddl(dialect: ::pql::Dialect) -> ::std::string::String {
                match dialect {
                    ::pql::Dialect::Sqlite => ::std::string::String::from(#sqlite),
                    ::pql::Dialect::Postgres => ::std::string::String::from(#postgres),
                }
            }
        }
    })
}

fn columns(input: &DeriveInput) -> syn::Result<Vec<Column>> {
    let refuse = |message| Err(syn::Error::new_spanned(&input.ident, message));
    let Data::Struct(data) = &input.data else {
        return refuse("only a struct can be a table");
    };
    let Fields::Named(fields) = &data.fields else {
        return refuse("a table needs a struct with named fields");
    };
    let mut columns = Vec::new();
    for field in &fields.named {
        columns.extend(Column::of(field)?);
    }
    if columns.is_empty() { refuse("a table needs at least one column") } else { Ok(columns) }
}

/// The statements for SQLite and for PostgreSQL.
fn ddl(struct_name: &str, attributes: &Attributes, columns: &[Column]) -> (String, String) {
    let name = attributes.name.clone().unwrap_or_else(|| table_name(struct_name));
    let table = quoted_path(&name);
    let key: Vec<String> = columns.iter().filter(|it| it.primary_key).map(|it| quoted(&it.name)).collect();

    let mut elements: Vec<(String, String)> =
        columns.iter().map(|it| it.definitions(key.len() == 1)).collect();
    let both = |text: String| (text.clone(), text);
    if key.len() > 1 {
        elements.push(both(format!("PRIMARY KEY ({})", key.join(", "))));
    }
    elements.extend(attributes.constraints.iter().cloned().map(both));

    let renamed = attributes
        .renamed_from
        .as_ref()
        .map(|old| format!(" RENAMED FROM {}", quoted_path(old)))
        .unwrap_or_default();
    let mut options = Vec::new();
    if attributes.strict {
        options.push("STRICT");
    }
    if attributes.without_rowid {
        options.push("WITHOUT ROWID");
    }
    let options = if options.is_empty() { String::new() } else { format!(" {}", options.join(", ")) };
    let indexes = index_statements(&name, &table, attributes, columns);
    let statement = |elements: Vec<&str>, options: &str| {
        format!("CREATE TABLE {table}{renamed} (\n  {}\n){options};\n{indexes}", elements.join(",\n  "))
    };
    (
        statement(elements.iter().map(|(sqlite, _)| sqlite.as_str()).collect(), &options),
        statement(elements.iter().map(|(_, postgres)| postgres.as_str()).collect(), ""),
    )
}

fn index_statements(name: &str, table: &str, attributes: &Attributes, columns: &[Column]) -> String {
    let bare = name.rsplit('.').next().unwrap_or(name);
    let mut text = String::new();
    for column in columns.iter().filter(|column| column.index) {
        let index = quoted(&format!("{bare}_{}_idx", column.name));
        let _ = writeln!(text, "CREATE INDEX {index} ON {table} ({});", quoted(&column.name));
    }
    for index in &attributes.indexes {
        // The first word of each part, which is its column or the function around it.
        let words: Vec<&str> = index
            .columns
            .split(',')
            .filter_map(|part| {
                part.split(|c: char| !c.is_alphanumeric() && c != '_').find(|it| !it.is_empty())
            })
            .collect();
        let index_name = index.name.clone().unwrap_or_else(|| format!("{bare}_{}_idx", words.join("_")));
        let unique = if index.unique { "UNIQUE " } else { "" };
        let method = index.method.as_ref().map(|method| format!(" USING {method}")).unwrap_or_default();
        let filter = index.filter.as_ref().map(|filter| format!(" WHERE {filter}")).unwrap_or_default();
        let name = quoted(&index_name);
        let _ = writeln!(text, "CREATE {unique}INDEX {name} ON {table}{method} ({}){filter};", index.columns);
    }
    text
}

impl Attributes {
    fn of(input: &DeriveInput) -> syn::Result<Self> {
        let mut all = Self::default();
        for attribute in input.attrs.iter().filter(|attribute| attribute.path().is_ident("table")) {
            attribute.parse_nested_meta(|meta| {
                match meta.path.get_ident().map(ToString::to_string).unwrap_or_default().as_str() {
                    "name" => all.name = Some(text(&meta)?),
                    "renamed_from" => all.renamed_from = Some(text(&meta)?),
                    "constraint" => all.constraints.push(text(&meta)?),
                    "index" => all.indexes.push(Index::of(&meta)?),
                    "strict" => all.strict = true,
                    "without_rowid" => all.without_rowid = true,
                    _ => {
                        return Err(meta.error(
                            "expected one of: name, renamed_from, constraint, index(…), strict, without_rowid",
                        ));
                    }
                }
                Ok(())
            })?;
        }
        Ok(all)
    }
}

impl Index {
    fn of(meta: &ParseNestedMeta<'_>) -> syn::Result<Self> {
        let mut index = Self::default();
        meta.parse_nested_meta(|meta| {
            match meta.path.get_ident().map(ToString::to_string).unwrap_or_default().as_str() {
                "columns" => index.columns = text(&meta)?,
                "name" => index.name = Some(text(&meta)?),
                "filter" => index.filter = Some(text(&meta)?),
                "method" => index.method = Some(text(&meta)?),
                "unique" => index.unique = true,
                _ => return Err(meta.error("expected one of: columns, name, unique, filter, method")),
            }
            Ok(())
        })?;
        if index.columns.is_empty() {
            Err(meta.error("an index needs `columns = \"…\"`"))
        } else {
            Ok(index)
        }
    }
}

fn text(meta: &ParseNestedMeta<'_>) -> syn::Result<String> {
    Ok(meta.value()?.parse::<LitStr>()?.value())
}
