//! PostgreSQL: a column of another type beside the old one, which then takes its place.

use pql_schema::{
    Column, Constraint, ConstraintKind, DataType, Expr, Index, MigrationOp, ObjectRef, Schema, Table,
    TokenKind, can_be_column, tokens,
};

use crate::estimate::metadata;
use crate::exprs::{columns_in, is_unstable};
use crate::text::{postgres_comparable, postgres_ident, postgres_type_name};
use crate::{Action, Change, Check, ColumnSwap, ConstraintTwin, IndexTwin, Phase, PlanError, codes};

use super::constrain::{alter, key_index, not_null_check, validation};
use super::ladder::Ladder;
use super::row_key::postgres_row_key;
use super::{by_place, hindrances};

/// Another type for a column.
pub(super) struct TypeChange<'a> {
    /// The table without it.
    pub(super) before: &'a Table,
    pub(super) old: &'a Column,
    pub(super) new: &'a Column,
    pub(super) conversion: Conversion,
}

/// The steps that replace the column. The operation is applied to the model already.
pub(super) fn swap(ladder: &mut Ladder<'_>, change: TypeChange<'_>) -> Result<(), PlanError> {
    reads_no_row(&change)?;
    let TypeChange { before, old, new, .. } = change;
    let dependants = hindrances::of_swap(ladder, before, old)?;
    let shadow = ladder.names.next("new", &old.name);
    let retained = ladder.names.next("old", &old.name);
    let named_before = with_table(ladder, before);
    let over_shadow = renamed(&named_before, before, &old.name, &shadow)?;
    let over_retained = renamed(&named_before, before, &old.name, &retained)?;
    let mut swap = describe(ladder, change);
    (swap.shadow, swap.retained) = (shadow.clone(), retained.clone());
    for dependant in dependants {
        match dependant {
            ObjectRef::Constraint(_, name) => {
                let find = |schema: &Schema| {
                    let table = schema.table(&before.name)?;
                    table.constraint(&name, schema.names).cloned()
                };
                let (Some(own), Some(twin), Some(back)) =
                    (find(&named_before), find(&over_shadow), find(&over_retained))
                else {
                    continue;
                };
                add_constraint(ladder, &mut swap, own, twin, back);
            }
            ObjectRef::Index(name) => {
                let find = |schema: &Schema| schema.index(&name).cloned();
                if let (Some(index), Some(twin), Some(back)) =
                    (find(&named_before), find(&over_shadow), find(&over_retained))
                {
                    swap.indexes.push(index_twin(ladder, None, index, twin, back));
                }
            }
            _ => {}
        }
    }
    if new.not_null {
        swap.not_null = Some(ladder.names.next("not_null", &new.name));
    }
    if old.not_null {
        swap.old_not_null = Some(ladder.names.next("not_null", &old.name));
    }
    swap.after = hide_old(ladder, before, old, &retained);
    steps(ladder, &swap);
    Ok(())
}

/// The schema as it is before the operation.
fn with_table(ladder: &Ladder<'_>, before: &Table) -> Schema {
    let mut schema = ladder.schema.clone();
    schema.tables.insert(before.name.clone(), before.clone());
    schema
}

fn renamed(schema: &Schema, table: &Table, from: &str, to: &str) -> Result<Schema, PlanError> {
    let mut schema = schema.clone();
    schema.apply(&MigrationOp::RenameColumn {
        table: table.name.clone(),
        from: from.to_owned(),
        to: to.to_owned(),
    })?;
    Ok(schema)
}

fn describe(ladder: &mut Ladder<'_>, change: TypeChange<'_>) -> ColumnSwap {
    let TypeChange { before, old, new, conversion } = change;
    let Conversion { forward, fits, backward, backward_meant } = conversion;
    ColumnSwap {
        before: before.clone(),
        after: before.clone(),
        old: old.clone(),
        new: new.clone(),
        shadow: String::new(),
        retained: String::new(),
        key: postgres_row_key(&ladder.schema, before, Some(&old.name)),
        sources: sources(&forward, before),
        unstable: is_unstable(&forward),
        forward,
        fits,
        backward,
        backward_meant,
        constraints: Vec::new(),
        declared: Vec::new(),
        declared_back: Vec::new(),
        not_null: None,
        old_not_null: None,
        indexes: Vec::new(),
        misfits: ladder.names.hidden("misfits", &before.name),
    }
}

/// The columns of a row that is being written which it reads: what the server generates is not there yet, but what that
/// is generated from.
fn sources(expr: &Expr, table: &Table) -> Vec<String> {
    let named = columns_in(expr, table);
    let mut all: Vec<String> = table
        .columns
        .iter()
        .filter(|column| named.contains(&column.name))
        .flat_map(|column| match &column.generated {
            Some(generated) => columns_in(&generated.expr, table),
            None => vec![column.name.clone()],
        })
        .collect();
    all.sort();
    all.dedup();
    all
}

