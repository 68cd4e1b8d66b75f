//! Two schemas compared object by object, for people: what was expected and what was found.

use std::collections::BTreeMap;
use std::fmt;

use pql_planner::text::{PQL, object};
use pql_schema::{ObjectName, Objects, Schema, Table};
use serde::Serialize;

/// Something that is not as it was recorded.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Drift {
    /// What: `table users`, `column users.email`, `index users_email_idx`, …
    pub object: String,
    /// How it was recorded; `None`: it was not there.
    pub expected: Option<String>,
    /// How it is; `None`: it is not there.
    pub found: Option<String>,
}

impl fmt::Display for Drift {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (&self.expected, &self.found) {
            (Some(expected), Some(found)) => write!(f, "{} was {expected} and is {found}", self.object),
            (Some(_), None) => write!(f, "{} is gone", self.object),
            _ => write!(f, "{} is new", self.object),
        }
    }
}

/// What separates two schemas, in the order of names.
pub(super) fn differences(expected: &Schema, found: &Schema) -> Vec<Drift> {
    let mut drifts = Vec::new();
    let key = |name: &ObjectName| expected.names.key(&name.to_string());
    for (before, after) in pairs(&expected.tables, &found.tables, key) {
        match (before, after) {
            (Some(before), Some(after)) => tables(before, after, &mut drifts),
            (before, after) => {
                let text = |table: &Table| PQL.create_table(table);
                push(
                    &mut drifts,
                    || format!("table {}", name(before, after, |t| &t.name)),
                    before.map(text),
                    after.map(text),
                );
            }
        }
    }
    for (before, after) in pairs(&expected.indexes, &found.indexes, key) {
        let text = |index| PQL.create_index(index);
        let object = || format!("index {}", name(before, after, |index| &index.name));
        push(&mut drifts, object, before.map(text), after.map(text));
    }
    for (before, after) in pairs(&expected.views, &found.views, key) {
        let text = |view| PQL.create_view(view);
        let object = || format!("view {}", name(before, after, |view| &view.name));
        push(&mut drifts, object, before.map(text), after.map(text));
    }
    for (before, after) in pairs(&expected.triggers, &found.triggers, key) {
        if before.map(|trigger| &trigger.definition) != after.map(|trigger| &trigger.definition) {
            let text = |trigger: &pql_schema::Trigger| trigger.definition.to_string();
            let object = || format!("trigger {}", name(before, after, |trigger| &trigger.name));
            push(&mut drifts, object, before.map(text), after.map(text));
        }
    }
    drifts
}

fn tables(before: &Table, after: &Table, drifts: &mut Vec<Drift>) {
    let table = object(&after.name);
    let columns = |table: &Table| -> Vec<(String, String)> {
        table.visible().map(|column| (column.name.clone(), PQL.column_def(column, table, &[]))).collect()
    };
    let (old, new) = (columns(before), columns(after));
    named(&old, &new, drifts, |name| format!("column {table}.{name}"));
    let order = |columns: &[(String, String)], others: &[(String, String)]| {
        let both = columns.iter().filter(|column| others.iter().any(|other| other.0 == column.0));
        both.map(|column| column.0.as_str()).collect::<Vec<_>>().join(", ")
    };
    let orders = (Some(order(&old, &new)), Some(order(&new, &old)));
    push(drifts, || format!("order of the columns of {table}"), orders.0, orders.1);
    let constraints = |table: &Table| -> Vec<(String, String)> {
        table
            .constraints
            .iter()
            .map(|constraint| (constraint.effective_name(&table.name.name), PQL.constraint_def(constraint)))
            .collect()
    };
    named(&constraints(before), &constraints(after), drifts, |name| format!("constraint {table}.{name}"));
    if before.options != after.options {
        let options = |table: &Table| {
            let text =
                PQL.create_table(&Table { columns: Vec::new(), constraints: Vec::new(), ..table.clone() });
            text.rsplit(')').next().unwrap_or_default().trim().to_owned()
        };
        push(drifts, || format!("options of {table}"), Some(options(before)), Some(options(after)));
    }
}

/// Compares lists of named texts; of several with one name each text counts once.
fn named(
    before: &[(String, String)],
    after: &[(String, String)],
    drifts: &mut Vec<Drift>,
    object: impl Fn(&str) -> String,
) {
    let mut gone: Vec<&(String, String)> = before.iter().filter(|item| !after.contains(item)).collect();
    for item in after.iter().filter(|item| !before.contains(item)) {
        let old = gone.iter().position(|old| old.0.eq_ignore_ascii_case(&item.0)).map(|at| gone.remove(at));
        push(drifts, || object(&item.0), old.map(|old| old.1.clone()), Some(item.1.clone()));
    }
    for item in gone {
        push(drifts, || object(&item.0), Some(item.1.clone()), None);
    }
}

fn push(
    drifts: &mut Vec<Drift>,
    object: impl FnOnce() -> String,
    expected: Option<String>,
    found: Option<String>,
) {
    if expected != found {
        drifts.push(Drift { object: object(), expected, found });
    }
}

fn name<'a, T>(before: Option<&'a T>, after: Option<&'a T>, of: impl Fn(&'a T) -> &'a ObjectName) -> String {
    before.or(after).map(|item| object(of(item))).unwrap_or_default()
}

/// The objects of two maps, those of one name together, in the order of names.
fn pairs<'a, T>(
    before: &'a Objects<T>,
    after: &'a Objects<T>,
    key: impl Fn(&ObjectName) -> String,
) -> impl Iterator<Item = (Option<&'a T>, Option<&'a T>)> {
    let mut all: BTreeMap<String, (Option<&T>, Option<&T>)> = BTreeMap::new();
    for (name, item) in before {
        all.entry(key(name)).or_default().0 = Some(item);
    }
    for (name, item) in after {
        all.entry(key(name)).or_default().1 = Some(item);
    }
    all.into_values()
}
