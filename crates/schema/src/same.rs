//! Whether a schema is what another asks for.

use crate::diff::{Within, aligned_table, same_constraint, same_index, same_view};
use crate::schema::find;
use crate::{Schema, Table};

impl Schema {
    /// Whether nothing that users see separates this schema from the target: names compare by this schema's rule; the
    /// order of columns and constraints does not count; a constraint that the target leaves unnamed may have any name;
    /// and of views, or triggers, that the target lists none of nothing is demanded.
    pub fn same_as(&self, target: &Self) -> bool {
        self.tables.len() == target.tables.len()
            && target.tables.values().all(|then| {
                let found = find(&self.tables, self.names, &then.name);
                found.is_some_and(|(_, now)| now == then || self.same_table(now, target, then))
            })
            && self.indexes.len() == target.indexes.len()
            && target.indexes.values().all(|then| {
                let found = find(&self.indexes, self.names, &then.name);
                found.is_some_and(|(_, now)| same_index(now, then, self.names))
            })
            && (target.views.is_empty() || self.views.len() == target.views.len())
            && target.views.values().all(|then| {
                find(&self.views, self.names, &then.name)
                    .is_some_and(|(_, now)| same_view(now, then, self.names))
            })
            && (target.triggers.is_empty() || self.triggers.len() == target.triggers.len())
            && target.triggers.values().all(|then| {
                find(&self.triggers, self.names, &then.name).is_some_and(|(_, now)| {
                    now.definition == then.definition && self.same(&now.table, &then.table)
                })
            })
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
