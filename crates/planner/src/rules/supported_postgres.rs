//! What PostgreSQL cannot express.

use pql_schema::{
    Column, Constraint, ConstraintKind, DataType, MigrationOp, SortOrder, Table, TableOptions, tokens,
};

use crate::{Capabilities, PlanError, codes};

use super::supported::unsupported;

/// Refuses an operation that asks for more than PostgreSQL has. `table`: the one it is about, as it is before it.
pub(super) fn examine(op: &MigrationOp, table: Option<&Table>, caps: &Capabilities) -> Result<(), PlanError> {
    match op {
        MigrationOp::CreateTable { table } => {
            table.columns.iter().try_for_each(|column| examine_column(column, caps))?;
            table.constraints.iter().try_for_each(examine_constraint)?;
            examine_options(&table.options)
        }
        MigrationOp::SetTableOptions { options, .. } => {
            examine_options(options)?;
            if table.is_some_and(|table| table.options != *options) {
                return Err(unsupported(
                    "options of a table that is there cannot be changed by an operation",
                    "use EXECUTE 'ALTER TABLE … SET (…)' REVERT 'ALTER TABLE … RESET (…)'",
                ));
            }
            Ok(())
        }
        MigrationOp::AddColumn { column, constraints, .. } => {
            examine_column(column, caps)?;
            constraints.iter().try_for_each(examine_constraint)
        }
        MigrationOp::ChangeColumnType { to, .. } => examine_type(to, caps),
        MigrationOp::AddConstraint { constraint, .. } => examine_constraint(constraint),
        MigrationOp::SetColumnOptions { not_null_conflict: Some(_), .. } => Err(no_conflict_clause()),
        _ => Ok(()),
    }
}

fn examine_options(options: &TableOptions) -> Result<(), PlanError> {
    if options.strict || options.without_rowid {
        return Err(unsupported(
            "PostgreSQL has no STRICT and no WITHOUT ROWID tables",
            "leave the options away: every table of PostgreSQL is strict",
        ));
    }
    Ok(())
}

fn examine_column(column: &Column, caps: &Capabilities) -> Result<(), PlanError> {
    if column.not_null_conflict.is_some() {
        return Err(no_conflict_clause());
    }
    if column.generated.as_ref().is_some_and(|generated| !generated.stored) && major(caps) < 18 {
        return Err(unsupported(
            "this PostgreSQL has no VIRTUAL columns",
            "say STORED, or compute the value in a view",
        ));
    }
    examine_type(&column.data_type, caps)
}

fn examine_type(data_type: &DataType, caps: &Capabilities) -> Result<(), PlanError> {
    match data_type {
        DataType::Untyped => Err(unsupported("PostgreSQL has no columns without a type", "say the type")),
        DataType::Array(inner) => examine_type(inner, caps),
        DataType::Vector(_) => match &caps.vectors {
            Ok(()) => Ok(()),
            Err(why) => Err(PlanError::new(codes::NO_VECTORS, "vectors cannot be stored here", why)),
        },
        _ => Ok(()),
    }
}

fn examine_constraint(constraint: &Constraint) -> Result<(), PlanError> {
    let (parts, conflict) = match &constraint.kind {
        ConstraintKind::PrimaryKey(key) => (&key.columns, key.on_conflict),
        ConstraintKind::Unique(unique) => (&unique.columns, unique.on_conflict),
        _ => return Ok(()),
    };
    if conflict.is_some() {
        return Err(no_conflict_clause());
    }
    if parts.iter().any(|part| part.collation.is_some() || part.order == SortOrder::Desc) {
        return Err(unsupported(
            "in PostgreSQL a key's columns have neither an order nor a collation of their own",
            "use a unique index instead",
        ));
    }
    Ok(())
}

fn no_conflict_clause() -> PlanError {
    unsupported("PostgreSQL has no ON CONFLICT in a definition", "say ON CONFLICT in the INSERT")
}

/// The major version, from what the server says of itself.
fn major(caps: &Capabilities) -> u32 {
    let number = tokens(&caps.version).find_map(|token| token.text.split('.').next()?.parse().ok());
    number.unwrap_or_default()
}
