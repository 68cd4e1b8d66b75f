//! Which operations are done together: those on a table that one of them has to rebuild.
//!
//! Operations on a table gather into a group until something else relies on the table or changes it as a whole; then
//! a later operation on it begins another group. A group in which an operation needs a rebuild becomes one rebuild at
//! the place of its last operation: nothing between its operations concerns the table or one it refers to, so that
//! their order makes no difference. All other operations stay where they are.

use std::collections::{BTreeMap, BTreeSet};

use pql_schema::{MigrationOp, ObjectName, Schema};

use crate::text::normalise_in;
use crate::{Capabilities, Dialect, PlanError};

use super::{rebuilds, supported};

/// What is planned at one place.
pub(super) struct Piece {
    /// The operations with their positions; one, unless it is a rebuild.
    pub(super) ops: Vec<(usize, MigrationOp)>,
    /// They are done by one rebuild of their table.
    pub(super) rebuild: bool,
}

/// Examines the operations against the schema, adds what they imply, and groups them. All errors are reported, but
/// none that only follows from another.
pub(super) fn examine(
    ops: &[MigrationOp],
    schema: &Schema,
    caps: &Capabilities,
    retain: bool,
) -> Result<Vec<Piece>, Vec<PlanError>> {
    let mut model = schema.clone();
    let mut groups = Groups::default();
    let mut errors = Vec::new();
    let mut broken: BTreeSet<String> = BTreeSet::new();
    let mut flat = Vec::new();
    for (at, op) in ops.iter().enumerate() {
        let named = names_of(op, &model);
        if named.iter().any(|name| broken.contains(name)) {
            broken.extend(named);
            continue;
        }
        let mut all = model.implied_by(op);
        all.push(op.clone());
        for op in all {
            match admit(&op, &mut model, caps, retain, &mut groups, at) {
                Ok(()) => flat.push((at, op)),
                Err(error) => {
                    errors.push(error.at(at));
                    broken.extend(names_of(&op, &model));
                    break;
                }
            }
        }
    }
    if errors.is_empty() {
        // What must hold when the last operation is done.
        let (positions, ops): (Vec<usize>, Vec<MigrationOp>) = flat.into_iter().unzip();
        if let Err((at, error)) = schema.clone().apply_all(&ops) {
            errors.push(PlanError::from(error).at(positions[at]));
        }
    }
    if errors.is_empty() { Ok(groups.finish()) } else { Err(errors) }
}

/// The tables and other objects that an operation names, for telling whether an error follows from another.
fn names_of(op: &MigrationOp, model: &Schema) -> Vec<String> {
    let mut names: Vec<String> =
        op.tables(model).iter().map(|name| model.names.key(&name.to_string())).collect();
    names.extend(op.objects().iter().map(|object| model.names.key(&object.to_string())));
    // EXECUTE is about the database; an error elsewhere says nothing about it.
    names.retain(|name| name != "the database");
    names
}

fn admit(
    op: &MigrationOp,
    model: &mut Schema,
    caps: &Capabilities,
    retain: bool,
    groups: &mut Groups,
    at: usize,
) -> Result<(), PlanError> {
    let tables = op.tables(model);
    let own = changed_table(op, model);
    supported::examine(op, own.as_ref().and_then(|name| model.table(name)), caps)?;
    let shared =
        matches!(op, MigrationOp::RenameColumn { table, from, .. } if is_read_elsewhere(model, table, from));
    let needs = caps.dialect == Dialect::Sqlite && rebuilds(op, model, caps, retain);
    let key = |model: &Schema, name: &ObjectName| model.names.key(&name.to_string());
    let named: BTreeSet<String> = tables.iter().chain(&own).map(|name| key(model, name)).collect();
    let mut related = named.clone();
    let parents = |model: &Schema| -> Vec<String> {
        let table = own.as_ref().and_then(|name| model.table(name));
        let keys = table
            .into_iter()
            .flat_map(|table| &table.constraints)
            .filter_map(|constraint| constraint.foreign_key());
        keys.map(|foreign| key(model, &foreign.table)).collect()
    };
    related.extend(parents(model));
    model.apply(op)?;
    related.extend(parents(model));
    let own = own.filter(|_| !shared).map(|name| key(model, &name));
    for name in &tables {
        let spelled = model.table(name).map(|table| table.name.clone());
        if let Some(name) = spelled {
            model.tables.entry(name).and_modify(|table| normalise_in(caps.dialect, table));
        }
    }
    groups.add(at, op, own, &named, related, needs);
    Ok(())
}

