//! PostgreSQL: what stands against another type of a column, with what to do about it.

use pql_schema::{Column, Constraint, ConstraintKind, Expr, ObjectName, ObjectRef, Table};

use crate::{Held, Hold, PlanError, codes};

use super::ladder::Ladder;

/// What the model knows can be dropped by an operation, which the plan then sees.
const SAME_MIGRATION: &str = "drop it in the same migration, before, and make it again after";

/// What refers to the column and goes along when another one takes its place; what cannot is an error that names it.
pub(super) fn of_swap(
    ladder: &Ladder<'_>,
    table: &Table,
    column: &Column,
) -> Result<Vec<ObjectRef>, PlanError> {
    let refused = |what: String, help: &str| Err(in_use(table, column, &what, help));
    if column.generated.is_some() {
        return refused("it is generated".to_owned(), "drop the column and add it again");
    }
    if let Some(why) = ladder.without_triggers(&table.name) {
        let help = by_hand(table, column, "which writes the rows anew while nobody else can use the table");
        return refused(format!("{why}, which would keep the old values true"), &help);
    }
    if ladder.caps.lacks.table_locks {
        let help = by_hand(table, column, "which writes the rows anew while nobody else can use the table");
        let flavour = ladder.caps.flavour.as_str();
        return refused(format!("{flavour} cannot lock a table while two columns change places"), &help);
    }
    for held in ladder.held(&table.name) {
        let named = held.columns.contains(&column.name);
        let stops = match held.hold {
            Hold::Partitioned | Hold::Partition | Hold::Parent | Hold::Child | Hold::Foreign => true,
            Hold::Rule => held.columns.is_empty() || named,
            Hold::Policy
            | Hold::Publication
            | Hold::ExtendedStatistics
            | Hold::Function
            | Hold::Domain
            | Hold::ForeignKey => named,
            _ => false,
        };
        if stops {
            return refused(there_is(held), &help_for(held, table, column));
        }
    }
    let dependants = ladder.schema.dependants_of_column(&table.name, &column.name);
    for dependant in &dependants {
        match dependant {
            ObjectRef::Column(_, name) => {
                return refused(format!("{name} is generated from it"), SAME_MIGRATION);
            }
            ObjectRef::Constraint(of, name) if *of != table.name => {
                return refused(format!("foreign key {name} of {of} refers to it"), SAME_MIGRATION);
            }
            ObjectRef::Constraint(_, name) => {
                let constraint = table.constraint(name, ladder.schema.names);
                let native = constraint.is_some_and(|c| matches!(c.kind, ConstraintKind::Native { .. }));
                let itself = constraint
                    .and_then(Constraint::foreign_key)
                    .is_some_and(|key| key.table == table.name && key.referenced.contains(&column.name));
                if native || itself {
                    return refused(format!("constraint {name} names it"), SAME_MIGRATION);
                }
            }
            ObjectRef::View(name) if ladder.schema.view(name).is_some_and(|view| view.materialized) => {
                return refused(format!("materialised view {name} reads it"), SAME_MIGRATION);
            }
            ObjectRef::Trigger(name) => {
                return refused(format!("trigger {name} names it"), &drop_trigger(table, name));
            }
            _ => {}
        }
    }
    Ok(dependants)
}

