//! Fingerprints: whether something is still what a plan was made for.

use std::fmt;
use std::fmt::Write as _;

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::{Expr, ObjectName, Schema};

/// A SHA-256 over the parts of a schema that users see, in lower-case hexadecimal. Equal schemas have equal
/// fingerprints however their expressions are spaced; retained columns and the version do not count.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Fingerprint(pub String);

impl fmt::Display for Fingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl Fingerprint {
    /// Of any text.
    pub fn of_text(text: &str) -> Self {
        let digest = Sha256::digest(text.as_bytes());
        let mut hex = String::with_capacity(64);
        for byte in digest {
            let _ = write!(hex, "{byte:02x}");
        }
        Self(hex)
    }
}

impl Schema {
    /// Of the whole schema.
    pub fn fingerprint(&self) -> Fingerprint {
        Fingerprint::of_text(&canonical(&self.visible()))
    }

    /// Of the named tables only, with their indexes and triggers; one that does not exist counts as absent.
    pub fn fingerprint_of(&self, tables: &[ObjectName]) -> Fingerprint {
        let visible = self.visible();
        let part = Schema {
            version: 0,
            names: self.names,
            tables: visible
                .tables
                .into_iter()
                .filter(|(name, _)| tables.iter().any(|table| self.same(table, name)))
                .collect(),
            indexes: visible
                .indexes
                .into_iter()
                .filter(|(_, index)| tables.iter().any(|table| self.same(table, &index.table)))
                .collect(),
            views: visible
                .views
                .into_iter()
                .filter(|(name, _)| tables.iter().any(|table| self.same(table, name)))
                .collect(),
            triggers: visible
                .triggers
                .into_iter()
                .filter(|(_, trigger)| tables.iter().any(|table| self.same(table, &trigger.table)))
                .collect(),
        };
        Fingerprint::of_text(&canonical(&part))
    }

    /// The schema as users see it: without retained columns and without the version.
    #[must_use]
    pub fn visible(&self) -> Schema {
        let mut schema = self.clone();
        schema.version = 0;
        for table in schema.tables.values_mut() {
            table.columns.retain(|column| !column.retained);
        }
        schema
    }
}

/// The schema as JSON with every expression replaced by its key.
fn canonical(schema: &Schema) -> String {
    let mut schema = schema.clone();
    schema.for_each_expr(&mut |expr| *expr = Expr::statement(expr.key()));
    serde_json::to_string(&schema).expect("a schema has string keys only")
}
