//! A column gets another type.

use pql_schema::{
    Column, Constraint, ConstraintKind, DataType, Expr, MigrationOp, ObjectName, Schema, Table,
};

use crate::conversion::within_affinity;
use crate::exprs::operand;
use crate::text::{
    Affinity, postgres_comparable, postgres_ident, postgres_literal, postgres_type, postgres_type_name,
    sqlite_meaning,
};
use crate::{Action, Capabilities, Change, Check, Hold, Phase, PlanError, Severity, codes};

use super::constrain::validation;
use super::declare::Demands;
use super::ladder::Ladder;
use super::row_key::rowid_alias;
use super::swap_column::{TypeChange, conversion};
use super::{new_table, swap_column};

/// Whether stored values change, or may have to: another affinity, a computed value, a type that is checked by the
/// database itself, or the column that is the rowid.
pub(super) fn rebuilds(
    before: &Schema,
    table: &ObjectName,
    column: &str,
    to: &DataType,
    collation: Option<&str>,
    using: Option<&Expr>,
    caps: &Capabilities,
) -> bool {
    let Some(table) = before.table(table) else { return false };
    let Some(known) = table.column(column, before.names) else { return false };
    let changed = Column { data_type: to.clone(), ..known.clone() };
    let vector = [&known.data_type, to].into_iter().any(|kind| matches!(kind, DataType::Vector(_)));
    let counts = |table: &Table| rowid_alias(table).is_some_and(|name| before.names.same(name, column));
    let mut after = table.clone();
    if let Some(column) = after.column_mut(column, before.names) {
        column.data_type = to.clone();
    }
    if known.data_type == *to && known.collation.as_deref() == collation && using.is_none() {
        return false;
    }
    using.is_some()
        || known.generated.is_some()
        || known.collation.as_deref() != collation
        || table.options.strict
        || vector
        || counts(table)
        || counts(&after)
        || !caps.definition_edit
        || Affinity::of(known, table) != Affinity::of(&changed, &after)
}

/// Within one affinity, an edit of the definition, once the values are known to be of the new type.
pub(super) fn sqlite(
    ladder: &mut Ladder<'_>,
    op: &MigrationOp,
    table: &ObjectName,
    column: &str,
) -> Result<(), PlanError> {
    let (before, after) = ladder.applied(op, table)?;
    if before == after {
        return Ok(());
    }
    let names = ladder.schema.names;
    let (Some(old), Some(new)) = (before.column(column, names), after.column(column, names)) else {
        return Ok(());
    };
    let narrower = |from: &Column, to: &Column| {
        let expr = within_affinity(&Expr::column(&to.name), &from.data_type, &to.data_type)?;
        Some(Check::Holds { name: format!("{} {}", to.name, to.data_type), expr })
    };
    let to = sqlite_meaning(&new.data_type);
    if matches!(to, DataType::Varchar(Some(_)) | DataType::Char(Some(_)) | DataType::Decimal(Some(_), _)) {
        let message = format!("SQLite does not hold rows to come to {to}");
        ladder.warn(codes::NOT_ENFORCED, Severity::Note, message);
    }
    let checks = narrower(old, new).into_iter().collect();
    // Nothing held the rows to the old type either, so on the way back nothing does.
    ladder.declare(&before, &after, Demands { checks, ..Demands::default() })
}