/// What the server would refuse when the definition of the column itself is changed.
pub(super) fn of_change(ladder: &Ladder<'_>, table: &Table, column: &Column) -> Result<(), PlanError> {
    let refused = |what: String, help: &str| Err(in_use(table, column, &what, help));
    for held in ladder.held(&table.name) {
        let stops = match held.hold {
            Hold::Parent => true,
            Hold::Partitioned | Hold::Policy | Hold::Function => held.columns.contains(&column.name),
            Hold::Distributed => held.name == column.name,
            _ => false,
        };
        if stops {
            return refused(there_is(held), &help_for(held, table, column));
        }
    }
    // A view that is materialised and gone from the model is still there, out of sight.
    for other in table.columns.iter().filter(|other| other.name != column.name) {
        if other.generated.as_ref().is_some_and(|generated| generated.expr.mentions(&column.name)) {
            let help = if other.retained {
                "it is what a migration dropped: MIGRATE PURGE that one first"
            } else {
                "drop it before, in a migration of its own with retain = false, and add it again after"
            };
            return refused(format!("{} is generated from it", other.name), help);
        }
    }
    for dependant in ladder.schema.dependants_of_column(&table.name, &column.name) {
        match dependant {
            ObjectRef::View(name) if ladder.schema.view(&name).is_some_and(|view| view.materialized) => {
                let help =
                    "drop it before, in a migration of its own with retain = false, and make it again after";
                return refused(format!("materialised view {name} reads it"), help);
            }
            ObjectRef::Trigger(name) => {
                return refused(format!("trigger {name} names it"), &drop_trigger(table, &name));
            }
            _ => {}
        }
    }
    Ok(())
}

/// What would go on working with a column that is out of sight, against the application or against its definition.
pub(super) fn of_drop(ladder: &Ladder<'_>, table: &Table, column: &Column) -> Result<(), PlanError> {
    of_name(ladder, table, &column.name, "dropped")?;
    let fills_itself = column.default.is_some() || column.identity.is_some() || column.generated.is_some();
    for held in ladder.held(&table.name) {
        let named = held.columns.contains(&column.name);
        let stops = match held.hold {
            Hold::Policy | Hold::Publication | Hold::Function | Hold::ForeignKey | Hold::Partitioned => named,
            Hold::Domain => named && !fills_itself,
            Hold::Rule => {
                held.definition.as_deref().is_some_and(|text| Expr::statement(text).mentions(&column.name))
            }
            Hold::Distributed => held.name == column.name,
            _ => false,
        };
        if stops {
            let message = format!("{}.{} cannot be dropped: {}", table.name, column.name, there_is(held));
            let help = match held.hold {
                Hold::Partitioned => {
                    "make a table that is partitioned otherwise, and move the rows".to_owned()
                }
                _ => help_for(held, table, column),
            };
            return Err(PlanError::new(codes::IN_USE, message, help));
        }
    }
    Ok(())
}

/// SQLite: what reads the table by its name, or a column by its own, and would read nothing any more.
pub(super) fn of_virtual(
    ladder: &Ladder<'_>,
    table: &ObjectName,
    column: Option<&str>,
    verb: &'static str,
) -> Result<(), PlanError> {
    let reads = |held: &&Held| {
        let named = |column: &str| held.columns.iter().any(|name| ladder.schema.names.same(name, column));
        held.hold == Hold::Virtual && column.is_none_or(named)
    };
    let Some(reader) = ladder.held(table).iter().find(reads) else { return Ok(()) };
    let what = column.map_or_else(|| table.to_string(), |column| format!("{table}.{column}"));
    let message = format!("{what} cannot be {verb}: the virtual table {} reads it by that name", reader.name);
    let help = format!(
        "EXECUTE 'DROP TABLE {}' in a migration of its own before, with REVERT, and make it again after",
        reader.name
    );
    Err(PlanError::new(codes::IN_USE, message, help))
}

/// What goes on naming a column that is to have another name, or none, so that the application's writes would fail.
pub(super) fn of_name(
    ladder: &Ladder<'_>,
    table: &Table,
    column: &str,
    verb: &'static str,
) -> Result<(), PlanError> {
    let there = |name: &str| ladder.schema.triggers_of(&table.name).any(|trigger| trigger.name.name == name);
    let reads = |held: &&Held| {
        held.hold == Hold::TriggerFunction
            && held.columns.iter().any(|named| named == column)
            && there(&held.name)
    };
    of_virtual(ladder, &table.name, Some(column), verb)?;
    let Some(held) = ladder.held(&table.name).iter().find(reads) else { return Ok(()) };
    let function = held.definition.as_deref().unwrap_or_default();
    let message = format!(
        "{}.{column} cannot be {verb}: trigger {} runs {function}, which reads it, so that writes to the table would fail",
        table.name, held.name
    );
    Err(PlanError::new(codes::IN_USE, message, drop_trigger(table, &table.name.sibling(&held.name))))
}