/// Fails when an expression reads the row as a whole: it stands for one that is being written, too, which the server has
/// not completed then, and which has one column more.
fn reads_no_row(change: &TypeChange<'_>) -> Result<(), PlanError> {
    let TypeChange { before, old, conversion, .. } = change;
    let said = [("USING", &conversion.forward), ("REVERT USING", &conversion.backward)];
    let Some((word, _)) = said.into_iter().find(|(_, expr)| reads_row(expr, before)) else { return Ok(()) };
    let message = format!(
        "the type of {}.{} cannot be changed: {word} reads the row of {} as a whole",
        before.name, old.name, before.name.name
    );
    let help = format!(
        "name the columns that it reads; or change it by EXECUTE 'ALTER TABLE {} ALTER COLUMN {} TYPE …' REVERT '…', which \
         writes the rows anew while nobody else can use the table",
        before.name, old.name
    );
    Err(PlanError::new(codes::IN_USE, message, help))
}

fn reads_row(expr: &Expr, table: &Table) -> bool {
    let name = &table.name.name;
    if table.columns.iter().any(|column| column.name == *name) {
        return false;
    }
    let all: Vec<_> = tokens(expr.as_str()).collect();
    let text = |at: usize| all.get(at).map_or("", |token| token.text);
    (0..all.len()).any(|at| {
        // `extract(year FROM a)` and `date '2020-01-01'` are no columns either.
        let word = || {
            all.get(at + 1)
                .is_some_and(|next| next.kind == TokenKind::String || next.text.eq_ignore_ascii_case("from"))
        };
        all[at].name().is_some_and(|token| token == *name)
            && (can_be_column(&all, at) && !word() || text(at + 1) == "." && text(at + 2) == "*")
    })
}

fn add_constraint(
    ladder: &mut Ladder<'_>,
    swap: &mut ColumnSwap,
    own: Constraint,
    twin: Constraint,
    back: Constraint,
) {
    let Some(name) = own.name.clone() else { return };
    let table = swap.before.name.clone();
    if matches!(own.kind, ConstraintKind::PrimaryKey(_) | ConstraintKind::Unique(_)) {
        let (index, over_new, over_old) =
            (key_index(&table, &own), key_index(&table, &twin), key_index(&table, &back));
        swap.constraints.push(own.clone());
        swap.indexes.push(index_twin(ladder, Some(own), index, over_new, over_old));
        return;
    }
    let mut hidden = |constraint: Constraint| ConstraintTwin {
        twin: Constraint { name: Some(ladder.names.next("rule", &name)), ..constraint },
        name: name.clone(),
    };
    swap.declared.push(hidden(twin));
    swap.declared_back.push(hidden(back));
    swap.constraints.push(own);
}

fn index_twin(
    ladder: &mut Ladder<'_>,
    constraint: Option<Constraint>,
    index: Index,
    twin: Index,
    back: Index,
) -> IndexTwin {
    let twin = Index { name: ladder.names.beside("index", &index.name), ..twin };
    let back = Index { name: ladder.names.beside("kept", &index.name), ..back };
    IndexTwin { index, constraint, twin, back }
}

/// The model's table as it is after the swap.
fn hide_old(ladder: &mut Ladder<'_>, before: &Table, old: &Column, retained: &str) -> Table {
    let hidden = Column {
        name: retained.to_owned(),
        not_null: false,
        default: None,
        identity: None,
        retained: true,
        ..old.clone()
    };
    let mut after = ladder.schema.table(&before.name).cloned().unwrap_or_else(|| before.clone());
    if let Some(at) = after.columns.iter().position(|column| column.name == old.name) {
        let new = std::mem::replace(&mut after.columns[at], hidden);
        after.columns.push(new);
    }
    ladder.schema.tables.insert(after.name.clone(), after.clone());
    after
}

fn steps(ladder: &mut Ladder<'_>, swap: &ColumnSwap) {
    let table = swap.before.clone();
    let costs = ladder.costs(&table.name);
    let brief =
        ladder.is_brief(costs.update() + costs.index() * f64::from(u8::from(!swap.indexes.is_empty())));
    if let Some(expr) = &swap.fits {
        let check =
            Check::Holds { name: format!("{} {}", swap.new.name, swap.new.data_type), expr: expr.clone() };
        let action = Action::Validate { table: table.name.clone(), checks: vec![check], captured: None };
        // Said before anything is done: values that would be lost.
        ladder.step(Phase::Expand, action, Vec::new(), costs.unlocked(costs.scan()));
    }
    by_place::warn_of_replaced(ladder, &table, &swap.old, &swap.new);
    let at = ladder.add_swap(swap.clone());
    let (back, abandon) = (Action::SwapBack { swap: at }, Action::SwapAbandon { swap: at });
    let mut undo = restore(swap, brief);
    undo.push(back);
    if brief {
        undo.push(abandon);
        let millis = costs.update() + costs.index();
        ladder.step(
            Phase::Cutover,
            Action::SwapAtOnce { swap: at },
            undo,
            costs.at_once(millis, costs.bytes()),
        );
    } else {
        ladder.step(Phase::Expand, Action::SwapPrepare { swap: at }, vec![abandon], metadata());
        let filled = costs.paced(costs.update(), costs.bytes());
        ladder.step(Phase::Backfill, Action::SwapFill { swap: at }, Vec::new(), filled);
        for twin in &swap.indexes {
            ladder.index(Phase::Validate, &twin.twin);
        }
        for declared in &swap.declared {
            declare(ladder, &table, &declared.twin);
        }
        if let Some(name) = &swap.not_null {
            declare(ladder, &table, &not_null_check(name, &swap.shadow));
        }
        if !swap.unstable {
            let verified = costs.unlocked(2.0 * costs.scan());
            ladder.step(Phase::Validate, Action::SwapVerify { swap: at }, Vec::new(), verified);
        }
        ladder.step(Phase::Cutover, Action::SwapColumns { swap: at }, undo, metadata());
    }
    if !ladder.options.retain {
        ladder.give_up(Action::SwapForget { swap: at }, metadata(), "the old column is not kept");
        ladder.forget_column(&table.name, &swap.retained);
    }
}

