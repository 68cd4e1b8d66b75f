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
        let part = self.part(tables);
        Fingerprint::of_text(&canonical(&part))
    }

    /// The named tables and views, with the indexes and triggers of those, as users see them.
    #[must_use]
    pub fn part(&self, names: &[ObjectName]) -> Schema {
        let is_named = |name: &ObjectName| names.iter().any(|known| self.same(known, name));
        let mut part = Schema::new(self.names);
        for name in names {
            if let Some((name, _)) = self.tables.find(self.names, name) {
                part.tables.share(&self.tables, name);
            }
            if let Some((name, _)) = self.views.find(self.names, name) {
                part.views.share(&self.views, name);
            }
        }
        for (name, _) in self.indexes.iter().filter(|(_, index)| is_named(&index.table)) {
            part.indexes.share(&self.indexes, name);
        }
        for (name, _) in self.triggers.iter().filter(|(_, trigger)| is_named(&trigger.table)) {
            part.triggers.share(&self.triggers, name);
        }
        part.hide();
        part
    }

    /// The schema as users see it: without retained columns and without the version.
    #[must_use]
    pub fn visible(&self) -> Schema {
        let mut schema = self.clone();
        schema.version = 0;
        schema.hide();
        schema
    }

    fn hide(&mut self) {
        self.tables.change(
            |table| table.columns.iter().any(|column| column.retained),
            |table| table.columns.retain(|column| !column.retained),
        );
    }
}

/// The schema as JSON with every expression replaced by its key.
fn canonical(schema: &Schema) -> String {
    let mut schema = schema.clone();
    schema.for_each_expr(&mut |expr| *expr = Expr::statement(expr.key()));
    serde_json::to_string(&schema).expect("a schema has string keys only")
}
