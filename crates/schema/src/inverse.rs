//! What takes an operation back.

use crate::{MigrationOp, NameRule, ObjectName, Schema, Trigger};

impl MigrationOp {
    /// The operations that bring back the schema that was before this one (up to the order of columns and
    /// constraints), in order; `None` when the model cannot say: raw SQL without its REVERT, and an operation that is
    /// refused there anyway. What happens to the rows is the planner's concern.
    pub fn inverse(&self, before: &Schema) -> Option<Vec<Self>> {
        let table_of = |table: &ObjectName| before.table(table);
        let column_of =
            |table: &ObjectName, column: &str| table_of(table)?.visible_column(column, before.names);
        let op = match self {
            Self::CreateTable { table } => Self::DropTable { table: table.name.clone() },
            Self::DropTable { table } => return dropped_table(before, table),
            Self::RenameTable { from, to } => Self::RenameTable { from: to.clone(), to: from.clone() },
            Self::SetTableOptions { table, .. } => {
                Self::SetTableOptions { table: table.clone(), options: table_of(table)?.options.clone() }
            }
            Self::AddColumn { table, column, .. } => return self.added_column(before, table, &column.name),
            Self::DropColumn { table, column } => Self::AddColumn {
                table: table.clone(),
                column: column_of(table, column)?.clone(),
                constraints: Vec::new(),
                backfill: None,
            },
            Self::RenameColumn { table, from, to } => {
                Self::RenameColumn { table: table.clone(), from: to.clone(), to: from.clone() }
            }
            Self::ChangeColumnType { table, column, using, revert_using, .. } => {
                let old = column_of(table, column)?;
                Self::ChangeColumnType {
                    table: table.clone(),
                    column: column.clone(),
                    to: old.data_type.clone(),
                    collation: old.collation.clone(),
                    using: revert_using.clone(),
                    revert_using: using.clone(),
                }
            }
            Self::SetNotNull { table, column, .. } => {
                if column_of(table, column)?.not_null {
                    return Some(Vec::new());
                }
                Self::DropNotNull { table: table.clone(), column: column.clone() }
            }
            Self::DropNotNull { table, column } => return dropped_not_null(before, table, column),
            Self::SetDefault { table, column, .. } | Self::DropDefault { table, column } => {
                match &column_of(table, column)?.default {
                    Some(default) => Self::SetDefault {
                        table: table.clone(),
                        column: column.clone(),
                        default: default.clone(),
                    },
                    None => Self::DropDefault { table: table.clone(), column: column.clone() },
                }
            }
            Self::SetColumnOptions { table, column, .. } => {
                let old = column_of(table, column)?;
                Self::SetColumnOptions {
                    table: table.clone(),
                    column: column.clone(),
                    identity: old.identity,
                    not_null_conflict: old.not_null_conflict,
                }
            }
            Self::AddIndex { index } => Self::DropIndex { index: index.name.clone() },
            Self::DropIndex { index } => Self::AddIndex { index: before.index(index)?.clone() },
            Self::RenameIndex { from, to } => Self::RenameIndex { from: to.clone(), to: from.clone() },
            Self::AddConstraint { table, .. } => {
                let mut after = before.clone();
                after.apply(self).ok()?;
                let name = after.table(table)?.constraint_names().pop()?;
                Self::DropConstraint { table: table.clone(), name }
            }
            Self::DropConstraint { table, name } => Self::AddConstraint {
                table: table.clone(),
                constraint: table_of(table)?.constraint(name, before.names)?.clone(),
            },
            Self::RenameConstraint { table, from, to } => {
                Self::RenameConstraint { table: table.clone(), from: to.clone(), to: from.clone() }
            }
            Self::CreateView { view } => Self::DropView { view: view.name.clone() },
            Self::DropView { view } => {
                let view = before.view(view)?;
                let mut ops = vec![Self::CreateView { view: view.clone() }];
                ops.extend(
                    before.indexes_of(&view.name).map(|index| Self::AddIndex { index: index.clone() }),
                );
                ops.extend(before.triggers_of(&view.name).map(|trigger| trigger.creation(before)));
                return Some(ops);
            }
            Self::Execute { sql, revert, outside_transaction } => Self::Execute {
                sql: revert.clone()?,
                revert: Some(sql.clone()),
                outside_transaction: *outside_transaction,
            },
        };
        Some(vec![op])
    }

    fn added_column(&self, before: &Schema, table: &ObjectName, column: &str) -> Option<Vec<Self>> {
        let mut after = before.clone();
        after.apply(self).ok()?;
        let drop = Self::DropColumn { table: table.clone(), column: column.to_owned() };
        let mut ops = after.implied_by(&drop);
        ops.push(drop);
        Some(ops)
    }
}

fn dropped_table(before: &Schema, table: &ObjectName) -> Option<Vec<MigrationOp>> {
    let table = before.table(table)?;
    let mut ops = vec![MigrationOp::CreateTable { table: table.clone() }];
    ops.extend(before.indexes_of(&table.name).map(|index| MigrationOp::AddIndex { index: index.clone() }));
    ops.extend(before.triggers_of(&table.name).map(|trigger| trigger.creation(before)));
    Some(ops)
}

fn dropped_not_null(before: &Schema, table: &ObjectName, column: &str) -> Option<Vec<MigrationOp>> {
    let old = before.table(table)?.visible_column(column, before.names)?;
    if !old.not_null {
        return Some(Vec::new());
    }
    let (table, column) = (table.clone(), column.to_owned());
    let mut ops =
        vec![MigrationOp::SetNotNull { table: table.clone(), column: column.clone(), backfill: None }];
    if old.not_null_conflict.is_some() {
        ops.push(MigrationOp::SetColumnOptions {
            table,
            column,
            identity: old.identity,
            not_null_conflict: old.not_null_conflict,
        });
    }
    Some(ops)
}

impl Trigger {
    /// The operation that creates it.
    pub(crate) fn creation(&self, schema: &Schema) -> MigrationOp {
        MigrationOp::Execute {
            sql: self.definition.to_string(),
            revert: Some(self.drop_statement(schema)),
            outside_transaction: false,
        }
    }

    /// The operation that drops it.
    pub(crate) fn removal(&self, schema: &Schema) -> MigrationOp {
        MigrationOp::Execute {
            sql: self.drop_statement(schema),
            revert: Some(self.definition.to_string()),
            outside_transaction: false,
        }
    }

    fn drop_statement(&self, schema: &Schema) -> String {
        let quoted = |name: &ObjectName| {
            let quote = |name: &str| format!("\"{}\"", name.replace('"', "\"\""));
            name.schema.iter().chain([&name.name]).map(|name| quote(name)).collect::<Vec<_>>().join(".")
        };
        match schema.names {
            NameRule::AsciiInsensitive => format!("DROP TRIGGER {}", quoted(&self.name)),
            // There a trigger's name is its table's affair.
            NameRule::Exact => {
                let name = ObjectName::new(self.name.name.clone());
                format!("DROP TRIGGER {} ON {}", quoted(&name), quoted(&self.table))
            }
        }
    }
}