/// Declares a constraint over the new column.
fn declare(ladder: &mut Ladder<'_>, table: &Table, constraint: &Constraint) {
    let Some(name) = constraint.name.clone() else { return };
    let loose = Constraint { not_valid: true, ..constraint.clone() };
    let undo = alter(table, vec![Change::DropConstraint { name }]);
    let action = alter(table, vec![Change::AddConstraint { constraint: loose }]);
    ladder.short(Phase::Validate, action, vec![undo]);
    if let Some(action) = validation(table, constraint) {
        let costs = ladder.costs(&table.name);
        ladder.step(Phase::Validate, action, Vec::new(), costs.unlocked(costs.scan()));
    }
}

/// What comes before the way back: constraints and keys over the old column, which were given up with the swap.
fn restore(swap: &ColumnSwap, brief: bool) -> Vec<Action> {
    let table = &swap.before;
    let mut actions = Vec::new();
    let not_null = swap.old_not_null.as_ref().map(|name| not_null_check(name, &swap.retained));
    let checks = swap.declared_back.iter().map(|declared| declared.twin.clone()).chain(not_null);
    for constraint in checks {
        let loose = Constraint { not_valid: true, ..constraint.clone() };
        actions.push(alter(table, vec![Change::AddConstraint { constraint: loose }]));
        actions.extend(validation(table, &constraint));
    }
    for twin in swap.indexes.iter().filter(|twin| twin.index.unique) {
        let index = twin.back.clone();
        actions.push(if brief {
            Action::CreateIndex { index }
        } else {
            Action::CreateIndexConcurrently { index }
        });
    }
    actions
}

/// How values go from one column to the other.
pub(super) struct Conversion {
    /// The new value, over the row before.
    pub(super) forward: Expr,
    /// What must hold of the row before, so that nothing is lost.
    pub(super) fits: Option<Expr>,
    /// The old value, over the row after.
    pub(super) backward: Expr,
    /// The author said it.
    pub(super) backward_meant: bool,
}

/// As the author says, or by the types.
pub(super) fn conversion(
    old: &Column,
    new: &Column,
    using: Option<&Expr>,
    revert_using: Option<&Expr>,
) -> Conversion {
    let name = postgres_ident(&old.name);
    let (forward, fits) = match using {
        Some(using) => (using.clone(), None),
        None => convert(&name, &old.data_type, &new.data_type),
    };
    let backward = match revert_using {
        Some(revert) => revert.clone(),
        None => convert(&name, &new.data_type, &old.data_type).0,
    };
    Conversion { forward, fits, backward, backward_meant: revert_using.is_some() }
}

/// The value as one of another type, and what must hold so that nothing is lost. A value that is too long for its new
/// column is not cut off: it is assigned, not cast.
fn convert(value: &str, from: &DataType, to: &DataType) -> (Expr, Option<Expr>) {
    let cast = format!("{value}::{}", postgres_type_name(to));
    let or_null = |condition: String| Some(Expr::statement(format!("{value} IS NULL OR {condition}")));
    let is_text = matches!(from, DataType::Text | DataType::Varchar(_) | DataType::Char(_));
    match to {
        DataType::Varchar(Some(n)) | DataType::Char(Some(n)) => {
            (Expr::new(format!("{value}::TEXT")), or_null(format!("char_length({value}::TEXT) <= {n}")))
        }
        DataType::Decimal(Some(_), _) if is_text => {
            let fits = or_null(format!("{value}::NUMERIC = {cast}"));
            (Expr::new(cast), fits)
        }
        // A text that is none of the type's values is refused by the cast itself.
        _ if is_text || from.fits_into(to) || matches!(to, DataType::Text | DataType::Varchar(None)) => {
            (Expr::new(cast), None)
        }
        _ => {
            let back = format!("({cast})::{}", postgres_type_name(from));
            let equal = [back.as_str(), value].map(|value| postgres_comparable(from, value)).join(" = ");
            let fits = or_null(equal);
            (Expr::new(cast), fits)
        }
    }
}