/// What the server would refuse when a column is to accept NULL.
pub(super) fn of_null(ladder: &Ladder<'_>, table: &Table, column: &str) -> Result<(), PlanError> {
    let identity =
        |held: &&Held| held.hold == Hold::IdentityIndex && held.columns.iter().any(|named| named == column);
    let Some(index) = ladder.held(&table.name).iter().find(identity) else { return Ok(()) };
    let message =
        format!("{}.{column} cannot accept NULL: index {} is the replica identity", table.name, index.name);
    let help = format!(
        "EXECUTE 'ALTER TABLE {} REPLICA IDENTITY …' in a migration of its own before: DEFAULT, FULL, or another index",
        table.name
    );
    Err(PlanError::new(codes::IN_USE, message, help))
}

fn in_use(table: &Table, column: &Column, what: &str, help: &str) -> PlanError {
    let message = format!("the type of {}.{} cannot be changed: {what}", table.name, column.name);
    PlanError::new(codes::IN_USE, message, help)
}

fn there_is(held: &Held) -> String {
    match held.hold {
        Hold::Partitioned => format!("the table is partitioned by {}", held.name),
        Hold::Parent => format!("the table inherits from {}", held.name),
        Hold::Child => format!("{} inherits from the table", held.name),
        Hold::Foreign => "the rows of a foreign table are elsewhere".to_owned(),
        Hold::Distributed => "the table is distributed by it".to_owned(),
        Hold::Domain => format!("its domain {} takes no NULL, which new rows would have there", held.name),
        kind => format!("there is {} {}", kind.as_str(), held.name),
    }
}

/// What the model does not know cannot be dropped in the same migration: it is planned against what is there.
fn help_for(held: &Held, table: &Table, column: &Column) -> String {
    let (name, of) = (&held.name, &table.name);
    let drop = match held.hold {
        Hold::Policy => format!("DROP POLICY {name} ON {of}"),
        Hold::Publication => format!("ALTER PUBLICATION {name} DROP TABLE {of}"),
        Hold::ExtendedStatistics => format!("DROP STATISTICS {name}"),
        Hold::Function => format!("DROP FUNCTION {name}"),
        Hold::Rule => format!("DROP RULE {name} ON {of}"),
        Hold::ForeignKey => {
            return "drop it by EXECUTE in a migration of its own before, and make it again after".to_owned();
        }
        Hold::Distributed => return "undistribute the table first".to_owned(),
        Hold::Domain => {
            return format!(
                "CHANGE COLUMN {of}.{} TYPE {} in a migration of its own before",
                column.name,
                held.definition.as_deref().unwrap_or_default()
            );
        }
        Hold::Foreign => return "change it where the rows are, then here by EXECUTE".to_owned(),
        _ => return by_hand(table, column, "which keeps everybody else from the table meanwhile"),
    };
    format!("EXECUTE '{drop}' in a migration of its own before, with REVERT, and make it again after")
}

fn by_hand(table: &Table, column: &Column, how: &str) -> String {
    format!(
        "change it by EXECUTE 'ALTER TABLE {} ALTER COLUMN {} TYPE …' REVERT '…', {how}",
        table.name, column.name
    )
}

fn drop_trigger(table: &Table, name: &pql_schema::ObjectName) -> String {
    format!(
        "EXECUTE 'DROP TRIGGER {} ON {}' REVERT '…' in the same migration, before, and make it again after",
        name.name, table.name
    )
}