/// PostgreSQL: a change of the definition where the stored values are those of the new type, too; otherwise another
/// column beside it that takes its place.
pub(super) fn postgres(
    ladder: &mut Ladder<'_>,
    op: &MigrationOp,
    table: &ObjectName,
    column: &str,
) -> Result<(), PlanError> {
    let MigrationOp::ChangeColumnType { using, revert_using, .. } = op else { return Ok(()) };
    let (before, after) = ladder.applied(op, table)?;
    let names = ladder.schema.names;
    let (Some(old), Some(mut new)) =
        (before.column(column, names).cloned(), after.column(column, names).cloned())
    else {
        return Ok(());
    };
    if old == new && using.is_none() {
        return Ok(());
    }
    if old.data_type != new.data_type {
        // Also for the operations that follow, whose way back gives the column this default again.
        new.default = new.default.as_ref().map(postgres_literal);
        ladder.schema.tables.entry(after.name).and_modify(|table| {
            if let Some(column) = table.column_mut(&new.name, names) {
                column.default.clone_from(&new.default);
            }
        });
    }
    // A domain's values are those of the type beneath it.
    let beneath = ladder.held(&before.name).iter().any(|held| {
        held.hold == Hold::Domain
            && held.columns.contains(&old.name)
            && held.definition.as_deref().map(postgres_type).is_some_and(|beneath| beneath == new.data_type)
    });
    let keeps = beneath || keeps_stored(&old.data_type, &new.data_type);
    if using.is_some() || old.collation != new.collation || !keeps {
        let conversion = conversion(&old, &new, using.as_ref(), revert_using.as_ref());
        let change = TypeChange { before: &before, old: &old, new: &new, conversion };
        if new_table::change_type(ladder, &change)? {
            return Ok(());
        }
        return swap_column::swap(ladder, change);
    }
    super::hindrances::of_change(ladder, &before, &old)?;
    let costs = ladder.costs(&before.name);
    if !ladder.is_brief(costs.update()) && !keeps_stored(&new.data_type, &old.data_type) {
        let message = format!("a ROLLBACK rewrites {} while nobody else can use it", before.name);
        ladder.warn(codes::ROLLBACK_REFUSES, Severity::Note, message);
    }
    // The database would examine the rows again for each of them, with everybody held off.
    let checks: Vec<Constraint> = before
        .constraints
        .iter()
        .filter(|constraint| {
            matches!(&constraint.kind, ConstraintKind::Check { expr } if expr.mentions(&old.name))
        })
        .cloned()
        .collect();
    let to = |column: &Column, using: Option<&Expr>, fits: Option<Expr>| Change::SetType {
        column: column.name.clone(),
        to: column.data_type.clone(),
        collation: column.collation.clone(),
        using: using.cloned(),
        fits,
    };
    let default = |column: &Column, default: Option<Expr>| {
        let column = column.name.clone();
        default.map(|default| Change::SetDefault { column, default })
    };
    let around = |middle: Change, default: Option<Change>| {
        let drop =
            checks.iter().filter_map(|check| Some(Change::DropConstraint { name: check.name.clone()? }));
        let add = checks.iter().map(|check| Change::AddConstraint {
            constraint: Constraint { not_valid: true, ..check.clone() },
        });
        let no_default = default.as_ref().map(|_| Change::DropDefault { column: old.name.clone() });
        let changes: Vec<Change> = drop.chain(no_default).chain([middle]).chain(default).chain(add).collect();
        Action::Alter { table: before.name.clone(), changes }
    };
    let valid: Vec<Action> = checks
        .iter()
        .filter(|check| !check.not_valid)
        .filter_map(|check| validation(&before, check))
        .collect();
    let back = to(&old, revert_using.as_ref(), comes_back(&old, &new, revert_using.as_ref()));
    let mut undo = vec![around(back, default(&old, old.default.clone()))];
    undo.extend(valid.iter().cloned());
    ladder.short(Phase::Cutover, around(to(&new, None, None), default(&new, new.default.clone())), undo);
    for action in valid {
        ladder.step(Phase::Cutover, action, Vec::new(), costs.unlocked(costs.scan()));
    }
    Ok(())
}

/// What must hold of a row that goes back to the former type, which the server would cut or round to it. What the author
/// says is meant, unless there is nothing.
fn comes_back(old: &Column, new: &Column, revert_using: Option<&Expr>) -> Option<Expr> {
    let name = postgres_ident(&old.name);
    if let Some(revert) = revert_using {
        return Some(Expr::statement(format!("{name} IS NULL OR {} IS NOT NULL", operand(revert))));
    }
    if keeps_stored(&new.data_type, &old.data_type) {
        return None;
    }
    Some(Expr::statement(match &old.data_type {
        DataType::Varchar(Some(n)) => format!("{name} IS NULL OR char_length({name}) <= {n}"),
        // Neither the infinite ones nor those that are too large can be cast at all.
        DataType::Decimal(Some(p), s) => {
            let scale = s.unwrap_or_default();
            let digits = i64::from(*p) - i64::from(scale);
            format!(
                "{name} IS NULL OR {name} = 'NaN' OR {name} = round({name}, {scale}) AND abs({name}) < 1e{digits}"
            )
        }
        _ => {
            let cast = [&old.data_type, &new.data_type].map(postgres_type_name).join(")::");
            let again = postgres_comparable(&new.data_type, &format!("({name}::{cast}"));
            format!("{again} IS NOT DISTINCT FROM {}", postgres_comparable(&new.data_type, &name))
        }
    }))
}

/// Whether every stored value of the first type is, bit by bit, one of the second, which PostgreSQL knows.
fn keeps_stored(from: &DataType, to: &DataType) -> bool {
    use DataType::{Decimal, Native, Text, Varchar};
    match (from, to) {
        (a, b) if a == b => true,
        (Text | Varchar(_), Text | Varchar(None)) | (Decimal(Some(_), _), Decimal(None, _)) => true,
        (Varchar(Some(n)), Varchar(Some(m))) => n <= m,
        (Decimal(Some(p), s), Decimal(Some(q), t)) => {
            p <= q && s.unwrap_or_default() == t.unwrap_or_default()
        }
        (Native(a), Native(b)) => {
            matches!((a.as_str(), b.as_str()), ("CIDR", "INET"))
                || matches!((bits(a), bits(b)), (Some(n), Some(m)) if n <= m)
        }
        _ => false,
    }
}

/// The longest value of a `BIT VARYING(n)`, when it is one.
fn bits(name: &str) -> Option<u32> {
    let rest = name.strip_prefix("BIT VARYING").or_else(|| name.strip_prefix("VARBIT"))?;
    if rest.is_empty() {
        return Some(u32::MAX);
    }
    rest.strip_prefix('(')?.strip_suffix(')')?.parse().ok()
}
