//! One field to one column.

use std::fmt::Write as _;

use syn::spanned::Spanned;
use syn::{Field, LitStr};

use crate::names::{quoted, quoted_path};
use crate::types::{ColumnType, column_type};

/// A column with what belongs to it.
pub(crate) struct Column {
    pub(crate) name: String,
    pub(crate) primary_key: bool,
    pub(crate) index: bool,
    data_type: ColumnType,
    unique: bool,
    default: Option<String>,
    check: Option<String>,
    collate: Option<String>,
    generated: Option<String>,
    references: Option<String>,
    renamed_from: Option<String>,
}

/// What `#[column(…)]` says.
#[derive(Default)]
#[expect(clippy::struct_excessive_bools, reason = "each is a word of the attribute")]
struct Attributes {
    name: Option<String>,
    data_type: Option<String>,
    primary_key: bool,
    unique: bool,
    index: bool,
    skip: bool,
    default: Option<String>,
    check: Option<String>,
    collate: Option<String>,
    generated: Option<String>,
    references: Option<String>,
    renamed_from: Option<String>,
}

impl Column {
    /// The column of a field; `None` for one that is skipped.
    pub(crate) fn of(field: &Field) -> syn::Result<Option<Self>> {
        let attributes = Attributes::of(field)?;
        if attributes.skip {
            return Ok(None);
        }
        let Some(ident) = &field.ident else {
            return Err(syn::Error::new(field.span(), "a table needs a struct with named fields"));
        };
        let field_name = ident.to_string();
        Ok(Some(Self {
            name: attributes.name.unwrap_or_else(|| field_name.trim_start_matches("r#").to_owned()),
            data_type: column_type(&field.ty, attributes.data_type.as_deref())?,
            primary_key: attributes.primary_key,
            index: attributes.index,
            unique: attributes.unique,
            default: attributes.default,
            check: attributes.check,
            collate: attributes.collate,
            generated: attributes.generated,
            references: attributes.references,
            renamed_from: attributes.renamed_from,
        }))
    }

    /// The definition for SQLite and for PostgreSQL; `alone`: it is the whole primary key.
    pub(crate) fn definitions(&self, alone: bool) -> (String, String) {
        (self.definition(&self.data_type.sqlite, alone), self.definition(&self.data_type.postgres, alone))
    }

    fn definition(&self, data_type: &str, alone: bool) -> String {
        let mut text = format!("{} {data_type}", quoted(&self.name));
        let mut clause = |clause: &str| {
            let _ = write!(text, " {clause}");
        };
        if let Some(collate) = &self.collate {
            clause(&format!("COLLATE {}", quoted(collate)));
        }
        if self.primary_key && alone {
            clause("PRIMARY KEY");
        } else if !self.data_type.nullable {
            clause("NOT NULL");
        }
        if self.unique {
            clause("UNIQUE");
        }
        if let Some(default) = &self.default {
            clause(&format!("DEFAULT {}", default_expression(default)));
        }
        if let Some(check) = &self.check {
            clause(&format!("CHECK ({check})"));
        }
        if let Some(generated) = &self.generated {
            clause(&format!("GENERATED ALWAYS AS ({generated}) STORED"));
        }
        if let Some(references) = &self.references {
            clause(&format!("REFERENCES {references}"));
        }
        if let Some(former) = &self.renamed_from {
            clause(&format!("RENAMED FROM {}", quoted_path(former)));
        }
        text
    }
}

/// DEFAULT takes a simple value or a call as it is, and anything longer in parentheses.
fn default_expression(text: &str) -> String {
    let text = text.trim();
    let literal = text.starts_with('\'') && text.ends_with('\'') && text.len() > 1;
    let signed = text.strip_prefix(['-', '+']).unwrap_or(text);
    let simple = signed.chars().all(|c| c.is_alphanumeric() || c == '_' || c == '.');
    let call =
        text.strip_suffix("()").is_some_and(|name| name.chars().all(|c| c.is_alphanumeric() || c == '_'));
    let wrapped = text.starts_with('(') && text.ends_with(')');
    if literal || simple || call || wrapped { text.to_owned() } else { format!("({text})") }
}

impl Attributes {
    fn of(field: &Field) -> syn::Result<Self> {
        let mut all = Self::default();
        for attribute in field.attrs.iter().filter(|attribute| attribute.path().is_ident("column")) {
            attribute.parse_nested_meta(|meta| {
                let text = |slot: &mut Option<String>| -> syn::Result<()> {
                    *slot = Some(meta.value()?.parse::<LitStr>()?.value());
                    Ok(())
                };
                let name = meta.path.get_ident().map(ToString::to_string).unwrap_or_default();
                match name.as_str() {
                    "name" => text(&mut all.name)?,
                    "type" => text(&mut all.data_type)?,
                    "default" => text(&mut all.default)?,
                    "check" => text(&mut all.check)?,
                    "collate" => text(&mut all.collate)?,
                    "generated" => text(&mut all.generated)?,
                    "references" => text(&mut all.references)?,
                    "renamed_from" => text(&mut all.renamed_from)?,
                    "primary_key" => all.primary_key = true,
                    "unique" => all.unique = true,
                    "index" => all.index = true,
                    "skip" => all.skip = true,
                    _ => {
                        return Err(meta.error(
                            "expected one of: name, type, default, check, collate, generated, references, \
                             renamed_from, primary_key, unique, index, skip",
                        ));
                    }
                }
                Ok(())
            })?;
        }
        Ok(all)
    }
}
