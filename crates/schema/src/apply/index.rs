//! ADD, DROP and RENAME of indexes.

use super::{Applied, ApplyError};
use crate::{Index, ObjectName, ObjectRef, Schema};

impl Schema {
    pub(super) fn add_index(&mut self, index: &Index) -> Applied {
        self.check_free(&index.name)?;
        let mut index = index.clone();
        index.table = self.check_index(&index)?;
        self.indexes.insert(index.name.clone(), index);
        Ok(())
    }

    /// What must hold of an index; the table's name as the table spells it.
    pub(crate) fn check_index(&self, index: &Index) -> Result<ObjectName, ApplyError> {
        if index.parts.is_empty() {
            return Err(ApplyError::Empty { what: ObjectRef::Index(index.name.clone()) });
        }
        // The columns of a materialised view are its query's affair.
        if let Some(view) = self.view(&index.table).filter(|view| view.materialized) {
            return Ok(view.name.clone());
        }
        let table = self.known_table(&index.table)?;
        let columns = index.parts.iter().filter_map(|part| part.column.as_ref()).chain(&index.include);
        for column in columns {
            table.known_column(column, self.names)?;
        }
        Ok(table.name.clone())
    }

    /// Refused while a foreign key refers to what this index alone keeps unique.
    pub(super) fn drop_index(&mut self, name: &ObjectName) -> Applied {
        let index = self.known_index(name)?;
        if let Some(table) = self.table(&index.table).filter(|_| index.unique) {
            let all = || self.indexes_of(&table.name);
            let by = self.keys_left_alone(table, |columns| {
                !table.has_key(all(), columns, self.names)
                    || table.has_key(all().filter(|other| other.name != index.name), columns, self.names)
            });
            if !by.is_empty() {
                return Err(ApplyError::InUse { what: ObjectRef::Index(index.name.clone()), by });
            }
        }
        let name = index.name.clone();
        self.indexes.remove(&name);
        Ok(())
    }

    pub(super) fn rename_index(&mut self, from: &ObjectName, to: &ObjectName) -> Applied {
        let from = self.known_index(from)?.name.clone();
        if !self.same(&from, to) {
            self.check_free(to)?;
        }
        if let Some(mut index) = self.indexes.remove(&from) {
            index.name = to.clone();
            self.indexes.insert(to.clone(), index);
        }
        Ok(())
    }
}