/// The table that an operation changes in a way that a rebuild can do along with others.
fn changed_table(op: &MigrationOp, model: &Schema) -> Option<ObjectName> {
    let name = match op {
        MigrationOp::AddColumn { table, .. }
        | MigrationOp::DropColumn { table, .. }
        | MigrationOp::RenameColumn { table, .. }
        | MigrationOp::ChangeColumnType { table, .. }
        | MigrationOp::SetNotNull { table, .. }
        | MigrationOp::DropNotNull { table, .. }
        | MigrationOp::SetDefault { table, .. }
        | MigrationOp::DropDefault { table, .. }
        | MigrationOp::SetColumnOptions { table, .. }
        | MigrationOp::SetTableOptions { table, .. }
        | MigrationOp::AddConstraint { table, .. }
        | MigrationOp::DropConstraint { table, .. }
        | MigrationOp::RenameConstraint { table, .. } => table,
        MigrationOp::AddIndex { index } => &index.table,
        MigrationOp::DropIndex { index } | MigrationOp::RenameIndex { from: index, .. } => {
            &model.index(index)?.table
        }
        MigrationOp::CreateTable { .. }
        | MigrationOp::DropTable { .. }
        | MigrationOp::RenameTable { .. }
        | MigrationOp::CreateView { .. }
        | MigrationOp::DropView { .. }
        | MigrationOp::Execute { .. } => return None,
    };
    Some(name.clone())
}

/// Whether something outside the table follows a rename of the column: the plain statement knows how to take it along.
fn is_read_elsewhere(model: &Schema, table: &ObjectName, column: &str) -> bool {
    use pql_schema::ObjectRef;
    model.dependants_of_column(table, column).iter().any(|dependant| match dependant {
        ObjectRef::Constraint(of, _) => !model.same(of, table),
        ObjectRef::View(_) | ObjectRef::Trigger(_) => true,
        _ => false,
    })
}

#[derive(Default)]
struct Groups {
    all: Vec<Group>,
    /// The group of each table that a further operation may join.
    open: BTreeMap<String, usize>,
}

struct Group {
    ops: Vec<(usize, MigrationOp)>,
    /// The tables that its operations name, and those its table refers or referred to.
    related: BTreeSet<String>,
    /// The place of each operation in the order of all.
    places: Vec<usize>,
    rebuild: bool,
}

impl Groups {
    fn add(
        &mut self,
        at: usize,
        op: &MigrationOp,
        own: Option<String>,
        named: &BTreeSet<String>,
        related: BTreeSet<String>,
        needs: bool,
    ) {
        let place = self.all.iter().map(|group| group.ops.len()).sum();
        let everything = matches!(
            op,
            MigrationOp::Execute { .. } | MigrationOp::CreateView { .. } | MigrationOp::DropView { .. }
        );
        let all = &self.all;
        self.open.retain(|table, group| {
            own.as_ref() == Some(table) || !everything && all[*group].related.is_disjoint(named)
        });
        let joined = own.as_ref().and_then(|table| self.open.get(table).copied());
        let group = joined.unwrap_or_else(|| {
            self.all.push(Group {
                ops: Vec::new(),
                related: BTreeSet::new(),
                places: Vec::new(),
                rebuild: false,
            });
            self.all.len() - 1
        });
        if let Some(table) = own {
            self.open.insert(table, group);
        }
        let group = &mut self.all[group];
        group.ops.push((at, op.clone()));
        group.places.push(place);
        group.related.extend(related);
        group.rebuild |= needs;
    }

    fn finish(self) -> Vec<Piece> {
        let mut placed: Vec<(usize, Piece)> = Vec::new();
        for group in self.all {
            if group.rebuild {
                let last = group.places.last().copied().unwrap_or_default();
                placed.push((last, Piece { ops: group.ops, rebuild: true }));
            } else {
                let each = group.places.into_iter().zip(group.ops);
                placed.extend(each.map(|(place, op)| (place, Piece { ops: vec![op], rebuild: false })));
            }
        }
        placed.sort_by_key(|(place, _)| *place);
        placed.into_iter().map(|(_, piece)| piece).collect()
    }
}
