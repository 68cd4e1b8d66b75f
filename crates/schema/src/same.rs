//! Whether a schema is what another asks for.

use crate::diff::{Side, Within, aligned_table, join, same_constraint, same_index, same_view};
use crate::{Schema, Table};

impl Schema {
    /// Whether nothing that users see separates this schema from the target: names compare by this schema's rule; the
    /// order of columns and constraints does not count; a constraint that the target leaves unnamed may have any name;
    /// and of views, or triggers, that the target lists none of nothing is demanded.
    pub fn same_as(&self, target: &Self) -> bool {
        let rule = self.names;
        let tables = join(&self.tables, &target.tables, rule).all(|side| match side {
            Side::Both(now, then) => {
                std::ptr::eq(now, then) || now == then || self.same_table(now, target, then)
            }
            _ => false,
        });
        let indexes = join(&self.indexes, &target.indexes, rule)
            .all(|side| matches!(side, Side::Both(now, then) if same_index(now, then, rule)));
        let views = join(&self.views, &target.views, rule)
            .all(|side| matches!(side, Side::Both(now, then) if same_view(now, then, rule)));
        let triggers = join(&self.triggers, &target.triggers, rule).all(|side| match side {
            Side::Both(now, then) => now.definition == then.definition && self.same(&now.table, &then.table),
            _ => false,
        });
        tables && indexes && (views || target.views.is_empty()) && (triggers || target.triggers.is_empty())
    }

    fn same_table(&self, now: &Table, target: &Self, then: &Table) -> bool {
        let then = aligned_table(self, now, then);
        let columns = now.visible().count() == then.columns.len()
            && now.visible().all(|column| then.columns.contains(column));
        let (here, there) = (Within { schema: self, table: now }, Within { schema: target, table: &then });
        let mut open: Vec<_> = now.constraints.iter().collect();
        // Those with a name choose first.
        let (named, unnamed): (Vec<_>, Vec<_>) =
            then.constraints.iter().partition(|constraint| constraint.name.is_some());
        let constraints = open.len() == then.constraints.len()
            && named.into_iter().chain(unnamed).all(|wanted| {
                let fits = |at: &usize| {
                    (wanted.name.is_none() || open[*at].name == wanted.name)
                        && same_constraint(here, open[*at], there, wanted)
                };
                let found = (0..open.len()).find(fits);
                found.map(|at| open.remove(at)).is_some()
            });
        columns && constraints && now.options == then.options
    }
}
